"""What no event holds and must follow from one in the same commit: rows of secrets that go, sessions that end."""

from collections.abc import Iterable, Sequence

from shared.contracts.event import Event
from shared.contracts.identity import (
    AccountRevoked,
    AccountUnlocked,
    CredentialsRegenerated,
    LocalCredentialsRetired,
    PasskeyRemoved,
    SessionsRevoked,
    SlipShredded,
)
from shared.eventstore.units import Write
from shared.sql import Statements

SQL = Statements(__file__)

_DEAD = ("end_verifier", "shred_slips_of_account", "end_sessions", "forget_failures_of_account")
_OF: dict[type[Event], tuple[str, ...]] = {
    CredentialsRegenerated: _DEAD,
    LocalCredentialsRetired: (*_DEAD, "dequeue"),
    AccountRevoked: (*_DEAD, "dequeue", "forget_devices_of_account", "remove_passkeys_of_account"),
    AccountUnlocked: ("forget_failures_of_account",),
}


def consequences(events: Iterable[Event]) -> Sequence[Write]:
    """In the order of the events. What `CredentialsIssued` brings is drawn apart, and comes after these."""
    writes: list[Write] = []
    for event in events:
        if isinstance(event, SlipShredded):
            writes.append(Write(SQL("shred_slip"), ((event.credential,),)))
        elif isinstance(event, PasskeyRemoved):
            writes.append(Write(SQL("remove_passkey"), ((event.passkey,),)))
        elif isinstance(event, SessionsRevoked):
            ended = ("end_session", event.session) if event.session else ("end_sessions", event.account)
            writes.append(Write(SQL(ended[0]), ((ended[1],),)))
        else:
            row = (getattr(event, "account", None),)
            writes += [Write(SQL(statement), (row,)) for statement in _OF.get(type(event), ())]
    return writes
