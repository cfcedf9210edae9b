"""From enrolments to credentials: keep, issue, refuse, wait (P2 P3 P4 M1 M2 M6 M12 E1 E8)."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from deploy.engines import PostgresEngine
from services.identity.domain.account import account_id
from shared.contracts.identity import (
    AccountOpened,
    AccountRole,
    CredentialsIssued,
    CredentialsKept,
    IssuanceRefused,
    RefusalReason,
)
from shared.contracts.policy import EMAIL, PAPER, Channel, HolderRole, RolePolicy
from shared.contracts.registry import CredentialPolicyAdopted, EndReason, EnrolmentKind, StudentWithdrawn
from shared.ids import new_id
from tests.integration.identity_fixtures import (
    NEXT_YEAR,
    SCHOOL,
    YEAR,
    World,
    enrolled,
    identity_world,
    linked,
    names,
)

CONTINUING, NEW = EnrolmentKind.continuing, EnrolmentKind.new_to_the_school


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        yield made


def guardian_account(guardian: str) -> str:
    return account_id(AccountRole.guardian, guardian)


def pupil_account(pupil: str) -> str:
    return account_id(AccountRole.pupil, pupil)


@pytest.mark.requirement("P4", part="issue")
async def test_a_first_year_pupil_and_each_guardian_get_credentials_of_their_own(world: World) -> None:
    await world.school(PAPER)
    pupil, father, mother = new_id(), new_id(), new_id()
    await world.hear("registry", enrolled(pupil), linked(father, pupil), linked(mother, pupil))
    issued = await world.events(CredentialsIssued)
    accounts = {pupil_account(pupil), guardian_account(father), guardian_account(mother)}
    assert {e.account for e in issued} == accounts and len(issued) == 3
    secrets = [await world.secret(account) for account in accounts]
    assert len({secret.password for secret in secrets}) == 3
    codes = {await world.user_code(account) for account in accounts}
    assert len(codes) == 3 and all(len(code) == 8 for code in codes)
    assert {e.policy_role for e in issued} == {HolderRole.pupil_under_age, HolderRole.guardian}
    assert await world.pool.fetchval("select count(*) from private.issuance_queue") == 0


async def test_the_opening_and_the_issue_are_one_commit_caused_by_the_enrolment(world: World) -> None:
    await world.school(PAPER)
    pupil = new_id()
    await world.hear("registry", enrolled(pupil))
    opened, issued = await world.all_events()
    assert names([opened.event, issued.event]) == ["AccountOpened", "CredentialsIssued"]
    assert opened.time == issued.time and opened.causation == issued.causation is not None
    assert opened.seen["registry"] == issued.seen["registry"] > 0
    assert opened.actor == "service:identity"


@pytest.mark.requirement("M1")
async def test_a_second_child_never_opens_a_second_account(world: World) -> None:
    await world.school(PAPER)
    first, second, third, mother = new_id(), new_id(), new_id(), new_id()
    await world.hear(
        "registry", enrolled(first), linked(mother, first), enrolled(second), linked(mother, second)
    )
    await world.hear("registry", enrolled(third, NEW), linked(mother, third))
    opened = Counter(e.account for e in await world.events(AccountOpened))
    assert opened[guardian_account(mother)] == 1 and len(opened) == 4
    issued = Counter(e.account for e in await world.events(CredentialsIssued))
    assert issued[guardian_account(mother)] == 1


@pytest.mark.requirement("M2", part="issue")
async def test_two_guardians_with_one_mailbox_are_two_accounts(world: World) -> None:
    await world.school(EMAIL)
    pupil, one, other = new_id(), new_id(), new_id()
    shared = "famiglia@example.org"
    await world.hear(
        "registry", enrolled(pupil), linked(one, pupil, email=shared), linked(other, pupil, email=shared)
    )
    issued = {e.account for e in await world.events(CredentialsIssued)}
    assert issued == {guardian_account(one), guardian_account(other)}


@pytest.mark.requirement("P2", part="keep")
async def test_who_had_access_keeps_it_guardians_of_a_continuing_pupil_included(world: World) -> None:
    await world.school(PAPER)
    pupil, sibling, father = new_id(), new_id(), new_id()
    await world.hear("registry", enrolled(pupil), linked(father, pupil))
    before = await world.pool.fetch("select * from private.verifiers order by account")
    await world.hear("registry", enrolled(pupil, CONTINUING, NEXT_YEAR))
    await world.hear("registry", enrolled(sibling, year=NEXT_YEAR), linked(father, sibling, NEXT_YEAR))
    kept = await world.events(CredentialsKept)
    assert Counter(e.account for e in kept) == {pupil_account(pupil): 1, guardian_account(father): 1}
    assert {e.year for e in kept} == {NEXT_YEAR}
    after = await world.pool.fetch(
        "select * from private.verifiers where account <> $1 order by account", pupil_account(sibling)
    )
    assert before == after


@pytest.mark.requirement("M6", part="repeaters")
async def test_a_repeater_of_a_first_class_keeps(world: World) -> None:
    await world.school(PAPER)
    pupil = new_id()
    await world.hear("registry", enrolled(pupil))
    await world.hear("registry", enrolled(pupil, EnrolmentKind.first_year, NEXT_YEAR))
    assert len(await world.events(CredentialsIssued)) == 1
    assert [e.year for e in await world.events(CredentialsKept)] == [NEXT_YEAR]


@pytest.mark.requirement("P2", part="refuse and the desk's one action")
async def test_a_continuing_family_without_account_is_refused_and_the_desk_issues(world: World) -> None:
    await world.school(PAPER)
    pupil, father = new_id(), new_id()
    await world.hear("registry", enrolled(pupil, CONTINUING), linked(father, pupil))
    refused = await world.events(IssuanceRefused)
    assert {e.account for e in refused} == {pupil_account(pupil), guardian_account(father)}
    assert {e.reason for e in refused} == {RefusalReason.no_account}
    assert not await world.events(AccountOpened)

    done = await world.issue_at_the_desk(holders=[father])
    assert (done.accepted, done.in_use) == (1, 0)
    assert await world.parts.issuer.issue_ready() == 1
    assert [e.account for e in await world.events(CredentialsIssued)] == [guardian_account(father)]
    opened = next(r for r in await world.all_events() if isinstance(r.event, AccountOpened))
    assert opened.actor == "desk-1"

    done = await world.issue_at_the_desk()
    assert done.accepted == 1
    await world.parts.issuer.issue_ready()
    assert {e.account for e in await world.events(CredentialsIssued)} == {e.account for e in refused}
    assert (await world.issue_at_the_desk()).accepted == 0


async def test_the_desk_of_one_school_cannot_issue_for_another(world: World) -> None:
    await world.school(PAPER)
    pupil = new_id()
    await world.hear("registry", enrolled(pupil, CONTINUING))
    done = await world.issue_at_the_desk(holders=[pupil], school="RMIC00000X")
    assert done.accepted == 0


@pytest.mark.requirement("M12", part="no credentials for a role")
async def test_a_role_may_have_no_credentials_at_all(world: World) -> None:
    nothing = RolePolicy(channel=Channel.none)
    await world.school(PAPER.model_copy(update={"pupil_under_age": nothing}))
    pupil, father = new_id(), new_id()
    await world.hear("registry", enrolled(pupil), linked(father, pupil))
    (refused,) = await world.events(IssuanceRefused)
    assert (refused.account, refused.reason) == (
        pupil_account(pupil),
        RefusalReason.role_without_credentials,
    )
    assert [e.account for e in await world.events(CredentialsIssued)] == [guardian_account(father)]


async def test_a_guardian_without_access_to_the_childs_data_gets_none(world: World) -> None:
    await world.school(PAPER)
    pupil, aunt = new_id(), new_id()
    await world.hear("registry", enrolled(pupil), linked(aunt, pupil, data_access=False))
    (refused,) = await world.events(IssuanceRefused)
    assert (refused.account, refused.reason) == (guardian_account(aunt), RefusalReason.no_data_access)


@pytest.mark.parametrize(
    ("born", "role"),
    [
        (date(2000, 1, 1), HolderRole.pupil_of_age),
        (date(2012, 1, 1), HolderRole.pupil_under_age),
        (None, HolderRole.pupil_under_age),
    ],
)
async def test_age_is_derived_on_the_day_of_issue(world: World, born: date | None, role: HolderRole) -> None:
    await world.school(PAPER)
    await world.hear("registry", enrolled(new_id(), born=born))
    (issued,) = await world.events(CredentialsIssued)
    assert issued.policy_role is role


async def test_guardians_linked_before_the_enrolment_are_not_forgotten(world: World) -> None:
    await world.school(PAPER)
    pupil, father = new_id(), new_id()
    await world.hear("registry", linked(father, pupil))
    assert not await world.events(AccountOpened)
    await world.hear("registry", enrolled(pupil))
    assert {e.account for e in await world.events(CredentialsIssued)} == {
        pupil_account(pupil),
        guardian_account(father),
    }


@pytest.mark.requirement("E1", part="opens on its date, runs unattended")
async def test_an_account_waits_for_the_campaign_to_open(world: World) -> None:
    opens = (world.store.clock() + timedelta(days=3)).date()
    await world.school(PAPER.model_copy(update={"campaign_opens": opens}))
    pupil, father = new_id(), new_id()
    await world.hear("registry", enrolled(pupil), linked(father, pupil))
    assert len(await world.events(AccountOpened)) == 2
    assert await world.parts.issuer.issue_ready() == 0
    assert not await world.events(CredentialsIssued)
    world.ahead = timedelta(days=4)
    await world.publish_key()
    assert await world.parts.issuer.issue_ready() == 2
    issued = [r for r in await world.all_events() if isinstance(r.event, CredentialsIssued)]
    opened = [r for r in await world.all_events() if isinstance(r.event, AccountOpened)]
    assert {r.causation for r in issued} == {r.causation for r in opened}
    assert await world.parts.issuer.issue_ready() == 0


async def test_an_account_waits_for_a_sealing_key_and_a_retired_one_is_none(world: World) -> None:
    await world.school(PAPER, key=False)
    await world.publish_key(days=-1)
    await world.hear("registry", enrolled(new_id()))
    assert await world.parts.issuer.issue_ready() == 0
    await world.publish_key()
    assert await world.parts.issuer.issue_ready() == 1


async def test_an_account_waits_for_the_schools_policy(world: World) -> None:
    pupil = new_id()
    await world.publish_key()
    await world.hear("registry", enrolled(pupil))
    assert await world.parts.issuer.issue_ready() == 0
    adopted = CredentialPolicyAdopted(school=SCHOOL, policy=PAPER, reason="prova")
    await world.hear("registry", (f"school/{SCHOOL}", adopted))
    assert await world.parts.issuer.issue_ready() == 1


@pytest.mark.requirement("E8", part="waits for the mailbox")
async def test_a_pupil_of_the_email_school_waits_for_the_institutional_mailbox(world: World) -> None:
    await world.school(EMAIL)
    pupil, father = new_id(), new_id()
    await world.hear("registry", enrolled(pupil), linked(father, pupil))
    assert [e.account for e in await world.events(CredentialsIssued)] == [guardian_account(father)]
    assert await world.parts.issuer.issue_ready() == 0
    assert await world.pool.fetchval("select account from private.issuance_queue") == pupil_account(pupil)


async def test_who_leaves_while_waiting_is_not_issued_any(world: World) -> None:
    await world.school(PAPER, key=False)
    pupil, father = new_id(), new_id()
    await world.hear("registry", enrolled(pupil), linked(father, pupil))
    gone = StudentWithdrawn(student=pupil, year=YEAR, on=None, reason=EndReason.withdrawal)
    await world.hear("registry", (f"student/{pupil}", gone))
    await world.publish_key()
    await world.parts.issuer.issue_ready()
    assert not await world.events(CredentialsIssued)
    await world.parts.housekeeping.once()
    assert await world.pool.fetchval("select count(*) from private.issuance_queue") == 0
    await world.hear("registry", enrolled(pupil))
    await world.parts.issuer.issue_ready()
    assert len(await world.events(CredentialsIssued)) == 2, "and who comes back is"


@pytest.mark.requirement("E2", part="user code, password and PIN are issued")
async def test_a_pin_goes_to_guardians_by_mail_and_never_on_a_slip(world: World) -> None:
    await world.school(EMAIL)
    pupil, father = new_id(), new_id()
    await world.hear("registry", enrolled(pupil), linked(father, pupil))
    secret = await world.secret(guardian_account(father))
    assert secret.pin is not None and len(secret.pin) == 6 and secret.pin.isdigit()
    with_slips = EMAIL.guardian.model_copy(update={"channel": Channel.slip})
    adopted = CredentialPolicyAdopted(
        school=SCHOOL, policy=EMAIL.model_copy(update={"guardian": with_slips}), reason="prova"
    )
    other, mother = new_id(), new_id()
    await world.hear("registry", (f"school/{SCHOOL}", adopted), enrolled(other), linked(mother, other))
    assert (await world.secret(guardian_account(mother))).pin is None
    assert not (await world.issued(guardian_account(mother))).pin_issued


async def test_an_expired_unused_credential_is_issued_anew_to_a_new_arrival(world: World) -> None:
    await world.school(PAPER)
    pupil = new_id()
    await world.hear("registry", enrolled(pupil))
    world.ahead = timedelta(days=31)
    await world.parts.slips.expire()
    await world.publish_key()
    await world.hear("registry", enrolled(pupil, CONTINUING, NEXT_YEAR))
    assert [e.reason for e in await world.events(IssuanceRefused)] == [RefusalReason.no_account]
    assert (await world.issue_at_the_desk()).accepted == 1
    await world.parts.issuer.issue_ready()
    assert [e.generation for e in await world.events(CredentialsIssued)] == [1, 2]


async def test_a_whole_intake_is_issued_in_chunks(world: World) -> None:
    await world.school(PAPER, key=False)
    pupils = [new_id() for _ in range(320)]
    await world.hear("registry", *[enrolled(pupil) for pupil in pupils])
    await world.publish_key()
    assert await world.parts.issuer.issue_ready() == 320
    generations = Counter(e.account for e in await world.events(CredentialsIssued))
    assert len(generations) == 320 and set(generations.values()) == {1}
    assert await world.pool.fetchval("select count(*) from private.sealed_slips") == 320


async def test_of_two_issuers_at_once_one_wins_for_each_holder(world: World) -> None:
    await world.school(PAPER, key=False)
    await world.hear("registry", *[enrolled(new_id()) for _ in range(10)])
    await world.publish_key()
    done = await asyncio.gather(world.parts.issuer.issue_ready(), world.parts.issuer.issue_ready())
    assert len(await world.events(CredentialsIssued)) == 10 and sum(done) >= 10
