"""The published language: JSON Schema for every contract, AsyncAPI 3 for the whole (S2).

A contract that was published is frozen: `write` refuses a changed one, because a change needs a new version.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

import shared.contracts.entry  # noqa: F401  (importing it registers every contract)
from shared.contracts.event import SERVICES, Event, contracts, personal_fields
from shared.contracts.upcasters import superseded

PUBLISHED = Path(__file__).parent / "published"
ASYNCAPI = "asyncapi.json"
_SEALED = {
    "type": "object",
    "description": "AES-256-GCM under a key of the person and purpose, bound to event id and field.",
    "properties": {
        "person": {"type": "string"},
        "purpose": {"type": "string"},
        "key": {"type": "string", "format": "uuid"},
        "sealed": {"type": "string", "contentEncoding": "base64url"},
    },
    "required": ["person", "purpose", "key", "sealed"],
    "additionalProperties": False,
}
_ENVELOPE = {
    "specversion": {"const": "1.0"},
    "id": {"type": "string", "format": "uuid", "description": "UUIDv7"},
    "source": {"type": "string", "description": "the service, e.g. /registry"},
    "subject": {"type": "string", "description": "the stream, e.g. student/<opaque id>"},
    "time": {"type": "string", "format": "date-time"},
    "datacontenttype": {"const": "application/json"},
    "school": {"type": "string", "description": "codice meccanografico, or INSTANCE"},
    "sequence": {"type": "string", "description": "position in the service's history, from 1, without gaps"},
    "schoolsequence": {"type": "string", "description": "position in the school's part of it"},
    "streamversion": {"type": "string"},
    "actor": {"type": "string", "description": "opaque: who acted"},
    "correlationid": {"type": "string"},
    "causationid": {"type": "string", "description": "id of the event that caused this one"},
    "seen": {
        "type": "string",
        "description": "how far the writer had read the others: registry:100,identity:7",
    },
    "traceparent": {"type": "string", "description": "W3C Trace Context"},
}
_OPTIONAL = {"causationid", "seen", "traceparent"}


class ContractChanged(Exception):
    def __init__(self, names: list[str]) -> None:
        super().__init__(
            f"changed without a new version: {', '.join(names)}. What was published is frozen; write a class with "
            "the next `version`, and an upcaster from the old one"
        )
        self.names = names


@dataclass(frozen=True, slots=True)
class Difference:
    changed: list[str]
    unpublished: list[str]
    vanished: list[str]


def schema_of(event_class: type[Event]) -> dict[str, Any]:
    """JSON Schema (2020-12) of the `data` of an event as it stands in an entry: personal parts are sealed boxes,
    what they hold is described beside them under `x-personal`.
    """
    schema = event_class.model_json_schema(mode="serialization")
    definitions = schema.get("$defs", {})
    for name, content in personal_fields(event_class):
        field = schema["properties"][name]
        optional = any(part.get("type") == "null" for part in field.get("anyOf", ()))
        sealed = {**_SEALED, "x-personal": content.model_json_schema(mode="serialization")}
        schema["properties"][name] = {"anyOf": [sealed, {"type": "null"}]} if optional else sealed
    schema["$defs"] = {n: d for n, d in definitions.items() if f"#/$defs/{n}" in str(schema["properties"])}
    # A definition may itself refer to others, which are kept as well.
    for _ in definitions:
        kept = str(schema["properties"]) + str(schema["$defs"])
        schema["$defs"] = {n: d for n, d in definitions.items() if f"#/$defs/{n}'" in kept}
    if not schema["$defs"]:
        del schema["$defs"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": event_class.type_name(),
        **schema,
    }


def schemas() -> dict[str, dict[str, Any]]:
    return {name: schema_of(event_class) for name, event_class in sorted(contracts().items())}


def asyncapi() -> dict[str, Any]:
    """AsyncAPI 3.0: a channel per service, a message per contract; the payload is the whole CloudEvent."""
    written = superseded()
    messages = {name: _message(name, event_class) for name, event_class in sorted(contracts().items())}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Custode",
            "version": "1",
            "description": "What the services of Custode tell each other, over NATS JetStream. The sequence of a "
            "message in its stream is the position of the event in its service's history.",
            "license": {"name": "EUPL-1.2"},
        },
        "channels": {
            service: {
                "address": f"{service}.evt.{{school}}.{{category}}.{{event}}",
                "description": f"The stream {service.upper()}.",
                "parameters": {
                    "school": {"description": "codice meccanografico, or INSTANCE"},
                    "category": {"description": "kind of stream, e.g. student"},
                    "event": {"description": "name of the event"},
                },
                "messages": {
                    name: {"$ref": f"#/components/messages/{name}"}
                    for name, event_class in sorted(contracts().items())
                    if event_class.service == service
                },
            }
            for service in SERVICES
        },
        "operations": {
            f"publish_{service}": {
                "action": "send",
                "channel": {"$ref": f"#/channels/{service}"},
                "messages": [
                    {"$ref": f"#/channels/{service}/messages/{name}"}
                    for name, event_class in sorted(contracts().items())
                    if event_class.service == service and event_class not in written
                ],
            }
            for service in SERVICES
        },
        "components": {"messages": messages},
    }


def _message(name: str, event_class: type[Event]) -> dict[str, Any]:
    return {
        "name": name,
        "title": event_class.contract_name(),
        "summary": (event_class.__doc__ or "").strip().split("\n")[0],
        "contentType": "application/cloudevents+json",
        "payload": {
            "type": "object",
            "properties": {**_ENVELOPE, "type": {"const": name}, "data": schema_of(event_class)},
            "required": [*(k for k in _ENVELOPE if k not in _OPTIONAL), "type", "data"],
        },
    }


def compare(folder: Path = PUBLISHED) -> Difference:
    """What the code says against what was published."""
    now = schemas()
    then = {
        path.name.removesuffix(".json"): orjson.loads(path.read_bytes())
        for path in folder.glob("custode.*.json")
    }
    return Difference(
        changed=sorted(n for n in now.keys() & then.keys() if now[n] != then[n]),
        unpublished=sorted(now.keys() - then.keys()),
        vanished=sorted(then.keys() - now.keys()),
    )


def write(folder: Path = PUBLISHED) -> list[str]:
    """Publish what is new; `ContractChanged` when something published changed or vanished. Returns the new names."""
    difference = compare(folder)
    if difference.changed or difference.vanished:
        raise ContractChanged([*difference.changed, *difference.vanished])
    folder.mkdir(parents=True, exist_ok=True)
    for name in difference.unpublished:
        (folder / f"{name}.json").write_bytes(_pretty(schema_of(contracts()[name])))
    (folder / ASYNCAPI).write_bytes(_pretty(asyncapi()))
    return difference.unpublished


def _pretty(document: dict[str, Any]) -> bytes:
    return orjson.dumps(
        document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
    )
