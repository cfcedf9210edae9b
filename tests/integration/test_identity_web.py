"""The pages and the API of access, over HTTP as Caddy forwards it (P6 P7 E4 E5 M10)."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.engines import PostgresEngine
from services.identity.domain.account import account_id
from services.identity.operations import NewStaffMember, add_staff
from services.identity.passwords import HasherBusy
from shared.contracts.identity import AccountRole, CredentialsIssued, StaffRole
from shared.contracts.policy import EMAIL, PAPER
from shared.contracts.registry import EnrolmentKind
from shared.ids import new_id
from tests.integration.identity_fixtures import SCHOOL, SITE, World, enrolled, identity_world

CHOSEN = "tre gatti verdi sul tetto"
SESSION, DEVICE = "__Host-custode-session", "__Host-custode-device"


@dataclass
class Browser:
    """A client that keeps cookies, the Secure ones too, as a browser does on localhost."""

    client: httpx.AsyncClient
    cookies: dict[str, str]

    async def get(self, path: str, *, html: bool = True) -> httpx.Response:
        return await self._send("GET", path, html, None)

    async def post(self, path: str, **form: str | list[str]) -> httpx.Response:
        return await self._send("POST", path, True, {"data": form})

    async def json(self, method: str, path: str, body: object = None) -> httpx.Response:
        return await self._send(method, path, False, {"json": body} if body is not None else None)

    async def _send(
        self, method: str, path: str, html: bool, more: dict[str, object] | None
    ) -> httpx.Response:
        headers = {"Accept": "text/html" if html else "application/json", "Origin": SITE}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        response = await self.client.request(method, path, headers=headers, **(more or {}))  # type: ignore[arg-type]
        for header in response.headers.get_list("set-cookie"):
            name, value = header.split(";")[0].split("=", 1)
            assert "Secure" in header and "HttpOnly" in header and "SameSite=Lax" in header
            if "Max-Age=0" in header:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value.strip('"')
        return response


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        yield made


@pytest.fixture
async def browser(world: World) -> AsyncIterator[Browser]:
    transport = httpx.ASGITransport(world.parts.web(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=SITE) as client:
        yield Browser(client, {})


async def a_secretary(world: World) -> str:
    member = NewStaffMember(SCHOOL, (StaffRole.secretary,), "Ada", "Neri", CHOSEN, True)
    return await add_staff(world.parts.runtime.commands, world.parts.hasher, member, actor="system:test")


def text_of(response: httpx.Response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.text))


@pytest.mark.requirement("P6")
@pytest.mark.requirement("E4", part="the school's own address")
async def test_the_schools_own_address_shows_the_school_and_is_remembered(
    world: World, browser: Browser
) -> None:
    await world.school(PAPER)
    page = await browser.get("/s/liceo-prova?c=01a2-slip&next=//evil.example")
    assert page.status_code == 200 and "Liceo di prova" in page.text and 'name="next"' not in page.text
    assert "Liceo di prova" in (await browser.get("/accesso/")).text
    assert (await browser.get("/s/nessuna")).status_code == 404
    assert (await browser.get("/s/%00")).status_code == 404


@pytest.mark.requirement("E5", part="until then the session can do nothing else")
async def test_from_the_first_sign_in_to_the_new_password(world: World, browser: Browser) -> None:
    _, code, secret = await world.a_guardian(EMAIL)
    entered = await browser.post("/accesso/", codice=code, password=secret.password)
    assert (entered.status_code, entered.headers["location"]) == (303, "/accesso/cambio-password")
    token = browser.cookies[SESSION]
    for path in ("/accesso/inizio", "/accesso/consiglio"):
        turned = await browser.get(path)
        assert (turned.status_code, turned.headers["location"]) == (303, "/accesso/cambio-password")
    refused = await browser.json("POST", "/api/identity/issuance", {"school": True})
    assert refused.status_code == 403 and refused.json()["type"].endswith("password-change-required")
    form = await browser.get("/accesso/cambio-password")
    assert "Scelga la sua password" in form.text and 'name="codice"' in form.text
    wrong = await browser.post(
        "/accesso/cambio-password", attuale=secret.password, nuova="corta", ripeti="corta"
    )
    assert wrong.status_code == 422 and "almeno 15 caratteri" in wrong.text
    differ = await browser.post(
        "/accesso/cambio-password", attuale=secret.password, nuova=CHOSEN, ripeti=CHOSEN + "!"
    )
    assert differ.status_code == 422 and "non sono uguali" in differ.text
    done = await browser.post(
        "/accesso/cambio-password", attuale=secret.password, nuova=CHOSEN, ripeti=CHOSEN
    )
    assert (done.status_code, done.headers["location"]) == (303, "/accesso/cambiata")
    assert browser.cookies[SESSION] != token
    told = await browser.get("/accesso/cambiata")
    assert "Password cambiata" in told.text and 'href="/registro/"' in told.text
    for page in (entered, form, wrong, differ, done, told):
        assert CHOSEN not in page.text and secret.password not in page.text
    del browser.cookies["__Host-custode-changed"]
    later = await browser.get("/accesso/cambiata")
    assert (later.status_code, later.headers["location"]) == (303, "/accesso/inizio")
    stale = Browser(browser.client, {SESSION: token})
    assert (await stale.json("GET", "/api/identity/me")).status_code == 401


async def test_families_start_in_the_register_and_staff_at_the_desk(world: World, browser: Browser) -> None:
    _, code, secret = await world.a_guardian(PAPER)
    staff_code = await a_secretary(world)
    family = await browser.post("/accesso/", codice=code, password=secret.password, next="/registro/voti?m=2")
    assert family.headers["location"] == "/accesso/consiglio?next=/registro/voti%3Fm%3D2"
    advice = await browser.get(family.headers["location"])
    assert "Le consigliamo di cambiare" in advice.text and 'href="/registro/voti?m=2"' in advice.text
    assert (await browser.get("/accesso/inizio")).headers["location"] == "/registro/"
    assert (await browser.get("/accesso/")).headers["location"] == "/accesso/inizio"
    desk = Browser(browser.client, {})
    entered = await desk.post("/accesso/", codice=staff_code, password=CHOSEN)
    assert entered.headers["location"] == "/consegne/"
    slip = "01a201cd-4ff2-70e4-9507-e416fece3b42"
    for who, code, there in (
        (browser, slip, "/accesso/inizio"),
        (desk, slip, f"/consegne/consegna/{slip}?da=foglio"),
        (desk, "../avvisi", "/accesso/inizio"),
    ):
        scanned = await who.get(f"/s/liceo-prova?c={code}")
        assert scanned.headers["location"] == there


@pytest.mark.parametrize(
    "hostile", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"]
)
async def test_a_foreign_address_to_go_on_to_is_ignored(world: World, browser: Browser, hostile: str) -> None:
    await world.school(PAPER)
    code = await a_secretary(world)
    entered = await browser.post("/accesso/", codice=code, password=CHOSEN, next=hostile)
    assert entered.headers["location"] == "/consegne/"
    back = await browser.post("/accesso/emissioni", back=hostile)
    assert back.headers["location"] == "/consegne/"


@pytest.mark.requirement("M10", part="one answer for unknown, locked and wrong")
async def test_unknown_locked_and_wrong_look_the_same(world: World, browser: Browser) -> None:
    _, code, secret = await world.a_guardian(PAPER)
    stopped = datetime.now(UTC)
    world.store.clock = lambda: stopped + world.ahead

    async def told_of(tried: str, password: str) -> tuple[int, str]:
        answer = await browser.post("/accesso/", codice=tried, password=password)
        return answer.status_code, answer.text.replace(tried, "")

    told = {}
    for tried in ("ZZZZ9999", code):
        world.ahead = timedelta()
        told[tried] = [await told_of(tried, "non è questa la password") for _ in range(6)]
        told[tried].append(await told_of(tried, secret.password))
        world.ahead = timedelta(seconds=3.5)
        told[tried].append(await told_of(tried, secret.password))
    assert told["ZZZZ9999"] == told[code] and not browser.cookies
    assert {status for status, _ in told[code]} == {422}
    assert len(set(told[code][:4])) == 1 and "Attenda" not in told[code][0][1]
    assert all("Attenda 10 secondi prima di riprovare." in text for _, text in told[code][4:7])
    assert "Attenda 7 secondi prima di riprovare." in told[code][7][1]
    api = {
        (answer.status_code, answer.json()["type"], answer.json()["detail"], answer.headers["retry-after"])
        for tried in ("ZZZZ9999", code)
        for answer in [
            await browser.json(
                "POST", "/api/identity/sessions", {"user_code": tried, "password": secret.password}
            )
        ]
    }
    assert len(api) == 1 and {wait for *_, wait in api} == {"7"}
    first = await browser.json("POST", "/api/identity/sessions", {"user_code": "ZZZZ8888", "password": "x"})
    assert first.status_code == 401 and "retry-after" not in first.headers


async def test_changing_a_password_tells_of_the_wait_alike(world: World, browser: Browser) -> None:
    _, code, _ = await world.a_guardian(PAPER)
    stopped = datetime.now(UTC)
    world.store.clock = lambda: stopped
    texts = {}
    for tried in ("ZZZZ9999", code):
        for _ in range(5):
            answer = await browser.post(
                "/accesso/cambio-password", codice=tried, attuale="no", nuova=CHOSEN, ripeti=CHOSEN
            )
        texts[tried] = answer.text.replace(tried, "")
    assert texts["ZZZZ9999"] == texts[code] and "Attenda 10 secondi" in texts[code]


async def test_a_password_in_the_field_of_the_code_is_not_sent_back(world: World, browser: Browser) -> None:
    answer = await browser.post("/accesso/", codice=CHOSEN, password="x")
    assert answer.status_code == 422 and CHOSEN not in answer.text
    empty = await browser.post("/accesso/")
    assert empty.status_code == 422 and "Scriva il codice utente." in empty.text


@pytest.mark.requirement("P7", part="stands on the sign-in screen")
async def test_the_password_is_changed_from_the_sign_in_screen(world: World, browser: Browser) -> None:
    _, code, secret = await world.a_guardian(PAPER)
    assert 'href="/accesso/cambio-password"' in (await browser.get("/accesso/")).text
    wrong = await browser.post(
        "/accesso/cambio-password", codice=code, attuale="no", nuova=CHOSEN, ripeti=CHOSEN
    )
    unknown = await browser.post(
        "/accesso/cambio-password", codice="ZZZZ9999", attuale="no", nuova=CHOSEN, ripeti=CHOSEN
    )
    assert wrong.text.replace(code, "") == unknown.text.replace("ZZZZ9999", "") and wrong.status_code == 422
    done = await browser.post(
        "/accesso/cambio-password", codice=code, attuale=secret.password, nuova=CHOSEN, ripeti=CHOSEN
    )
    assert done.headers["location"] == "/accesso/?cambiata=si" and SESSION not in browser.cookies
    assert "Password cambiata" in (await browser.get("/accesso/?cambiata=si")).text
    del browser.cookies["__Host-custode-changed"]
    assert "Password cambiata" not in (await browser.get("/accesso/?cambiata=si")).text
    entered = await browser.post("/accesso/", codice=code, password=CHOSEN)
    assert entered.headers["location"] == "/registro/"


@pytest.mark.parametrize("cookie", ["x", "a" * 42, "a" * 44, "a" * 42 + "=", "a" * 42 + "é", "a" * 128])
async def test_nobody_is_asked_about_what_was_never_a_token(
    world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch, cookie: str
) -> None:
    asked: list[bytes] = []

    async def introspect(token_hash: bytes) -> None:
        asked.append(token_hash)

    monkeypatch.setattr(world.parts.sessions, "introspect", introspect)
    for brought, times in ((cookie, 0), ("a" * 43, 1)):
        headers = {"Cookie": f"{SESSION}={brought}".encode()}
        answer = await browser.client.get("/api/identity/me", headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 401 and len(asked) == times


@pytest.mark.parametrize("form", [True, False])
async def test_signing_in_again_ends_the_session_of_this_browser(
    world: World, browser: Browser, form: bool
) -> None:
    await world.school(PAPER)
    code = await a_secretary(world)
    tokens = []
    for _ in range(2):
        if form:
            await browser.post("/accesso/", codice=code, password=CHOSEN)
        else:
            await browser.json("POST", "/api/identity/sessions", {"user_code": code, "password": CHOSEN})
        tokens.append(browser.cookies[SESSION])
    holds = [
        await Browser(browser.client, {SESSION: token}).json("GET", "/api/identity/me") for token in tokens
    ]
    assert [answer.status_code for answer in holds] == [401, 200]


async def test_signing_out(world: World, browser: Browser) -> None:
    _, code, secret = await world.a_guardian(PAPER)
    await browser.post("/accesso/", codice=code, password=secret.password, ricorda="si")
    token = browser.cookies[SESSION]
    out = await browser.post("/accesso/uscita")
    assert out.headers["location"] == "/accesso/uscita" and SESSION not in browser.cookies
    assert "Ha chiuso l’accesso" in (await browser.get("/accesso/uscita")).text
    stale = Browser(browser.client, {SESSION: token})
    assert (await stale.json("GET", "/api/identity/me")).status_code == 401
    assert (await browser.post("/accesso/uscita")).status_code == 303


@pytest.mark.parametrize(
    ("policy", "told"), [(PAPER, "Riceverà nuove credenziali"), (EMAIL, "casi eccezionali e motivati")]
)
async def test_who_lost_them_is_told_whom_to_ask_by_the_schools_policy(
    world: World, browser: Browser, policy: object, told: str
) -> None:
    await world.school(policy)  # type: ignore[arg-type]
    moved = await browser.get("/accesso/credenziali-perse")
    assert (moved.status_code, moved.headers["location"]) == (308, "/accesso/smarrite")
    assert "le dirà che cosa prevede la scuola" in text_of(await browser.get("/accesso/smarrite"))
    await browser.get("/s/liceo-prova")
    assert told in text_of(await browser.get("/accesso/smarrite"))


async def test_the_pages_speak_english(world: World, browser: Browser) -> None:
    for path, told in (
        ("/accesso/", "Sign in to the register"),
        ("/accesso/cambio-password", "15 to 128 characters"),
        ("/accesso/smarrite", "I have lost my credentials"),
        ("/accesso/uscita", "You have signed out"),
    ):
        assert told in (await browser.get(f"{path}?lang=en")).text


async def test_the_api_signs_in_tells_who_and_signs_out(world: World, browser: Browser) -> None:
    account, code, secret = await world.a_guardian(EMAIL)
    credentials = {"user_code": code, "password": secret.password}
    answer = await browser.json("POST", "/api/identity/sessions", credentials)
    assert answer.status_code == 201
    assert answer.json() == {
        "account": account,
        "school": SCHOOL,
        "must_change": True,
        "change_advised": False,
    }
    me = (await browser.json("GET", "/api/identity/me")).json()
    assert (me["account"], me["roles"], me["must_change"], me["given_name"]) == (
        account, ["guardian"], True, "Ernesto",
    )  # fmt: skip
    weak = await browser.json(
        "POST", "/api/identity/password", {"old": secret.password, "new": "Ernesto Ferrarotti"}
    )
    assert weak.status_code == 422 and weak.json()["type"].endswith("password-not-acceptable")
    assert "suo nome" in weak.json()["detail"] and "Ferrarotti" not in weak.text
    good = await browser.json("POST", "/api/identity/password", {"old": secret.password, "new": CHOSEN})
    assert good.status_code == 204
    assert (await browser.json("GET", "/api/identity/me")).json()["must_change"] is False
    assert (await browser.json("DELETE", "/api/identity/sessions")).status_code == 204
    assert (await browser.json("GET", "/api/identity/me")).status_code == 401
    odd = await browser.json("POST", "/api/identity/sessions", credentials | {"admin": True, "password": 7})
    assert odd.status_code == 422 and odd.headers["content-type"] == "application/problem+json"


@pytest.mark.requirement("P2", part="the desk issues with one action")
async def test_the_desk_issues_with_one_action_and_nobody_else_does(world: World, browser: Browser) -> None:
    _, code, secret = await world.a_guardian(PAPER)
    staff = await a_secretary(world)
    left_out = new_id()
    await world.hear("registry", enrolled(left_out, EnrolmentKind.continuing))
    account = account_id(AccountRole.pupil, left_out)
    nobody = await browser.json("POST", "/api/identity/issuance", {"school": True})
    assert nobody.status_code == 401
    await browser.post("/accesso/", codice=code, password=secret.password)
    family = await browser.json("POST", "/api/identity/issuance", {"school": True})
    assert family.status_code == 403
    assert (await browser.post("/accesso/emissioni", holders=[left_out])).status_code == 403
    desk = Browser(browser.client, {})
    await desk.post("/accesso/", codice=staff, password=CHOSEN)
    unclear = await desk.json("POST", "/api/identity/issuance", {"school": True, "accounts": [account]})
    assert unclear.status_code == 422
    form = await desk.post("/accesso/emissioni", holders=[left_out], back="/consegne/classi/1A")
    assert (form.status_code, form.headers["location"]) == (303, "/consegne/classi/1A?emesse=1")
    again = await desk.json("POST", "/api/identity/issuance", {"accounts": [account]})
    assert again.status_code == 202
    await world.parts.issuer.issue_ready()
    issued = [e for e in await world.events(CredentialsIssued) if e.account == account]
    assert len(issued) == 1
    settled = await desk.json("POST", "/api/identity/issuance", {"holders": [left_out]})
    assert settled.json()["accepted"] in (0, 1)


async def test_when_all_cores_hash_it_says_when_to_come_back(
    world: World, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise HasherBusy

    monkeypatch.setattr(world.parts.hasher, "place", busy)
    page = await browser.post("/accesso/", codice="ZZZZ9999", password="x")
    assert (page.status_code, page.headers["retry-after"]) == (503, "5")
    assert "molte persone" in page.text
    api = await browser.json("POST", "/api/identity/sessions", {"user_code": "Z", "password": "x"})
    assert api.status_code == 503 and api.json()["type"].endswith("too-many-sign-ins")


async def test_one_client_alone_closes_the_door_to_nobody(
    postgres: PostgresEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with identity_world(postgres, folder, hash_queue=20) as world:
        _, code, secret = await world.a_guardian(PAPER)
        check = world.parts.hasher.verify_now

        def slow(*args: Any) -> bool:
            time.sleep(0.02)
            return check(*args)

        monkeypatch.setattr(world.parts.hasher, "verify_now", slow)
        transport = httpx.ASGITransport(world.parts.web(), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=SITE, timeout=60) as client:

            async def tries(
                address: str, cookies: str = "", password: str = secret.password, who: str = code
            ) -> int:
                headers = {"X-Forwarded-For": address, "Origin": SITE, "Cookie": cookies}
                body = {"user_code": who, "password": password}
                answer = await client.post("/api/identity/sessions", json=body, headers=headers)
                return answer.status_code

            known = Browser(client, {})
            await known.json(
                "POST", "/api/identity/sessions", {"user_code": code, "password": secret.password}
            )
            cookie = f"{DEVICE}={known.cookies[DEVICE]}"
            flood = [asyncio.create_task(tries("192.0.2.7", "", "x", f"ZZZZ{n:04}")) for n in range(200)]
            await asyncio.sleep(0.2)
            assert sum(not task.done() for task in flood) > 8, "the flood is under way"
            family = [tries("198.51.100.9"), tries("2001:db8::1"), tries("192.0.2.7", cookie)]
            assert await asyncio.gather(*family) == [201, 201, 201]
            assert sum(not task.done() for task in flood) > 8, "and still is"
            assert set(await asyncio.gather(*flood)) == {401, 503}


async def test_a_class_behind_one_address_gets_in_at_once(postgres: PostgresEngine, folder: Path) -> None:
    async with identity_world(postgres, folder) as world:
        await world.school(PAPER)
        pupils = [new_id() for _ in range(28)]
        await world.hear("registry", *[enrolled(pupil) for pupil in pupils])
        accounts = [account_id(AccountRole.pupil, pupil) for pupil in pupils]
        given = [(await world.user_code(a), (await world.secret(a)).password) for a in accounts]
        transport = httpx.ASGITransport(world.parts.web(), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=SITE, timeout=60) as client:
            answers = await asyncio.gather(
                *(
                    client.post(
                        "/api/identity/sessions",
                        json={"user_code": code, "password": password},
                        headers={"X-Forwarded-For": "192.0.2.7"},
                    )
                    for code, password in given
                )
            )
        assert [answer.status_code for answer in answers] == [201] * 28


async def test_a_form_from_another_site_is_refused(world: World, browser: Browser) -> None:
    headers = {"Origin": "https://evil.example", "Cookie": f"{DEVICE}=x"}
    answer = await browser.client.post("/accesso/uscita", headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize("odd", ["\x00", "x\x00y", "a" * 1000, "'; drop table x; --", "😀" * 50, "\u202eabc"])
async def test_odd_input_is_a_wrong_one_and_no_fault(world: World, browser: Browser, odd: str) -> None:
    await world.school(PAPER)
    staff = await a_secretary(world)
    assert (await browser.post("/accesso/", codice=odd, password=odd, next=odd)).status_code == 422
    forms = {"codice": odd, "attuale": odd, "nuova": CHOSEN + odd, "ripeti": CHOSEN + odd}
    assert (await browser.post("/accesso/cambio-password", **forms)).status_code == 422
    api = await browser.json("POST", "/api/identity/sessions", {"user_code": odd, "password": odd})
    assert api.status_code in (401, 422)
    browser.cookies["__Host-custode-school"] = "x%00"
    browser.cookies[SESSION] = "x" * 5000
    assert (await browser.get("/accesso/")).status_code == 200
    desk = Browser(browser.client, {})
    await desk.post("/accesso/", codice=staff, password=CHOSEN)
    assert (await desk.json("POST", "/api/identity/issuance", {"holders": [odd]})).status_code in (202, 422)
    assert (await desk.post("/accesso/emissioni", holders=[odd])).status_code in (303, 422)


async def test_half_a_character_is_no_fault_either(world: World, browser: Browser) -> None:
    body = b'{"user_code": "BCDF2345", "password": "\\ud800"}'
    answer = await browser.client.post(
        "/api/identity/sessions", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code in (401, 422)
