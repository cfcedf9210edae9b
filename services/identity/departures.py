"""Who leaves the school, who comes back, who is gone for good: the registry's facts -> commands of ours (M5). Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from services.identity.domain.account import Account, account_id
from services.identity.domain.commands import ShredSlip
from services.identity.domain.commands_life import LifeCommand, Reinstate, ReturnSlip, Revoke
from services.identity.policies import today_in_rome
from shared.contracts.event import Event, Recorded
from shared.contracts.identity import AccountRole, RevocationReason, ShredReason, SuspensionReason
from shared.contracts.notifications import SlipHandedOver, SlipHandOverUndone
from shared.contracts.registry import GuardiansMerged, StaffMemberLeft, StudentWithdrawn

SLIPS_IN_HANDS = (SlipHandedOver, SlipHandOverUndone)
"""What notifications says that we act upon."""
BACK = Reinstate(only=SuspensionReason.withdrawn)
"""Enrolled again: the same credentials serve, unless the school itself had suspended them."""


@dataclass(frozen=True, slots=True)
class Departure:
    student: str
    leaves: date


def departure(recorded: Recorded[Event]) -> Departure | None:
    """Where no day is said, they leave on that of the event."""
    match recorded.event:
        case StudentWithdrawn(student=student, on=on):
            return Departure(student, on if on is not None else today_in_rome(recorded.time))
    return None


def commands_for(event: Event) -> Sequence[tuple[str, LifeCommand | ShredSlip]]:
    """What the event asks of which account; of one that was never opened: nothing."""
    match event:
        case GuardiansMerged(guardian=kept, merged=merged):
            into = account_id(AccountRole.guardian, kept)
            command = Revoke(RevocationReason.merged, into=into)
            return [(account_id(AccountRole.guardian, merged), command)]
        case StaffMemberLeft(person=person):
            return [(account_id(AccountRole.staff, person), Revoke(RevocationReason.staff_left))]
        case SlipHandedOver(account=account, credential=credential):
            return [(account, ShredSlip(credential, ShredReason.handed_over))]
        case SlipHandOverUndone(account=account, credential=credential):
            return [(account, ReturnSlip(credential))]
    return []


def concerned(events: Iterable[Event]) -> set[str]:
    """The accounts that these events ask something of, or that take another's place."""
    accounts = {account for event in events for account, _ in commands_for(event)}
    merged = [event for event in events if isinstance(event, GuardiansMerged)]
    return accounts | {account_id(AccountRole.guardian, event.guardian) for event in merged}


def asks_something(account: Account, command: LifeCommand | ShredSlip) -> bool:
    """A revoked account has nothing more to lose, one that was never opened never had."""
    return account.opened and not (isinstance(command, Revoke) and account.revoked is not None)
