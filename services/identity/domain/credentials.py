"""Credentials: issued, claimed, used for the first time; generations count up (DESIGN 5)."""

from collections.abc import Sequence
from dataclasses import replace

from services.identity.domain.commands import ClaimSlip, Issue
from services.identity.domain.state import Account, Credential
from shared.contracts.event import Event
from shared.contracts.identity import (
    AccountReinstated,
    CredentialsIssued,
    FirstAccessCompleted,
    LossReported,
    PasswordChanged,
    ShredReason,
    SlipClaimed,
    SlipReturned,
    SlipShredded,
)
from shared.decider import Refused
from shared.sealing import REFUSE_AT_CLAIMS, ClaimRefusal


def issue(account: Account, command: Issue) -> Sequence[Event]:
    """Refused while credentials are in use, or stand and were sent or printed: those are sent or printed again."""
    if not account.opened:
        raise Refused("no_account", "an account is opened before its credentials are issued")
    if account.suspended is not None:
        raise Refused("suspended", "the account is suspended: reinstate it first")
    before = account.credential
    if before is not None and before.live(command.now):
        if before.accessed or before.changed:
            raise Refused("in_use", "these credentials are in use: only a granted regeneration replaces them")
        if before.claims and not before.returned:
            raise Refused("still_valid", "these credentials still stand: send or print the same ones again")
    return (*superseded(account), issued(account, command))


def issued(account: Account, command: Issue) -> CredentialsIssued:
    return CredentialsIssued(
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


def claim(account: Account, command: ClaimSlip) -> SlipClaimed:
    slip = account.credential
    if slip is None or slip.id != command.credential or slip.accessed:
        raise Refused(ClaimRefusal.gone, "the sealed copy no longer exists")
    if command.now >= slip.expires:
        raise Refused(ClaimRefusal.expired, "the initial secret is at the end of its life")
    if not slip.slip or account.closed:
        raise Refused(ClaimRefusal.gone, "the sealed copy no longer exists")
    if slip.claims >= REFUSE_AT_CLAIMS:
        raise Refused(ClaimRefusal.too_many_claims, "this slip was asked for too often")
    return SlipClaimed(
        account=account.id, credential=slip.id, claims=slip.claims + 1, reason=command.reason.value
    )


def first_access(account: Account) -> Sequence[Event]:
    credential = account.credential
    if credential is None or credential.accessed:
        return ()
    first = FirstAccessCompleted(account=account.id, credential=credential.id)
    return (first, *superseded(account, ShredReason.first_access))


def shred(account: Account, credential: str, because: ShredReason) -> Sequence[Event]:
    """The sealed copy of this credential, if it is still there. A slip that came back and is handed over once more has
    none; it is said again, so that nobody issues anew over what is in somebody's hands."""
    slip = account.credential
    if slip is None or slip.id != credential:
        return ()
    if slip.returned and because is ShredReason.handed_over and not slip.slip:
        return (SlipShredded(account=account.id, credential=slip.id, because=because),)
    return superseded(account, because)


def superseded(account: Account, because: ShredReason = ShredReason.superseded) -> Sequence[Event]:
    """The sealed copy that is there, shredded."""
    slip = account.credential
    if slip is None or not slip.slip:
        return ()
    return (SlipShredded(account=account.id, credential=slip.id, because=because),)


def returned(account: Account, credential: str) -> Sequence[Event]:
    slip = account.credential
    if slip is None or slip.id != credential or slip.accessed or slip.changed or slip.returned:
        return ()
    return (SlipReturned(account=account.id, credential=credential),)


def evolve(credential: Credential, event: Event) -> Credential:
    match event:
        case SlipClaimed() if event.credential == credential.id:
            credential = replace(credential, claims=event.claims)
        case SlipShredded() if event.credential == credential.id:
            again = event.because is ShredReason.handed_over
            credential = replace(credential, slip=False, returned=credential.returned and not again)
        case SlipReturned() if event.credential == credential.id:
            credential = replace(credential, returned=True)
        case FirstAccessCompleted() if event.credential == credential.id:
            credential = replace(credential, accessed=True)
        case LossReported() if event.credential == credential.id:
            credential = replace(credential, lost=True)
        case AccountReinstated():
            credential = replace(credential, lost=False)
        case PasswordChanged():
            credential = replace(credential, changed=True, lost=False)
    return credential
