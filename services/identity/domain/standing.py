"""Whether an account stands: lost, locked, suspended, reinstated, revoked, retired (M5, M10, M12)."""

from collections.abc import Sequence
from dataclasses import replace

from services.identity.domain import credentials
from services.identity.domain.commands_life import Lock, Reinstate, ReportLoss, Revoke, Suspend, Unlock
from services.identity.domain.state import Account
from shared.contracts.event import Event, Personal
from shared.contracts.identity import (
    AccountLocked,
    AccountReinstated,
    AccountRevoked,
    AccountRole,
    AccountSuspended,
    AccountUnlocked,
    LocalCredentialsRetired,
    LossReported,
    SessionsRevoked,
    ShredReason,
    SuspensionReason,
)
from shared.contracts.registry import IdentityCheck, Note
from shared.decider import Refused


def must_be_open(account: Account, *, but: SuspensionReason | None = None) -> None:
    """`but`: being suspended for this reason does not matter."""
    if not account.opened:
        raise Refused("no_account", "there is no such account")
    if account.revoked is not None:
        raise Refused("revoked", "the account was revoked: who comes back is issued credentials anew")
    if account.retired:
        raise Refused("retired", "the school gives no local credentials any more")
    if account.suspended is not None and account.suspended is not but:
        raise Refused("suspended", "the account is suspended: reinstate it first")


def report_loss(account: Account, command: ReportLoss) -> Sequence[Event]:
    """Said once of a credential; blocking is possible afterwards too."""
    must_be_open(account, but=account.suspended)
    events: list[Event] = []
    credential = account.credential
    if credential is None or not credential.lost:
        named = credential.id if credential is not None else None
        events.append(LossReported(account=account.id, credential=named, by=command.by))
    if command.block and account.suspended is None:
        events += _suspended(account, SuspensionReason.loss, None)
    return events


def suspend(account: Account, command: Suspend) -> Sequence[Event]:
    """The school's own decision stands above the others: it takes their place, and who leaves or returns does not
    lift it."""
    must_be_open(account, but=account.suspended)
    if command.because is account.suspended:
        return ()
    if account.suspended is not None and command.because is SuspensionReason.withdrawn:
        return ()
    return _suspended(account, command.because, command.note)


def reinstate(account: Account, command: Reinstate) -> Sequence[Event]:
    """Of who was retired while suspended it opens nothing; but who comes back must not be refused for it."""
    if not (account.retired and account.suspended is not None):
        must_be_open(account, but=account.suspended)
    if account.suspended is None or (command.only is not None and command.only is not account.suspended):
        return ()
    return (reinstated(account, command.note, command.identity_check),)


def reinstated(account: Account, note: str | None, check: IdentityCheck | None) -> AccountReinstated:
    return AccountReinstated(account=account.id, note=_note(account, note), identity_check=check)


def revoke(account: Account, command: Revoke) -> Sequence[Event]:
    if not account.opened:
        raise Refused("no_account", "there is no such account")
    if account.revoked is not None:
        return ()
    revoked = AccountRevoked(
        account=account.id,
        because=command.because,
        note=_note(account, command.note),
        into=command.into,
    )
    return (
        *credentials.superseded(account, ShredReason.revoked),
        revoked,
        SessionsRevoked(account=account.id, because="revoked"),
    )


def retire(account: Account) -> Sequence[Event]:
    """Staff are left alone: the law is about families and pupils."""
    if not account.opened or account.role is AccountRole.staff or account.revoked or account.retired:
        return ()
    if account.credential is None:
        return ()
    return (
        *credentials.superseded(account, ShredReason.revoked),
        LocalCredentialsRetired(account=account.id),
        SessionsRevoked(account=account.id, because="local_credentials_ended"),
    )


def lock(account: Account, command: Lock) -> Sequence[Event]:
    if not account.opened or account.locked:
        return ()
    return (AccountLocked(account=account.id, failures=command.failures),)


def unlock(account: Account, command: Unlock) -> Sequence[Event]:
    if not account.locked:
        return ()
    return (AccountUnlocked(account=account.id, identity_check=command.identity_check),)


def _suspended(account: Account, because: SuspensionReason, note: str | None) -> list[Event]:
    suspended = AccountSuspended(account=account.id, because=because, note=_note(account, note))
    return [suspended, SessionsRevoked(account=account.id, because="suspended")]


def _note(account: Account, text: str | None) -> Personal[Note] | None:
    return Personal[Note](person=account.holder, value=Note(text=text)) if text else None


def evolve(account: Account, event: Event) -> Account:
    match event:
        case AccountLocked():
            account = replace(account, locked=True)
        case AccountUnlocked():
            account = replace(account, locked=False)
        case AccountSuspended():
            account = replace(account, suspended=event.because)
        case AccountReinstated():
            account = replace(account, suspended=None)
        case AccountRevoked():
            # What is closed for good is not closed for a time.
            account = replace(account, revoked=event.because, suspended=None, credential=None, locked=False)
        case LocalCredentialsRetired():
            account = replace(account, retired=True, credential=None)
    return account
