"""Who leaves, returns, is merged, gets a mailbox; what the school's dates bring: the accounts follow (M3, M5, M12, E8)."""

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from deploy.engines import PostgresEngine
from services.identity.domain.account import account_id
from services.identity.operations import NewStaffMember, add_staff
from services.identity.policies import today_in_rome
from shared.contracts.event import Event, Personal
from shared.contracts.identity import (
    AccountReinstated,
    AccountRevoked,
    AccountRole,
    AccountSuspended,
    CredentialsIssued,
    CredentialsKept,
    IssuanceRefused,
    LocalCredentialsRetired,
    SessionsRevoked,
    SlipReturned,
    SlipShredded,
    StaffRole,
)
from shared.contracts.notifications import (
    HandedTo,
    HandOverBy,
    SlipHandedOver,
    SlipHandOverUndone,
)
from shared.contracts.policy import EMAIL, PAPER
from shared.contracts.registry import (
    ContactAddress,
    EndGround,
    EndReason,
    EnrolmentKind,
    GuardianshipEnded,
    GuardianshipRestricted,
    GuardianshipRestrictionLifted,
    GuardiansMerged,
    InstitutionalMailboxActivated,
    Note,
    RestrictionGround,
    StaffMemberLeft,
    StudentWithdrawn,
)
from shared.ids import new_id
from shared.sealing import ClaimReason, ClaimRequest
from tests.integration.identity_fixtures import (
    NEXT_YEAR,
    SCHOOL,
    YEAR,
    World,
    enrolled,
    identity_world,
    linked,
)

CHOSEN = "tre gatti verdi sul tetto"


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        yield made


def of_pupil(person: str) -> str:
    return account_id(AccountRole.pupil, person)


def of_guardian(person: str) -> str:
    return account_id(AccountRole.guardian, person)


def left(student: str, on: date | None, year: str = YEAR) -> tuple[str, Event]:
    event = StudentWithdrawn(student=student, year=year, on=on, reason=EndReason.withdrawal)
    return f"student/{student}", event


def note(person: str) -> Personal[Note]:
    return Personal[Note](person=person, value=Note(text="prova"))


async def lets_in(world: World, account: str, password: str) -> bool:
    code = await world.user_code(account)
    return await world.parts.front.signing_in.sign_in(code, password) is not None


async def family(world: World, *students: str) -> tuple[str, dict[str, str]]:
    """A guardian of these pupils; initial passwords by account."""
    guardian = new_id()
    for student in students:
        await world.hear("registry", enrolled(student), linked(guardian, student))
    accounts = [*(of_pupil(student) for student in students), of_guardian(guardian)]
    return guardian, {account: (await world.secret(account)).password for account in accounts}


async def suspended(world: World) -> set[str]:
    return {
        row["account"] for row in await world.pool.fetch("select account from projections.suspensions_v1")
    }


@pytest.mark.requirement("M5", part="access ends on the day, and comes back with the pupil")
async def test_who_leaves_is_suspended_on_the_day_and_returns_with_the_same_credentials(world: World) -> None:
    await world.school(PAPER)
    pupil = new_id()
    guardian, secrets = await family(world, pupil)
    accounts = {of_pupil(pupil), of_guardian(guardian)}
    for account in accounts:
        assert await lets_in(world, account, secrets[account])
    today = today_in_rome(world.store.clock())
    await world.hear("registry", left(pupil, today + timedelta(days=2)))
    await world.parts.due_dates.once()
    assert await suspended(world) == set()
    world.ahead = timedelta(days=2)
    await world.parts.due_dates.once()
    await world.parts.due_dates.once()
    assert await suspended(world) == accounts
    said = await world.events(AccountSuspended)
    assert len(said) == 2 and {e.because.value for e in said} == {"withdrawn"}
    assert {e.account for e in await world.events(SessionsRevoked)} == accounts
    assert await world.pool.fetchval("select count(*) from private.sessions") == 0
    for account in accounts:
        assert not await lets_in(world, account, secrets[account])
    recorded = [r for r in await world.all_events() if isinstance(r.event, AccountSuspended)]
    assert all(r.causation for r in recorded), "the history tells why"
    await world.hear("registry", enrolled(pupil, EnrolmentKind.new_to_the_school, NEXT_YEAR))
    assert await suspended(world) == set()
    assert {e.account for e in await world.events(AccountReinstated)} == accounts
    assert {e.account for e in await world.events(CredentialsKept)} == accounts
    assert len(await world.events(CredentialsIssued)) == 2, "nobody was issued anything new"
    for account in accounts:
        assert await lets_in(world, account, secrets[account])


async def test_who_is_back_before_the_day_was_never_away(world: World) -> None:
    await world.school(PAPER)
    pupil = new_id()
    await family(world, pupil)
    today = today_in_rome(world.store.clock())
    await world.hear("registry", left(pupil, today), enrolled(pupil))
    await world.parts.due_dates.once()
    assert await world.events(AccountSuspended) == []
    assert await world.pool.fetchval("select count(*) from private.departures") == 0


@pytest.mark.requirement("M5", part="a guardian keeps access while a child is enrolled")
async def test_a_guardian_goes_with_the_last_child(world: World) -> None:
    await world.school(PAPER)
    first, second = new_id(), new_id()
    guardian, _ = await family(world, first, second)
    today = today_in_rome(world.store.clock())
    await world.hear("registry", left(second, today + timedelta(days=5)), left(first, None))
    await world.parts.due_dates.once()
    assert await suspended(world) == {of_pupil(first)}, "the second one is here for five days more"
    world.ahead = timedelta(days=5)
    await world.parts.due_dates.once()
    assert await suspended(world) == {of_pupil(first), of_pupil(second), of_guardian(guardian)}


@pytest.mark.requirement("M3", part="every child barred: the account stays")
async def test_a_guardian_barred_from_every_child_keeps_the_account(world: World) -> None:
    await world.school(PAPER)
    pupil = new_id()
    guardian, secrets = await family(world, pupil)
    await world.hear("registry", (f"guardian/{guardian}", restricted(world, guardian, pupil)))
    await world.parts.due_dates.once()
    assert await suspended(world) == set() and await world.events(AccountRevoked) == []
    assert await lets_in(world, of_guardian(guardian), secrets[of_guardian(guardian)])


async def test_a_restricted_guardian_who_waits_is_issued_nothing(world: World) -> None:
    await world.school(PAPER, key=False)
    pupil, guardian = new_id(), new_id()
    await world.hear("registry", enrolled(pupil), linked(guardian, pupil))
    await world.hear("registry", (f"guardian/{guardian}", restricted(world, guardian, pupil, days=3)))
    world.ahead = timedelta(days=3)
    await world.publish_key()
    await world.parts.issuer.issue_ready()
    assert {e.account for e in await world.events(CredentialsIssued)} == {of_pupil(pupil)}
    (refused,) = await world.events(IssuanceRefused)
    assert (refused.account, refused.reason.value) == (of_guardian(guardian), "no_data_access")


@pytest.mark.requirement("M3", part="restricted and ended: neither opens what the other shuts")
@pytest.mark.parametrize("then", ["ends later", "ended, and lifted", "ended, and linked again"])
async def test_what_shuts_a_guardianship_stands_beside_what_else_does(world: World, then: str) -> None:
    await world.school(PAPER, key=False)
    pupil, guardian = new_id(), new_id()
    stream = f"guardian/{guardian}"
    await world.hear("registry", enrolled(pupil), linked(guardian, pupil))
    await world.hear("registry", (stream, restricted(world, guardian, pupil)))
    days = 30 if then == "ends later" else 0
    on = today_in_rome(world.store.clock()) + timedelta(days=days)
    ended = GuardianshipEnded(
        guardian=guardian, student=pupil, on=on, ground=EndGround.court_order, note=note(pupil)
    )
    await world.hear("registry", (stream, ended))
    if then == "ended, and lifted":
        lifted = GuardianshipRestrictionLifted(guardian=guardian, student=pupil, note=note(pupil))
        await world.hear("registry", (stream, lifted))
    elif then == "ended, and linked again":
        await world.hear("registry", linked(guardian, pupil))
    await world.publish_key()
    await world.parts.issuer.issue_ready()
    assert {e.account for e in await world.events(CredentialsIssued)} == {of_pupil(pupil)}
    assert {e.reason.value for e in await world.events(IssuanceRefused)} == {"no_data_access"}


def restricted(world: World, guardian: str, student: str, days: int = 0) -> Event:
    return GuardianshipRestricted(
        guardian=guardian,
        student=student,
        on=today_in_rome(world.store.clock()) + timedelta(days=days),
        ground=RestrictionGround.court_order,
        note=note(student),
    )


@pytest.mark.requirement("M1", part="of two accounts of one guardian one stays")
async def test_a_merged_account_is_revoked_into_the_one_that_stays(world: World) -> None:
    await world.school(PAPER)
    pupil = new_id()
    gone, secrets = await family(world, pupil)
    kept = new_id()
    await world.hear("registry", linked(kept, pupil))
    merged = GuardiansMerged(guardian=kept, merged=gone, note=note(gone))
    await world.hear("registry", (f"guardian/{gone}", merged))
    (revoked,) = await world.events(AccountRevoked)
    assert (revoked.account, revoked.into, revoked.because.value) == (
        of_guardian(gone),
        of_guardian(kept),
        "merged",
    )
    assert not await lets_in(world, of_guardian(gone), secrets[of_guardian(gone)])
    assert await lets_in(world, of_guardian(kept), (await world.secret(of_guardian(kept))).password)


async def test_who_stays_without_access_is_issued_the_place_of_the_merged(world: World) -> None:
    await world.school(PAPER)
    pupil = new_id()
    gone, _ = await family(world, pupil)
    kept, old = new_id(), new_id()
    await world.hear("registry", enrolled(old, EnrolmentKind.continuing), linked(kept, old))
    assert [e.account for e in await world.events(IssuanceRefused)] == [of_pupil(old), of_guardian(kept)]
    merged = GuardiansMerged(guardian=kept, merged=gone, note=note(gone))
    await world.hear("registry", (f"guardian/{gone}", merged))
    await world.parts.issuer.issue_ready()
    assert (await world.issued(of_guardian(kept))).generation == 1


async def test_a_colleague_who_leaves_is_revoked(world: World) -> None:
    await world.school(PAPER)
    member = NewStaffMember(SCHOOL, (StaffRole.teacher,), "Ada", "Neri", CHOSEN, True)
    code = await add_staff(world.parts.runtime.commands, world.parts.hasher, member, actor="system:test")
    row = await world.pool.fetchrow("select * from projections.accounts_v1 where role = 'staff'")
    assert row is not None
    stranger = StaffMemberLeft(person=new_id())
    await world.hear("registry", (f"staff/{stranger.person}", stranger))
    await world.hear("registry", (f"staff/{row['holder']}", StaffMemberLeft(person=row["holder"])))
    (revoked,) = await world.events(AccountRevoked)
    assert (revoked.account, revoked.because.value) == (row["account"], "staff_left")
    assert await world.parts.front.signing_in.sign_in(code, CHOSEN) is None


@pytest.mark.requirement("E8", part="once the mailbox is there, and never elsewhere")
async def test_pupils_wait_for_their_mailbox_and_are_issued_when_it_is_there(world: World) -> None:
    await world.school(EMAIL)
    early, late = new_id(), new_id()
    await world.hear("registry", enrolled(early), enrolled(late))
    await world.parts.issuer.issue_ready()
    assert await world.events(CredentialsIssued) == []
    await world.hear("registry", active(early))
    await world.parts.issuer.issue_ready()
    (issued,) = await world.events(CredentialsIssued)
    assert (issued.account, issued.channel.value, issued.exclusive) == (
        of_pupil(early),
        "institutional_mailbox",
        True,
    )
    third = new_id()
    await world.hear("registry", active(third), enrolled(third))
    assert (await world.issued(of_pupil(third))).channel.value == "institutional_mailbox"
    assert [r["account"] for r in await world.pool.fetch("select account from private.issuance_queue")] == [
        of_pupil(late)
    ]


def active(student: str) -> tuple[str, Event]:
    mailbox = Personal[ContactAddress](person=student, value=ContactAddress(email="u@scuola.example"))
    return f"student/{student}", InstitutionalMailboxActivated(student=student, mailbox=mailbox)


@pytest.mark.requirement("M12", part="refused for new holders, retired for old ones, on the date")
async def test_local_credentials_end_on_the_schools_day(world: World) -> None:
    await world.school(PAPER)
    pupil = new_id()
    guardian, secrets = await family(world, pupil)
    member = NewStaffMember(SCHOOL, (StaffRole.secretary,), "Ada", "Neri", CHOSEN, True)
    staff = await add_staff(world.parts.runtime.commands, world.parts.hasher, member, actor="system:test")
    until = today_in_rome(world.store.clock()) + timedelta(days=3)
    await world.school(PAPER.model_copy(update={"local_credentials_until": until}), key=False)
    await world.parts.due_dates.once()
    assert await world.events(LocalCredentialsRetired) == []
    world.ahead = timedelta(days=3)
    for _ in range(2):
        await world.parts.due_dates.once()
    retired = {e.account for e in await world.events(LocalCredentialsRetired)}
    assert retired == {of_pupil(pupil), of_guardian(guardian)}
    assert len(await world.events(LocalCredentialsRetired)) == 2
    assert await world.pool.fetchval("select count(*) from private.sealed_slips") == 0
    for account in retired:
        assert not await lets_in(world, account, secrets[account])
    assert await world.parts.front.signing_in.sign_in(staff, CHOSEN) is not None
    fresh = new_id()
    await world.hear("registry", enrolled(fresh))
    assert [(e.account, e.reason.value) for e in await world.events(IssuanceRefused)] == [
        (of_pupil(fresh), "local_credentials_ended")
    ]


@pytest.mark.requirement("M4", part="of age at the next issue, nothing stored")
async def test_coming_of_age_counts_at_the_next_issue(world: World) -> None:
    today = today_in_rome(world.store.clock())
    eve = date(today.year - 18, today.month, today.day) + timedelta(days=1)
    await world.school(PAPER)
    pupil = new_id()
    await world.hear("registry", enrolled(pupil, born=eve))
    assert (await world.issued(of_pupil(pupil))).policy_role.value == "pupil_under_age"
    world.ahead = timedelta(days=1)
    await world.publish_key(60)
    await world.issue_at_the_desk([pupil])
    await world.parts.issuer.issue_ready()
    assert (await world.issued(of_pupil(pupil))).policy_role.value == "pupil_of_age"


@pytest.mark.requirement("P5", part="the copy goes with the hand-over")
async def test_a_slip_handed_over_has_no_copy_and_undone_may_be_replaced(world: World) -> None:
    account, _, secret = await world.a_guardian(PAPER)
    issued = await world.issued(account)
    claim = ClaimRequest(credentials=(issued.credential,), reason=ClaimReason.print)
    assert not (await world.parts.slips.claim(claim)).error
    about = {"delivery": "d1", "account": account, "holder": issued.holder, "credential": issued.credential}
    handed = SlipHandedOver(**about, class_id="1A", to=HandedTo.guardian, by=HandOverBy.tick)
    await hear_notifications(world, handed)
    (shredded,) = await world.events(SlipShredded)
    assert shredded.because.value == "handed_over"
    copies = "select count(*) from private.sealed_slips where account = $1"
    assert await world.pool.fetchval(copies, account) == 0
    assert (await world.issue_at_the_desk([issued.holder])).in_use == 1, "it stands, in somebody's hands"
    await hear_notifications(world, SlipHandOverUndone(**about, reason=note(issued.holder)))
    assert len(await world.events(SlipReturned)) == 1
    assert (await world.issue_at_the_desk([issued.holder])).accepted == 1
    await world.parts.issuer.issue_ready()
    assert (await world.issued(account)).generation == 2
    assert not await lets_in(world, account, secret.password)


async def hear_notifications(world: World, event: Event) -> None:
    await world.hear("notifications", ("delivery/d1", event))
