"""The life of a credential, decided: lost, regenerated, separated, suspended, revoked, retired (E6, P9, M5, M12)."""

import pytest

from services.identity.domain.account import ACCOUNT
from services.identity.domain.commands import (
    ChangePassword,
    ClaimSlip,
    Issue,
    Keep,
    RecordSignIn,
    ResetStaffPassword,
    ShredSlip,
)
from services.identity.domain.commands_life import (
    DenyRegeneration,
    GrantRegeneration,
    LifeCommand,
    Lock,
    Reinstate,
    ReportLoss,
    RequestRegeneration,
    Retire,
    ReturnSlip,
    Revoke,
    Separate,
    Suspend,
    Unlock,
)
from shared.contracts.event import Event, Personal
from shared.contracts.identity import (
    AccountCode,
    AccountLocked,
    AccountOpened,
    AccountReinstated,
    AccountRevoked,
    AccountRole,
    AccountSuspended,
    AccountUnlocked,
    CredentialsIssued,
    CredentialsKept,
    CredentialsRegenerated,
    LocalCredentialsRetired,
    LossReported,
    PupilCredentialsSeparated,
    RegenerationDenied,
    RegenerationGranted,
    RegenerationRequested,
    ReportedBy,
    RevocationReason,
    SessionsRevoked,
    ShredReason,
    SlipReturned,
    StaffAccountOpened,
    StaffDetails,
    StaffRole,
    SuspensionReason,
)
from shared.contracts.policy import Channel, HolderRole
from shared.contracts.registry import IdentityCheck, Note
from shared.sealing import ClaimReason
from shared.testing.bdd import given
from tests.unit.test_identity_account import (
    CHANGED,
    ENDS,
    FIRST_ACCESS,
    LATER,
    NOW,
    OPENED,
    USED,
    claimed,
    issue,
    issued,
    shredded,
)

IN_USE = (*USED, CHANGED)
DOCUMENT = IdentityCheck.identity_document
PUPIL = AccountOpened(
    account="a",
    holder="h",
    role=AccountRole.pupil,
    code=Personal[AccountCode](person="h", value=AccountCode(user_code="BCDF2345")),
)
STAFF = StaffAccountOpened(
    account="a",
    holder="h",
    roles=(StaffRole.teacher,),
    details=Personal[StaffDetails](
        person="h", value=StaffDetails(user_code="BCDF2345", family_name="Neri", given_name="Ada")
    ),
)


def note(text: str) -> Personal[Note]:
    return Personal[Note](person="h", value=Note(text=text))


def asks(request: str = "r1") -> RequestRegeneration:
    return RequestRegeneration(request, ReportedBy.desk, DOCUMENT, "perse", NOW)


def grants(request: str = "r1", terms: Issue | None = None) -> GrantRegeneration:
    return GrantRegeneration(request, True, DOCUMENT, "motivata", terms)


def asked(request: str = "r1") -> RegenerationRequested:
    return RegenerationRequested(
        request=request,
        account="a",
        holder="h",
        by=ReportedBy.desk,
        identity_check=DOCUMENT,
        motivation=note("perse"),
    )


GRANTED = RegenerationGranted(
    request="r1", account="a", exceptional=True, identity_check=DOCUMENT, reason=note("motivata")
)
DENIED = RegenerationDenied(request="r1", account="a", reason=note("no"))
DEAD = CredentialsRegenerated(request="r1", account="a", credential="c1", generation=2)


def over(because: str) -> SessionsRevoked:
    return SessionsRevoked(account="a", because=because)


def suspended(because: SuspensionReason) -> AccountSuspended:
    return AccountSuspended(account="a", because=because)


BARRED, LOST, GONE = (
    suspended(because)
    for because in (SuspensionReason.barred, SuspensionReason.loss, SuspensionReason.withdrawn)
)
BACK = AccountReinstated(account="a")
REVOKED = AccountRevoked(account="a", because=RevocationReason.other)
RETIRED = LocalCredentialsRetired(account="a")


# --- regeneration -----------------------------------------------------------------------------------------------


def test_a_request_says_who_asked_and_why() -> None:
    given(ACCOUNT, *IN_USE).when(asks()).then(asked())


def test_no_second_request_while_one_is_open() -> None:
    given(ACCOUNT, *IN_USE, asked()).when(asks("r2")).then_refused("request_open")
    given(ACCOUNT, *IN_USE, asked(), DENIED).when(asks("r2")).then(asked("r2"))


@pytest.mark.parametrize(
    "history",
    [(OPENED,), (OPENED, issued(), shredded(ShredReason.expired)), (*IN_USE, asked("r0"), DEAD)],
)
def test_where_nothing_stands_it_is_issued_not_regenerated(history: tuple[Event, ...]) -> None:
    late = RequestRegeneration("r1", ReportedBy.desk, DOCUMENT, "perse", LATER)
    given(ACCOUNT, *history).when(late).then_refused("nothing_to_regenerate")


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        ((), "no_account"),
        ((STAFF,), "staff"),
        ((*IN_USE, BARRED), "suspended"),
        ((*IN_USE, GONE), "suspended"),
        ((*IN_USE, REVOKED), "revoked"),
        ((*IN_USE, RETIRED), "retired"),
    ],
)
def test_who_cannot_ask(history: tuple[Event, ...], reason: str) -> None:
    given(ACCOUNT, *history).when(asks()).then_refused(reason)


@pytest.mark.requirement("E6", part="granted: everything of the old generation dies")
def test_granted_everything_old_dies_and_the_new_one_follows() -> None:
    given(ACCOUNT, *IN_USE, asked()).when(grants(terms=issue("c2"))).then(
        GRANTED, DEAD, over("regenerated"), issued("c2", 2)
    )


def test_granted_before_the_channel_is_open_the_old_one_dies_at_once() -> None:
    given(ACCOUNT, OPENED, issued(), asked()).when(grants()).then(
        GRANTED, shredded(ShredReason.superseded), DEAD, over("regenerated")
    )
    given(ACCOUNT, *IN_USE, asked(), GRANTED, DEAD).when(issue("c2", LATER)).then(issued("c2", 2))


def test_granted_to_who_had_lost_them_opens_the_account_again() -> None:
    back = AccountReinstated(account="a", identity_check=DOCUMENT)
    unlocked = AccountUnlocked(account="a", identity_check=DOCUMENT)
    locked = AccountLocked(account="a", failures=100)
    given(ACCOUNT, *IN_USE, locked, LOST, asked()).when(grants()).then(
        GRANTED, DEAD, over("regenerated"), unlocked, back
    )


def test_a_request_has_one_outcome() -> None:
    for outcome in (GRANTED, DENIED):
        for decision in (grants(), DenyRegeneration("r1", "no")):
            given(ACCOUNT, *IN_USE, asked(), outcome).when(decision).then_refused("decided")
    given(ACCOUNT, *IN_USE).when(grants()).then_refused("unknown_request")
    given(ACCOUNT, *IN_USE).when(DenyRegeneration("r1", "no")).then_refused("unknown_request")


@pytest.mark.requirement("E6", part="denied: recorded too")
def test_denied_is_recorded_and_changes_nothing() -> None:
    given(ACCOUNT, *IN_USE, asked()).when(DenyRegeneration("r1", "no")).then(DENIED)
    given(ACCOUNT, *IN_USE, asked(), DENIED).when(issue("c2")).then_refused("in_use")


def test_what_was_closed_meanwhile_is_not_granted() -> None:
    given(ACCOUNT, *IN_USE, asked(), BARRED).when(grants()).then_refused("suspended")
    given(ACCOUNT, *IN_USE, asked(), REVOKED).when(grants()).then_refused("revoked")


# --- loss -------------------------------------------------------------------------------------------------------


def test_a_loss_is_reported_once_and_blocks_where_asked() -> None:
    lost = LossReported(account="a", credential="c1", by=ReportedBy.holder)
    report, block = ReportLoss(ReportedBy.holder, False), ReportLoss(ReportedBy.holder, True)
    given(ACCOUNT, *IN_USE).when(report, report).then(lost)
    given(ACCOUNT, *IN_USE).when(report, block, block).then(lost, LOST, over("suspended"))
    given(ACCOUNT, *IN_USE, lost, LOST, BACK).when(report).then(lost)


def test_an_account_without_credentials_can_be_reported_too() -> None:
    lost = LossReported(account="a", credential=None, by=ReportedBy.desk)
    given(ACCOUNT, OPENED).when(ReportLoss(ReportedBy.desk, False)).then(lost)


# --- suspension, reinstatement ----------------------------------------------------------------------------------


def test_suspended_ends_sessions_and_says_why() -> None:
    said = AccountSuspended(account="a", because=SuspensionReason.barred, note=note("decreto"))
    given(ACCOUNT, *IN_USE).when(Suspend(SuspensionReason.barred, "decreto")).then(said, over("suspended"))


def test_the_schools_decision_stands_above_leaving_and_returning() -> None:
    leaves, returns = Suspend(SuspensionReason.withdrawn), Reinstate(only=SuspensionReason.withdrawn)
    given(ACCOUNT, *IN_USE, BARRED).when(leaves, returns).then_nothing()
    given(ACCOUNT, *IN_USE).when(leaves, leaves, returns, returns).then(GONE, over("suspended"), BACK)
    given(ACCOUNT, *IN_USE, GONE).when(Suspend(SuspensionReason.barred), returns).then(
        BARRED, over("suspended")
    )


@pytest.mark.parametrize("closing", [BARRED, LOST, GONE, REVOKED, RETIRED])
@pytest.mark.parametrize("command", [RecordSignIn(), ChangePassword()])
def test_a_closed_account_is_used_by_nobody(closing: Event, command: RecordSignIn) -> None:
    given(ACCOUNT, *IN_USE, closing).when(command).then_refused("closed")


def test_a_closed_account_gives_no_slip_away() -> None:
    claim = ClaimSlip("c1", ClaimReason.print, NOW)
    given(ACCOUNT, OPENED, issued(), BARRED).when(claim).then_refused("gone")
    given(ACCOUNT, OPENED, issued(), BARRED, BACK).when(claim).then(claimed(1))


def test_reinstated_the_same_credential_serves() -> None:
    kept = CredentialsKept(account="a", holder="h", year="2027/2028")
    given(ACCOUNT, *IN_USE, GONE, BACK).when(Keep("2027/2028", NOW)).then(kept)


def test_nothing_is_issued_to_who_is_suspended() -> None:
    given(ACCOUNT, OPENED, BARRED).when(issue("c1")).then_refused("suspended")


# --- revocation, retirement -------------------------------------------------------------------------------------


@pytest.mark.requirement("M5", part="who comes back is issued anew")
def test_revoked_once_and_issued_anew() -> None:
    command = Revoke(RevocationReason.other)
    given(ACCOUNT, OPENED, issued()).when(command, command).then(
        shredded(ShredReason.revoked), REVOKED, over("revoked")
    )
    given(ACCOUNT, *IN_USE, REVOKED).when(Reinstate("?", DOCUMENT)).then_refused("revoked")
    given(ACCOUNT, *IN_USE, REVOKED).when(Keep("2027/2028", NOW)).then_nothing()
    opened = given(ACCOUNT, *IN_USE, REVOKED).when(issue("c2"), RecordSignIn()).decided()
    assert opened[0] == issued("c2", 2)


def test_a_revoked_colleague_gets_no_password_again() -> None:
    reset = ResetStaffPassword(ENDS)
    given(ACCOUNT, STAFF, REVOKED).when(reset).then_refused("closed")


@pytest.mark.requirement("M12", part="old ones are retired, staff left alone")
def test_local_credentials_are_retired_of_families_only() -> None:
    given(ACCOUNT, OPENED, issued()).when(Retire(), Retire()).then(
        shredded(ShredReason.revoked), RETIRED, over("local_credentials_ended")
    )
    for history in ((STAFF,), (OPENED,), (*IN_USE, REVOKED), ()):
        given(ACCOUNT, *history).when(Retire()).then_nothing()
    given(ACCOUNT, *IN_USE, RETIRED).when(issue("c2")).then(issued("c2", 2))


def test_locked_and_unlocked_once() -> None:
    given(ACCOUNT, *IN_USE).when(Lock(100), Lock(100), Unlock(DOCUMENT), Unlock(DOCUMENT)).then(
        AccountLocked(account="a", failures=100), AccountUnlocked(account="a", identity_check=DOCUMENT)
    )


# --- separation -------------------------------------------------------------------------------------------------

SEPARATED = PupilCredentialsSeparated(account="a", holder="h", guardian="g", identity_check=DOCUMENT)


def separate(credential: str = "c2") -> Separate:
    role, channel = HolderRole.pupil_under_age, Channel.slip
    terms = Issue(credential, role, channel, False, False, False, ENDS, "2026/2027", NOW)
    return Separate("g", DOCUMENT, terms)


def pupils(credential: str, generation: int) -> CredentialsIssued:
    return issued(credential, generation).model_copy(update={"policy_role": HolderRole.pupil_under_age})


@pytest.mark.requirement("P9", part="a credential of their own at once")
def test_a_pupil_is_separated_and_issued_in_one() -> None:
    given(ACCOUNT, PUPIL).when(separate()).then(SEPARATED, pupils("c2", 1))
    given(ACCOUNT, PUPIL, issued()).when(separate()).then(
        SEPARATED, shredded(ShredReason.superseded), pupils("c2", 2)
    )
    given(ACCOUNT, PUPIL, issued(), claimed(1)).when(separate()).then(
        SEPARATED, shredded(ShredReason.superseded), pupils("c2", 2)
    )


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        ((OPENED,), "not_a_pupil"),
        ((PUPIL, issued(), FIRST_ACCESS), "in_use"),
        ((PUPIL, GONE), "suspended"),
    ],
)
def test_who_is_not_separated(history: tuple[Event, ...], reason: str) -> None:
    given(ACCOUNT, *history).when(separate()).then_refused(reason)


# --- hand-over --------------------------------------------------------------------------------------------------


@pytest.mark.requirement("M8", part="a hand-over undone lets the slip be issued anew")
def test_a_slip_whose_hand_over_was_undone_is_issued_anew_freely() -> None:
    handed = shredded(ShredReason.handed_over)
    returned = SlipReturned(account="a", credential="c1")
    printed = (OPENED, issued(), claimed(1))
    given(ACCOUNT, *printed).when(ShredSlip("c1", ShredReason.handed_over)).then(handed)
    given(ACCOUNT, *printed, handed).when(issue("c2")).then_refused("still_valid")
    given(ACCOUNT, *printed, handed).when(ReturnSlip("c1"), ReturnSlip("c1")).then(returned)
    given(ACCOUNT, *printed, handed, returned).when(issue("c2")).then(issued("c2", 2))
    again = ShredSlip("c1", ShredReason.handed_over)
    given(ACCOUNT, *printed, handed, returned).when(again, again).then(handed)
    given(ACCOUNT, *printed, handed, returned, handed).when(issue("c2")).then_refused("still_valid")


@pytest.mark.parametrize(
    ("history", "command"),
    [
        (USED, ReturnSlip("c1")),
        ((OPENED, issued()), ReturnSlip("c0")),
        ((OPENED,), ReturnSlip("c1")),
        (USED, ShredSlip("c1", ShredReason.handed_over)),
    ],
)
def test_a_hand_over_of_what_is_no_more_says_nothing(
    history: tuple[Event, ...], command: LifeCommand | ShredSlip
) -> None:
    given(ACCOUNT, *history).when(command).then_nothing()
