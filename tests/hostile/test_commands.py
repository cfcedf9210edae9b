"""Every hostile string in every place of a command on the bus: carried out, or put aside with a reason (S3).

The queue goes on behind each, and no reason repeats what stood in the message.
"""

import asyncio
from typing import Any

import orjson
import pytest
from nats.aio.client import Client

from deploy.engines import NatsEngine
from services.registry.operations import Registry
from shared.contracts.registry import StudentEnrolled
from tests.hostile.strings import BYTES, HOSTILE
from tests.integration.ingress_fixtures import bus, command, emptied, reopen, school_system
from tests.integration.registry_fixtures import (
    SCHOOL,
    OpenRegistry,
    events_of,
    kek_file,
    registry_settings,
)

__all__ = ["bus", "kek_file", "registry_settings", "reopen"]

PLACES: tuple[tuple[str, ...], ...] = (
    ("id",),
    ("source",),
    ("command",),
    ("data",),
    ("data", "school"),
    ("data", "source"),
    ("data", "school_year"),
    ("data", "class"),
    ("data", "class", "id"),
    ("data", "class", "section"),
    ("data", "pupil", "id"),
    ("data", "pupil", "given_name"),
    ("data", "guardians"),
    ("data", "unknown"),
)
SHAPES: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"{",
    "null": b"null",
    "a list": b"[]",
    "a number without end": b'{"id": 1e999}',
    "an integer beyond 64 bits": b'{"id": 99999999999999999999999999}',
    "a thousand lists": b"[" * 1_000 + b"]" * 1_000,
    "ten thousand lists": b"[" * 10_000,
    "the same key twice": b'{"id": "a", "id": "b"}',
    "an escaped lone surrogate": b'{"id": "\\ud800"}',
    "a field named NUL": b'{"\\u0000": 1, "id": "n"}',
    **{f"bytes: {name}": b'{"id": "' + text + b'"}' for name, text in BYTES.items()},
}


def with_text(n: int, place: tuple[str, ...], text: str) -> bytes | None:
    """A command of its own with `text` in that place; None for what JSON cannot carry."""
    said: dict[str, Any] = orjson.loads(command(f"h{n}", f"p{n}"))
    inner = said
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = text
    try:
        return orjson.dumps(said)
    except TypeError:
        return None


async def publish(system: Client, payloads: list[bytes]) -> None:
    for at in range(0, len(payloads), 100):
        await asyncio.gather(
            *(
                system.request(f"ingress.{SCHOOL}.cmd", payload, timeout=10)
                for payload in payloads[at : at + 100]
            )
        )


async def outcome(registry: Registry, engine: NatsEngine, payloads: list[bytes]) -> tuple[int, list[Any]]:
    """How many were carried out, a last one that is in order among them, and what was put aside."""
    async with school_system(engine) as system:
        await publish(system, [*payloads, command("last", "last")])
    await emptied(engine)
    carried_out = await registry.runtime.pool.fetchval("select count(*) from events.idempotency")
    assert any(
        isinstance(event, StudentEnrolled)
        and event.details.value
        and event.details.value.given_name == "Anna last"
        for event in await events_of(registry)
    )
    return carried_out, await registry.quarantined()


@pytest.mark.parametrize("place", PLACES, ids="/".join)
async def test_no_text_stops_the_queue(reopen: OpenRegistry, bus: NatsEngine, place: tuple[str, ...]) -> None:
    texts = [with_text(n, place, text) for n, text in enumerate(HOSTILE.values())]
    payloads = [payload for payload in texts if payload is not None]
    async with reopen() as registry:
        carried_out, aside = await outcome(registry, bus, payloads)
    assert carried_out + len(aside) == len(payloads) + 1
    for one in aside:
        assert one.reason.isprintable()
        assert "could not be carried out" not in one.reason
        assert not any(text in one.reason for text in HOSTILE.values() if len(text) > 4)
        assert one.message_id is None or one.message_id.isprintable()


async def test_no_shape_stops_the_queue(reopen: OpenRegistry, bus: NatsEngine) -> None:
    async with reopen() as registry:
        carried_out, aside = await outcome(registry, bus, list(SHAPES.values()))
    assert carried_out == 1
    assert len(aside) == len(SHAPES)
    assert all("could not be carried out" not in one.reason for one in aside)
