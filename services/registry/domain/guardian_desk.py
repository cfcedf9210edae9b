"""What the desk does with a guardianship, and what the guardian asks of it (M3, M9, E3, P8).

Days are local dates; `today` is that of the act, for what is decided is never decided backwards.
"""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from services.registry.domain.access import begun
from services.registry.domain.guardian_state import Guardian, Guardianship
from shared.contracts.event import Event, Personal
from shared.contracts.registry import (
    ContactAddress,
    ContactAddressCorrected,
    EndGround,
    GuardianDetails,
    GuardianLinked,
    GuardianshipEnded,
    GuardianshipRestricted,
    GuardianshipRestrictionLifted,
    IdentityCheck,
    JustificationServiceActivated,
    JustificationServiceEnded,
    JustificationServiceRequested,
    Note,
    RestrictionGround,
    WrongChildRejected,
    WrongChildReported,
)
from shared.decider import Refused


class Restrict(NamedTuple):
    guardian: str
    student: str
    on: date
    ground: RestrictionGround
    note: str
    today: date


class LiftRestriction(NamedTuple):
    guardian: str
    student: str
    note: str


class EndGuardianship(NamedTuple):
    """With `EndGround.wrong_link` also the answer to a report that was right (M9)."""

    guardian: str
    student: str
    on: date
    ground: EndGround
    note: str
    today: date


class LinkAgain(NamedTuple):
    """Only the desk brings back what it has ended; `year` is the one that runs, `justifies` what the policy gives to
    a new guardianship."""

    guardian: str
    student: str
    year: str
    justifies: bool


class CorrectAddress(NamedTuple):
    guardian: str
    email: str
    identity_check: IdentityCheck
    reason: str


class ReportWrongChild(NamedTuple):
    guardian: str
    student: str
    note: str


class RejectWrongChild(NamedTuple):
    guardian: str
    student: str
    note: str


class RequestJustification(NamedTuple):
    guardian: str
    student: str
    today: date


class ActivateJustification(NamedTuple):
    guardian: str
    student: str
    today: date


class EndJustification(NamedTuple):
    """Ends the right, or refuses what was asked."""

    guardian: str
    student: str
    note: str


LinkCommand = (
    Restrict
    | LiftRestriction
    | EndGuardianship
    | LinkAgain
    | ReportWrongChild
    | RejectWrongChild
    | RequestJustification
    | ActivateJustification
    | EndJustification
)
DeskCommand = CorrectAddress | LinkCommand


def note_of(person: str, text: str) -> Personal[Note]:
    """Why, in the words of whoever decided. Raises `Refused`: nothing is taken away without a reason."""
    if not text.strip():
        raise Refused("reason_missing", "say why: the reason stays in the history")
    return Personal[Note](person=person, value=Note(text=text.strip()))


def decide_at_desk(state: Guardian, command: DeskCommand) -> Sequence[Event]:
    if state.merged_into is not None:
        raise Refused("merged", "this record was merged into another: act on that one")
    if state.details is None:
        raise Refused("guardian_unknown", "the guardian is not known")
    if isinstance(command, CorrectAddress):
        return _correct_address(command, state.details.email)
    link = state.children.get(command.student)
    if link is None:
        raise Refused("not_linked", "the guardian is not linked to this pupil")
    return _on_link(state.details, link, command)


def _on_link(details: GuardianDetails, link: Guardianship, command: LinkCommand) -> Sequence[Event]:
    if isinstance(command, ReportWrongChild | RejectWrongChild):
        return _wrong_child(command, link)
    if isinstance(command, RequestJustification | ActivateJustification | EndJustification):
        return _justification(command, link)
    events: Sequence[Event] = ()
    match command:
        case Restrict():
            events = _restrict(command, link)
        case EndGuardianship():
            events = _end(command, link)
        case LinkAgain():
            events = _link_again(command, details, link)
        case LiftRestriction(guardian, student, note) if link.restricted_on is not None:
            why = note_of(guardian, note)
            events = [GuardianshipRestrictionLifted(guardian=guardian, student=student, note=why)]
    return events


def _wrong_child(command: ReportWrongChild | RejectWrongChild, link: Guardianship) -> Sequence[Event]:
    guardian, student = command.guardian, command.student
    if isinstance(command, RejectWrongChild):
        if not link.reported:
            return []
        why = note_of(guardian, command.note)
        return [WrongChildRejected(guardian=guardian, student=student, note=why)]
    _must_stand(link)
    if link.reported:
        return []
    said = Personal[Note](person=guardian, value=Note(text=command.note.strip()))
    return [WrongChildReported(guardian=guardian, student=student, note=said)]


def _justification(
    command: RequestJustification | ActivateJustification | EndJustification, link: Guardianship
) -> Sequence[Event]:
    guardian, student = command.guardian, command.student
    if isinstance(command, EndJustification):
        if not (link.justifies_online or link.asked):
            return []
        why = note_of(guardian, command.note)
        return [JustificationServiceEnded(guardian=guardian, student=student, note=why)]
    if link.closed(command.today):
        raise Refused("no_access", "only a guardian who may see the pupil's data may justify")
    if link.justifies_online:
        return []
    if isinstance(command, ActivateJustification):
        return [JustificationServiceActivated(guardian=guardian, student=student)]
    return [] if link.asked else [JustificationServiceRequested(guardian=guardian, student=student)]


def _correct_address(command: CorrectAddress, known: str | None) -> Sequence[Event]:
    if known == command.email:
        return []
    address = ContactAddress(email=command.email)
    return [
        ContactAddressCorrected(
            guardian=command.guardian,
            address=Personal[ContactAddress](person=command.guardian, value=address),
            identity_check=command.identity_check,
            reason=note_of(command.guardian, command.reason),
        )
    ]


def _must_stand(link: Guardianship) -> None:
    if link.ended_on is not None:
        raise Refused("ended", "the guardianship was ended: link it again first")


def _not_before(on: date, today: date) -> None:
    if on < today:
        raise Refused("date_is_past", "from today or a later day: nothing is decided backwards")


def _restrict(command: Restrict, link: Guardianship) -> Sequence[Event]:
    if begun(link.ended_on, command.today):
        _must_stand(link)
    before = link.restricted_on
    if before is not None and (before == command.on or before <= command.today):
        return []
    _not_before(command.on, command.today)
    return [
        GuardianshipRestricted(
            guardian=command.guardian,
            student=command.student,
            on=command.on,
            ground=command.ground,
            note=note_of(command.guardian, command.note),
        )
    ]


def _end(command: EndGuardianship, link: Guardianship) -> Sequence[Event]:
    before = link.ended_on
    if before is not None and (before == command.on or before <= command.today):
        return []
    _not_before(command.on, command.today)
    return [
        GuardianshipEnded(
            guardian=command.guardian,
            student=command.student,
            on=command.on,
            ground=command.ground,
            note=note_of(command.guardian, command.note),
        )
    ]


def _link_again(command: LinkAgain, details: GuardianDetails, link: Guardianship) -> Sequence[Event]:
    """As a new guardianship, with the rights of one; a restriction that stood stands on."""
    if link.ended_on is None:
        return []
    return [
        GuardianLinked(
            guardian=command.guardian,
            student=command.student,
            year=command.year,
            relationship=link.relationship,
            data_access=link.data_access,
            justifies_online=command.justifies,
            details=Personal[GuardianDetails](person=command.guardian, value=details),
        )
    ]
