"""Passkeys over HTTP with an authenticator in software: what is accepted, and what somebody who cheats gets."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.engines import PostgresEngine
from services.identity.domain.account import ACCOUNT
from services.identity.operations import NewStaffMember, open_staff
from shared.contracts.identity import PasskeyRegistered, PasskeyRemoved, StaffRole
from shared.contracts.policy import PAPER
from shared.web.sessions import hash_token
from tests.integration.authenticator import Authenticator
from tests.integration.identity_fixtures import SCHOOL, SITE, World, identity_world
from tests.integration.test_identity_web import SESSION, Browser

CHOSEN = "tre gatti verdi sul tetto"
COOKIE = "__Host-custode-passkey"
FAR = date(2999, 1, 1)


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        yield made


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.parts.web(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=SITE) as client:
        yield client


async def a_colleague(world: World, role: StaffRole = StaffRole.principal) -> tuple[str, str]:
    """Account and user code; the password is `CHOSEN`."""
    member = NewStaffMember(SCHOOL, (role,), "Ada", "Neri", CHOSEN, True)
    opened = await open_staff(world.parts.runtime.commands, world.parts.hasher, member, actor="system:test")
    return opened.account, opened.user_code


async def signed_in(http: httpx.AsyncClient, code: str) -> Browser:
    browser = Browser(http, {})
    assert (await browser.post("/accesso/", codice=code, password=CHOSEN)).status_code == 303
    return browser


async def options(browser: Browser, password: str = CHOSEN) -> dict[str, Any]:
    asked = await browser.json("POST", "/api/identity/passkeys/options", {"password": password})
    assert asked.status_code == 200, asked.text
    found: dict[str, Any] = asked.json()["publicKey"]
    return found


async def registered(browser: Browser, name: str = "telefono", **kind: Any) -> Authenticator:
    phone = Authenticator(SITE, **kind)
    answer = phone.create(await options(browser))
    made = await browser.json("POST", "/api/identity/passkeys", {"name": name, "credential": answer})
    assert made.status_code == 201, made.text
    return phone


async def question(http: httpx.AsyncClient) -> tuple[Browser, dict[str, Any]]:
    browser = Browser(http, {})
    asked = await browser.json("POST", "/api/identity/passkey-sessions/options", {})
    return browser, asked.json()["publicKey"]


async def enter(browser: Browser, answer: dict[str, Any]) -> httpx.Response:
    return await browser.json("POST", "/api/identity/passkey-sessions", {"credential": answer})


async def test_registered_with_the_password_and_signed_in_with_alone(
    world: World, http: httpx.AsyncClient
) -> None:
    await world.school(PAPER)
    account, code = await a_colleague(world)
    desk = await signed_in(http, code)
    asked = await options(desk)
    assert asked["rp"]["id"] == "localhost" and asked["authenticatorSelection"]["residentKey"] == "required"
    assert (
        asked["authenticatorSelection"]["userVerification"] == "required" and asked["attestation"] == "none"
    )
    phone = await registered(desk)
    (event,) = await world.events(PasskeyRegistered)
    assert event.account == account
    kept = await world.parts.sessions.introspect(hash_token(desk.cookies[SESSION]))
    assert kept is not None and not kept.strong, "this session was opened with the password"

    browser, asked = await question(http)
    assert asked["userVerification"] == "required" and not asked["allowCredentials"]
    entered = await enter(browser, phone.get(asked))
    assert entered.status_code == 201 and entered.json()["account"] == account
    assert COOKIE not in browser.cookies
    who = await world.parts.sessions.introspect(hash_token(browser.cookies[SESSION]))
    assert who is not None and who.strong and who.password_only_until is None
    row = (await browser.json("GET", "/api/identity/sessions")).json()
    assert {each["opened_with"] for each in row} == {"password", "passkey"}


async def test_what_is_not_accepted_opens_no_session(world: World, http: httpx.AsyncClient) -> None:
    await world.school(PAPER)
    _, code = await a_colleague(world)
    phone = await registered(await signed_in(http, code))

    browser, asked = await question(http)
    taken, cookie = phone.get(asked), browser.cookies[COOKIE]
    assert (await enter(browser, taken)).status_code == 201
    replay = Browser(http, {COOKIE: cookie})
    assert (await enter(replay, taken)).status_code == 401, "a challenge is good once"
    assert (await enter(Browser(http, {COOKIE: cookie}), phone.get(asked))).status_code == 401

    _, other = await question(http)
    for change, why in (
        ({"origin": "https://evil.example"}, "another origin"),
        ({"rp_id": "evil.example"}, "another relying party"),
        ({"verifies": False}, "nobody unlocked it"),
        ({"user": b"somebody-else"}, "it says it is another's"),
        ({"count": 0}, "a copy that counts behind"),
    ):
        before = {name: getattr(phone, name) for name in change}
        for name, value in change.items():
            setattr(phone, name, value)
        browser, asked = await question(http)
        answer = phone.get(asked)
        for name, value in before.items():
            setattr(phone, name, value)
        assert (await enter(browser, answer)).status_code == 401, why
        assert SESSION not in browser.cookies, why
    browser, asked = await question(http)
    assert (await enter(browser, phone.get(other))).status_code == 401, "the question of another browser"
    stranger, nobody = Authenticator(SITE), Browser(http, {})
    browser, asked = await question(http)
    stranger.user = phone.user
    assert (await enter(browser, stranger.get(asked))).status_code == 401, "a passkey of nobody"
    stranger.id = phone.id
    browser, asked = await question(http)
    assert (await enter(browser, stranger.get(asked))).status_code == 401, "another key under its name"
    browser, asked = await question(http)
    for broken in ({}, {"rawId": 7}, {"rawId": "AAAA"}, phone.get(asked) | {"response": 3}, {"id": "x"}):
        assert (await enter(browser, broken)).status_code in (401, 422)
    assert (await enter(nobody, phone.get(asked))).status_code == 401, "without the cookie"
    browser, asked = await question(http)
    world.ahead += timedelta(minutes=6)
    assert (await enter(browser, phone.get(asked))).status_code == 401, "too late"


async def test_a_registration_is_for_who_asked_in_the_session_that_asked(
    world: World, http: httpx.AsyncClient
) -> None:
    await world.school(PAPER)
    _, code = await a_colleague(world)
    _, other_code = await a_colleague(world, StaffRole.secretary)
    desk, other = await signed_in(http, code), await signed_in(http, other_code)
    wrong = await desk.json("POST", "/api/identity/passkeys/options", {"password": "non è questa no no"})
    assert wrong.status_code == 403 and COOKIE not in desk.cookies

    answer = Authenticator(SITE).create(await options(desk))
    other.cookies[COOKIE] = desk.cookies[COOKIE]
    body = {"name": "telefono", "credential": answer}
    assert (await other.json("POST", "/api/identity/passkeys", body)).status_code == 422
    assert (await desk.json("POST", "/api/identity/passkeys", body)).status_code == 201
    again = await desk.json("POST", "/api/identity/passkeys", body)
    assert again.status_code == 422, "the same answer is not taken twice"
    for kind in ({"origin": "https://evil.example"}, {"rp_id": "evil.example"}, {"verifies": False}):
        phone = Authenticator(**({"origin": SITE} | kind))
        answer = phone.create(await options(other))
        body = {"name": "x", "credential": answer}
        assert (await other.json("POST", "/api/identity/passkeys", body)).status_code == 422, kind
    assert len(await world.events(PasskeyRegistered)) == 1


async def test_a_further_one_needs_one_and_the_last_one_stays(world: World, http: httpx.AsyncClient) -> None:
    await world.school(PAPER)
    account, code = await a_colleague(world)
    desk = await signed_in(http, code)
    phone = await registered(desk)
    barred = await desk.json("POST", "/api/identity/passkeys/options", {"password": CHOSEN})
    assert barred.status_code == 403 and barred.json()["type"].endswith("passkey-needed")
    (first,) = (await desk.json("GET", "/api/identity/passkeys")).json()
    refused = await desk.json("DELETE", f"/api/identity/passkeys/{first['passkey']}")
    assert refused.status_code == 403, "who stole a password takes no passkey away"

    browser, asked = await question(http)
    await enter(browser, phone.get(asked))
    last = await browser.json("DELETE", f"/api/identity/passkeys/{first['passkey']}")
    assert last.status_code == 409 and last.json()["type"].endswith("last-passkey")
    key = await registered(browser, "chiavetta", counts=False)
    assert (await browser.json("DELETE", f"/api/identity/passkeys/{first['passkey']}")).status_code == 204
    (event,) = await world.events(PasskeyRemoved)
    assert (event.account, event.passkey) == (account, first["passkey"])
    gone, asked = await question(http)
    assert (await enter(gone, phone.get(asked))).status_code == 401
    for _ in range(2):
        browser, asked = await question(http)
        assert (await enter(browser, key.get(asked))).status_code == 201, "this one does not count"


async def test_while_the_password_is_enough_it_registers_and_the_last_may_go(
    world: World, http: httpx.AsyncClient
) -> None:
    await world.school(PAPER.model_copy(update={"staff_password_only_until": FAR}))
    _, code = await a_colleague(world)
    desk = await signed_in(http, code)
    await registered(desk)
    await registered(desk, "computer")
    page = await desk.get("/accesso/passkey")
    assert "telefono" in page.text and "computer" in page.text
    assert "Fino al 31 dicembre 2998 si può entrare con la sola password" in page.text
    for each in (await desk.json("GET", "/api/identity/passkeys")).json():
        ask = await desk.get(f"/accesso/passkey/{each['passkey']}/togli")
        assert each["name"] in ask.text
        done = await desk.post(f"/accesso/passkey/{each['passkey']}/togli")
        assert (done.status_code, done.headers["location"]) == (303, "/accesso/passkey?fatta=tolta")
    assert (await desk.json("GET", "/api/identity/passkeys")).json() == []


async def test_what_closes_an_account_closes_it_to_its_passkeys(
    world: World, http: httpx.AsyncClient
) -> None:
    await world.school(PAPER)
    account, code = await a_colleague(world, StaffRole.secretary)
    boss, _ = await a_colleague(world, StaffRole.administrator)
    phone = await registered(await signed_in(http, code))
    browser, asked = await question(http)
    assert (await enter(browser, phone.get(asked))).status_code == 201
    await world.parts.front.staff.close(SCHOOL, account, "in pensione", actor=boss)
    assert (await browser.json("GET", "/api/identity/me")).status_code == 401
    browser, asked = await question(http)
    assert (await enter(browser, phone.get(asked))).status_code == 401
    assert await world.pool.fetchval("select count(*) from private.passkeys") == 0
    found = await world.store.load([ACCOUNT.stream(account)])
    assert not ACCOUNT.fold(r.event for r in found[ACCOUNT.stream(account)]).passkeys


async def test_families_have_no_passkeys_yet(world: World, http: httpx.AsyncClient) -> None:
    _, code, secret = await world.a_guardian(PAPER)
    family = Browser(http, {})
    await family.post("/accesso/", codice=code, password=secret.password)
    for method, path in (("GET", "/api/identity/passkeys"), ("POST", "/api/identity/passkeys/options")):
        assert (await family.json(method, path, {} if method == "POST" else None)).status_code == 403
