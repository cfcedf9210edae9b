"""What the event store machine writes, what its projections make of it, and the model beside them.

The model knows nothing of the store's code: it reads the entries as bytes and counts for itself.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from shared.contracts.event import Event, Personal, Recorded
from shared.contracts.identity import FirstAccessCompleted
from shared.contracts.registry import (
    EndReason,
    PupilDetails,
    StudentDetailsCorrected,
    StudentEnrolled,
    StudentMovedClass,
    StudentWithdrawn,
)
from shared.eventstore.projection import Change, Put, Remove, Row
from shared.eventstore.units import Append, IdempotencyKey, Unit
from tests.samples import enrolled

YEAR = "2026/2027"
Pupil = tuple[str | None, str | None, int]
"""Class, family name, moves."""


class Undigestible(Exception):
    """What a projection with a mistake in it might raise."""


def project(recorded: Recorded[Event]) -> Iterable[Row]:
    match recorded.event:
        case StudentEnrolled(student=student, class_id=class_id, details=details):
            family = details.value.family_name if details.value else None
            yield Put("pupils", {"student": student, "class_id": class_id, "family": family, "moves": 0})
        case StudentMovedClass(student=student, to_class=to_class):
            if to_class.startswith("undigestible"):
                raise Undigestible(to_class)
            yield Change("pupils", {"student": student}, {"class_id": to_class})
            yield Change("pupils", {"student": student}, {"moves": recorded.stream_version})
            step = {"stream": recorded.stream, "version": recorded.stream_version, "class_id": to_class}
            yield Put("steps", step)
        case StudentDetailsCorrected(details=Personal(value=PupilDetails(family_name=family))):
            # Not named by its key: every pupil who never moved.
            yield Change("pupils", {"moves": 0}, {"family": family})
        case StudentWithdrawn(student=student):
            yield Remove("pupils", {"student": student})
        case FirstAccessCompleted(account=student, credential=credential):
            yield Change("pupils", {"student": student}, {"family": f"seen {credential}"})


def event(kind: str, student: str, tag: str) -> Event:
    """One event of a unit; `tag` is found again in the stored bytes."""
    match kind:
        case "enrol":
            return enrolled(student, family=f"family {tag}").model_copy(update={"class_id": tag})
        case "leave":
            return StudentWithdrawn(student=student, year=tag, on=None, reason=EndReason.transfer)
        case "correct":
            details = PupilDetails(
                family_name=f"corrected {tag}", given_name="Anna", source="test", external_id=tag
            )
            return StudentDetailsCorrected(student=student, details=Personal(person=tag, value=details))
        case "move":
            to_class = tag
        case "large":
            to_class = tag + " " + "x" * 65_536
        case _:
            to_class = f"{kind} {tag}"
    return StudentMovedClass(student=student, year=YEAR, from_class="?", to_class=to_class)


def tag_of(data: Mapping[str, Any]) -> str:
    for name in ("class_id", "to_class", "year"):
        if name in data and data[name] != YEAR:
            return str(data[name]).split(" ")[-1]
    return str(data["details"]["person"])


@dataclass(frozen=True)
class Sent:
    """A unit on its way. `faults`: what must keep it out, whoever writes beside it."""

    tag: str
    unit: Unit
    faults: frozenset[str] = frozenset()

    @property
    def streams(self) -> set[str]:
        return {a.stream for a in self.unit.appends}

    def places(self) -> list[tuple[str, int]]:
        """(stream, version) of each event, in order, should it be accepted."""
        return [(a.stream, a.expected + n) for a in self.unit.appends for n in range(1, len(a.events) + 1)]


@dataclass
class Model:
    """What the database must hold, counted independently."""

    foreign: Sequence[tuple[str, str]]
    positions: int = 0
    versions: Counter[str] = field(default_factory=Counter)
    schools: Counter[str] = field(default_factory=Counter)
    keys: dict[str, tuple[bytes, Mapping[str, Any]]] = field(default_factory=dict)
    ledger: set[str] = field(default_factory=set)
    read: int = 0
    applied: int = 0
    events: dict[str, Event] = field(default_factory=dict)
    pupils: dict[str, Pupil] = field(default_factory=dict)
    steps: dict[tuple[str, int], str] = field(default_factory=dict)

    def refused(self, unit: Unit) -> tuple[str, int, int] | None:
        """The append that stands wrong, as (stream, expected, actual)."""
        ahead = Counter(self.versions)
        for append in unit.appends:
            if ahead[append.stream] != append.expected:
                return append.stream, append.expected, ahead[append.stream]
            ahead[append.stream] += len(append.events)
        return None

    def accept(self, sent: Sent, entries: Sequence[bytes]) -> None:
        """The unit's entries, as they stand in the store from our last position on."""
        unit, places = sent.unit, sent.places()
        assert self.refused(unit) is None
        assert len(entries) == len(places)
        given = [e for a in unit.appends for e in a.events]
        for n, (entry, (stream, version), written) in enumerate(zip(entries, places, given, strict=True)):
            envelope = orjson.loads(entry)
            self.positions += 1
            self.schools[unit.school] += 1
            self.versions[stream] += 1
            assert int(envelope["sequence"]) == self.positions
            assert int(envelope["schoolsequence"]) == self.schools[unit.school]
            assert int(envelope["streamversion"]) == self.versions[stream] == version
            assert (envelope["subject"], envelope["school"]) == (stream, unit.school)
            assert tag_of(envelope["data"]) == f"{sent.tag}.{n}"
            assert envelope["id"] not in self.events
            self.events[envelope["id"]] = written
            self._catch_up(int(envelope.get("seen", "identity:0").removeprefix("identity:")))
            self._apply(written, stream, version)
        if unit.idempotency is not None:
            assert unit.idempotency.key not in self.keys
            self.keys[unit.idempotency.key] = unit.idempotency.fingerprint, unit.result
        for write in unit.writes:
            for row in write.rows:
                assert row[0] not in self.ledger
                self.ledger.add(row[0])

    def move_cursor(self, upto: int) -> None:
        assert upto >= self.read
        self.read = upto
        self._catch_up(upto)

    def _catch_up(self, upto: int) -> None:
        assert self.applied <= upto, "an event had seen less than the one before it"
        for student, credential in self.foreign[self.applied : upto]:
            if student in self.pupils:
                class_id, _, moves = self.pupils[student]
                self.pupils[student] = class_id, f"seen {credential}", moves
        self.applied = upto

    def _apply(self, event: Event, stream: str, version: int) -> None:
        match event:
            case StudentEnrolled(student=student, details=details):
                assert details.value is not None
                self.pupils[student] = event.class_id, details.value.family_name, 0
            case StudentMovedClass(student=student, to_class=to_class):
                self.steps[stream, version] = to_class
                if student in self.pupils:
                    self.pupils[student] = to_class, self.pupils[student][1], version
            case StudentDetailsCorrected(details=details):
                assert details.value is not None
                for student, (class_id, _, moves) in list(self.pupils.items()):
                    if moves == 0:
                        self.pupils[student] = class_id, details.value.family_name, 0
            case StudentWithdrawn(student=student):
                self.pupils.pop(student, None)

    def answer(self, key: IdempotencyKey) -> tuple[bool, Mapping[str, Any]] | None:
        """(same body, the stored result) of a key that was used; None of a new one."""
        known = self.keys.get(key.key)
        return None if known is None else (known[0] == key.fingerprint, known[1])


def append(stream: str, expected: int, kinds: Sequence[str], tag: str, first: int) -> Append:
    student = stream.split("/", 1)[1]
    events = tuple(event(kind, student, f"{tag}.{n}") for n, kind in enumerate(kinds, first))
    return Append(stream, expected, events)
