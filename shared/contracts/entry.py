"""The one byte string that is the event everywhere: encoded once, never re-serialised (DESIGN 1 rule 4, 3).

A CloudEvents 1.0 JSON object in structured mode. Numbers in extensions are strings, as CloudEvents wants.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple, Protocol

import orjson

from shared.contracts import identity, notifications, registry  # noqa: F401  (they register their contracts)
from shared.contracts.event import Context, Event, Recorded, personal_fields

MAX_ENTRY = 65_535
"""Bytes an entry may have at most: the length must fit the Merkle log's two-byte prefix (DESIGN 3)."""


class EntryTooLarge(Exception):
    def __init__(self, type_name: str, size: int) -> None:
        super().__init__(f"{type_name} would take {size} bytes; an entry has at most {MAX_ENTRY}")


class Sealer(Protocol):
    """Seals and opens personal parts with keys that are already at hand: no I/O here."""

    def seal(self, person: str, purpose: str, plain: bytes, bound_to: bytes) -> dict[str, str]: ...

    def open(self, box: Mapping[str, str], bound_to: bytes) -> bytes | None:
        """The plain bytes, or None when the person's key has been destroyed."""
        ...


class Place(NamedTuple):
    """Where an event comes to stand: all that is known only inside the commit."""

    id: str
    stream: str
    stream_version: int
    position: int
    school: str
    school_position: int
    time: datetime
    seen: Mapping[str, int]


def personal_subjects(events: Iterable[Event]) -> set[tuple[str, str]]:
    """(person, purpose) of every personal part: the keys that encoding will need."""
    wanted: set[tuple[str, str]] = set()
    for event in events:
        for name, content in personal_fields(type(event)):
            part = getattr(event, name)
            if part is not None:
                wanted.add((part.person, content.purpose))
    return wanted


def encode_data(event: Event, event_id: str, sealer: Sealer) -> bytes:
    """The `data` of an entry: JSON with the personal parts sealed, bound to event id and field."""
    data = event.__pydantic_serializer__.to_python(event, mode="json")
    for name, content in personal_fields(type(event)):
        part = data[name]
        if part is not None:
            plain = orjson.dumps(part["value"])
            data[name] = sealer.seal(part["person"], content.purpose, plain, _bound_to(event_id, name))
    return orjson.dumps(data)


def opening(event_class: type[Event], event_id: str, stream: str) -> bytes:
    """The first bytes of an entry: all that is known of it before its commit, but the data."""
    return b'{"specversion":"1.0","id":%b,"source":%b,"subject":%b' % (
        orjson.dumps(event_id),
        _origin(event_class),
        orjson.dumps(stream),
    )


class Surroundings:
    """What the entries of one commit, school and context have in common, written once."""

    __slots__ = ("_after", "_before", "_context", "_school", "_seen", "_time")

    def __init__(self, school: str, context: Context, time: datetime, seen: Mapping[str, int]) -> None:
        self._school = school
        self._context = context
        self._time = time
        self._seen = dict(seen)
        place = orjson.dumps(
            {"time": _time_text(time), "datacontenttype": "application/json", "school": school}
        )
        self._before = b',%b,"sequence":"' % place[1:-1]
        said = {"actor": context.actor, "correlationid": context.correlation}
        if context.causation is not None:
            said["causationid"] = context.causation
        if text := ",".join(f"{source}:{position}" for source, position in sorted(seen.items()) if position):
            said["seen"] = text
        if context.traceparent is not None:
            said["traceparent"] = context.traceparent
        self._after = b'",%b,"data":' % orjson.dumps(said)[1:-1]

    def record(
        self,
        event: Event,
        event_id: str,
        first: bytes,
        data: bytes,
        stream: str,
        stream_version: int,
        position: int,
        school_position: int,
    ) -> Recorded[Event]:
        """The event with its entry: `first` is its `opening`. Raises `EntryTooLarge`."""
        entry = b'%b%b%d","schoolsequence":"%d","streamversion":"%d%b%b}' % (
            first,
            self._before,
            position,
            school_position,
            stream_version,
            self._after,
            data,
        )
        if len(entry) > MAX_ENTRY:
            raise EntryTooLarge(event.type_name(), len(entry))
        context = self._context
        return Recorded(
            event,
            entry,
            event_id,
            event.service,
            stream,
            stream_version,
            position,
            self._school,
            school_position,
            self._time,
            context.actor,
            context.correlation,
            context.causation,
            self._seen,
            context.traceparent,
        )


def encode(event: Event, data: bytes, place: Place, context: Context) -> Recorded[Event]:
    """The event as recorded, with its entry of at most 65,535 bytes; `EntryTooLarge` otherwise."""
    return Surroundings(place.school, context, place.time, place.seen).record(
        event,
        place.id,
        opening(type(event), place.id, place.stream),
        data,
        place.stream,
        place.stream_version,
        place.position,
        place.school_position,
    )


@cache
def _origin(event_class: type[Event]) -> bytes:
    source, name = orjson.dumps(f"/{event_class.service}"), orjson.dumps(event_class.type_name())
    return b'%b,"type":%b' % (source, name)


@lru_cache(maxsize=16)
def _time_text(time: datetime) -> str:
    """A commit has one time for all its events."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(entry: bytes) -> dict[str, Any]:
    """The envelope as it stands; nothing is opened."""
    envelope = orjson.loads(entry)
    if not isinstance(envelope, dict) or envelope.get("specversion") != "1.0":
        raise ValueError("not a CloudEvents 1.0 entry")
    return envelope


_ADDRESS = re.compile(
    rb'"source":"/([^"]*)","type":"[^".]*\.[^".]*\.([^".]*)\.v\d+","subject":"([^"/]*)/.*?"school":"([^"]*)"'
)
"""As `encode` writes them; and no JSON string holds a quotation mark as it is."""


def subject_of(entry: bytes) -> str:
    """The NATS subject, e.g. `registry.evt.RMIC8AB00X.student.StudentEnrolled`; nothing is parsed or opened."""
    found = _ADDRESS.search(entry)
    if found is None:
        raise ValueError("not an entry as it is encoded here")
    service, name, category, school = (part.decode() for part in found.groups())
    return f"{service}.evt.{school}.{category}.{name}"


def type_in(entry: bytes) -> bytes:
    """The CloudEvents type, e.g. `custode.registry.StudentEnrolled.v1`; nothing is parsed or opened."""
    start = entry.index(_TYPE) + len(_TYPE)
    return entry[start : entry.index(b'"', start)]


_TYPE = b'"type":"'
"""Its first place is that of the envelope: before it stand only an id and a source of ours."""


def _bound_to(event_id: str, field: str) -> bytes:
    return f"{event_id}/{field}".encode()
