"""Positions without gaps, given out under the head lock (DESIGN 1 rule 3)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.contracts.entry import Sealer, Surroundings, encode_data, opening
from shared.contracts.event import Context, Event, Recorded
from shared.eventstore.units import Committed, Conflict, KeyReused, Outcome, Repeated, Unit
from shared.ids import new_id

Encoded = tuple[str, bytes, bytes]
"""An event's id, the opening of its entry and its sealed data: all that needs no place in history."""


def encoded(event: Event, stream: str, keys: Sealer) -> Encoded:
    event_id = new_id()
    return event_id, opening(type(event), event_id, stream), encode_data(event, event_id, keys)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A unit, and its events in the order of its appends; of one that is encoded only when it gets its place, its keys."""

    unit: Unit
    events: list[Encoded | Sealer]


_FEW = 25


def encode_more(sealed: Sequence[Sealed]) -> Iterator[int]:
    """Encodes what is not yet, a few events a step."""
    done = 0
    for one in sealed:
        placed = ((event, append.stream) for append in one.unit.appends for event in append.events)
        for n, (event, stream) in enumerate(placed):
            keys = one.events[n]
            if not isinstance(keys, tuple):
                if done % _FEW == 0:
                    yield done
                one.events[n] = encoded(event, stream, keys)
                done += 1


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
        refused = self.refused(sealed.unit)
        return Committed(tuple(self.placed(sealed)), sealed.unit.result) if refused is None else refused

    def refused(self, unit: Unit) -> Repeated | KeyReused | Conflict | None:
        """Why it cannot have places. None: its streams and its key are its own from here on, and `placed` is next."""
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
        self._versions.update(versions)
        if key is not None:
            self._known[key.scope, key.key] = (key.fingerprint, dict(unit.result))
        return None

    def placed(self, sealed: Sealed) -> Iterator[Recorded[Event]]:
        """Its events, each with its place. Raises `EntryTooLarge`: the numbers are of no use then."""
        unit = sealed.unit
        if not unit.appends:
            return
        record = self._surroundings(unit.school, unit.context).record
        position, school_position = self.head, self.school_positions[unit.school]
        ready = iter(sealed.events)
        for append in unit.appends:
            stream, version = append.stream, append.expected
            for event in append.events:
                version += 1
                position += 1
                school_position += 1
                made = next(ready)
                event_id, first, data = made if isinstance(made, tuple) else encoded(event, stream, made)
                yield record(event, event_id, first, data, stream, version, position, school_position)
        self.head, self.school_positions[unit.school] = position, school_position

    def _surroundings(self, school: str, context: Context) -> Surroundings:
        """Neighbours mostly have one school and one context."""
        around = self._around
        if around is None or around[0] != school or around[1] is not context:
            around = self._around = (school, context, Surroundings(school, context, self._time, self.seen))
        return around[2]
