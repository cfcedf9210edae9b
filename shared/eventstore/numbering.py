"""Positions without gaps, given out under the head lock (DESIGN 1 rule 3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.contracts.entry import Place, encode
from shared.contracts.event import Event, Recorded
from shared.eventstore.units import Committed, Conflict, KeyReused, Outcome, Repeated, Unit

Encoded = tuple[str, bytes]
"""An event's id and its sealed data: made before the lock is taken, since both are slow to make."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A unit, and its events in the order of its appends."""

    unit: Unit
    events: Sequence[Encoded]


class Numbering:
    """Gives places to units one after the other, as they would stand had each committed alone."""

    def __init__(
        self,
        head: int,
        versions: dict[str, int],
        school_positions: dict[str, int],
        known: dict[tuple[str, str], tuple[bytes, Any]],
        seen: dict[str, int],
        time: datetime,
    ) -> None:
        self.head = head
        self.school_positions = school_positions
        self._versions = versions
        self._known = known
        self.seen = seen
        self._time = time

    def take(self, sealed: Sealed) -> Outcome:
        unit = sealed.unit
        key = unit.idempotency
        if key is not None and (stored := self._known.get((key.scope, key.key))) is not None:
            fingerprint, result = stored
            return Repeated(result) if fingerprint == key.fingerprint else KeyReused(key.scope, key.key)
        versions: dict[str, int] = {}
        for append in unit.appends:
            actual = versions.get(append.stream, self._versions[append.stream])
            if actual != append.expected:
                return Conflict(append.stream, append.expected, actual)
            versions[append.stream] = actual + len(append.events)
        ready = iter(sealed.events)
        recorded = tuple(
            self._record(unit, append.stream, version, event, *next(ready))
            for append in unit.appends
            for version, event in enumerate(append.events, append.expected + 1)
        )
        self._versions.update(versions)
        if key is not None:
            self._known[key.scope, key.key] = (key.fingerprint, dict(unit.result))
        return Committed(recorded, unit.result)

    def _record(
        self, unit: Unit, stream: str, version: int, event: Event, event_id: str, data: bytes
    ) -> Recorded[Event]:
        self.head += 1
        school_position = self.school_positions[unit.school] = self.school_positions[unit.school] + 1
        place = Place(
            event_id, stream, version, self.head, unit.school, school_position, self._time, self.seen
        )
        return encode(event, data, place, unit.context)
