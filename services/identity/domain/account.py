"""The account: who may sign in, and as whom. One live credential a holder; generations count up (DESIGN 5, 7)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from services.identity.domain.commands import (
    ChangePassword,
    ClaimSlip,
    Command,
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
)
from shared.decider import Decider, Refused
from shared.ids import derived_id
from shared.sealing import REFUSE_AT_CLAIMS, ClaimRefusal


@dataclass(frozen=True, slots=True)
class Credential:
    """The newest credential. `slip`: its sealed copy still exists. `changed`: its password was replaced by a
    chosen one."""

    id: str
    generation: int
    must_change: bool
    expires: datetime
    year: str | None = None
    slip: bool = True
    claims: int = 0
    accessed: bool = False
    changed: bool = False

    def live(self, now: datetime) -> bool:
        """Whether it opens, or can still be made to open, the account: an initial secret dies with its life,
        unless its holder was only advised to change it and had begun to use it (DESIGN 5, *recommended*)."""
        return self.changed or now < self.expires or (self.accessed and not self.must_change)


@dataclass(frozen=True, slots=True)
class Account:
    """`refused`: of each school year, the last word."""

    id: str = ""
    holder: str = ""
    role: AccountRole | None = None
    credential: Credential | None = None
    generations: int = 0
    staff_password_changed: bool = False
    kept: frozenset[str] = frozenset()
    refused: frozenset[tuple[str, RefusalReason]] = frozenset()

    @property
    def opened(self) -> bool:
        return self.role is not None

    def live(self, now: datetime) -> bool:
        """Whether its holder has access: who has it keeps it (P2)."""
        if self.role is AccountRole.staff:
            return True
        return self.credential is not None and self.credential.live(now)


def account_id(role: AccountRole, holder: str) -> str:
    """One account for a person in a role, however many children they have (M1)."""
    return derived_id("account", role.value, holder)


def role_of(account: str, holder: str) -> AccountRole:
    """Guardian or pupil: an account's id is derived from its role, the one that fits is it."""
    as_guardian = account == account_id(AccountRole.guardian, holder)
    return AccountRole.guardian if as_guardian else AccountRole.pupil


def decide(account: Account, command: Command) -> Sequence[Event]:
    events: Sequence[Event] = ()
    match command:
        case Open() if not account.opened:
            events = (_opened(command),)
        case OpenStaff():
            events = (_opened_for_staff(account, command),)
        case Issue():
            events = _issue(account, command)
        case Keep(year, now) if account.live(now) and not _has_for(account, year):
            events = (CredentialsKept(account=account.id, holder=account.holder, year=year),)
        case Refuse(of, holder, year, reason, anew) if anew or (year, reason) not in account.refused:
            events = (IssuanceRefused(account=of, holder=holder, year=year, reason=reason),)
        case ClaimSlip():
            events = (_claim(account, command),)
        case ShredSlip(named, because):
            slip = _with_slip(account)
            events = (_shredded(account, slip, because),) if slip is not None and slip.id == named else ()
        case (
            RecordSignIn()
            | CompleteFirstAccess()
            | CountFailures()
            | ChangePassword()
            | ResetStaffPassword()
            | RevokeSessions()
        ):
            events = _used(account, command)
    return events


def _used(account: Account, command: Command) -> Sequence[Event]:
    """What only an open account can do."""
    if not account.opened:
        raise Refused("no_account", "there is no such account")
    events: Sequence[Event] = ()
    match command:
        case RecordSignIn():
            events = (SignInSucceeded(account=account.id),)
        case CompleteFirstAccess():
            events = _first_access(account)
        case CountFailures(failures) if failures > 0:
            events = (SignInFailuresCounted(account=account.id, failures=failures),)
        case ChangePassword():
            credential = account.credential
            changed = credential.changed if credential is not None else account.staff_password_changed
            events = (
                PasswordChanged(account=account.id, first=not changed),
                SessionsRevoked(account=account.id, because="password_changed"),
            )
        case ResetStaffPassword(expires):
            if account.role is not AccountRole.staff:
                raise Refused("not_staff", "only a staff member's password is set anew like this")
            events = (
                StaffPasswordReset(account=account.id, expires=expires),
                SessionsRevoked(account=account.id, because="password_reset"),
            )
        case RevokeSessions(because, session):
            events = (SessionsRevoked(account=account.id, because=because, session=session),)
    return events


def _has_for(account: Account, year: str) -> bool:
    """Whether this school year has its event already: the access was kept, or is of this very year."""
    return year in account.kept or (account.credential is not None and account.credential.year == year)


def _first_access(account: Account) -> Sequence[Event]:
    credential = account.credential
    if credential is None or credential.accessed:
        return ()
    first = FirstAccessCompleted(account=account.id, credential=credential.id)
    slip = _with_slip(account)
    return (first, _shredded(account, slip, ShredReason.first_access)) if slip else (first,)


def _opened_for_staff(account: Account, command: OpenStaff) -> StaffAccountOpened:
    if account.opened:
        raise Refused("already_open", "this person has a staff account already")
    personal = Personal[StaffDetails](person=command.holder, value=command.details)
    return StaffAccountOpened(
        account=command.account, holder=command.holder, roles=command.roles, details=personal
    )


def _opened(command: Open) -> AccountOpened:
    code = Personal[AccountCode](person=command.holder, value=AccountCode(user_code=command.user_code))
    return AccountOpened(account=command.account, holder=command.holder, role=command.role, code=code)


def _issue(account: Account, command: Issue) -> Sequence[Event]:
    if not account.opened:
        raise Refused("no_account", "an account is opened before its credentials are issued")
    before = account.credential
    if before is not None and before.live(command.now):
        if before.accessed or before.changed:
            raise Refused("in_use", "these credentials are in use: only a granted regeneration replaces them")
        if before.claims:
            raise Refused("still_valid", "these credentials still stand: send or print the same ones again")
    issued = CredentialsIssued(
        account=account.id,
        holder=account.holder,
        credential=command.credential,
        generation=account.generations + 1,
        policy_role=command.policy_role,
        channel=command.channel,
        exclusive=command.exclusive,
        pin_issued=command.pin_issued,
        must_change=command.must_change,
        expires=command.expires,
        year=command.year,
    )
    slip = _with_slip(account)
    return (_shredded(account, slip, ShredReason.superseded), issued) if slip else (issued,)


def _claim(account: Account, command: ClaimSlip) -> SlipClaimed:
    slip = account.credential
    if slip is None or slip.id != command.credential or slip.accessed:
        raise Refused(ClaimRefusal.gone, "the sealed copy no longer exists")
    if command.now >= slip.expires:
        raise Refused(ClaimRefusal.expired, "the initial secret is at the end of its life")
    if not slip.slip:
        raise Refused(ClaimRefusal.gone, "the sealed copy no longer exists")
    if slip.claims >= REFUSE_AT_CLAIMS:
        raise Refused(ClaimRefusal.too_many_claims, "this slip was asked for too often")
    return SlipClaimed(
        account=account.id, credential=slip.id, claims=slip.claims + 1, reason=command.reason.value
    )


def _with_slip(account: Account) -> Credential | None:
    credential = account.credential
    return credential if credential is not None and credential.slip else None


def _shredded(account: Account, credential: Credential, because: ShredReason) -> SlipShredded:
    return SlipShredded(account=account.id, credential=credential.id, because=because)


def evolve(account: Account, event: Event) -> Account:
    match event:
        case AccountOpened():
            account = replace(account, id=event.account, holder=event.holder, role=event.role)
        case StaffAccountOpened():
            account = replace(account, id=event.account, holder=event.holder, role=AccountRole.staff)
        case CredentialsIssued(credential=named, generation=generation, must_change=must, expires=expires):
            new = Credential(named, generation, must, expires, year=event.year)
            account = replace(account, credential=new, generations=generation)
        case CredentialsKept():
            account = replace(account, kept=account.kept | {event.year})
        case IssuanceRefused():
            others = frozenset(refusal for refusal in account.refused if refusal[0] != event.year)
            account = replace(account, refused=others | {(event.year, event.reason)})
        case StaffPasswordReset():
            account = replace(account, staff_password_changed=False)
        case PasswordChanged() if account.role is AccountRole.staff:
            account = replace(account, staff_password_changed=True)
        case _ if account.credential is not None:
            account = replace(account, credential=_evolve_credential(account.credential, event))
    return account


def _evolve_credential(credential: Credential, event: Event) -> Credential:
    match event:
        case SlipClaimed() if event.credential == credential.id:
            return replace(credential, claims=event.claims)
        case SlipShredded() if event.credential == credential.id:
            return replace(credential, slip=False)
        case FirstAccessCompleted() if event.credential == credential.id:
            return replace(credential, accessed=True)
        case PasswordChanged():
            return replace(credential, changed=True)
    return credential


ACCOUNT: Decider[Account, Command] = Decider(
    "account",
    Account,
    decide,
    evolve,
    unmoved_by=frozenset({SignInSucceeded, SignInFailuresCounted, SessionsRevoked}),
)
