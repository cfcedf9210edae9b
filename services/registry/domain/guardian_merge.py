"""Two records of one guardian become one (M1): the kept one takes over, the other is closed. One commit, two streams.

Whatever shut a door stays shut: of two rights to the same child the narrower one holds.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from services.registry.domain.access import begun
from services.registry.domain.guardian_desk import note_of
from services.registry.domain.guardian_state import Guardian, Guardianship
from services.registry.domain.people import contradicts
from shared.contracts.event import Event, Personal
from shared.contracts.registry import (
    EndGround,
    GuardianDetails,
    GuardianDetailsCorrected,
    GuardianLinked,
    GuardianshipCorrected,
    GuardianshipEnded,
    GuardianshipRestricted,
    GuardiansMerged,
    Identifier,
    JustificationServiceActivated,
    JustificationServiceRequested,
    PersonIdentified,
    PersonKind,
    RestrictionGround,
    WrongChildReported,
)
from shared.decider import Refused

_FILLED: Final = ("codice_fiscale", "email", "phone", "language")


class TakeOver(NamedTuple):
    """`other` as it stands: what the kept guardian gets of it."""

    guardian: str
    other: Guardian
    note: str
    today: date


class MergeInto(NamedTuple):
    merged: str
    guardian: str
    note: str
    today: date


MergeCommand = TakeOver | MergeInto


def decide_merging(state: Guardian, command: MergeCommand) -> Sequence[Event]:
    if isinstance(command, MergeInto):
        return _merge(state, command)
    return _take_over(state, command)


def _take_over(state: Guardian, command: TakeOver) -> Sequence[Event]:
    known, said = state.details, command.other.details
    if known is None or said is None or state.merged_into or command.other.merged_into:
        raise Refused("guardian_unknown", "one of the two is not known, or was merged before")
    if contradicts(known.codice_fiscale, said.codice_fiscale):
        raise Refused("another_person", "the two have different codici fiscali: they are two people")
    events: list[Event] = []
    filled = {
        f: getattr(said, f) for f in _FILLED if getattr(known, f) is None and getattr(said, f) is not None
    }
    now = known.model_copy(update=filled)
    if filled:
        corrected = Personal[GuardianDetails](person=command.guardian, value=now)
        events.append(GuardianDetailsCorrected(guardian=command.guardian, details=corrected))
    for student, link in command.other.children.items():
        own = state.children.get(student)
        events += _new(command, student, link, now) if own is None else _both(command, student, own, link)
    events += [
        _identified(command.guardian, *i) for i in sorted(command.other.identifiers - state.identifiers)
    ]
    return events


def _new(command: TakeOver, student: str, link: Guardianship, details: GuardianDetails) -> list[Event]:
    ended = link.ended_on
    over = ended is not None and ended <= command.today
    events: list[Event] = [
        GuardianLinked(
            guardian=command.guardian,
            student=student,
            year=link.year,
            relationship=link.relationship,
            data_access=link.data_access and not over,
            justifies_online=link.justifies_online and not over,
            details=Personal[GuardianDetails](person=command.guardian, value=details),
        )
    ]
    events += _shut(command, student, Guardianship(link.relationship, link.data_access, False), link)
    if ended is not None:
        events.append(
            GuardianshipEnded(
                guardian=command.guardian,
                student=student,
                on=max(ended, command.today),
                ground=EndGround.other,
                note=note_of(command.guardian, command.note),
            )
        )
    elif link.desk_decides and link.justifies_online:
        events.append(JustificationServiceActivated(guardian=command.guardian, student=student))
    elif link.asked:
        events.append(JustificationServiceRequested(guardian=command.guardian, student=student))
    return events


def _both(command: TakeOver, student: str, own: Guardianship, link: Guardianship) -> list[Event]:
    if (own.ended_on is None) != (link.ended_on is None):
        raise Refused("links_disagree", "one of the two links to the same pupil was ended: settle that first")
    now = own._replace(
        data_access=own.data_access and link.data_access,
        justifies_online=own.justifies_online or (link.justifies_online and not own.desk_decides),
    )
    events: list[Event] = []
    if now != own:
        events.append(
            GuardianshipCorrected(
                guardian=command.guardian,
                student=student,
                relationship=now.relationship,
                data_access=now.data_access,
                justifies_online=now.justifies_online,
            )
        )
    if own.ended_on is None:
        events += _shut(command, student, own, link)
        if link.asked and not (own.asked or now.justifies_online):
            events.append(JustificationServiceRequested(guardian=command.guardian, student=student))
    return events


def _shut(command: TakeOver, student: str, own: Guardianship, link: Guardianship) -> list[Event]:
    """What shuts the child's data to the other record shuts it to the kept one."""
    events: list[Event] = []
    first = link.restricted_on
    if first is not None and (own.restricted_on is None or first < own.restricted_on):
        events.append(
            GuardianshipRestricted(
                guardian=command.guardian,
                student=student,
                on=max(first, command.today),
                ground=RestrictionGround.other,
                note=note_of(command.guardian, command.note),
            )
        )
    if link.reported and not own.reported:
        note = note_of(command.guardian, command.note)
        events.append(WrongChildReported(guardian=command.guardian, student=student, note=note))
    return events


def _merge(state: Guardian, command: MergeInto) -> Sequence[Event]:
    """The links of the merged record end, then the record."""
    if state.merged_into == command.guardian:
        return []
    if state.details is None or state.merged_into is not None:
        raise Refused("guardian_unknown", "one of the two is not known, or was merged before")
    if command.merged == command.guardian:
        raise Refused("same_record", "a record is not merged into itself")
    note = note_of(command.merged, command.note)
    ended = [
        GuardianshipEnded(
            guardian=command.merged, student=student, on=command.today, ground=EndGround.merged, note=note
        )
        for student, link in state.children.items()
        if not begun(link.ended_on, command.today)
    ]
    return [*ended, GuardiansMerged(guardian=command.guardian, merged=command.merged, note=note)]


def _identified(guardian: str, source: str, external_id: str) -> PersonIdentified:
    identifier = Identifier(source=source, external_id=external_id)
    return PersonIdentified(
        person=guardian,
        kind=PersonKind.guardian,
        identifier=Personal[Identifier](person=guardian, value=identifier),
    )
