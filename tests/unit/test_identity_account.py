"""What an account decides: one live credential a holder, generations count up (DESIGN 5, P2, P7, M1)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.identity.domain.account import ACCOUNT
from services.identity.domain.commands import (
    ChangePassword,
    ClaimSlip,
    CompleteFirstAccess,
    CountFailures,
    Issue,
    Keep,
    Open,
    OpenStaff,
    RecordSignIn,
    Refuse,
    ResetStaffPassword,
    RevokeSessions,
    ShredSlip,
)
from shared.contracts.event import Event, Personal
from shared.contracts.identity import (
    AccountCode,
    AccountOpened,
    AccountRole,
    CredentialsIssued,
    CredentialsKept,
    FirstAccessCompleted,
    IssuanceRefused,
    PasswordChanged,
    RefusalReason,
    SessionsRevoked,
    ShredReason,
    SignInFailuresCounted,
    SignInSucceeded,
    SlipClaimed,
    SlipShredded,
    StaffAccountOpened,
    StaffDetails,
    StaffPasswordReset,
    StaffRole,
)
from shared.contracts.policy import Channel, HolderRole
from shared.sealing import ClaimReason
from shared.testing.bdd import given

NOW = datetime(2026, 9, 14, 8, tzinfo=UTC)
ENDS = NOW + timedelta(days=30)
LATER = ENDS + timedelta(seconds=1)
OPENED = AccountOpened(
    account="a",
    holder="h",
    role=AccountRole.guardian,
    code=Personal[AccountCode](person="h", value=AccountCode(user_code="BCDF2345")),
)


def issued(credential: str = "c1", generation: int = 1, *, must: bool = False) -> CredentialsIssued:
    return CredentialsIssued(
        account="a",
        holder="h",
        credential=credential,
        generation=generation,
        policy_role=HolderRole.guardian,
        channel=Channel.slip,
        exclusive=False,
        pin_issued=False,
        must_change=must,
        expires=ENDS,
        year="2026/2027",
    )


def issue(credential: str, now: datetime = NOW, *, must: bool = False) -> Issue:
    role, channel = HolderRole.guardian, Channel.slip
    return Issue(credential, role, channel, False, False, must, ENDS, "2026/2027", now)


def shredded(because: ShredReason, credential: str = "c1") -> SlipShredded:
    return SlipShredded(account="a", credential=credential, because=because)


FIRST_ACCESS = FirstAccessCompleted(account="a", credential="c1")
USED = (OPENED, issued(), FIRST_ACCESS, shredded(ShredReason.first_access))
CHANGED = PasswordChanged(account="a", first=True)
REVOKED = SessionsRevoked(account="a", because="password_changed")


def claimed(times: int) -> SlipClaimed:
    return SlipClaimed(account="a", credential="c1", claims=times, reason="print")


def test_an_account_is_opened_once() -> None:
    opening = Open("a", "h", AccountRole.guardian, "BCDF2345")
    given(ACCOUNT).when(opening, opening).then(OPENED)


def test_the_first_credential_is_of_the_first_generation() -> None:
    given(ACCOUNT, OPENED).when(issue("c1")).then(issued())


def test_nothing_is_issued_without_an_account() -> None:
    given(ACCOUNT).when(issue("c1")).then_refused("no_account")


def test_what_nobody_ever_claimed_is_issued_anew_and_the_old_copy_is_shredded() -> None:
    given(ACCOUNT, OPENED, issued()).when(issue("c2")).then(shredded(ShredReason.superseded), issued("c2", 2))


def test_what_was_sent_and_stands_is_not_replaced() -> None:
    given(ACCOUNT, OPENED, issued(), claimed(1)).when(issue("c2")).then_refused("still_valid")


def test_what_expired_unused_is_issued_anew_freely() -> None:
    history = (OPENED, issued(), claimed(3), shredded(ShredReason.expired))
    given(ACCOUNT, *history).when(issue("c2", LATER)).then(issued("c2", 2))


@pytest.mark.parametrize("now", [NOW, LATER])
def test_what_is_in_use_is_never_replaced_by_an_issue(now: datetime) -> None:
    given(ACCOUNT, *USED).when(issue("c2", now)).then_refused("in_use")


def test_a_forced_change_that_never_came_lets_the_credential_die() -> None:
    history = (OPENED, issued(must=True), FIRST_ACCESS, shredded(ShredReason.first_access))
    given(ACCOUNT, *history).when(issue("c2", LATER)).then(issued("c2", 2))
    given(ACCOUNT, *history, CHANGED).when(issue("c2", LATER)).then_refused("in_use")


def test_who_has_access_keeps_it_once_a_year() -> None:
    kept = CredentialsKept(account="a", holder="h", year="2027/2028")
    given(ACCOUNT, *USED).when(Keep("2027/2028", LATER), Keep("2027/2028", LATER)).then(kept)


def test_the_year_of_issue_has_nothing_to_keep() -> None:
    given(ACCOUNT, *USED).when(Keep("2026/2027", NOW)).then_nothing()


@pytest.mark.parametrize(
    "history", [(), (OPENED,), (OPENED, issued()), (OPENED, issued(), shredded(ShredReason.expired))]
)
def test_who_has_no_access_keeps_nothing(history: tuple[Event, ...]) -> None:
    given(ACCOUNT, *history).when(Keep("2027/2028", LATER)).then_nothing()


def test_a_refusal_is_said_once_a_year() -> None:
    refusal = Refuse("a", "h", "2026/2027", RefusalReason.no_account)
    refused = IssuanceRefused(account="a", holder="h", year="2026/2027", reason=RefusalReason.no_account)
    given(ACCOUNT).when(refusal, refusal).then(refused)
    anew = replace(refusal, anew=True)
    given(ACCOUNT).when(refusal, anew).then(refused, refused)
    barred = replace(refusal, reason=RefusalReason.no_data_access)
    told = refused.model_copy(update={"reason": RefusalReason.no_data_access})
    given(ACCOUNT).when(refusal, barred, barred, refusal).then(refused, told, refused)


def test_each_claim_is_counted_and_the_twenty_first_is_refused() -> None:
    claim = ClaimSlip("c1", ClaimReason.print, NOW)
    given(ACCOUNT, OPENED, issued()).when(claim, claim).then(claimed(1), claimed(2))
    given(ACCOUNT, OPENED, issued(), claimed(19)).when(claim).then(claimed(20))
    given(ACCOUNT, OPENED, issued(), claimed(20)).when(claim).then_refused("too_many_claims")


@pytest.mark.parametrize(
    ("history", "credential", "now", "reason"),
    [
        (USED, "c1", NOW, "gone"),
        ((OPENED, issued(), shredded(ShredReason.superseded), issued("c2", 2)), "c1", NOW, "gone"),
        ((OPENED, issued()), "c1", LATER, "expired"),
        ((OPENED, issued(), shredded(ShredReason.expired)), "c1", LATER, "expired"),
        ((OPENED,), "c1", NOW, "gone"),
    ],
)
def test_a_slip_that_is_no_more_cannot_be_claimed(
    history: tuple[Event, ...], credential: str, now: datetime, reason: str
) -> None:
    given(ACCOUNT, *history).when(ClaimSlip(credential, ClaimReason.resend, now)).then_refused(reason)


def test_the_first_access_shreds_the_slip_and_the_second_says_nothing_of_it() -> None:
    sign_in = SignInSucceeded(account="a")
    given(ACCOUNT, OPENED, issued()).when(
        RecordSignIn(), CompleteFirstAccess(), RecordSignIn(), CompleteFirstAccess()
    ).then(sign_in, FIRST_ACCESS, shredded(ShredReason.first_access), sign_in)


def test_a_slip_is_shredded_once_and_only_the_one_named() -> None:
    expire = ShredSlip("c1", ShredReason.expired)
    given(ACCOUNT, OPENED, issued()).when(expire, expire).then(shredded(ShredReason.expired))
    given(ACCOUNT, OPENED, issued()).when(ShredSlip("c0", ShredReason.expired)).then_nothing()


def test_a_change_of_password_ends_the_sessions_and_knows_the_first() -> None:
    again = PasswordChanged(account="a", first=False)
    given(ACCOUNT, *USED).when(ChangePassword(), ChangePassword()).then(CHANGED, REVOKED, again, REVOKED)


def test_staff_choose_their_own_password_and_always_have_access() -> None:
    details = StaffDetails(user_code="BCDF2345", family_name="Neri", given_name="Ada")
    opening = OpenStaff("a", "h", (StaffRole.secretary,), details)
    opened = StaffAccountOpened(
        account="a",
        holder="h",
        roles=(StaffRole.secretary,),
        details=Personal[StaffDetails](person="h", value=details),
    )
    given(ACCOUNT).when(opening).then(opened)
    given(ACCOUNT, opened).when(opening).then_refused("already_open")
    given(ACCOUNT, opened).when(ChangePassword(), ChangePassword()).then(
        CHANGED, REVOKED, PasswordChanged(account="a", first=False), REVOKED
    )


def test_a_staff_members_password_is_set_anew_all_sessions_end_and_nobody_elses_is() -> None:
    details = StaffDetails(user_code="BCDF2345", family_name="Neri", given_name="Ada")
    opened = StaffAccountOpened(
        account="a",
        holder="h",
        roles=(StaffRole.secretary,),
        details=Personal[StaffDetails](person="h", value=details),
    )
    reset = StaffPasswordReset(account="a", expires=ENDS)
    over = SessionsRevoked(account="a", because="password_reset")
    given(ACCOUNT, opened, CHANGED).when(ResetStaffPassword(ENDS), ChangePassword()).then(
        reset, over, CHANGED, REVOKED
    )
    given(ACCOUNT, OPENED).when(ResetStaffPassword(ENDS)).then_refused("not_staff")
    given(ACCOUNT).when(ResetStaffPassword(ENDS)).then_refused("no_account")


def test_failures_and_revocations_are_of_existing_accounts_only() -> None:
    counted = SignInFailuresCounted(account="a", failures=7)
    given(ACCOUNT, OPENED).when(CountFailures(7), CountFailures(0)).then(counted)
    given(ACCOUNT).when(CountFailures(7)).then_refused("no_account")
    one = SessionsRevoked(account="a", because="signed_out", session="s")
    given(ACCOUNT, OPENED).when(RevokeSessions("signed_out", "s")).then(one)


def test_what_an_account_is_said_to_be_unmoved_by_leaves_it_as_it_is() -> None:
    account = ACCOUNT.fold([OPENED, issued()])
    events = (
        SignInSucceeded(account="a"),
        SignInFailuresCounted(account="a", failures=3),
        SessionsRevoked(account="a", because="signed_in_again"),
    )
    assert {type(event) for event in events} == ACCOUNT.unmoved_by
    assert ACCOUNT.fold(events, account) == account
