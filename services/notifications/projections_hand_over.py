"""What became of printed slips, what keeps holders out, who teaches where, and what the desk is alerted to."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from shared.contracts.event import Event, Recorded
from shared.contracts.identity import (
    AccountLocked,
    AccountReinstated,
    AccountRevoked,
    AccountSuspended,
    AccountUnlocked,
    LocalCredentialsRetired,
    RegenerationDenied,
    RegenerationGranted,
    RegenerationRequested,
    SuspensionReason,
)
from shared.contracts.notifications import AlertRaised, AlertSettled, SlipHandedOver, SlipHandOverUndone
from shared.contracts.registry import StaffMemberLeft, TeacherAssigned, TeacherUnassigned
from shared.eventstore.projection import Change, Put, Remove, Row

LOCKED, SUSPENDED, LOST, REVOKED, RETIRED = "locked", "suspended", "lost", "revoked", "retired"


class _How(NamedTuple):
    """`note`: who took it for another, or why it was undone."""

    class_id: str | None = None
    handed_to: str | None = None
    by: str | None = None
    note: str | None = None


def ended_by_new_credentials(account: str) -> Iterable[Row]:
    """Who is issued anew is kept out by nothing that ended with the old credentials. What was guessed at too often stays
    locked until identity says that it is over."""
    for bar in (LOST, REVOKED, RETIRED):
        yield Remove("account_bars_v1", {"account": account, "bar": bar})


def _handed_over(event: SlipHandedOver, recorded: Recorded[Event]) -> Iterable[Row]:
    delegate = event.delegate.value.name if event.delegate and event.delegate.value else None
    how = _How(event.class_id, event.to.value, event.by.value, delegate)
    yield Put(
        "hand_overs_v1",
        {
            "delivery": event.delivery,
            "school": recorded.school,
            "account": event.account,
            "holder": event.holder,
            "credential": event.credential,
            "class_id": how.class_id,
            "handed_to": how.handed_to,
            "by": how.by,
            "delegate": delegate,
            "actor": recorded.actor,
            "at": recorded.time,
        },
    )
    yield _step(event.delivery, recorded, how)
    yield _moved(event.delivery, recorded, "handed_over")


def _undone(event: SlipHandOverUndone, recorded: Recorded[Event]) -> Iterable[Row]:
    yield Remove("hand_overs_v1", {"delivery": event.delivery})
    note = event.reason.value.text if event.reason.value else None
    yield _step(event.delivery, recorded, _How(note=note), undone=True)
    yield _moved(event.delivery, recorded, "printed")


def _moved(delivery: str, recorded: Recorded[Event], status: str) -> Row:
    moved = {"status": status, "changed_at": recorded.time, "cause": recorded.id}
    return Change("deliveries_v1", {"delivery": delivery}, moved)


def _step(delivery: str, recorded: Recorded[Event], how: _How, *, undone: bool = False) -> Row:
    return Put(
        "hand_over_steps_v1",
        {
            "delivery": delivery,
            "position": recorded.position,
            "undone": undone,
            "class_id": how.class_id,
            "handed_to": how.handed_to,
            "by": how.by,
            "note": how.note,
            "actor": recorded.actor,
            "at": recorded.time,
        },
    )


def _bar(account: str, bar: str, recorded: Recorded[Event], because: str | None = None) -> Row:
    row = {"account": account, "bar": bar, "because": because, "since": recorded.time}
    return Put("account_bars_v1", row)


def _locked(event: AccountLocked, recorded: Recorded[Event]) -> Iterable[Row]:
    yield _bar(event.account, LOCKED, recorded)


def _unlocked(event: AccountUnlocked, _: Recorded[Event]) -> Iterable[Row]:
    yield Remove("account_bars_v1", {"account": event.account, "bar": LOCKED})


def _suspended(event: AccountSuspended, recorded: Recorded[Event]) -> Iterable[Row]:
    bar = LOST if event.because is SuspensionReason.loss else SUSPENDED
    yield _bar(event.account, bar, recorded, event.because.value)


def _reinstated(event: AccountReinstated, _: Recorded[Event]) -> Iterable[Row]:
    for bar in (SUSPENDED, LOST):
        yield Remove("account_bars_v1", {"account": event.account, "bar": bar})


def _revoked(event: AccountRevoked, recorded: Recorded[Event]) -> Iterable[Row]:
    yield _bar(event.account, REVOKED, recorded, event.because.value)
    # Closed for good, it is not closed for a time: identity says no more of either.
    for bar in (LOCKED, SUSPENDED, LOST):
        yield Remove("account_bars_v1", {"account": event.account, "bar": bar})


def _retired(event: LocalCredentialsRetired, recorded: Recorded[Event]) -> Iterable[Row]:
    yield _bar(event.account, RETIRED, recorded)


def _regeneration_requested(event: RegenerationRequested, recorded: Recorded[Event]) -> Iterable[Row]:
    row = {"request": event.request, "account": event.account, "requested_at": recorded.time}
    yield Put("regeneration_requests_v1", row)


def _regeneration_decided(
    event: RegenerationGranted | RegenerationDenied, _: Recorded[Event]
) -> Iterable[Row]:
    yield Remove("regeneration_requests_v1", {"request": event.request})


def _teacher_assigned(event: TeacherAssigned, recorded: Recorded[Event]) -> Iterable[Row]:
    row = {"teacher": event.teacher, "class_id": event.class_id, "school": recorded.school}
    yield Put("teaching_v1", row)


def _teacher_unassigned(event: TeacherUnassigned, _: Recorded[Event]) -> Iterable[Row]:
    yield Remove("teaching_v1", {"teacher": event.teacher, "class_id": event.class_id})


def _staff_left(event: StaffMemberLeft, _: Recorded[Event]) -> Iterable[Row]:
    yield Remove("teaching_v1", {"teacher": event.person})


def _alert_raised(event: AlertRaised, recorded: Recorded[Event]) -> Iterable[Row]:
    yield Put(
        "alerts_v1",
        {
            "alert": event.alert,
            "school": recorded.school,
            "kind": event.kind.value,
            "about": event.about,
            "holder": event.holder,
            "raised_at": recorded.time,
            "settled_at": None,
            "settled_by": None,
            "note": None,
        },
    )


def _alert_settled(event: AlertSettled, recorded: Recorded[Event]) -> Iterable[Row]:
    note = event.note.value.text if event.note and event.note.value else None
    settled = {"settled_at": recorded.time, "settled_by": recorded.actor, "note": note}
    yield Change("alerts_v1", {"alert": event.alert}, settled)


REDUCERS: dict[type[Event], Callable[[Any, Recorded[Event]], Iterable[Row]]] = {
    SlipHandedOver: _handed_over,
    SlipHandOverUndone: _undone,
    AccountLocked: _locked,
    AccountUnlocked: _unlocked,
    AccountSuspended: _suspended,
    AccountReinstated: _reinstated,
    AccountRevoked: _revoked,
    LocalCredentialsRetired: _retired,
    RegenerationRequested: _regeneration_requested,
    RegenerationGranted: _regeneration_decided,
    RegenerationDenied: _regeneration_decided,
    TeacherAssigned: _teacher_assigned,
    TeacherUnassigned: _teacher_unassigned,
    StaffMemberLeft: _staff_left,
    AlertRaised: _alert_raised,
    AlertSettled: _alert_settled,
}
