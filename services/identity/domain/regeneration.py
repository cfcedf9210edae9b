"""Regeneration: asked for with a motivation, decided once by a person with the right to (E6)."""

from collections.abc import Sequence

from services.identity.domain import credentials, standing
from services.identity.domain.commands_life import (
    DenyRegeneration,
    GrantRegeneration,
    RequestRegeneration,
    Separate,
)
from services.identity.domain.state import Account
from shared.contracts.event import Event, Personal
from shared.contracts.identity import (
    AccountRole,
    AccountUnlocked,
    CredentialsRegenerated,
    PupilCredentialsSeparated,
    RegenerationDenied,
    RegenerationGranted,
    RegenerationRequested,
    SessionsRevoked,
    SuspensionReason,
)
from shared.contracts.registry import Note
from shared.decider import Refused


def request(account: Account, command: RequestRegeneration) -> Sequence[Event]:
    """One open request at a time; who was denied may ask again, and that is another request."""
    if account.role is AccountRole.staff:
        raise Refused("staff", "a staff member's password is set anew, not regenerated")
    standing.must_be_open(account, but=SuspensionReason.loss)
    if account.credential is None or not account.credential.live(command.now):
        raise Refused("nothing_to_regenerate", "no credentials stand: they are issued, not regenerated")
    if any(decided is None for decided in account.requests.values()):
        raise Refused("request_open", "a request for this account is open: decide that one")
    asked = RegenerationRequested(
        request=command.request,
        account=account.id,
        holder=account.holder,
        by=command.by,
        identity_check=command.identity_check,
        motivation=_note(account, command.motivation),
    )
    return (asked,)


def grant(account: Account, command: GrantRegeneration) -> Sequence[Event]:
    """All of the old generation dies here, whether or not the new one can be issued at once."""
    _must_be_open(account, command.request)
    standing.must_be_open(account, but=SuspensionReason.loss)
    old = account.credential
    granted = RegenerationGranted(
        request=command.request,
        account=account.id,
        exceptional=command.exceptional,
        identity_check=command.identity_check,
        reason=_note(account, command.reason),
    )
    dead = CredentialsRegenerated(
        request=command.request,
        account=account.id,
        credential=old.id if old is not None else None,
        generation=account.generations + 1,
    )
    events: list[Event] = [granted, *credentials.superseded(account), dead]
    events.append(SessionsRevoked(account=account.id, because="regenerated"))
    if account.locked:
        events.append(AccountUnlocked(account=account.id, identity_check=command.identity_check))
    if account.suspended is not None:
        events.append(standing.reinstated(account, None, command.identity_check))
    if command.terms is not None:
        events.append(credentials.issued(account, command.terms))
    return events


def deny(account: Account, command: DenyRegeneration) -> Sequence[Event]:
    _must_be_open(account, command.request)
    reason = _note(account, command.reason)
    return (RegenerationDenied(request=command.request, account=account.id, reason=reason),)


def separate(account: Account, command: Separate) -> Sequence[Event]:
    """Only who has no credential of their own yet, or one that was never used: whoever has it in hands, it is dead."""
    if account.role is not AccountRole.pupil:
        raise Refused("not_a_pupil", "a pupil's credential is separated from a parent's, no other")
    standing.must_be_open(account)
    separated = PupilCredentialsSeparated(
        account=account.id,
        holder=account.holder,
        guardian=command.guardian,
        identity_check=command.identity_check,
    )
    own = account.credential
    if own is not None and (own.accessed or own.changed) and own.live(command.terms.now):
        raise Refused("in_use", "this pupil uses credentials of their own already: if lost, regenerate them")
    return (
        separated,
        *credentials.superseded(account),
        credentials.issued(account, command.terms),
    )


def _must_be_open(account: Account, named: str) -> None:
    if named not in account.requests:
        raise Refused("unknown_request", "there is no such request")
    if account.requests[named] is not None:
        raise Refused("decided", "this request has its outcome: who asks again opens a new one")


def _note(account: Account, text: str) -> Personal[Note]:
    return Personal[Note](person=account.holder, value=Note(text=text))
