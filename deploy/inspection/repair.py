"""Makes a stream anew that holds what its store does not; the relay then publishes the store's bytes again, under
the same numbers (DESIGN 4). Cursors stay as they are, but those that had passed a foreign message."""

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson
from nats.aio.client import Client

from deploy.engines import nats_streams
from deploy.engines.nats_keys import SeedFolder
from deploy.environment import SERVICES, Wiring
from deploy.inspection.comparison import Comparison, compare
from deploy.inspection.snapshots import SQL, Look
from shared.messaging.streams import Message, Stream, StreamMissing

KEPT_IN = "bus-repairs"
_POLL = 0.2
_STILL_DIGESTING = 3.0
"""Seconds that a reader may need for what it had in its hands."""
Progress = Callable[[str], None]


class CannotRepair(Exception):
    """The message says what the operator must do instead, or first."""


@dataclass(frozen=True, slots=True)
class Damage:
    """A stream that differs from its store from `comparison.first` on. `passed`: the services that had read that
    position, and how far they had read."""

    comparison: Comparison
    passed: Mapping[str, int]

    @property
    def first(self) -> int:
        assert self.comparison.first is not None
        return self.comparison.first


@dataclass(slots=True)
class Repaired:
    """`kept`: the file with what was taken out of the stream; `behind`: what the relay has not published again."""

    stream: str
    entries: int
    kept: Path
    behind: int = 0
    set_back: list[str] = field(default_factory=list)


async def damages(wiring: Wiring) -> list[Damage]:
    """Every stream compared with its store, byte for byte. A stream that is only behind is the relay's to heal.

    Errors: those of NATS and asyncpg.
    """
    async with AsyncExitStack() as stack:
        look = Look(wiring, stack)
        found = []
        for service in SERVICES:
            one = await compare(await look.live(service), await look.client(service), service, patience=0)
            if one.first is not None:
                found.append(Damage(one, await _passed(look, service, one.first)))
        return found


async def repair(wiring: Wiring, damage: Damage, progress: Progress, *, patience: float = 30.0) -> Repaired:
    """Keep what is foreign in a file, make the stream anew, wait for the relay, compare everything again.

    The relay gets `patience` seconds at a time to move on. Errors: CannotRepair; EngineError when the bus refuses.
    """
    seeds = administrators(wiring)
    service, name = damage.comparison.service, damage.comparison.name
    async with AsyncExitStack() as stack:
        look = Look(wiring, stack)
        store, client = await look.live(service), await look.client(service)
        replicas = await _replicas(client, name)
        kept = await _keep(wiring, look, service)
        progress(f"what is foreign in {name} is kept in {kept}")
        await nats_streams.wipe(wiring.nats_url, seeds, name)
        # Now that there is no stream nobody reads on: who had passed the foreign message goes back to before it.
        set_back = await _set_back(look, service, damage.first)
        done = Repaired(name, damage.comparison.head, kept, set_back=set_back)
        await nats_streams.provision(wiring.nats_url, seeds, replicas)
        progress(f"the stream {name} is made anew; {service} publishes its history again")
        await _published_again(look, service, done, progress, patience)
        after = await compare(store, client, service, patience=patience)
        if after.first is not None:
            raise CannotRepair(f"the stream {name} differs again, at {after.first}: who else writes to it?")
        done.behind, done.entries = after.behind, after.head
        return done


def administrators(wiring: Wiring) -> SeedFolder:
    """The keys of the streams' provisioners, who alone may delete. Errors: CannotRepair."""
    if wiring.bus is not None:
        return wiring.bus.seeds
    folder = wiring.settings.data / "nats" / "seeds"
    missing = [f"{s}_admin.nk" for s in SERVICES if not (folder / f"{s}_admin.nk").exists()]
    if missing:
        raise CannotRepair(
            "the bus is not the embedded one, and only its provisioners may make a stream anew: put their keys "
            f"({', '.join(missing)}) into {folder} for as long as this takes, and repeat"
        )
    return SeedFolder(folder)


async def _passed(look: Look, source: str, first: int) -> dict[str, int]:
    """How far they had read; who has not come to the first difference is not concerned."""
    found = {}
    for service in SERVICES:
        store = await look.live(service)
        cursors = {row["source"]: int(row["position"]) for row in await store.fetch(SQL("cursors"))}
        if cursors.get(source, 0) >= first:
            found[service] = cursors[source]
    return found


async def _set_back(look: Look, source: str, first: int) -> list[str]:
    """Whoever has passed the first difference, or comes to pass it with what was fetched before the stream was gone."""
    found = set()
    until = time.monotonic() + _STILL_DIGESTING
    while time.monotonic() < until:
        for service in await _passed(look, source, first):
            if await (await look.live(service)).fetchval(SQL("set_cursor_back"), source, first - 1):
                found.add(service)
        await asyncio.sleep(_POLL)
    return [service for service in SERVICES if service in found]


async def _keep(wiring: Wiring, look: Look, service: str) -> Path:
    """Evidence, and the only copy of what a database restored from an old backup may have lost."""
    folder = wiring.settings.data / KEPT_IN
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{service}.jsonl"
    with path.open("xb") as file:
        path.chmod(0o600)

        def keep(message: Message) -> None:
            told = {"sequence": message.sequence, "subject": message.subject}
            file.write(orjson.dumps(told | {"data": b64encode(message.data).decode()}) + b"\n")

        await compare(await look.live(service), await look.client(service), service, foreign=keep, patience=0)
    return path


async def _replicas(client: Client, name: str) -> int:
    """On how many servers the stream is kept, so that the new one is on as many."""
    told = json.loads((await client.request(f"$JS.API.STREAM.INFO.{name}", b"", timeout=5)).data)
    return int(told.get("config", {}).get("num_replicas", 1))


async def _published_again(
    look: Look, service: str, done: Repaired, progress: Progress, patience: float
) -> None:
    """Until the stream has come to where the store was, as long as it moves."""
    stream, client = Stream(done.stream, foreign=False), await look.client(service)
    moved, last = time.monotonic(), 0
    while last < done.entries:
        await asyncio.sleep(_POLL)
        try:
            now = await stream.last_sequence(client)
        except StreamMissing:
            now = 0
        if now != last:
            moved, last = time.monotonic(), now
            progress(f"{last} of {done.entries}")
        elif time.monotonic() - moved > patience:
            raise CannotRepair(
                f"the stream {done.stream} stands at {last} of {done.entries}: start {service}, which publishes the rest"
            )
