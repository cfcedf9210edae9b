"""The account: who may sign in, and as whom. One live credential a holder; generations count up (DESIGN 5, 7).

What can be decided of it stands by topic beside this file; here is which topic, and what each event changes.
"""

from collections.abc import Sequence
from dataclasses import replace

from services.identity.domain import credentials, regeneration, staff, standing
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
from services.identity.domain.commands import Command as OtherCommand
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
from services.identity.domain.commands_staff import (
    ChangeRoles,
    RegisterPasskey,
    RemovePasskey,
    RemovePasskeys,
    StaffCommand,
)
from services.identity.domain.state import Account, Credential, Decided, account_id, role_of
from shared.contracts.event import Event, Personal
from shared.contracts.identity import (
    AccountCode,
    AccountOpened,
    AccountRole,
    CredentialsIssued,
    CredentialsKept,
    CredentialsRegenerated,
    IssuanceRefused,
    PasswordChanged,
    RegenerationDenied,
    RegenerationGranted,
    RegenerationRequested,
    SessionsRevoked,
    SignInFailuresCounted,
    SignInSucceeded,
    StaffPasswordReset,
)
from shared.decider import Decider, Refused

__all__ = ["ACCOUNT", "Account", "Command", "Credential", "account_id", "role_of"]
Command = OtherCommand | LifeCommand | StaffCommand


def decide(account: Account, command: Command) -> Sequence[Event]:
    events: Sequence[Event] = ()
    match command:
        case Open() if not account.opened:
            events = (_opened(command),)
        case OpenStaff():
            events = (staff.open_(account, command),)
        case Issue():
            events = credentials.issue(account, command)
        case Keep(year, now) if account.live(now) and not _has_for(account, year):
            events = (CredentialsKept(account=account.id, holder=account.holder, year=year),)
        case Refuse(of, holder, year, reason, anew) if anew or (year, reason) not in account.refused:
            events = (IssuanceRefused(account=of, holder=holder, year=year, reason=reason),)
        case ClaimSlip():
            events = (credentials.claim(account, command),)
        case ShredSlip(named, because):
            events = credentials.shred(account, named, because)
        case ReturnSlip(named):
            events = credentials.returned(account, named)
        case (
            RecordSignIn()
            | CompleteFirstAccess()
            | CountFailures()
            | ChangePassword()
            | ResetStaffPassword()
            | RevokeSessions()
        ):
            events = _used(account, command)
        case RequestRegeneration() | GrantRegeneration() | DenyRegeneration() | Separate():
            events = _renewed(account, command)
        case ReportLoss() | Suspend() | Reinstate() | Revoke() | Retire() | Lock() | Unlock():
            events = _standing(account, command)
        case ChangeRoles() | RegisterPasskey() | RemovePasskey() | RemovePasskeys():
            events = staff.decide(account, command)
    return events


def _renewed(
    account: Account, command: RequestRegeneration | GrantRegeneration | DenyRegeneration | Separate
) -> Sequence[Event]:
    match command:
        case RequestRegeneration():
            return regeneration.request(account, command)
        case GrantRegeneration():
            return regeneration.grant(account, command)
        case DenyRegeneration():
            return regeneration.deny(account, command)
        case Separate():
            return regeneration.separate(account, command)


def _standing(
    account: Account, command: ReportLoss | Suspend | Reinstate | Revoke | Retire | Lock | Unlock
) -> Sequence[Event]:
    events: Sequence[Event]
    match command:
        case ReportLoss():
            events = standing.report_loss(account, command)
        case Suspend():
            events = standing.suspend(account, command)
        case Reinstate():
            events = standing.reinstate(account, command)
        case Revoke():
            events = standing.revoke(account, command)
        case Retire():
            events = standing.retire(account)
        case Lock():
            events = standing.lock(account, command)
        case Unlock():
            events = standing.unlock(account, command)
    return events


def _used(account: Account, command: Command) -> Sequence[Event]:
    """What only an open account can do."""
    if not account.opened:
        raise Refused("no_account", "there is no such account")
    if account.closed and not isinstance(command, CountFailures | RevokeSessions):
        raise Refused("closed", "the account is suspended, revoked or retired")
    events: Sequence[Event] = ()
    match command:
        case RecordSignIn():
            events = (SignInSucceeded(account=account.id),)
        case CompleteFirstAccess():
            events = credentials.first_access(account)
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


def _opened(command: Open) -> AccountOpened:
    code = Personal[AccountCode](person=command.holder, value=AccountCode(user_code=command.user_code))
    return AccountOpened(account=command.account, holder=command.holder, role=command.role, code=code)


def evolve(account: Account, event: Event) -> Account:
    match event:
        case AccountOpened():
            account = replace(account, id=event.account, holder=event.holder, role=event.role)
        case CredentialsIssued(credential=named, generation=generation, must_change=must, expires=expires):
            new = Credential(named, generation, must, expires, year=event.year)
            account = replace(account, credential=new, generations=generation, revoked=None, retired=False)
        case CredentialsKept():
            account = replace(account, kept=account.kept | {event.year})
        case IssuanceRefused():
            others = frozenset(refusal for refusal in account.refused if refusal[0] != event.year)
            account = replace(account, refused=others | {(event.year, event.reason)})
        case RegenerationRequested():
            account = replace(account, requests=account.requests | {event.request: None})
        case RegenerationGranted() | RegenerationDenied():
            decided = Decided(granted=isinstance(event, RegenerationGranted))
            account = replace(account, requests=account.requests | {event.request: decided})
        case CredentialsRegenerated():
            account = replace(account, credential=None)
        case _:
            account = staff.evolve(standing.evolve(account, event), event)
            if account.credential is not None:
                account = replace(account, credential=credentials.evolve(account.credential, event))
    return account


ACCOUNT: Decider[Account, Command] = Decider(
    "account",
    Account,
    decide,
    evolve,
    unmoved_by=frozenset({SignInSucceeded, SignInFailuresCounted, SessionsRevoked}),
)
