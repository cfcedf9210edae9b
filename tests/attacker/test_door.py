"""At the door, as somebody would try it who wants in, or wants another out (M10, DESIGN 7)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.engines import PostgresEngine
from services.identity.domain.account import account_id
from services.identity.operations import NewStaffMember, open_staff
from services.identity.operations_life import Acting
from services.identity.passwords import Hasher, Verifier
from shared.contracts.identity import (
    AccountLocked,
    AccountRole,
    AccountUnlocked,
    RevocationReason,
    StaffRole,
    SuspensionReason,
)
from shared.contracts.policy import PAPER
from shared.contracts.registry import IdentityCheck
from shared.ids import new_id
from tests.integration.identity_fixtures import SCHOOL, SITE, World, enrolled, identity_world, linked
from tests.integration.test_identity_web import CHOSEN, DEVICE, SESSION, Browser

NOWHERE = "ZZZZ9999"
WRONG = "non è questa la password"


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        yield made


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(world.parts.web(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=SITE) as client:
        yield client


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> Counter[bool]:
    """How often the hasher was called, and with how many of them there was a password to compare with."""
    seen: Counter[bool] = Counter()
    verify: Callable[..., bool] = Hasher.verify_now
    hash_: Callable[..., Verifier] = Hasher.hash_now

    def counted(self: Hasher, secret: str, verifier: Verifier | None) -> bool:
        seen[verifier is not None] += 1
        return verify(self, secret, verifier)

    def hashed(self: Hasher, secret: str) -> Verifier:
        seen[False] += 1
        return hash_(self, secret)

    monkeypatch.setattr(Hasher, "verify_now", counted)
    monkeypatch.setattr(Hasher, "hash_now", hashed)
    return seen


async def a_family(world: World, count: int) -> list[tuple[str, str, str]]:
    """(account, user code, initial password) of so many guardians."""
    await world.school(PAPER)
    found = []
    for _ in range(count):
        pupil, guardian = new_id(), new_id()
        await world.hear("registry", enrolled(pupil), linked(guardian, pupil))
        account = account_id(AccountRole.guardian, guardian)
        found.append((account, await world.user_code(account), (await world.secret(account)).password))
    return found


async def guessed_at(world: World, code: str, times: int = 100) -> None:
    """As if an unknown device had failed so often, long ago."""
    await world.parts.front.signing_in.sign_in(code, WRONG)
    await world.pool.execute(
        "update private.sign_in_failures set failures = $1, untold = 0, last_at = $2 where failures = 1",
        times,
        world.store.clock() - timedelta(hours=2),
    )


def shape(answer: httpx.Response, code: str) -> tuple[Any, ...]:
    """All that an answer tells, but for what was typed and what is never the same."""
    text = answer.text.replace(code, "")
    if "json" in answer.headers["content-type"]:
        text = str({name: value for name, value in answer.json().items() if name != "instance"})
    names = sorted(name for name in answer.headers if name not in ("date", "traceparent"))
    return answer.status_code, text, len(text), names, answer.headers.get_list("set-cookie")


async def test_nobody_learns_which_codes_exist_or_how_they_stand(
    world: World, http: httpx.AsyncClient, looked_at: Counter[bool]
) -> None:
    people = await a_family(world, 6)
    stopped = world.store.clock()
    world.store.clock = lambda: stopped
    wrong, locked, suspended, revoked, dead, _ = people
    life = world.parts.front.life
    await guessed_at(world, locked[1])
    await guessed_at(world, "ZZZZ8888")
    await life.suspend(suspended[0], SuspensionReason.barred, "prova", Acting(SCHOOL, "desk-1"))
    await life.revoke(revoked[0], RevocationReason.other, "prova", Acting(SCHOOL, "desk-1"))
    await world.pool.execute(
        "update private.verifiers set expires = $2 where account = $1", dead[0], stopped - timedelta(days=1)
    )
    tries = [
        ("unknown", NOWHERE, WRONG),
        ("unknown and guessed at", "ZZZZ8888", WRONG),
        ("wrong", wrong[1], WRONG),
        ("locked, wrong", locked[1], WRONG),
        ("locked, right", locked[1], locked[2]),
        ("suspended, right", suspended[1], suspended[2]),
        ("revoked, right", revoked[1], revoked[2]),
        ("at the end of its life, right", dead[1], dead[2]),
    ]
    ways: dict[str, Callable[[str, str], Any]] = {
        "page": lambda code, password: Browser(http, {}).post("/accesso/", codice=code, password=password),
        "program": lambda code, password: Browser(http, {}).json(
            "POST", "/api/identity/sessions", {"user_code": code, "password": password}
        ),
        "change on a page": lambda code, password: Browser(http, {}).post(
            "/accesso/cambio-password", codice=code, attuale=password, nuova=CHOSEN, ripeti=CHOSEN
        ),
        "change by a program": lambda code, password: Browser(http, {}).json(
            "POST", "/api/identity/password", {"user_code": code, "old": password, "new": CHOSEN}
        ),
    }
    for way, ask in ways.items():
        told = {}
        for name, code, password in tries:
            looked_at.clear()
            answer = await ask(code, password)
            assert looked_at.total() == 1, f"{way}, {name}: {looked_at.total()} hashes"
            told[name] = shape(answer, code)
        odd = [name for name, one in told.items() if one != told["unknown"]]
        assert not odd, f"{way}: {odd} can be told from an unknown code"


async def test_who_wants_another_out_keeps_out_strangers_only(world: World, http: httpx.AsyncClient) -> None:
    ((account, code, password),) = await a_family(world, 1)
    home = Browser(http, {})
    assert (await home.post("/accesso/", codice=code, password=password)).status_code == 303
    await guessed_at(world, code)
    assert await world.events(AccountLocked) == [], "no request tells history"
    await world.parts.housekeeping.once()
    await world.parts.housekeeping.once()
    (locked,) = await world.events(AccountLocked)
    assert (locked.account, locked.failures) == (account, 100)

    stranger = Browser(http, {})
    assert (await stranger.post("/accesso/", codice=code, password=password)).status_code == 422
    known = Browser(http, {DEVICE: home.cookies[DEVICE]})
    assert (await known.post("/accesso/", codice=code, password=password)).status_code == 303
    await world.parts.housekeeping.once()
    assert await world.events(AccountUnlocked) == [], "getting in from home does not let strangers guess on"

    await world.parts.front.life.unlock(account, IdentityCheck.identity_document, Acting(SCHOOL, "desk-1"))
    (unlocked,) = await world.events(AccountUnlocked)
    assert unlocked.identity_check is IdentityCheck.identity_document
    assert (await stranger.post("/accesso/", codice=code, password=password)).status_code == 303


async def test_a_lock_is_over_with_a_new_password_and_with_time(world: World) -> None:
    await world.school(PAPER)
    commands, hasher = world.parts.runtime.commands, world.parts.hasher
    opened = [
        await open_staff(
            commands,
            hasher,
            NewStaffMember(SCHOOL, (role,), "Ada", "Neri", CHOSEN, True),
            actor="system:test",
        )
        for role in (StaffRole.secretary, StaffRole.administrator)
    ]
    for each in opened:
        await guessed_at(world, each.user_code)
    await world.parts.housekeeping.once()
    assert len(await world.events(AccountLocked)) == 2
    await world.parts.front.staff.reset(
        SCHOOL, opened[0].account, actor=opened[1].account, remove_passkeys=False
    )
    await world.parts.housekeeping.once()
    (first,) = await world.events(AccountUnlocked)
    assert first.account == opened[0].account and first.identity_check is None
    world.ahead = timedelta(days=31)
    await world.parts.housekeeping.once()
    await world.parts.housekeeping.once()
    assert [e.account for e in await world.events(AccountUnlocked)] == [each.account for each in opened]


async def test_many_guesses_at_once_get_no_more_looks_than_one_after_the_other(
    world: World, http: httpx.AsyncClient, looked_at: Counter[bool]
) -> None:
    ((_, code, password),) = await a_family(world, 1)
    guesses = [WRONG] * 30 + [password]
    answers = await asyncio.gather(
        *(Browser(http, {}).post("/accesso/", codice=code, password=guess) for guess in guesses)
    )
    assert {answer.status_code for answer in answers} <= {303, 422, 503}
    assert looked_at[True] <= 6, "five failures are looked at, and one more when the wait begins"
    assert answers[-1].status_code == 422, "the right one came too late"


async def test_a_suspension_ends_what_is_open_and_lets_nobody_in_meanwhile(
    world: World, http: httpx.AsyncClient
) -> None:
    """However the two are interleaved: the sign-in commits on the account as it was proved, or not at all."""
    ((account, code, password),) = await a_family(world, 1)
    proving, signing_in = world.parts.front.signing_in.proving, world.parts.front.signing_in
    prove = proving._prove

    async def meanwhile(*args: Any, **more: Any) -> Any:
        proved = await prove(*args, **more)
        await world.parts.front.life.suspend(
            account, SuspensionReason.barred, "prova", Acting(SCHOOL, "desk-1")
        )
        return proved

    proving._prove = meanwhile  # type: ignore[method-assign]
    assert await signing_in.sign_in(code, password) is None
    assert await world.pool.fetchval("select count(*) from private.sessions") == 0


@pytest.mark.parametrize(
    ("peer", "believed"), [("203.0.113.9", False), ("127.0.0.1", True)], ids=["stranger", "front door"]
)
async def test_an_address_is_what_the_front_door_says_and_nobody_else(
    world: World, peer: str, believed: bool
) -> None:
    """Who makes up addresses stands in the line of their own all the same."""
    await world.school(PAPER)
    world.parts.front.signing_in.proving._door._at_once = 1
    transport = httpx.ASGITransport(world.parts.web(), raise_app_exceptions=False, client=(peer, 4711))
    async with httpx.AsyncClient(transport=transport, base_url=SITE) as client:

        async def guess(number: int) -> int:
            headers = {"X-Forwarded-For": f"198.51.100.{number}", "X-Real-IP": f"198.51.100.{number}"}
            body = {"user_code": f"ZZZZ99{number}", "password": WRONG}
            return (await client.post("/api/identity/sessions", json=body, headers=headers)).status_code

        answers = Counter(await asyncio.gather(*(guess(number) for number in range(20))))
    assert (answers[503] == 0) is believed, answers


@pytest.mark.parametrize(
    "name", ["X-Forwarded-Host", "X-Host", "Forwarded", "X-Original-URL", "X-Rewrite-URL"]
)
async def test_what_else_a_request_says_of_the_site_is_not_believed(
    world: World, http: httpx.AsyncClient, name: str
) -> None:
    await world.school(PAPER)
    for path in ("/accesso/", "/s/liceo-prova", "/accesso/sessioni", "/accesso/inizio"):
        plain = await http.get(path, headers={"Accept": "text/html"})
        told = await http.get(path, headers={"Accept": "text/html", name: "evil.example"})
        assert told.status_code == plain.status_code
        assert "evil.example" not in told.text + str(told.headers)
        assert told.headers.get("location") == plain.headers.get("location")


async def test_a_forged_host_is_refused_before_anything_is_asked(
    world: World, http: httpx.AsyncClient
) -> None:
    for host in (
        "evil.example",
        "localhost:8480.evil.example",
        "localhost:8480@evil.example",
        "127.0.0.1:8480",
        "",
    ):
        answer = await http.get("/accesso/", headers={"Host": host})
        assert answer.status_code == 400 and "evil" not in answer.text, host
        posted = await http.post("/api/identity/sessions", headers={"Host": host}, json={})
        assert posted.status_code == 400, host


async def test_ids_of_sessions_open_nothing_and_end_nobody_elses(
    world: World, http: httpx.AsyncClient
) -> None:
    (mine, theirs) = await a_family(world, 2)
    me, them = Browser(http, {}), Browser(http, {})
    for browser, (_, code, password) in ((me, mine), (them, theirs)):
        await browser.post("/accesso/", codice=code, password=password)
    (session,) = [row["session"] for row in (await them.json("GET", "/api/identity/sessions")).json()]
    assert (await me.json("DELETE", f"/api/identity/sessions/{session}")).status_code == 404
    assert (await me.post("/accesso/sessioni/chiudi", sessione=session)).status_code == 404
    assert (await them.json("GET", "/api/identity/me")).status_code == 200
    fixed = Browser(http, {SESSION: session.ljust(43, "x")})
    assert (await fixed.json("GET", "/api/identity/me")).status_code == 401
    assert len((await me.json("GET", "/api/identity/sessions")).json()) == 1
