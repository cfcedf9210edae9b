"""Signing in, the first change, the change of a password, the guesses of strangers (E5 P7 M10, DESIGN 7)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.engines import PostgresEngine
from services.identity.operations import NewStaffMember, add_staff, reset_staff_password
from services.identity.passwords import Cost, Hasher, HasherBusy
from services.identity.sessions import Opened
from services.identity.signing_in import Objection, SignedIn
from shared.contracts.identity import (
    CredentialsIssued,
    PasswordChanged,
    SessionsRevoked,
    SignInFailuresCounted,
    SignInSucceeded,
    SlipShredded,
    StaffPasswordReset,
    StaffRole,
)
from shared.contracts.policy import EMAIL, PAPER
from shared.decider import Refused
from shared.web.sessions import Principal, hash_token, new_token
from tests.integration.identity_fixtures import SCHOOL, World, identity_world, names

CHOSEN = "tre gatti verdi sul tetto"
ENDINGS = ("SessionsRevoked", "SignInSucceeded")
OTHER = "quattro cani blu in cantina"


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        yield made


class CountingHasher:
    """In front of the real one: how often was it asked?"""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        self.verified = self.hashed = 0
        hasher = world.parts.hasher
        verify, hash_ = hasher.verify_now, hasher.hash_now

        def counted_verify(*args: Any) -> bool:
            self.verified += 1
            return verify(*args)

        def counted_hash(*args: Any) -> Any:
            self.hashed += 1
            return hash_(*args)

        monkeypatch.setattr(hasher, "verify_now", counted_verify)
        monkeypatch.setattr(hasher, "hash_now", counted_hash)


async def sign_in(world: World, code: str, password: str, **more: Any) -> SignedIn | None:
    return await world.parts.front.signing_in.sign_in(code, password, **more)


async def principal(world: World, signed: SignedIn) -> Principal | None:
    return await world.parts.sessions.introspect(hash_token(signed.session.token))


async def change(world: World, code: str, old: str, new: str, **more: Any) -> Any:
    return await world.parts.front.signing_in.change_password(code, old, new, **more)


async def a_secretary(world: World, password: str = CHOSEN, *, final: bool = True) -> str:
    await world.school(PAPER)
    member = NewStaffMember(SCHOOL, (StaffRole.secretary,), "Ada", "Neri", password, final)
    return await add_staff(world.parts.runtime.commands, world.parts.hasher, member, actor="system:test")


@pytest.mark.requirement("E5", part="the first access forces a change")
async def test_the_first_access_forces_a_change_and_the_session_can_do_nothing_else(world: World) -> None:
    account, code, secret = await world.a_guardian(EMAIL)
    signed = await sign_in(world, code, secret.password)
    assert signed is not None and signed.account == account and not signed.advised
    who = await principal(world, signed)
    assert who is not None and who.must_change and who.roles == frozenset({"guardian"})
    session = await change(world, code, secret.password, CHOSEN, principal=who)
    assert session.token != signed.session.token
    assert await principal(world, signed) is None
    after = await world.parts.sessions.introspect(hash_token(session.token))
    assert after is not None and not after.must_change
    assert await sign_in(world, code, secret.password) is None
    again = await sign_in(world, code, CHOSEN)
    assert again is not None and not again.session.must_change
    events = [r.event for r in await world.all_events() if r.stream == f"account/{account}"]
    assert names(events) == [
        "AccountOpened", "CredentialsIssued", "SignInSucceeded", "FirstAccessCompleted", "SlipShredded",
        "PasswordChanged", "SessionsRevoked", "SignInSucceeded",
    ]  # fmt: skip
    assert isinstance(events[5], PasswordChanged) and events[5].first


async def test_the_slip_is_shredded_at_first_access(world: World) -> None:
    account, code, secret = await world.a_guardian()
    assert await sign_in(world, code, secret.password)
    slips = await world.pool.fetch("select 1 from private.sealed_slips where account = $1", account)
    assert not slips and [e.because for e in await world.events(SlipShredded)] == ["first_access"]


async def test_the_initial_password_may_be_typed_as_it_comes(world: World) -> None:
    _, code, secret = await world.a_guardian()
    for typed in (
        secret.password.upper(),
        secret.password.replace("-", ""),
        secret.password.replace("-", " "),
    ):
        assert await sign_in(world, code.lower(), typed), "grouping and case do not matter"


async def test_a_chosen_password_must_be_typed_exactly(world: World) -> None:
    code = await a_secretary(world)
    assert await sign_in(world, code, CHOSEN)
    assert await sign_in(world, code, CHOSEN.upper()) is None


async def test_the_forced_change_does_not_take_the_initial_password_again(world: World) -> None:
    _, code, secret = await world.a_guardian(EMAIL)
    for same in (secret.password, secret.password.upper(), secret.password.replace("-", "")):
        assert isinstance(await change(world, code, secret.password, same), Objection)
    assert not await world.events(PasswordChanged)


async def test_a_recommended_change_is_advised_until_the_secret_is_at_its_end_then_forced(
    world: World,
) -> None:
    _, code, secret = await world.a_guardian(PAPER)
    signed = await sign_in(world, code, secret.password, remember=True)
    assert signed is not None and signed.advised and not signed.session.must_change
    world.ahead = timedelta(days=29, hours=23)
    who = await principal(world, signed)
    assert who is not None and not who.must_change
    world.ahead = timedelta(days=30, seconds=1)
    await world.parts.housekeeping.once()
    late = await sign_in(world, code, secret.password)
    assert late is not None and late.session.must_change and not late.advised


async def test_an_unused_initial_password_dies_with_its_life(world: World) -> None:
    account, code, secret = await world.a_guardian(PAPER)
    world.ahead = timedelta(days=31)
    assert await sign_in(world, code, secret.password) is None, "before any worker has run"
    await world.parts.housekeeping.once()
    assert await sign_in(world, code, secret.password) is None
    left = await world.pool.fetchval("select count(*) from private.verifiers where account = $1", account)
    assert left == 0 and await world.pool.fetchval("select count(*) from private.sealed_slips") == 0
    assert {e.because for e in await world.events(SlipShredded)} == {"expired"}


async def test_a_forced_change_left_undone_ends_with_the_secret(world: World) -> None:
    _, code, secret = await world.a_guardian(EMAIL)
    signed = await sign_in(world, code, secret.password, remember=True)
    assert signed is not None
    world.ahead = timedelta(days=14, seconds=1)
    await world.parts.housekeeping.once()
    assert await principal(world, signed) is None
    assert await sign_in(world, code, secret.password) is None


@pytest.mark.requirement("P7", part="asks the old password, ends all other sessions")
async def test_a_change_of_password_asks_the_old_one_and_ends_all_other_sessions(world: World) -> None:
    account, code, secret = await world.a_guardian(PAPER)
    phone = await sign_in(world, code, secret.password, remember=True)
    tablet = await sign_in(world, code, secret.password)
    assert phone is not None and tablet is not None
    who = await principal(world, phone)
    assert who is not None
    assert await change(world, code, "non è questa la password", CHOSEN, principal=who) is None
    kept = await change(world, code, secret.password, CHOSEN, principal=who, remembered=True)
    assert kept.max_age is not None
    assert await principal(world, tablet) is None and await principal(world, phone) is None
    assert await world.parts.sessions.introspect(hash_token(kept.token)) is not None
    assert await sign_in(world, code, secret.password) is None
    revoked = await world.events(SessionsRevoked)
    assert [(e.account, e.because, e.session) for e in revoked] == [(account, "password_changed", None)]


@pytest.mark.requirement("P7", part="works without being signed in")
async def test_a_password_is_changed_without_being_signed_in(world: World) -> None:
    _, code, secret = await world.a_guardian(EMAIL)
    assert await change(world, code, secret.password, CHOSEN) is not None
    assert await world.pool.fetchval("select count(*) from private.sessions") == 0
    assert await world.pool.fetchval("select count(*) from private.sealed_slips where generation = 1") == 0
    signed = await sign_in(world, code, CHOSEN)
    assert signed is not None and not signed.session.must_change
    assert isinstance(await change(world, code, CHOSEN, CHOSEN), Objection)
    assert isinstance(await change(world, code, CHOSEN, "Ernesto Ferrarotti 1"), Objection)


@pytest.mark.parametrize(("meanwhile", "lets_in"), [("changed", False), ("signed in", True)])
async def test_what_happens_between_proof_and_commit_is_seen(
    world: World, monkeypatch: pytest.MonkeyPatch, meanwhile: str, lets_in: bool
) -> None:
    code = await a_secretary(world)
    signing_in = world.parts.front.signing_in
    commit = signing_in._commit

    async def late(*arguments: Any) -> bool:
        monkeypatch.undo()
        if meanwhile == "changed":
            assert isinstance(await change(world, code, CHOSEN, OTHER), Opened)
        else:
            assert await sign_in(world, code, CHOSEN)
        return await commit(*arguments)

    monkeypatch.setattr(signing_in, "_commit", late)
    assert (await sign_in(world, code, CHOSEN) is not None) is lets_in
    assert len(await world.events(SignInSucceeded)) == (2 if lets_in else 0)
    assert await world.pool.fetchval("select count(*) from private.sessions") == (2 if lets_in else 0)


async def test_a_principal_changes_no_password_but_their_own(world: World) -> None:
    _, code, secret = await world.a_guardian(PAPER)
    member = NewStaffMember(SCHOOL, (StaffRole.secretary,), "Ada", "Neri", OTHER, True)
    other = await add_staff(world.parts.runtime.commands, world.parts.hasher, member, actor="system:test")
    signed = await sign_in(world, code, secret.password)
    assert signed is not None
    who = await principal(world, signed)
    assert await change(world, other, OTHER, CHOSEN, principal=who) is None
    assert await sign_in(world, other, OTHER)


@pytest.mark.requirement("M10", part="neutral errors of equal cost")
async def test_unknown_locked_and_wrong_cost_one_hash_each(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, code, secret = await world.a_guardian(PAPER)
    dead = await a_secretary(world)
    await world.pool.execute("delete from private.verifiers where account <> $1", account)
    counting = CountingHasher(world, monkeypatch)
    for tried in ("ZZZZ9999", "", "x" * 5000, code, dead):
        assert await sign_in(world, tried, "non è questa la password") is None
    assert counting.verified == 5
    for _ in range(6):
        await sign_in(world, code, "non è questa la password")
    assert counting.verified == 11
    assert await sign_in(world, code, secret.password) is None, "the right one, but it has to wait"
    assert (counting.verified, counting.hashed) == (12, 0)
    for tried in ("ZZZZ9999", code):
        assert await change(world, tried, "non è questa la password", CHOSEN) is None
    assert (counting.verified, counting.hashed) == (14, 0)


@pytest.mark.requirement("M10", part="a wait that cannot be abused")
async def test_strangers_wait_longer_and_longer_known_devices_come_in(world: World) -> None:
    _, code, secret = await world.a_guardian(PAPER)
    first = await sign_in(world, code, secret.password)
    assert first is not None
    for _ in range(5):
        assert await sign_in(world, code, "non è questa la password") is None
    assert await sign_in(world, code, secret.password) is None, "from the fifth failure there is a wait"
    assert await sign_in(world, code, secret.password, device_cookie=first.device)
    world.ahead = timedelta(seconds=11)
    assert await sign_in(world, code, secret.password), "it is a wait, no lock"
    for tries in range(12):
        await sign_in(world, code, "non è questa la password")
        world.ahead += timedelta(hours=1)
        assert await failures(world) == tries + 1
    world.ahead += timedelta(hours=1)
    assert await sign_in(world, code, secret.password), "an hour is the most"


async def failures(world: World) -> int:
    found = await world.pool.fetchval("select max(failures) from private.sign_in_failures where device = ''")
    return int(found)


async def test_an_unknown_code_has_to_wait_as_well(world: World) -> None:
    for _ in range(8):
        await sign_in(world, "ZZZZ9999", "x")
    rows = await world.pool.fetch("select failures, account from private.sign_in_failures")
    assert [(row["failures"], row["account"]) for row in rows] == [(5, None)]


async def test_many_guesses_at_once_are_counted_before_they_are_looked_at(world: World) -> None:
    _, code, secret = await world.a_guardian(PAPER)
    guesses = [sign_in(world, code, f"password sbagliata {n}") for n in range(20)]
    outcomes = await asyncio.gather(*guesses, sign_in(world, code, secret.password))
    assert await failures(world) == 5 and not any(outcomes[:20])


async def test_who_is_sent_away_for_want_of_a_place_has_not_failed(
    postgres: PostgresEngine, folder: Path
) -> None:
    async with identity_world(postgres, folder, hash_queue=1) as world:
        tries = [sign_in(world, f"ZZZZ99{n:02}", "x") for n in range(30)]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        looked_at = sum(outcome is None for outcome in outcomes)
        assert sum(isinstance(outcome, HasherBusy) for outcome in outcomes) == 30 - looked_at > 0
        assert await world.pool.fetchval("select sum(failures) from private.sign_in_failures") == looked_at


async def test_a_known_device_that_found_no_place_comes_in_as_soon_as_there_is_one(world: World) -> None:
    _, code, secret = await world.a_guardian(PAPER)
    first = await sign_in(world, code, secret.password)
    assert first is not None
    with ExitStack() as stack:
        for _ in range(200 + world.parts.hasher.cores):
            stack.enter_context(world.parts.hasher.place(known=True))
        for _ in range(6):
            with pytest.raises(HasherBusy):
                await sign_in(world, code, secret.password, device_cookie=first.device)
    assert await sign_in(world, code, secret.password, device_cookie=first.device)


async def test_a_forged_device_cookie_is_a_stranger(world: World) -> None:
    _, code, secret = await world.a_guardian(PAPER)
    first = await sign_in(world, code, secret.password)
    assert first is not None
    forged = first.device[:-2] + ("AA" if first.device[-2:] != "AA" else "BB")
    for cookie in (forged, "", ".", "x" * 500, "ünïcode." * 3):
        await sign_in(world, code, "non è questa la password", device_cookie=cookie)
    assert await failures(world) == 5


async def test_history_hears_of_failures_once_a_minute_and_of_existing_accounts_only(world: World) -> None:
    account, code, _ = await world.a_guardian(PAPER)
    for tried in (code, code, code, "ZZZZ9999"):
        await sign_in(world, tried, "non è questa la password")
    await world.parts.housekeeping.tell_failures()
    await sign_in(world, code, "non è questa la password")
    await world.parts.housekeeping.tell_failures()
    counted = await world.events(SignInFailuresCounted)
    assert [(e.account, e.failures) for e in counted] == [(account, 3)]
    world.ahead = timedelta(seconds=61)
    await world.parts.housekeeping.tell_failures()
    assert [e.failures for e in await world.events(SignInFailuresCounted)] == [3, 1]


async def test_failures_of_unknown_codes_are_kept_a_day_and_those_of_accounts_until_told(
    world: World,
) -> None:
    account, code, _ = await world.a_guardian(PAPER)
    for tried in ("ZZZZ9999", code):
        await sign_in(world, tried, "non è questa la password")
    left = "select account from private.sign_in_failures"
    world.ahead = timedelta(hours=23)
    await world.parts.housekeeping.once()
    assert len(await world.pool.fetch(left)) == 2
    world.ahead = timedelta(hours=25)
    await world.parts.housekeeping.once()
    assert [row["account"] for row in await world.pool.fetch(left)] == [account]
    world.ahead = timedelta(days=30, hours=1)
    await world.parts.housekeeping.once()
    assert not await world.pool.fetch(left)


async def test_a_sign_in_raises_an_old_verifier_to_the_new_cost(world: World) -> None:
    code = await a_secretary(world)
    dearer = Hasher(world.parts.hasher._peppers, Cost(memory=2048, passes=1))
    signing_in = world.parts.front.signing_in
    signing_in._hasher = signing_in._proving._hasher = dearer
    assert await sign_in(world, code, CHOSEN)
    text = await world.pool.fetchval("select password from private.verifiers")
    assert "$m=2048," in text and await sign_in(world, code, CHOSEN)


async def test_sessions_are_as_long_as_they_should_be(world: World) -> None:
    _, code, secret = await world.a_guardian(PAPER)
    strange, own = (
        await sign_in(world, code, secret.password),
        await sign_in(world, code, secret.password, remember=True),
    )
    assert strange is not None and own is not None
    assert strange.session.max_age is None and own.session.max_age == 30 * 24 * 3600
    world.ahead = timedelta(minutes=29)
    assert await principal(world, strange)
    world.ahead = timedelta(minutes=58)
    assert await principal(world, strange), "used in the meantime"
    world.ahead = timedelta(minutes=89)
    assert await principal(world, strange) is None and await principal(world, own)
    world.ahead = timedelta(days=29)
    assert await principal(world, own)
    world.ahead = timedelta(days=30, seconds=1)
    assert await principal(world, own) is None
    await world.parts.housekeeping.once()
    assert await world.pool.fetchval("select count(*) from private.sessions") == 0


async def test_a_staff_session_ends_after_twelve_hours_however_busy(world: World) -> None:
    code = await a_secretary(world)
    signed = await sign_in(world, code, CHOSEN, remember=True)
    assert signed is not None and signed.session.max_age is None
    for quarter in range(1, 48):
        world.ahead = timedelta(minutes=15 * quarter)
        assert await principal(world, signed)
    world.ahead = timedelta(hours=12, seconds=1)
    assert await principal(world, signed) is None


async def test_signing_in_ends_the_session_that_came_with_it_and_no_other(world: World) -> None:
    account, code, secret = await world.a_guardian(PAPER)
    old, elsewhere = await sign_in(world, code, secret.password), await sign_in(world, code, secret.password)
    assert old is not None and elsewhere is not None
    brought = hash_token(old.session.token)
    assert await sign_in(world, code, "non è questa la password", instead_of=brought) is None
    assert await principal(world, old), "who did not come in ended nothing"
    new = await sign_in(world, code, secret.password, instead_of=brought)
    assert new is not None and await principal(world, new) and await principal(world, elsewhere)
    assert await principal(world, old) is None
    (revoked,) = await world.events(SessionsRevoked)
    assert (revoked.account, revoked.session) == (account, old.session.session)
    ended, signed_in = (await world.all_events())[-2:]
    assert names([ended.event, signed_in.event]) == ["SessionsRevoked", "SignInSucceeded"]
    assert ended.time == signed_in.time and ended.correlation == signed_in.correlation
    assert await sign_in(world, code, secret.password, instead_of=hash_token(new_token()))


async def test_the_session_that_came_with_it_may_be_anothers_at_another_school(world: World) -> None:
    _, code, secret = await world.a_guardian(PAPER)
    await world.school(PAPER, code="RMIC00000X", customer="altra", key=False)
    member = NewStaffMember("RMIC00000X", (StaffRole.secretary,), "Ada", "Neri", CHOSEN, True)
    staff = await add_staff(world.parts.runtime.commands, world.parts.hasher, member, actor="system:test")
    old = await sign_in(world, staff, CHOSEN)
    assert old is not None
    new = await sign_in(world, code, secret.password, instead_of=hash_token(old.session.token))
    assert new is not None and await principal(world, new) and await principal(world, old) is None
    ended, signed_in = [r for r in await world.all_events() if r.event.contract_name() in ENDINGS][-2:]
    assert isinstance(ended.event, SessionsRevoked) and ended.event.account == old.account
    assert (ended.school, signed_in.school) == ("RMIC00000X", SCHOOL)


async def test_signing_out_ends_this_session_everywhere_and_no_other(world: World) -> None:
    _, code, secret = await world.a_guardian(PAPER)
    one, other = await sign_in(world, code, secret.password), await sign_in(world, code, secret.password)
    assert one is not None and other is not None
    who = await principal(world, one)
    assert who is not None
    await world.parts.sessions.end(who)
    assert await principal(world, one) is None and await principal(world, other)
    (revoked,) = await world.events(SessionsRevoked)
    assert (revoked.because, revoked.session) == ("signed_out", who.session_id)


async def test_staff_change_the_password_that_another_typed(world: World) -> None:
    code = await a_secretary(world, final=False)
    signed = await sign_in(world, code, CHOSEN)
    assert signed is not None and signed.session.must_change
    who = await principal(world, signed)
    assert isinstance(await change(world, code, CHOSEN, CHOSEN, principal=who), Objection)
    assert await change(world, code, CHOSEN, OTHER, principal=who)
    again = await sign_in(world, code, OTHER)
    assert again is not None and not again.session.must_change


async def test_a_password_that_another_typed_is_dead_after_fourteen_days(world: World) -> None:
    code = await a_secretary(world, final=False)
    signed = await sign_in(world, code, CHOSEN)
    assert signed is not None and signed.session.must_change and not signed.advised
    assert await sign_in(world, code, CHOSEN.upper()) is None, "no initial secret: to be typed exactly"
    world.ahead = timedelta(days=13, hours=23)
    assert await sign_in(world, code, CHOSEN)
    world.ahead = timedelta(days=14, seconds=1)
    assert await sign_in(world, code, CHOSEN) is None, "before any worker has run"
    assert await change(world, code, CHOSEN, OTHER) is None
    await world.parts.housekeeping.once()
    assert await world.pool.fetchval("select count(*) from private.verifiers") == 0
    world.ahead = timedelta(days=14, minutes=1)
    assert await sign_in(world, code, CHOSEN) is None


async def test_a_final_password_has_no_end(world: World) -> None:
    code = await a_secretary(world)
    world.ahead = timedelta(days=400)
    await world.parts.housekeeping.once()
    assert await sign_in(world, code, CHOSEN)


@pytest.mark.parametrize("days", [0, 15])
async def test_a_staff_members_password_is_set_anew(world: World, days: int) -> None:
    code = await a_secretary(world, final=False)
    world.ahead = timedelta(days=days)
    signed = await sign_in(world, code, CHOSEN)
    for _ in range(8):
        await sign_in(world, code, "non è questa la password")
    expires = await reset(world, code.lower(), OTHER)
    assert expires == (await world.events(StaffPasswordReset))[0].expires
    assert timedelta(days=13) < expires - world.store.clock() <= timedelta(days=14)
    assert signed is None or await principal(world, signed) is None
    assert [e.because for e in await world.events(SessionsRevoked)] == ["password_reset"]
    assert await sign_in(world, code, CHOSEN) is None
    again = await sign_in(world, code, OTHER)
    assert again is not None and again.session.must_change, "and guesses at the old one keep nobody waiting"
    who = await principal(world, again)
    assert await change(world, code, OTHER, CHOSEN, principal=who)
    world.ahead += timedelta(days=30)
    kept = await sign_in(world, code, CHOSEN)
    assert kept is not None and not kept.session.must_change


async def test_only_a_staff_member_of_that_school_is_given_a_password(world: World) -> None:
    _, code, secret = await world.a_guardian(PAPER)
    staff = await a_secretary(world)
    for school, who, password, reason in (
        (SCHOOL, code, OTHER, "unknown_account"),
        (SCHOOL, "ZZZZ9999", OTHER, "unknown_account"),
        ("RMIC00000X", staff, OTHER, "unknown_account"),
        (SCHOOL, staff, "passwordpassword", "weak_password"),
        (SCHOOL, staff, f"{staff}-{staff}", "weak_password"),
    ):
        with pytest.raises(Refused) as refused:
            await reset(world, who, password, school)
        assert refused.value.reason == reason
    assert await sign_in(world, code, secret.password) and await sign_in(world, staff, CHOSEN)
    assert not await world.events(StaffPasswordReset)


async def reset(world: World, code: str, password: str, school: str = SCHOOL) -> datetime:
    parts = world.parts
    return await reset_staff_password(
        parts.runtime.commands, parts.hasher, school, code, password, actor="system:test"
    )


async def test_staff_of_an_unknown_school_or_with_a_weak_password_are_refused(world: World) -> None:
    commands, hasher = world.parts.runtime.commands, world.parts.hasher
    member = NewStaffMember("RMIC00000X", (StaffRole.secretary,), "Ada", "Neri", CHOSEN)
    with pytest.raises(Refused, match="RMIC00000X"):
        await add_staff(commands, hasher, member, actor="system:test")
    await world.school(PAPER)
    weak = NewStaffMember(SCHOOL, (StaffRole.secretary,), "Ada", "Neri", "passwordpassword")
    with pytest.raises(Refused):
        await add_staff(commands, hasher, weak, actor="system:test")


@pytest.mark.requirement("B1", part="identity's database and events")
async def test_no_secret_is_in_an_event_or_in_the_clear_in_a_table(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    _, code, secret = await world.a_guardian(EMAIL)
    await sign_in(world, code, secret.password)
    await change(world, code, secret.password, CHOSEN)
    await sign_in(world, code, secret.password)
    assert await world.events(CredentialsIssued)
    bare = secret.password.replace("-", "")
    needles = [text.encode() for text in (secret.password, bare, CHOSEN)]
    for recorded in await world.all_events():
        assert not any(needle in recorded.entry for needle in needles)
        assert code.encode() not in recorded.entry
    for table in await world.pool.fetch(
        "select format('%I.%I', schemaname, tablename) as name from pg_tables "
        "where schemaname in ('private', 'projections', 'events')"
    ):
        rows = await world.pool.fetch(f"select t::text as row from {table['name']} t")  # noqa: S608
        told = "\n".join(row["row"] for row in rows)
        assert not any(needle.decode() in told or needle.hex() in told for needle in needles), table["name"]
    out, err = capfd.readouterr()
    assert not any(needle.decode() in out + err for needle in needles)
    assert secret.password not in repr(secret)
