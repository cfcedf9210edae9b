"""A pupil of a school, through all their years there. Stream `student/<opaque id>`."""

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from services.registry.domain.people import (
    PUPIL_OPTIONAL,
    contradicts,
    corrected,
    disagrees,
    same_name,
    validated,
)
from services.registry.domain.student_desk import (
    ActivateMailbox,
    ConsentToParent,
    StudentDeskCommand,
    decide_for_student,
)
from services.registry.domain.student_state import UNKNOWN, Enrolment, Student, evolve
from shared.contracts.event import Event, Personal
from shared.contracts.registry import (
    EndReason,
    EnrolmentKind,
    Identifier,
    PersonIdentified,
    PersonKind,
    PupilDetails,
    StudentDetailsCorrected,
    StudentEnrolled,
    StudentMovedClass,
    StudentWithdrawn,
)
from shared.decider import Decider, Refused

_Described: Final = Personal[PupilDetails]
_student_enrolled: Final = validated(StudentEnrolled)


class Enrol(NamedTuple):
    """What a school's system says of a pupil in a class: may be new, a move, a correction, or nothing new.

    `kind` is what the system says, if it does; `entry_class`: the class is of the school's first grade.
    """

    student: str
    year: str
    class_id: str
    kind: EnrolmentKind | None
    entry_class: bool
    starts: date | None
    details: PupilDetails


class MoveClass(NamedTuple):
    student: str
    year: str
    to_class: str


class Withdraw(NamedTuple):
    student: str
    year: str
    on: date | None
    reason: EndReason


class CorrectPupil(NamedTuple):
    student: str
    details: PupilDetails


Command = Enrol | MoveClass | Withdraw | CorrectPupil | StudentDeskCommand


def decide(state: Student, command: Command) -> Sequence[Event]:
    match command:
        case Enrol():
            return _enrol(state, command)
        case MoveClass(student, year, to_class):
            return _move(student, year, to_class, _current(state, year))
        case Withdraw(student, year, on, reason):
            if state.enrolments.get(year, _NEVER).ended:
                return []
            _current(state, year)
            return [StudentWithdrawn(student=student, year=year, on=on, reason=reason)]
        case CorrectPupil(student, details):
            if state.details is None:
                raise Refused("pupil_unknown", "the pupil is not known")
            return _correct(student, state.details, details)
        case ActivateMailbox() | ConsentToParent():
            return decide_for_student(state, command)


_NEVER = Enrolment("", EnrolmentKind.continuing)


def is_another_person(known: PupilDetails, said: PupilDetails) -> bool:
    """The id was given to somebody else: neither the name nor the birth date (or codice fiscale) is the same."""
    return not same_name(known, said) and (
        contradicts(known.codice_fiscale, said.codice_fiscale)
        or contradicts(known.birth_date, said.birth_date)
    )


def not_followed(known: PupilDetails, said: PupilDetails) -> bool:
    return disagrees(known, said, PUPIL_OPTIONAL)


def _enrol(state: Student, command: Enrol) -> list[Event]:
    known, said = state.details, command.details
    if not state.known:
        return [_enrolled(command, _kind_of_new(command), said)]
    if known is None:
        raise Refused("erased", "this person was erased")
    if is_another_person(known, said):
        raise Refused("another_person", "the id belongs to another person")
    if max(state.enrolments) > command.year:
        if command.year in state.enrolments:
            return []
        raise Refused("year_is_past", "the pupil is enrolled in a later school year already")
    before = state.enrolments.get(command.year)
    if before is None or before.ended:
        kind = before.kind if before is not None else EnrolmentKind.continuing
        return [_enrolled(command, kind, _for_new_year(known, said))]
    events: list[Event] = []
    if (said.source, said.external_id) not in state.identifiers:
        events.append(_identified(command.student, said))
    events += _correct(command.student, known, said)
    events += _move(command.student, command.year, command.class_id, before)
    return events


def _kind_of_new(command: Enrol) -> EnrolmentKind:
    """IMPORTS.md: what the system says, else the entry grade is a first year, any other new to the school."""
    if command.kind is not None:
        return command.kind
    return EnrolmentKind.first_year if command.entry_class else EnrolmentKind.new_to_the_school


def _for_new_year(known: PupilDetails, said: PupilDetails) -> PupilDetails:
    """Who enrols describes: from now on this system is the one that corrects."""
    kept = {name: getattr(known, name) for name in PUPIL_OPTIONAL if getattr(said, name) is None}
    return said.model_copy(update=kept)


def _enrolled(command: Enrol, kind: EnrolmentKind, details: PupilDetails) -> StudentEnrolled:
    return _student_enrolled(
        {
            "student": command.student,
            "year": command.year,
            "class_id": command.class_id,
            "kind": kind,
            "starts": command.starts,
            "details": {"person": command.student, "value": details},
        }
    )


def _identified(student: str, said: PupilDetails) -> PersonIdentified:
    identifier = Identifier(source=said.source, external_id=said.external_id)
    return PersonIdentified(
        person=student,
        kind=PersonKind.pupil,
        identifier=Personal[Identifier](person=student, value=identifier),
    )


def _correct(student: str, known: PupilDetails, said: PupilDetails) -> list[Event]:
    now = corrected(known, said, PUPIL_OPTIONAL)
    if now == known:
        return []
    return [StudentDetailsCorrected(student=student, details=_Described(person=student, value=now))]


def _move(student: str, year: str, to_class: str, enrolment: Enrolment) -> list[Event]:
    if enrolment.class_id == to_class:
        return []
    return [StudentMovedClass(student=student, year=year, from_class=enrolment.class_id, to_class=to_class)]


def _current(state: Student, year: str) -> Enrolment:
    enrolment = state.enrolments.get(year)
    if enrolment is None or enrolment.ended:
        raise Refused("not_enrolled", "the pupil is not enrolled in that school year")
    return enrolment


STUDENT: Decider[Student, Command] = Decider("student", lambda: UNKNOWN, decide, evolve)
