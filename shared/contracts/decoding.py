"""Entries to typed events, personal parts opened (DESIGN 3, 6): of the bytes, only what is asked for is read.

`encode` writes the data last, and no JSON string holds a quotation mark as it is: so `,"data":` ends the envelope,
and what stands before it is read by `Recorded` when somebody asks. The event itself is always validated.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

import orjson

from shared.contracts.entry import Sealer, type_in
from shared.contracts.event import (
    DATA,
    Event,
    PersonalData,
    Recorded,
    contract_of,
    personal_fields,
    seen_said,
)
from shared.contracts.upcasters import superseded, upcast

_ID_AT = len('{"specversion":"1.0","id":"')


class Unopened(NamedTuple):
    """An entry of which so much is read as tells the keys that opening it needs. `data`: JSON where it has none."""

    entry: bytes
    contract: "_Contract"
    data: bytes | dict[str, Any]


class _Contract(NamedTuple):
    """What decoding asks of a contract, found once a type. `validate`: the core of `model_validate`."""

    validate: Callable[[object], Event]
    validate_json: Callable[[bytes], Event]
    personal: tuple[tuple[str, bytes, Callable[[bytes], PersonalData]], ...]
    """Of each personal part the field, what its box is bound to after the event's id, how its content is read."""
    superseded: bool


@cache
def _contract(type_name: bytes) -> _Contract:
    event_class = contract_of(type_name.decode())
    return _Contract(
        event_class.__pydantic_validator__.validate_python,
        event_class.__pydantic_validator__.validate_json,
        tuple(
            (name, f"/{name}".encode(), content.__pydantic_validator__.validate_json)
            for name, content in personal_fields(event_class)
        ),
        event_class in superseded(),
    )


def unopened(entry: bytes) -> Unopened:
    """`ValueError` for what is no entry as it is encoded here, `UnknownContract` for one of a later release."""
    contract = _contract(type_in(entry))
    data = entry[entry.index(DATA) + len(DATA) : -1]
    return Unopened(entry, contract, orjson.loads(data) if contract.personal else data)


def position_in(entry: bytes) -> int:
    """The entry's place in its service's history; nothing else is read."""
    start = entry.index(_SEQUENCE) + len(_SEQUENCE)
    return int(entry[start : entry.index(b'"', start)])


def seen_in(entry: bytes) -> Mapping[str, int]:
    """How far its writer had read the others; nothing else is read."""
    start = entry.find(_SEEN, 0, entry.index(DATA))
    if start < 0:
        return _NOTHING_SEEN
    start += len(_SEEN)
    return seen_said(entry[start : entry.index(b'"', start)].decode())


_SEQUENCE = b',"sequence":"'
_SEEN = b',"seen":"'
_NOTHING_SEEN: Mapping[str, int] = {}


def sealed_keys(page: Iterable[Unopened]) -> list[str]:
    """The ids of the keys that opening these will need, some more than once."""
    return [
        box["key"]
        for _, contract, data in page
        if isinstance(data, dict)
        for name, _, _ in contract.personal
        if (box := data.get(name)) is not None
    ]


def decode(entry: bytes, sealer: Sealer) -> Recorded[Event]:
    return opened(unopened(entry), sealer)


def opened(found: Unopened, sealer: Sealer) -> Recorded[Event]:
    """The typed event, its personal parts opened and brought up to the newest version of its contract."""
    entry, contract, data = found
    if isinstance(data, bytes):
        event = contract.validate_json(data)
    else:
        event_id = entry[_ID_AT : entry.index(b'"', _ID_AT)]
        for name, bound_to, validate_json in contract.personal:
            box = data.get(name)
            if box is not None:
                plain = sealer.open(box, event_id + bound_to)
                value = None if plain is None else validate_json(plain)
                data[name] = {"person": box["person"], "value": value}
        event = contract.validate(data)
    return Recorded.read(upcast(event) if contract.superseded else event, entry)
