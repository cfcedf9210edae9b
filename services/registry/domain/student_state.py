"""What is known of a pupil, and how each fact changes it. Stream `student/<opaque id>`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from shared.contracts.event import Event, Personal
from shared.contracts.registry import (
    EnrolmentKind,
    Identifier,
    InstitutionalMailboxActivated,
    ParentalAccessConsented,
    PersonIdentified,
    PupilDetails,
    StudentDetailsCorrected,
    StudentEnrolled,
    StudentMovedClass,
    StudentWithdrawn,
)


class Enrolment(NamedTuple):
    class_id: str
    kind: EnrolmentKind
    ended: bool = False


class Student(NamedTuple):
    """`details` is None of a pupil who is not known, or who was erased. `mailbox`: the institutional one that receives
    (E8). `consents`: by guardian, what the pupil of age last said (M4)."""

    details: PupilDetails | None = None
    enrolments: Mapping[str, Enrolment] = MappingProxyType({})
    identifiers: frozenset[tuple[str, str]] = frozenset()
    mailbox: str | None = None
    consents: Mapping[str, bool] = MappingProxyType({})

    @property
    def known(self) -> bool:
        return bool(self.enrolments)


UNKNOWN: Final = Student()


def evolve(state: Student, event: Event) -> Student:
    match event:
        case StudentEnrolled(year=year, class_id=class_id, kind=kind, details=details):
            enrolments = {**state.enrolments, year: Enrolment(class_id, kind)}
            identifiers = _identifiers(state, details.value)
            return state._replace(details=details.value, enrolments=enrolments, identifiers=identifiers)
        case StudentDetailsCorrected(details=details):
            return _described(state, details.value)
        case StudentMovedClass(year=year, to_class=to_class):
            moved = state.enrolments[year]._replace(class_id=to_class)
            return state._replace(enrolments={**state.enrolments, year: moved})
        case StudentWithdrawn(year=year):
            ended = state.enrolments[year]._replace(ended=True)
            return state._replace(enrolments={**state.enrolments, year: ended})
        case PersonIdentified(identifier=Personal(value=Identifier(source=source, external_id=external_id))):
            return state._replace(identifiers=state.identifiers | {(source, external_id)})
        case InstitutionalMailboxActivated(mailbox=mailbox):
            state = state._replace(mailbox=None if mailbox.value is None else mailbox.value.email)
        case ParentalAccessConsented(guardian=guardian, consents=consents):
            state = state._replace(consents={**state.consents, guardian: consents})
    return state


def _described(state: Student, details: PupilDetails | None) -> Student:
    return state._replace(details=details, identifiers=_identifiers(state, details))


def _identifiers(state: Student, details: PupilDetails | None) -> frozenset[tuple[str, str]]:
    if details is None:
        return state.identifiers
    said = (details.source, details.external_id)
    return state.identifiers if said in state.identifiers else state.identifiers | {said}
