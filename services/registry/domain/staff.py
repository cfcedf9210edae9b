"""Somebody who works at the school: whom circulars reach, and which classes they teach. Stream `staff/<opaque id>`."""

from collections.abc import Sequence
from typing import NamedTuple

from shared.contracts.event import Event, Personal
from shared.contracts.registry import (
    StaffContact,
    StaffKind,
    StaffMemberAppointed,
    StaffMemberLeft,
    TeacherAssigned,
    TeacherUnassigned,
)
from shared.decider import Decider, Refused


class Staff(NamedTuple):
    """`kind` is None of somebody who was never appointed here: they may hold a staff account all the same."""

    kind: StaffKind | None = None
    contact: StaffContact | None = None
    left: bool = False
    classes: frozenset[str] = frozenset()

    @property
    def serves(self) -> bool:
        return self.kind is not None and not self.left


class Appoint(NamedTuple):
    person: str
    kind: StaffKind
    contact: StaffContact


class Leave(NamedTuple):
    person: str


class AssignClass(NamedTuple):
    """`has_account`: identity knows a staff account of this person, who may then teach without being appointed."""

    person: str
    class_id: str
    has_account: bool


class UnassignClass(NamedTuple):
    person: str
    class_id: str


Command = Appoint | Leave | AssignClass | UnassignClass


def decide(state: Staff, command: Command) -> Sequence[Event]:
    if isinstance(command, AssignClass | UnassignClass):
        return _teaching(state, command)
    match command:
        case Appoint(person, kind, contact):
            if state.serves and (state.kind, state.contact) == (kind, contact):
                return []
            details = Personal[StaffContact](person=person, value=contact)
            return [StaffMemberAppointed(person=person, kind=kind, details=details)]
        case Leave(person):
            if not state.serves and not state.classes:
                return []
            ended = [TeacherUnassigned(teacher=person, class_id=one) for one in sorted(state.classes)]
            return [*ended, StaffMemberLeft(person=person)]


def _teaching(state: Staff, command: AssignClass | UnassignClass) -> Sequence[Event]:
    person, class_id = command.person, command.class_id
    if isinstance(command, UnassignClass):
        return [TeacherUnassigned(teacher=person, class_id=class_id)] if class_id in state.classes else []
    if class_id in state.classes:
        return []
    if not state.serves and (state.left or not command.has_account):
        raise Refused("not_appointed", "only somebody who works at the school teaches a class")
    return [TeacherAssigned(teacher=person, class_id=class_id)]


def evolve(state: Staff, event: Event) -> Staff:
    match event:
        case StaffMemberAppointed(kind=kind, details=details):
            return state._replace(kind=kind, contact=details.value, left=False)
        case StaffMemberLeft():
            return state._replace(left=True)
        case TeacherAssigned(class_id=class_id):
            return state._replace(classes=state.classes | {class_id})
        case TeacherUnassigned(class_id=class_id):
            return state._replace(classes=state.classes - {class_id})
    return state


STAFF: Decider[Staff, Command] = Decider("staff", Staff, decide, evolve)
