"""The one byte string that is the event everywhere: encoded once, never re-serialised (DESIGN 1 rule 4, 3).

A CloudEvents 1.0 JSON object in structured mode. Numbers in extensions are strings, as CloudEvents wants.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple, Protocol

import orjson

from shared.contracts import identity, notifications, registry  # noqa: F401  (they register their contracts)
from shared.contracts.event import Context, Event, Recorded, contract_of, personal_fields
from shared.contracts.upcasters import superseded, upcast

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


def encode(event: Event, data: bytes, place: Place, context: Context) -> Recorded[Event]:
    """The event as recorded, with its entry of at most 65,535 bytes; `EntryTooLarge` otherwise."""
    source, type_name = _names(type(event))
    seen = place.seen and ",".join(
        f"{s}:{position}" for s, position in sorted(place.seen.items()) if position
    )
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": place.id,
        "source": source,
        "type": type_name,
        "subject": place.stream,
        "time": _time_text(place.time),
        "datacontenttype": "application/json",
        "school": place.school,
        "sequence": str(place.position),
        "schoolsequence": str(place.school_position),
        "streamversion": str(place.stream_version),
        "actor": context.actor,
        "correlationid": context.correlation,
    }
    if context.causation is not None:
        envelope["causationid"] = context.causation
    if seen:
        envelope["seen"] = seen
    if context.traceparent is not None:
        envelope["traceparent"] = context.traceparent
    envelope["data"] = orjson.Fragment(data)
    entry = orjson.dumps(envelope)
    if len(entry) > MAX_ENTRY:
        raise EntryTooLarge(type_name, len(entry))
    return Recorded(
        event=event,
        entry=entry,
        id=place.id,
        service=event.service,
        stream=place.stream,
        stream_version=place.stream_version,
        position=place.position,
        school=place.school,
        school_position=place.school_position,
        time=place.time,
        actor=context.actor,
        correlation=context.correlation,
        causation=context.causation,
        seen=dict(place.seen),
        traceparent=context.traceparent,
    )


@cache
def _names(event_class: type[Event]) -> tuple[str, str]:
    return f"/{event_class.service}", event_class.type_name()


@lru_cache(maxsize=16)
def _time_text(time: datetime) -> str:
    """A commit has one time for all its events."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def sealed_keys(entries: Iterable[Mapping[str, Any]]) -> set[str]:
    """The ids of the keys that opening these parsed entries will need."""
    keys: set[str] = set()
    for envelope in entries:
        for name in _contract(envelope["type"]).personal:
            box = envelope["data"].get(name)
            if box is not None:
                keys.add(box["key"])
    return keys


def parse(entry: bytes) -> dict[str, Any]:
    """The envelope as it stands; nothing is opened."""
    envelope = orjson.loads(entry)
    if not isinstance(envelope, dict) or envelope.get("specversion") != "1.0":
        raise ValueError("not a CloudEvents 1.0 entry")
    return envelope


def decode(entry: bytes, envelope: Mapping[str, Any], sealer: Sealer) -> Recorded[Event]:
    """The typed event, its personal parts opened and brought up to the newest version of its contract."""
    contract = _contract(envelope["type"])
    data = envelope["data"]
    event_id = envelope["id"]
    if contract.personal:
        data = dict(data)
        for name in contract.personal:
            box = data.get(name)
            if box is not None:
                plain = sealer.open(box, _bound_to(event_id, name))
                value = None if plain is None else orjson.loads(plain)
                data[name] = {"person": box["person"], "value": value}
    event = contract.validate(data)
    return Recorded(
        upcast(event) if contract.superseded else event,
        entry,
        event_id,
        envelope["source"][1:],
        envelope["subject"],
        int(envelope["streamversion"]),
        int(envelope["sequence"]),
        envelope["school"],
        int(envelope["schoolsequence"]),
        datetime.fromisoformat(envelope["time"]),
        envelope["actor"],
        envelope["correlationid"],
        envelope.get("causationid"),
        _seen(envelope.get("seen", "")),
        envelope.get("traceparent"),
    )


class _Contract(NamedTuple):
    """What decoding asks of a contract, found once a type. `validate`: the core of `model_validate`."""

    validate: Callable[[object], Event]
    personal: tuple[str, ...]
    superseded: bool


@cache
def _contract(type_name: str) -> _Contract:
    event_class = contract_of(type_name)
    return _Contract(
        event_class.__pydantic_validator__.validate_python,
        tuple(name for name, _ in personal_fields(event_class)),
        event_class in superseded(),
    )


def parse_seen(text: str) -> dict[str, int]:
    """`registry:100,identity:7` as a mapping."""
    pairs = (part.split(":", 1) for part in text.split(",") if part)
    return {source: int(position) for source, position in pairs}


_seen: Callable[[str], Mapping[str, int]] = lru_cache(maxsize=64)(parse_seen)
"""Neighbours have seen the same: parsed once, shared, never changed."""


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


Clock = Callable[[], datetime]
