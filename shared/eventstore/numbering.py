"""Positions without gaps, given out under the head lock (DESIGN 1 rule 3)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.contracts.entry import Surroundings
from shared.contracts.event import Context, Event, Recorded
from shared.eventstore.units import Committed, Conflict, KeyReused, Outcome, Repeated, Unit

Encoded = tuple[str, bytes, bytes]
"""An event's id, the opening of its entry and its sealed data: made before the lock is taken, as they are slow to make."""


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
        self._around: tuple[str, Context, Surroundings] | None = None

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
        recorded = self._recorded(unit, iter(sealed.events)) if unit.appends else ()
        self._versions.update(versions)
        if key is not None:
            self._known[key.scope, key.key] = (key.fingerprint, dict(unit.result))
        return Committed(recorded, unit.result)

    def _recorded(self, unit: Unit, ready: Iterator[Encoded]) -> tuple[Recorded[Event], ...]:
        record = self._surroundings(unit.school, unit.context).record
        position, school_position = self.head, self.school_positions[unit.school]
        recorded = []
        for append in unit.appends:
            stream, version = append.stream, append.expected
            for event in append.events:
                version += 1
                position += 1
                school_position += 1
                event_id, first, data = next(ready)
                recorded.append(
                    record(event, event_id, first, data, stream, version, position, school_position)
                )
        self.head, self.school_positions[unit.school] = position, school_position
        return tuple(recorded)

    def _surroundings(self, school: str, context: Context) -> Surroundings:
        """Neighbours mostly have one school and one context."""
        around = self._around
        if around is None or around[0] != school or around[1] is not context:
            around = self._around = (school, context, Surroundings(school, context, self._time, self.seen))
        return around[2]
