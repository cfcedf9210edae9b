"""PINs, the confirmation step that other services ask for, and a holder's own page (E2 E5 M14)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from deploy.engines import PostgresEngine
from shared.contracts.identity import ActionConfirmed, ConfirmedBy, LanguageChosen, PinChanged, PinDisabled
from shared.contracts.policy import EMAIL, PAPER, CredentialPolicy, PinRule
from shared.web.confirmation import (
    Purpose,
    confirmation_url,
)
from shared.web.sessions import hash_token
from tests.integration.identity_fixtures import SITE, World, identity_world
from tests.integration.test_identity_web import CHOSEN, SESSION, Browser, a_secretary, text_of

PIN, OTHER_PIN = "482916", "739205"
BACK = "/registro/giustificazioni?mese=3"
SUBJECT = "guardianship-1"
LANGUAGE = "__Host-custode-lang"
CHOSEN_PINS = EMAIL.model_copy(update={"guardian": EMAIL.guardian.model_copy(update={"pin": PinRule.chosen})})


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        yield made


@pytest.fixture
async def browser(world: World) -> AsyncIterator[Browser]:
    transport = httpx.ASGITransport(world.parts.web(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=SITE) as client:
        yield Browser(client, {})


async def inside(world: World, browser: Browser, policy: CredentialPolicy = EMAIL) -> tuple[str, str, str]:
    """A guardian past their first access: account, user code, the PIN that they were issued (or "")."""
    account, code, secret = await world.a_guardian(policy)
    await browser.post("/accesso/", codice=code, password=secret.password)
    changed = await browser.post(
        "/accesso/cambio-password", attuale=secret.password, nuova=CHOSEN, ripeti=CHOSEN
    )
    assert changed.status_code == 303
    return account, code, secret.pin or ""


def code_in(response: httpx.Response) -> str:
    assert response.status_code == 303, response.text
    parts = urlsplit(response.headers["location"])
    assert f"{parts.path}?{parts.query}".startswith(BACK)
    return parse_qs(parts.query)["conferma"][0]


async def confirm(
    browser: Browser, proof: str, purpose: str = "justify", subject: str = SUBJECT
) -> httpx.Response:
    return await browser.post("/accesso/conferma", scopo=purpose, oggetto=subject, next=BACK, prova=proof)


async def redeem(
    world: World, token: str, code: str, purpose: str = "justify", subject: str = SUBJECT
) -> bool:
    return await world.parts.front.own.confirmations.redeem(hash_token(token), code, purpose, subject)


@pytest.mark.requirement("E2", part="ten wrong PINs in all, however many come at once")
async def test_parallel_guesses_get_ten_tries_in_all(
    world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, _, pin = await inside(world, browser)
    hasher, looked_at = world.parts.hasher, 0
    verify = hasher.verify_now

    def counted(secret: str, verifier: object) -> bool:
        nonlocal looked_at
        looked_at += 1
        return verify(secret, verifier)  # type: ignore[arg-type]

    monkeypatch.setattr(hasher, "verify_now", counted)
    wrong = [f"{n:06d}" for n in range(100, 140) if f"{n:06d}" != pin]
    answers = await asyncio.gather(*(confirm(browser, guess) for guess in wrong))
    assert {answer.status_code for answer in answers} == {422}
    assert looked_at == 10
    assert [(e.account, e.failures) for e in await world.events(PinDisabled)] == [(account, 10)]
    refused = await confirm(browser, pin)
    assert refused.status_code == 422 and "Il PIN è disattivato" in refused.text and looked_at == 10
    stored = await world.pool.fetchval("select pin from private.verifiers where account = $1", account)
    assert stored is None, "nothing is left to guess at"

    by_old_pin = await browser.post("/accesso/pin", prova=pin, nuovo=OTHER_PIN, ripeti=OTHER_PIN)
    assert by_old_pin.status_code == 422
    anew = await browser.post("/accesso/pin", prova=CHOSEN, nuovo=OTHER_PIN, ripeti=OTHER_PIN, next=BACK)
    assert (anew.status_code, anew.headers["location"]) == (303, BACK)
    assert [e.first for e in await world.events(PinChanged)] == [False]
    code_in(await confirm(browser, OTHER_PIN))


async def test_a_right_pin_starts_the_count_anew_and_the_page_tells_what_is_left(
    world: World, browser: Browser
) -> None:
    account, _, pin = await inside(world, browser)
    wrong = "000001" if pin != "000001" else "000002"
    for left in (9, 8):
        assert f"Può provare ancora {left} volte." in text_of(await confirm(browser, wrong))
    code_in(await confirm(browser, pin))
    for left in range(9, 1, -1):
        assert f"ancora {left} volte." in text_of(await confirm(browser, wrong))
    assert "ancora 1 volta." in text_of(await confirm(browser, wrong))
    assert not await world.events(PinDisabled)
    api = {"purpose": "justify", "subject": SUBJECT, "proof": wrong}
    answer = await browser.json("POST", "/api/identity/confirmations", api)
    assert answer.status_code == 409 and answer.json()["type"].endswith("pin-disabled")
    assert [e.account for e in await world.events(PinDisabled)] == [account]


async def test_a_tenth_failure_cut_short_is_told_by_the_housekeeping(world: World, browser: Browser) -> None:
    account, _, pin = await inside(world, browser)
    for _ in range(9):
        await confirm(browser, "000001" if pin != "000001" else "000002")
    await world.pool.execute(
        "update private.verifiers set pin_failures = 10, pin_tried_at = $1", world.store.clock()
    )
    assert (await confirm(browser, pin)).status_code == 422, "a spent PIN is looked at no more"
    assert await world.parts.front.own.pins.disable_spent() == 0, "it may still be under way"
    world.ahead = timedelta(minutes=2)
    await world.parts.housekeeping.once()
    assert [e.account for e in await world.events(PinDisabled)] == [account]
    assert await world.parts.front.own.pins.disable_spent() == 0


@pytest.mark.requirement("E2", part="the PIN is chosen at first access where the policy says so")
async def test_first_access_in_one_sitting_with_a_pin_of_ones_own(world: World, browser: Browser) -> None:
    account, code, secret = await world.a_guardian(CHOSEN_PINS)
    assert secret.pin is None
    entered = await browser.post("/accesso/", codice=code, password=secret.password)
    assert entered.headers["location"] == "/accesso/cambio-password"
    changed = await browser.post(
        "/accesso/cambio-password", attuale=secret.password, nuova=CHOSEN, ripeti=CHOSEN
    )
    assert changed.headers["location"] == "/accesso/pin?next=%2Fregistro%2F"
    page = await browser.get(changed.headers["location"])
    assert "Ora manca solo il PIN" in page.text and 'name="prova"' not in page.text
    for new, told in (
        ("040312", "una data di nascita"),  # the child's
        ("123456", "l’ordine dei numeri"),
        ("12345", "di 6 cifre"),
    ):
        refused = await browser.post("/accesso/pin", nuovo=new, ripeti=new, next="/registro/")
        assert refused.status_code == 422 and told in text_of(refused)
    differ = await browser.post("/accesso/pin", nuovo=PIN, ripeti=OTHER_PIN, next="/registro/")
    assert "non sono uguali" in text_of(differ)
    done = await browser.post("/accesso/pin", nuovo=PIN, ripeti=PIN, next="/registro/")
    assert (done.status_code, done.headers["location"]) == (303, "/registro/")
    assert [(e.account, e.first) for e in await world.events(PinChanged)] == [(account, True)]
    code_in(await confirm(browser, PIN))
    same = await browser.post("/accesso/pin", prova=PIN, nuovo=PIN, ripeti=PIN)
    assert "diverso da quello attuale" in text_of(same)
    unasked = await browser.post("/accesso/pin", nuovo=OTHER_PIN, ripeti=OTHER_PIN)
    assert unasked.status_code == 422, "once there is a PIN, changing it asks for it"
    assert "Scriva il PIN attuale o la password." in text_of(unasked)
    by_pin = await browser.post("/accesso/pin", prova=PIN, nuovo=OTHER_PIN, ripeti=OTHER_PIN)
    assert by_pin.headers["location"] == "/accesso/il-mio-accesso?pin=si"
    body = {"proof": CHOSEN, "new": PIN}
    assert (await browser.json("PUT", "/api/identity/pin", body)).status_code == 204
    refused = await browser.json("PUT", "/api/identity/pin", {"proof": PIN, "new": "111111"})
    assert refused.status_code == 422 and refused.json()["type"].endswith("pin-not-acceptable")


async def test_a_first_pin_is_not_chosen_by_who_finds_an_open_session(world: World, browser: Browser) -> None:
    _, code, secret = await world.a_guardian(CHOSEN_PINS)
    await browser.post("/accesso/", codice=code, password=secret.password)
    await browser.post("/accesso/cambio-password", attuale=secret.password, nuova=CHOSEN, ripeti=CHOSEN)
    world.ahead = timedelta(minutes=20)
    assert 'name="prova"' in (await browser.get("/accesso/pin")).text
    refused = await browser.post("/accesso/pin", nuovo=PIN, ripeti=PIN)
    assert refused.status_code == 422 and not await world.events(PinChanged)
    chosen = await browser.post("/accesso/pin", prova=CHOSEN, nuovo=PIN, ripeti=PIN)
    assert chosen.status_code == 303
    again = Browser(browser.client, {})
    entered = await again.post("/accesso/", codice=code, password=CHOSEN)
    assert entered.headers["location"] == "/registro/"


async def test_where_the_school_has_no_pin_the_password_confirms(world: World, browser: Browser) -> None:
    account, code, pin = await inside(world, browser, PAPER)
    assert pin == ""
    page = await browser.get(confirmation_url(Purpose.justification_service, SUBJECT, BACK))
    assert "La stessa con cui entra" in page.text and "Scegli un PIN" not in page.text
    wrong = await confirm(browser, "non è questa la password")
    assert wrong.status_code == 422 and "La password non è questa" in text_of(wrong)
    failures = "select failures from private.sign_in_failures where account = $1 and device <> ''"
    assert await world.pool.fetchval(failures, account) == 1, "guessed here is guessed at the door"
    token = browser.cookies[SESSION]
    given = code_in(await confirm(browser, CHOSEN))
    assert await redeem(world, token, given)
    assert await world.pool.fetchval(failures, account) == 0
    assert [e.by for e in await world.events(ActionConfirmed)] == [ConfirmedBy.password]
    assert "non ha un PIN" in (await browser.get("/accesso/pin")).text
    refused = await browser.json("PUT", "/api/identity/pin", {"proof": CHOSEN, "new": PIN})
    assert refused.status_code == 409 and refused.json()["type"].endswith("no-pin-here")
    assert code in (await browser.get("/accesso/il-mio-accesso")).text


@pytest.mark.requirement("M14", part="a holder's language is kept, for pages, mails and slips")
async def test_a_holder_chooses_their_language(world: World, browser: Browser) -> None:
    account, code, _ = await inside(world, browser)
    assert (await browser.post("/accesso/lingua", lingua="xx")).status_code == 422
    chosen = await browser.post("/accesso/lingua", lingua="en")
    assert chosen.headers["location"] == "/accesso/il-mio-accesso?lingua=si"
    assert [(e.account, e.language) for e in await world.events(LanguageChosen)] == [(account, "en")]
    elsewhere = Browser(browser.client, {})
    await elsewhere.post("/accesso/", codice=code, password=CHOSEN)
    token = hash_token(elsewhere.cookies[SESSION])
    principal = await world.parts.sessions.introspect(token)
    assert principal is not None and principal.language == "en"
    assert '<html lang="en"' in (await elsewhere.get("/accesso/il-mio-accesso")).text
    assert (await elsewhere.json("PUT", "/api/identity/language", {"language": "it"})).status_code == 204
    assert browser.cookies[LANGUAGE] == "en", "until whoever uses this device next signs in"
    await browser.post("/accesso/uscita")
    await browser.post("/accesso/", codice=code, password=CHOSEN)
    assert browser.cookies[LANGUAGE] == "it"
    assert '<html lang="it"' in (await browser.get("/accesso/il-mio-accesso")).text


async def test_the_desk_speaks_italian_and_english(world: World, browser: Browser) -> None:
    await world.school(EMAIL)
    staff = await a_secretary(world)
    await browser.post("/accesso/", codice=staff, password=CHOSEN)
    page = await browser.get("/accesso/il-mio-accesso?lang=ar")
    assert '<html lang="it" dir="ltr"' in page.text and "العربية" not in page.text
    assert (await browser.post("/accesso/lingua", lingua="ar")).status_code == 422


async def test_own_pages_are_for_the_signed_in(browser: Browser) -> None:
    for path in ("/accesso/il-mio-accesso", "/accesso/pin", "/accesso/conferma"):
        assert (await browser.get(path)).headers["location"].startswith("/accesso/?next=")
    for path in ("/accesso/lingua", "/accesso/pin", "/accesso/conferma"):
        assert (await browser.post(path)).headers["location"] == "/accesso/"
    for method, path in (("PUT", "pin"), ("PUT", "language"), ("POST", "confirmations")):
        answer = await browser.json(method, f"/api/identity/{path}", {"new": PIN})
        assert answer.status_code in (401, 422)
