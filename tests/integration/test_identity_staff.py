"""Staff accounts in the hands of a school's administrators, over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import httpx
import pytest

from deploy.engines import PostgresEngine
from services.identity.domain.account import account_id
from services.identity.operations import NewStaffMember, open_staff
from services.identity.operations_life import Acting
from shared.contracts.event import Personal
from shared.contracts.identity import (
    AccountRevoked,
    AccountRole,
    ReportedBy,
    RevocationReason,
    StaffAccountOpened,
    StaffRole,
    StaffRolesChanged,
    SuspensionReason,
)
from shared.contracts.policy import PAPER
from shared.contracts.registry import (
    IdentityCheck,
    StaffContact,
    StaffKind,
    StaffMemberAppointed,
    StaffMemberLeft,
)
from shared.decider import Refused
from shared.ids import new_id
from tests.integration.identity_fixtures import SCHOOL, SITE, World, identity_world
from tests.integration.test_identity_web import Browser

CHOSEN = "tre gatti verdi sul tetto"
STAFF = "/api/identity/staff"


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        await made.school(PAPER.model_copy(update={"staff_password_only_until": date(2999, 1, 1)}))
        yield made


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.parts.web(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=SITE) as client:
        yield client


async def an_administrator(world: World) -> tuple[str, str]:
    member = NewStaffMember(SCHOOL, (StaffRole.administrator,), "Ada", "Neri", CHOSEN, True)
    opened = await open_staff(world.parts.runtime.commands, world.parts.hasher, member, actor="system:test")
    return opened.account, opened.user_code


async def signed_in(http: httpx.AsyncClient, code: str, password: str = CHOSEN) -> Browser:
    browser = Browser(http, {})
    assert (await browser.post("/accesso/", codice=code, password=password)).status_code == 303
    return browser


async def appointed(world: World) -> str:
    person = new_id()
    details = StaffContact(family_name="Bianchi", given_name="Livia", email=None)
    event = StaffMemberAppointed(
        person=person, kind=StaffKind.teacher, details=Personal(person=person, value=details)
    )
    await world.hear("registry", (f"staff/{person}", event))
    return person


async def test_an_account_is_opened_for_somebody_appointed_and_shown_its_password_once(
    world: World, http: httpx.AsyncClient
) -> None:
    _, code = await an_administrator(world)
    desk, person = await signed_in(http, code), await appointed(world)
    body = {"roles": ["teacher", "secretary"], "person": person}
    opened = await desk.json("POST", STAFF, body)
    assert opened.status_code == 201, opened.text
    account = opened.json()["account"]
    assert account == account_id(AccountRole.staff, person)
    event = (await world.events(StaffAccountOpened))[-1]
    assert event.holder == person and event.roles == (StaffRole.secretary, StaffRole.teacher)
    again = await desk.json("POST", STAFF, body)
    assert again.status_code == 404, "nobody appointed is without an account now"
    (member,) = [m for m in (await desk.json("GET", STAFF)).json() if m["account"] == account]
    assert member["appointed_as"] == "teacher" and member["temporary_until"] and not member["passkeys"]
    assert opened.json()["password"] not in (await desk.json("GET", STAFF)).text

    colleague = await signed_in(http, opened.json()["user_code"], opened.json()["password"])
    me = (await colleague.json("GET", "/api/identity/me")).json()
    assert me["must_change"] and me["person"] == person and me["roles"] == ["secretary", "teacher"]
    await world.hear("registry", (f"staff/{person}", StaffMemberLeft(person=person)))
    assert (await desk.json("GET", f"{STAFF}/{account}")).json()["appointed_as"] is None


async def test_a_repeated_request_opens_nothing_twice(world: World, http: httpx.AsyncClient) -> None:
    _, code = await an_administrator(world)
    desk = await signed_in(http, code)
    form: dict[str, str | list[str]] = {
        "ruoli": ["secretary"],
        "nome": "Ugo",
        "cognome": "Verdi",
        "una_volta": new_id(),
    }
    first = await desk.post("/accesso/sportello/personale/apri", **form)
    assert first.status_code == 200 and 'id="password-provvisoria"' in first.text
    assert first.headers["cache-control"] == "no-store"
    second = await desk.post("/accesso/sportello/personale/apri", **form)
    assert second.status_code == 303 and second.headers["location"].endswith("?fatto=aperto")
    shown = await desk.get(second.headers["location"])
    assert "già aperto" in shown.text and "password-provvisoria" not in shown.text
    assert len(await world.events(StaffAccountOpened)) == 2


NO_ACCOUNTS: list[dict[str, object]] = [
    {"roles": [], "given_name": "Ugo", "family_name": "Verdi"},
    {"roles": ["guardian"], "given_name": "Ugo", "family_name": "Verdi"},
    {"roles": ["secretary"], "given_name": "", "family_name": "Verdi"},
    {"roles": ["secretary"], "given_name": "U\u0000", "family_name": "Verdi"},
    {"roles": ["secretary"]},
]


async def test_what_is_no_account_is_refused(world: World, http: httpx.AsyncClient) -> None:
    _, code = await an_administrator(world)
    desk = await signed_in(http, code)
    for body in NO_ACCOUNTS:
        assert (await desk.json("POST", STAFF, body)).status_code == 422, body
    assert len(await world.events(StaffAccountOpened)) == 1


async def test_the_last_administrator_stays(world: World, http: httpx.AsyncClient) -> None:
    first, code = await an_administrator(world)
    desk = await signed_in(http, code)
    refused = await desk.json("PUT", f"{STAFF}/{first}/roles", {"roles": ["secretary"]})
    assert refused.status_code == 409 and refused.json()["type"].endswith("last-administrator")
    page = await desk.post(f"/accesso/sportello/personale/{first}/ruoli", ruoli=["secretary"])
    assert page.status_code == 422 and "unico amministratore" in page.text
    second, _ = await an_administrator(world)
    own = await desk.json("POST", f"{STAFF}/{first}/closure", {"note": "lascio"})
    assert own.status_code == 409 and own.json()["type"].endswith("own-account")

    staff = world.parts.front.staff
    outcomes = await asyncio.gather(
        staff.close(SCHOOL, second, "insieme", actor=first),
        staff.close(SCHOOL, first, "insieme", actor=second),
        return_exceptions=True,
    )
    lost = [one for one in outcomes if isinstance(one, Refused)]
    assert [one.reason for one in lost] == ["last_administrator"], outcomes
    assert len(await world.events(AccountRevoked)) == 1


async def test_roles_change_and_who_leaves_is_closed_and_may_come_back(
    world: World, http: httpx.AsyncClient
) -> None:
    _, code = await an_administrator(world)
    desk, person = await signed_in(http, code), await appointed(world)
    opened = (await desk.json("POST", STAFF, {"roles": ["teacher"], "person": person})).json()
    account = opened["account"]
    colleague = await signed_in(http, opened["user_code"], opened["password"])
    assert (await desk.json("PUT", f"{STAFF}/{account}/roles", {"roles": ["auditor"]})).status_code == 204
    assert (await colleague.json("GET", "/api/identity/me")).json()["roles"] == ["auditor"]
    assert (await desk.json("PUT", f"{STAFF}/{account}/roles", {"roles": ["auditor"]})).status_code == 204
    assert [e.roles for e in await world.events(StaffRolesChanged)] == [(StaffRole.auditor,)]

    closed = await desk.post(f"/accesso/sportello/personale/{account}/chiudi", motivo="ha cambiato scuola")
    assert closed.status_code == 303
    (event,) = await world.events(AccountRevoked)
    assert (event.account, event.because) == (account, RevocationReason.staff_left)
    assert (await colleague.json("GET", "/api/identity/me")).status_code == 401
    late = await desk.json("POST", f"{STAFF}/{account}/password", {})
    assert late.status_code == 409
    assert not (
        await world.pool.fetchval("select count(*) from private.verifiers where account = $1", account)
    )

    back = await desk.json("POST", STAFF, {"roles": ["teacher"], "person": person})
    assert back.status_code == 201 and back.json()["account"] == account
    (member,) = [m for m in (await desk.json("GET", STAFF)).json() if m["account"] == account]
    assert not member["closed"] and member["roles"] == ["teacher"]
    await signed_in(http, back.json()["user_code"], back.json()["password"])


async def test_the_desk_signs_a_family_out_and_no_colleague(world: World, http: httpx.AsyncClient) -> None:
    boss, code = await an_administrator(world)
    desk = await signed_in(http, code)
    secretary = (
        await desk.json("POST", STAFF, {"roles": ["secretary"], "given_name": "Ugo", "family_name": "Verdi"})
    ).json()
    front = world.parts.front
    signed = await front.signing_in.sign_in(secretary["user_code"], secretary["password"])
    assert signed is not None
    await front.signing_in.change_password(secretary["user_code"], secretary["password"], CHOSEN)
    clerk = await signed_in(http, secretary["user_code"])
    assert (await clerk.json("DELETE", f"/api/identity/accounts/{boss}/sessions")).status_code == 404
    assert (await desk.json("GET", "/api/identity/me")).status_code == 200
    assert (
        await desk.json("DELETE", f"/api/identity/accounts/{secretary['account']}/sessions")
    ).status_code == 204
    assert (await clerk.json("GET", "/api/identity/me")).status_code == 401


async def test_the_desk_leaves_colleagues_alone_and_an_administrator_lets_them_in_again(
    world: World, http: httpx.AsyncClient
) -> None:
    boss, _ = await an_administrator(world)
    other, other_code = await an_administrator(world)
    life, acting = world.parts.front.life, Acting(SCHOOL, "a-secretary")
    check = IdentityCheck.known_in_person
    for operation in (
        life.suspend(boss, SuspensionReason.barred, "prova", acting),
        life.revoke(boss, RevocationReason.other, "prova", acting),
        life.reinstate(boss, "prova", check, acting),
        life.unlock(boss, check, acting),
        life.report_loss(boss, ReportedBy.desk, acting, block=True),
    ):
        with pytest.raises(Refused) as refused:
            await operation
        assert refused.value.reason == "no_account"
    await life.report_loss(other, ReportedBy.holder, Acting(SCHOOL, other), block=True)
    stopped = Browser(http, {})
    assert (await stopped.post("/accesso/", codice=other_code, password=CHOSEN)).status_code == 422
    given = await world.parts.front.staff.reset(SCHOOL, other, actor=boss, remove_passkeys=True)
    await signed_in(http, other_code, given.password)
