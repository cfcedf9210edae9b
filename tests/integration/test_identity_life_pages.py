"""The desk's pages and API of a credential's life, over HTTP (E6, P9, M5, M10)."""

import re
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.engines import PostgresEngine
from services.identity.domain.account import account_id
from services.identity.operations import NewStaffMember, add_staff
from shared.contracts.identity import (
    AccountRole,
    AccountSuspended,
    CredentialsIssued,
    CredentialsRegenerated,
    PupilCredentialsSeparated,
    RegenerationDenied,
    RegenerationGranted,
    RegenerationRequested,
    StaffRole,
)
from shared.contracts.policy import EMAIL, PAPER
from shared.contracts.registry import EnrolmentKind
from shared.ids import new_id
from tests.integration.identity_fixtures import (
    SCHOOL,
    SITE,
    World,
    enrolled,
    identity_world,
    linked,
)
from tests.integration.test_identity_web import CHOSEN, Browser, text_of

OTHER = "RMIS00200B"
LAX = {"staff_password_only_until": date(2099, 1, 1)}
PAPER_LAX, EMAIL_LAX = PAPER.model_copy(update=LAX), EMAIL.model_copy(update=LAX)
WHY = "La madre ha cambiato telefono e non trova più il foglio"
CHECK = {"identity_check": "identity_document"}


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        yield made


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.parts.web(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=SITE) as made:
        yield made


async def staff(
    world: World, client: httpx.AsyncClient, role: StaffRole = StaffRole.secretary, school: str = SCHOOL
) -> Browser:
    member = NewStaffMember(school, (role,), "Ada", "Neri", CHOSEN, True)
    code = await add_staff(world.parts.runtime.commands, world.parts.hasher, member, actor="system:test")
    return await signed_in(client, code, CHOSEN)


async def signed_in(client: httpx.AsyncClient, code: str, password: str) -> Browser:
    browser = Browser(client, {})
    answer = await browser.json("POST", "/api/identity/sessions", {"user_code": code, "password": password})
    assert answer.status_code == 201, answer.text
    return browser


async def lets_in(client: httpx.AsyncClient, code: str, password: str) -> bool:
    answer = await client.post("/api/identity/sessions", json={"user_code": code, "password": password})
    assert answer.status_code in (201, 401)
    return answer.status_code == 201


async def key_of(desk: Browser, path: str) -> str:
    """The form's own key, which makes sending it twice harmless."""
    page = await desk.get(path)
    found = re.search(r'name="chiave" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]


async def a_used_guardian(world: World, client: httpx.AsyncClient) -> tuple[str, str, Browser]:
    """Account, code and a session of a guardian who chose a password."""
    account, code, secret = await a_guardian(world)
    me = await signed_in(client, code, secret.password)
    changed = await me.json("POST", "/api/identity/password", {"old": secret.password, "new": CHOSEN})
    assert changed.status_code == 204
    return account, code, me


async def a_guardian(world: World) -> tuple[str, str, Any]:
    pupil, guardian = new_id(), new_id()
    await world.hear("registry", enrolled(pupil), linked(guardian, pupil, email="madre@example.org"))
    account = account_id(AccountRole.guardian, guardian)
    return account, await world.user_code(account), await world.secret(account)


@pytest.mark.requirement("E6", part="asked with a motivation, decided by a named person, denied on record")
async def test_lost_and_denied_then_lost_and_granted(world: World, client: httpx.AsyncClient) -> None:
    await world.school(EMAIL_LAX)
    desk = await staff(world, client)
    account, code, me = await a_used_guardian(world, client)
    card = f"/accesso/sportello/credenziali/{account}"
    shown = text_of(await desk.get(card))
    assert "Attive" in shown and "Registra una richiesta" in shown and "Rigenera " not in shown
    at_once = await desk.json(
        "POST", f"/api/identity/accounts/{account}/regeneration", {"motivation": WHY, **CHECK}
    )
    assert (at_once.status_code, at_once.json()["type"]) == (409, "urn:custode:problem:exceptional")
    form = {
        "motivo": WHY,
        "controllo": "identity_document",
        "chiave": await key_of(desk, f"{card}/richiesta"),
    }
    unclear = await desk.post(f"{card}/richiesta", motivo=" ", controllo="")
    assert unclear.status_code == 422 and "Scriva il motivo." in unclear.text
    asked = await desk.post(f"{card}/richiesta", **form)
    again = await desk.post(f"{card}/richiesta", **form)
    assert asked.headers["location"] == again.headers["location"]
    assert len(await world.events(RegenerationRequested)) == 1
    request = asked.headers["location"].rsplit("/", 1)[1]
    second = await desk.json(
        "POST", f"/api/identity/accounts/{account}/regenerations", {"motivation": WHY, **CHECK}
    )
    assert (second.status_code, second.json()["type"]) == (409, "urn:custode:problem:request-open")
    waiting = text_of(await desk.get("/accesso/sportello/richieste"))
    assert WHY in waiting and "Ferrarotti Ernesto" in waiting
    decide = f"/accesso/sportello/richieste/{request}"
    denied = await desk.post(
        f"{decide}/respingi", motivo="Non è eccezionale", chiave=await key_of(desk, f"{decide}/respingi")
    )
    assert denied.headers["location"] == f"{decide}?fatto=respingi"
    (said,) = await world.events(RegenerationDenied)
    assert said.reason.value is not None and said.reason.value.text == "Non è eccezionale"
    assert await lets_in(client, code, CHOSEN), "denied: everything stands"
    late = await desk.json("POST", f"/api/identity/regenerations/{request}/grant", {"reason": "x", **CHECK})
    assert (late.status_code, late.json()["type"]) == (409, "urn:custode:problem:decided")
    anew = await desk.json(
        "POST", f"/api/identity/accounts/{account}/regenerations", {"motivation": WHY, **CHECK}
    )
    granted = await desk.json(
        "POST", f"/api/identity/regenerations/{anew.json()['request']}/grant", {"reason": "Motivata", **CHECK}
    )
    assert granted.json() == {"request": anew.json()["request"], "account": account, "issued": True}
    (grant,) = await world.events(RegenerationGranted)
    assert grant.exceptional
    assert (await me.json("GET", "/api/identity/me")).status_code == 401, "the session is over"
    assert not await lets_in(client, code, CHOSEN), "the old password is dead"
    issued = await world.issued(account)
    assert (issued.generation, issued.channel.value, issued.pin_issued) == (2, "email", True)
    assert await lets_in(client, code, (await world.secret(account)).password)
    decided = text_of(await desk.get(f"/accesso/sportello/richieste/{anew.json()['request']}"))
    assert "Identità controllata alla decisione con" in decided and "non ancora" not in decided
    history = text_of(await desk.get(card))
    assert "La richiesta è stata respinta." in history and "Motivata" in history and "Neri Ada" in history
    answer = (await desk.json("GET", f"/api/identity/accounts/{account}")).json()
    assert [one["state"] for one in answer["requests"]] == ["granted", "denied"]
    assert answer["requests"][0]["decider"] == answer["requests"][1]["decider"] != account


@pytest.mark.requirement("E6", part="where the policy leaves it to the desk, at once")
async def test_the_desk_regenerates_at_once_where_the_policy_lets_it(
    world: World, client: httpx.AsyncClient
) -> None:
    await world.school(PAPER_LAX)
    desk = await staff(world, client)
    account, code, _ = await a_used_guardian(world, client)
    form = f"/accesso/sportello/credenziali/{account}/rigenera"
    sent = {"motivo": WHY, "controllo": "known_in_person", "chiave": await key_of(desk, form)}
    done = await desk.post(form, **sent)
    assert done.headers["location"] == f"/consegne/titolari/{account}?stampa=ora"
    assert (await desk.post(form, **sent)).headers["location"] == done.headers["location"]
    assert len(await world.events(CredentialsRegenerated)) == 1
    assert not await lets_in(client, code, CHOSEN)
    assert await lets_in(client, code, (await world.secret(account)).password)


async def test_a_key_is_good_for_one_thing(world: World, client: httpx.AsyncClient) -> None:
    await world.school(PAPER_LAX)
    desk = await staff(world, client)
    account, _, _ = await a_used_guardian(world, client)
    path = f"/api/identity/accounts/{account}/regenerations"
    answers = []
    for body in ({"motivation": WHY}, {"motivation": WHY}, {"motivation": "un’altra cosa"}):
        headers = {"Idempotency-Key": "k1", "Origin": SITE, "Cookie": cookie(desk)}
        answers.append(await client.post(path, json=body, headers=headers))
    assert answers[0].json() == answers[1].json() and answers[1].status_code == 201
    assert answers[2].status_code == 422 and answers[2].json()["type"].endswith("idempotency-key-reused")
    hostile = await desk.json("POST", path, {"motivation": "a\u0000b"})
    assert hostile.status_code == 422
    assert (await desk.json("GET", "/api/identity/accounts/%00")).status_code == 404


def cookie(browser: Browser) -> str:
    return "; ".join(f"{name}={value}" for name, value in browser.cookies.items())


@pytest.mark.requirement(
    "P9", part="at the desk, whatever the campaign's date, before the parent's own change"
)
async def test_a_pupil_gets_a_credential_of_their_own_at_the_desk(
    world: World, client: httpx.AsyncClient
) -> None:
    await world.school(PAPER_LAX.model_copy(update={"campaign_opens": date(2099, 1, 1)}))
    desk = await staff(world, client)
    pupil, guardian = new_id(), new_id()
    await world.hear("registry", enrolled(pupil, EnrolmentKind.continuing), linked(guardian, pupil))
    account = account_id(AccountRole.pupil, pupil)
    form = f"/accesso/sportello/credenziali/{account}/separa"
    assert "giustificare le assenze" in text_of(await desk.get(form))
    done = await desk.post(
        form, genitore=guardian, controllo="known_in_person", chiave=await key_of(desk, form)
    )
    assert done.headers["location"] == f"/consegne/titolari/{account}?stampa=ora"
    (separated,) = await world.events(PupilCredentialsSeparated)
    assert (separated.account, separated.guardian) == (account, guardian)
    issued = await world.issued(account)
    assert (issued.channel.value, issued.pin_issued, issued.generation) == ("slip", False, 1)
    code, secret = await world.user_code(account), await world.secret(account)
    assert await lets_in(client, code, secret.password)
    body = {"guardian": guardian, **CHECK}
    twice = await desk.json("POST", f"/api/identity/accounts/{account}/separation", body)
    assert (twice.status_code, twice.json()["type"]) == (409, "urn:custode:problem:in-use")
    parent = account_id(AccountRole.guardian, guardian)
    wrong = await desk.json("POST", f"/api/identity/accounts/{parent}/separation", body)
    assert wrong.status_code == 409


@pytest.mark.requirement("E3", part="the desk's own slip is refused too")
async def test_an_exclusive_channel_separates_nobody_on_paper(
    world: World, client: httpx.AsyncClient
) -> None:
    await world.school(EMAIL_LAX)
    desk = await staff(world, client)
    pupil = new_id()
    await world.hear("registry", enrolled(pupil))
    account = account_id(AccountRole.pupil, pupil)
    refused = await desk.json("POST", f"/api/identity/accounts/{account}/separation", CHECK)
    assert refused.status_code == 409 and refused.json()["type"].endswith("exclusive-channel")
    assert "cambiare la regola" in refused.json()["detail"]
    assert not [e for e in await world.events(CredentialsIssued) if e.account == account]


@pytest.mark.requirement("M10", part="a suspended account looks like a wrong password")
async def test_suspended_looks_like_wrong_and_reinstated_opens_again(
    world: World, client: httpx.AsyncClient
) -> None:
    await world.school(PAPER_LAX)
    desk = await staff(world, client)
    account, code, me = await a_used_guardian(world, client)
    card = f"/accesso/sportello/credenziali/{account}"
    body = {"because": "barred", "note": "Decisione del dirigente"}
    assert (await desk.json("POST", f"/api/identity/accounts/{account}/suspension", body)).status_code == 204
    assert (await me.json("GET", "/api/identity/me")).status_code == 401

    async def told(user_code: str, password: str) -> tuple[int, str]:
        answer = await client.post("/accesso/", data={"codice": user_code, "password": password})
        return answer.status_code, re.sub("|".join((user_code, r"urn:\S+")), "", answer.text)

    assert await told(code, CHOSEN) == await told("ZZZZ9999", "sbagliata")
    changing = await client.post(
        "/accesso/cambio-password",
        data={"codice": code, "attuale": CHOSEN, "nuova": CHOSEN + "2", "ripeti": CHOSEN + "2"},
    )
    assert changing.status_code == 422
    page = text_of(await desk.get(card))
    assert "Sospese" in page and "Per decisione della scuola." in page and "Riammetti" in page
    assert "Rigenera" not in page
    back = await desk.post(
        f"{card}/riammetti",
        motivo="Chiarito",
        controllo="called_back",
        chiave=await key_of(desk, f"{card}/riammetti"),
    )
    assert back.headers["location"] == f"{card}?fatto=riammetti"
    assert await lets_in(client, code, CHOSEN)


@pytest.mark.requirement("M5", part="revoked for good")
async def test_revoked_leaves_nothing_and_is_issued_anew(world: World, client: httpx.AsyncClient) -> None:
    await world.school(PAPER_LAX)
    desk = await staff(world, client)
    account, code, _ = await a_used_guardian(world, client)
    card = f"/accesso/sportello/credenziali/{account}"
    done = await desk.post(
        f"{card}/revoca", motivo="Trasferita", perche="withdrawn", chiave=await key_of(desk, f"{card}/revoca")
    )
    assert done.headers["location"] == f"{card}?fatto=revoca"
    left = await world.pool.fetchval(
        """
        select count(*) from (
            select account from private.verifiers union all select account from private.sealed_slips
            union all select account from private.sessions union all select account from private.known_devices
        ) rows where account = $1
        """,
        account,
    )
    assert left == 0
    assert not await lets_in(client, code, CHOSEN)
    assert "Revocate" in text_of(await desk.get(card))
    holder = await world.pool.fetchval(
        "select holder from projections.accounts_v1 where account = $1", account
    )
    assert (await world.issue_at_the_desk()).accepted == 0, "the whole school's action leaves them alone"
    assert (await world.issue_at_the_desk([holder])).accepted == 1
    await world.parts.issuer.issue_ready()
    assert (await world.issued(account)).generation == 2
    assert "Emesse, mai usate" in text_of(await desk.get(card))


async def test_the_holder_blocks_their_own_and_the_desk_renews_them(
    world: World, client: httpx.AsyncClient
) -> None:
    await world.school(PAPER_LAX)
    desk = await staff(world, client)
    account, code, me = await a_used_guardian(world, client)
    assert (await me.json("POST", "/api/identity/loss", {"block": True})).status_code == 204
    assert (await me.json("GET", "/api/identity/me")).status_code == 401
    assert not await lets_in(client, code, CHOSEN)
    assert [e.because.value for e in await world.events(AccountSuspended)] == ["loss"]
    page = text_of(await desk.get(f"/accesso/sportello/credenziali/{account}"))
    assert "Perché perse, o viste da altri." in page and "Rigenera" in page
    renewed = await desk.json(
        "POST", f"/api/identity/accounts/{account}/regeneration", {"motivation": WHY, **CHECK}
    )
    assert renewed.json()["issued"] is True
    assert await lets_in(client, code, (await world.secret(account)).password)
    assert not await lets_in(client, code, CHOSEN)


WRITES = (
    ("regenerations", {"motivation": WHY}),
    ("regeneration", {"motivation": WHY, **CHECK}),
    ("loss", {"block": True}),
    ("suspension", {"because": "barred", "note": WHY}),
    ("reinstatement", {"note": WHY, **CHECK}),
    ("revocation", {"note": WHY}),
    ("unlocking", CHECK),
    ("separation", CHECK),
)
STRONG = ("regeneration", "revocation", "separation")


async def test_another_school_a_teacher_and_a_password_alone_are_refused(
    world: World, client: httpx.AsyncClient
) -> None:
    await world.school(PAPER_LAX)
    await world.school(PAPER_LAX, code=OTHER, customer="altra", key=False)
    account, code, _ = await a_used_guardian(world, client)
    desk = await staff(world, client)
    asked = await desk.json("POST", f"/api/identity/accounts/{account}/regenerations", {"motivation": WHY})
    request = asked.json()["request"]
    paths = [(f"/api/identity/accounts/{account}/{what}", body) for what, body in WRITES]
    paths += [
        (f"/api/identity/regenerations/{request}/grant", {"reason": WHY, **CHECK}),
        (f"/api/identity/regenerations/{request}/deny", {"reason": WHY}),
    ]
    pages = [
        f"/accesso/sportello/credenziali/{account}",
        f"/accesso/sportello/credenziali/{account}/sospendi",
        f"/accesso/sportello/richieste/{request}",
        f"/accesso/sportello/richieste/{request}/accogli",
    ]
    foreign = await staff(world, client, StaffRole.principal, OTHER)
    teacher = await staff(world, client, StaffRole.teacher)
    parent = await signed_in(client, code, CHOSEN)
    before = len(await world.all_events())
    for who, expected in ((foreign, 404), (teacher, 403), (parent, 403), (Browser(client, {}), 401)):
        for path, body in paths:
            answer = await who.json("POST", path, body)
            assert answer.status_code == expected, (path, answer.text)
        for page in pages:
            assert (await who.json("GET", page)).status_code == expected, page
        assert (await who.json("GET", f"/api/identity/accounts/{account}")).status_code == expected
    strange = await foreign.json("GET", "/api/identity/accounts/nessuno")
    theirs = await foreign.json("GET", f"/api/identity/accounts/{account}")
    assert {**strange.json(), "instance": ""} == {**theirs.json(), "instance": ""}
    assert (await foreign.json("GET", "/api/identity/regenerations")).json() == []
    await world.school(PAPER, key=False)
    for path, body in paths:
        if path.rsplit("/", 1)[1] in (*STRONG, "grant", "deny"):
            answer = await desk.json("POST", path, body)
            assert answer.status_code == 403 and answer.json()["type"].endswith("passkey-required"), path
    assert len(await world.all_events()) == before


async def test_staff_accounts_are_not_families(world: World, client: httpx.AsyncClient) -> None:
    await world.school(PAPER_LAX)
    desk = await staff(world, client)
    mine = (await desk.json("GET", "/api/identity/me")).json()["account"]
    assert (await desk.json("GET", f"/api/identity/accounts/{mine}")).status_code == 404
    body = {"note": WHY}
    assert (await desk.json("POST", f"/api/identity/accounts/{mine}/revocation", body)).status_code == 404
