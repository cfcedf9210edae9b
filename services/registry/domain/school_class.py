"""A class of a school year. Stream `class/<opaque id>`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.contracts.event import Event
from shared.contracts.registry import ClassFormed, ClassIdentified
from shared.decider import Decider, Refused


@dataclass(frozen=True, slots=True)
class SchoolClass:
    formed: ClassFormed | None = None
    identifiers: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class FormClass:
    class_id: str
    year: str
    title: str
    grade: int | None
    section: str | None
    curriculum: str | None
    source: str
    external_id: str


@dataclass(frozen=True, slots=True)
class IdentifyClass:
    """A system of the school calls this class so."""

    source: str
    external_id: str


Command = FormClass | IdentifyClass


def decide(state: SchoolClass, command: Command) -> Sequence[Event]:
    match command:
        case FormClass():
            if state.formed is not None:
                return []
            return [
                ClassFormed(
                    class_id=command.class_id,
                    year=command.year,
                    title=command.title,
                    grade=command.grade,
                    section=command.section,
                    curriculum=command.curriculum,
                    source=command.source,
                    external_id=command.external_id,
                )
            ]
        case IdentifyClass(source, external_id):
            if state.formed is None:
                raise Refused("class_unknown", "the class was never formed")
            if (source, external_id) in state.identifiers:
                return []
            return [
                ClassIdentified(
                    class_id=state.formed.class_id,
                    year=state.formed.year,
                    source=source,
                    external_id=external_id,
                )
            ]


def evolve(state: SchoolClass, event: Event) -> SchoolClass:
    match event:
        case ClassFormed(source=source, external_id=external_id):
            return replace(state, formed=event, identifiers=state.identifiers | {(source, external_id)})
        case ClassIdentified(source=source, external_id=external_id):
            return replace(state, identifiers=state.identifiers | {(source, external_id)})
    return state


SCHOOL_CLASS: Decider[SchoolClass, Command] = Decider("class", SchoolClass, decide, evolve)
