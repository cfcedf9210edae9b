"""A guardian at a school: one person for all their children there (M1). Stream `guardian/<opaque id>`."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from services.registry.domain.guardian_desk import DeskCommand, decide_at_desk
from services.registry.domain.guardian_merge import MergeCommand, MergeInto, TakeOver, decide_merging
from services.registry.domain.guardian_state import UNKNOWN, Guardian, Guardianship, evolve
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


Command = LinkChild | DeskCommand | MergeCommand


def decide(state: Guardian, command: Command) -> Sequence[Event]:
    if isinstance(command, LinkChild):
        return _link(state, command)
    if isinstance(command, TakeOver | MergeInto):
        return decide_merging(state, command)
    return decide_at_desk(state, command)


def _link(state: Guardian, command: LinkChild) -> Sequence[Event]:
    if state.merged_into is not None:
        raise Refused("merged", "this record was merged into another")
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
    """What a system says of a guardianship that stands. What the desk has ended, restricted or activated stays so."""
    if before.ended_on is not None:
        return []
    keeps = command.justifies_online is None or before.desk_decides
    now = before._replace(
        # A system that does not know the relationship does not unlearn it for us.
        relationship=before.relationship
        if command.relationship is Relationship.other
        else command.relationship,
        data_access=before.data_access if command.data_access is None else command.data_access,
        justifies_online=before.justifies_online if keeps else bool(command.justifies_online),
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


GUARDIAN: Decider[Guardian, Command] = Decider("guardian", lambda: UNKNOWN, decide, evolve)
