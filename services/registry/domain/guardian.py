"""A guardian at a school: one person for all their children there (M1). Stream `guardian/<opaque id>`."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from services.registry.domain.people import (
    GUARDIAN_OPTIONAL,
    contradicts,
    corrected,
    disagrees,
    same_name,
    validated,
)
from shared.contracts.event import Event, Personal
from shared.contracts.registry import (
    GuardianDetails,
    GuardianDetailsCorrected,
    GuardianLinked,
    GuardianshipCorrected,
    Identifier,
    PersonIdentified,
    PersonKind,
    Relationship,
)
from shared.decider import Decider, Refused

_Described: Final = Personal[GuardianDetails]
_guardian_linked: Final = validated(GuardianLinked)


class Guardianship(NamedTuple):
    relationship: Relationship
    data_access: bool
    justifies_online: bool


class Guardian(NamedTuple):
    """`details` is None of a guardian who is not known, or who was erased."""

    details: GuardianDetails | None = None
    children: Mapping[str, Guardianship] = MappingProxyType({})
    identifiers: frozenset[tuple[str, str]] = frozenset()

    @property
    def known(self) -> bool:
        return bool(self.children)


class LinkChild(NamedTuple):
    """What a school's system says of a guardian of a pupil: may be new, a correction, or nothing new.

    `data_access` and `justifies_online` are None where the system says nothing: then `usually_justifies` (the
    school's policy) decides for a new guardianship, and one that stands is left as it is (P8).
    """

    guardian: str
    student: str
    year: str
    relationship: Relationship
    data_access: bool | None
    justifies_online: bool | None
    usually_justifies: bool
    details: GuardianDetails


_UNKNOWN: Final = Guardian()

Command = LinkChild


def decide(state: Guardian, command: Command) -> Sequence[Event]:
    known, said = state.details, command.details
    if state.known and known is None:
        raise Refused("erased", "this person was erased")
    if known is not None and is_another_person(known, said):
        raise Refused("another_person", "the id belongs to another person")
    now = said if known is None else described(known, said)
    events: list[Event] = []
    if known is not None and (said.source, said.external_id) not in state.identifiers:
        events.append(_identified(command.guardian, said))
    if known is not None and now != known:
        events.append(_corrected(command.guardian, now))
    before = state.children.get(command.student)
    return events + (_linked(command, now) if before is None else _changed(command, before))


def is_another_person(known: GuardianDetails, said: GuardianDetails) -> bool:
    """The id was given to somebody else: neither the name nor the codice fiscale is the same."""
    return not same_name(known, said) and contradicts(known.codice_fiscale, said.codice_fiscale)


def described(known: GuardianDetails, said: GuardianDetails) -> GuardianDetails:
    """As the system says now; the address stays the one that was given first (E3)."""
    return corrected(known, said, GUARDIAN_OPTIONAL).model_copy(update={"email": known.email or said.email})


def address_differs(known: GuardianDetails, said: GuardianDetails) -> bool:
    if known.email is None or said.email is None:
        return False
    return known.email.casefold() != said.email.casefold()


def not_followed(known: GuardianDetails, said: GuardianDetails) -> bool:
    return disagrees(known, said, GUARDIAN_OPTIONAL)


def _linked(command: LinkChild, details: GuardianDetails) -> list[Event]:
    justifies = command.usually_justifies if command.justifies_online is None else command.justifies_online
    return [
        _guardian_linked(
            {
                "guardian": command.guardian,
                "student": command.student,
                "year": command.year,
                "relationship": command.relationship,
                "data_access": command.data_access is not False,
                "justifies_online": justifies,
                "details": {"person": command.guardian, "value": details},
            }
        )
    ]


def _changed(command: LinkChild, before: Guardianship) -> list[Event]:
    now = Guardianship(
        # A system that does not know the relationship does not unlearn it for us.
        before.relationship if command.relationship is Relationship.other else command.relationship,
        before.data_access if command.data_access is None else command.data_access,
        before.justifies_online if command.justifies_online is None else command.justifies_online,
    )
    if now == before:
        return []
    return [
        GuardianshipCorrected(
            guardian=command.guardian,
            student=command.student,
            relationship=now.relationship,
            data_access=now.data_access,
            justifies_online=now.justifies_online,
        )
    ]


def _corrected(guardian: str, details: GuardianDetails) -> GuardianDetailsCorrected:
    return GuardianDetailsCorrected(guardian=guardian, details=_Described(person=guardian, value=details))


def _identified(guardian: str, said: GuardianDetails) -> PersonIdentified:
    identifier = Identifier(source=said.source, external_id=said.external_id)
    return PersonIdentified(
        person=guardian,
        kind=PersonKind.guardian,
        identifier=Personal[Identifier](person=guardian, value=identifier),
    )


def evolve(state: Guardian, event: Event) -> Guardian:
    match event:
        case GuardianLinked(student=student):
            link = Guardianship(event.relationship, event.data_access, event.justifies_online)
            children = {**state.children, student: link}
            details = event.details.value
            return Guardian(details, children, _identifiers(state, details))
        case GuardianshipCorrected(student=student):
            link = Guardianship(event.relationship, event.data_access, event.justifies_online)
            return state._replace(children={**state.children, student: link})
        case GuardianDetailsCorrected(details=details):
            return _described(state, details.value)
        case PersonIdentified(identifier=Personal(value=Identifier(source=source, external_id=external_id))):
            return state._replace(identifiers=state.identifiers | {(source, external_id)})
    return state


def _described(state: Guardian, details: GuardianDetails | None) -> Guardian:
    return Guardian(details, state.children, _identifiers(state, details))


def _identifiers(state: Guardian, details: GuardianDetails | None) -> frozenset[tuple[str, str]]:
    if details is None:
        return state.identifiers
    said = (details.source, details.external_id)
    return state.identifiers if said in state.identifiers else state.identifiers | {said}


GUARDIAN: Decider[Guardian, Command] = Decider("guardian", lambda: _UNKNOWN, decide, evolve)
