"""What is known of a guardian, and how each fact changes it. Stream `guardian/<opaque id>`."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias, assert_never

from services.registry.domain.access import begun
from shared.contracts.event import Event, Personal
from shared.contracts.registry import (
    ContactAddress,
    ContactAddressCorrected,
    GuardianDetails,
    GuardianDetailsCorrected,
    GuardianLinked,
    GuardianshipCorrected,
    GuardianshipEnded,
    GuardianshipRestricted,
    GuardianshipRestrictionLifted,
    GuardiansMerged,
    Identifier,
    JustificationServiceActivated,
    JustificationServiceEnded,
    JustificationServiceRequested,
    PersonIdentified,
    Relationship,
    WrongChildRejected,
    WrongChildReported,
)


class Guardianship(NamedTuple):
    """One guardian, one child. `restricted_on`, `ended_on`: from that day on, by the desk (M3).

    `reported`: the guardian says that the child is not theirs, and nobody has decided yet (M9). `asked`: online
    justification was asked for. `desk_decides`: the desk has activated or ended it, and no system undoes that (P8).
    """

    relationship: Relationship
    data_access: bool
    justifies_online: bool
    year: str = ""
    restricted_on: date | None = None
    ended_on: date | None = None
    reported: bool = False
    asked: bool = False
    desk_decides: bool = False

    def closed(self, on: date) -> bool:
        """Whether the guardian sees nothing of the child on this day, whatever the child says (M3, M9)."""
        shut = begun(self.restricted_on, on) or begun(self.ended_on, on)
        return shut or self.reported or not self.data_access


class Guardian(NamedTuple):
    """`details` is None of a guardian who is not known, or who was erased. `merged_into`: this was a second record
    of that guardian (M1)."""

    details: GuardianDetails | None = None
    children: Mapping[str, Guardianship] = MappingProxyType({})
    identifiers: frozenset[tuple[str, str]] = frozenset()
    merged_into: str | None = None

    @property
    def known(self) -> bool:
        return bool(self.children) or self.merged_into is not None


UNKNOWN: Final = Guardian()
_OfLink: TypeAlias = (
    GuardianshipCorrected
    | GuardianshipRestricted
    | GuardianshipRestrictionLifted
    | GuardianshipEnded
    | WrongChildReported
    | WrongChildRejected
    | JustificationServiceRequested
    | JustificationServiceActivated
    | JustificationServiceEnded
)


def evolve(state: Guardian, event: Event) -> Guardian:
    if isinstance(event, _OfLink):
        changed = state.children[event.student]._replace(**_change(event))
        return state._replace(children={**state.children, event.student: changed})
    match event:
        case GuardianLinked(student=student, details=details):
            return state._replace(
                details=details.value,
                children={**state.children, student: _linked(state.children.get(student), event)},
                identifiers=_identifiers(state, details.value),
            )
        case GuardianDetailsCorrected(details=details):
            state = state._replace(details=details.value, identifiers=_identifiers(state, details.value))
        case PersonIdentified(identifier=Personal(value=Identifier(source=source, external_id=external_id))):
            state = state._replace(identifiers=state.identifiers | {(source, external_id)})
        case ContactAddressCorrected(address=Personal(value=ContactAddress(email=email))):
            known = state.details
            state = state._replace(details=known and known.model_copy(update={"email": email}))
        case GuardiansMerged(guardian=kept):
            state = state._replace(children=MappingProxyType({}), merged_into=kept)
    return state


def _linked(before: Guardianship | None, event: GuardianLinked) -> Guardianship:
    """Linked again, what was restricted stays so."""
    return Guardianship(
        event.relationship,
        event.data_access,
        event.justifies_online,
        event.year,
        restricted_on=None if before is None else before.restricted_on,
    )


def _change(event: _OfLink) -> Mapping[str, Any]:
    """What a fact about one guardianship changes in it."""
    change: Mapping[str, Any]
    match event:
        case GuardianshipCorrected(relationship=relationship, data_access=seen, justifies_online=justifies):
            change = {"relationship": relationship, "data_access": seen, "justifies_online": justifies}
        case GuardianshipRestricted(on=day):
            change = {"restricted_on": day}
        case GuardianshipRestrictionLifted():
            change = {"restricted_on": None}
        case GuardianshipEnded(on=day):
            change = {"ended_on": day, "reported": False, "asked": False}
        case WrongChildReported():
            change = {"reported": True}
        case WrongChildRejected():
            change = {"reported": False}
        case JustificationServiceRequested():
            change = {"asked": True}
        case JustificationServiceActivated():
            change = {"justifies_online": True, "asked": False, "desk_decides": True}
        case JustificationServiceEnded():
            change = {"justifies_online": False, "asked": False, "desk_decides": True}
        case _:
            assert_never(event)
    return change


def _identifiers(state: Guardian, details: GuardianDetails | None) -> frozenset[tuple[str, str]]:
    if details is None:
        return state.identifiers
    said = (details.source, details.external_id)
    return state.identifiers if said in state.identifiers else state.identifiers | {said}
