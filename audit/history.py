"""The three histories as an auditor reads them: entries as they were written, merged by cause, then by time.

Nothing personal is opened here: names stay sealed, ids tell the story (DESIGN 3, S5).
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from nats.aio.client import Client

from shared.contracts.entry import parse
from shared.contracts.event import SERVICES, parse_seen
from shared.messaging.streams import Stream

_BATCH = 500
_MAX_BYTES = 1 << 20


class BrokenHistory(Exception):
    """An entry is missing, doubled or out of place: the message says which."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of history. `data` holds ids, times and enumerations; personal parts are sealed boxes."""

    service: str
    position: int
    raw: bytes
    envelope: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.envelope["id"])

    @property
    def name(self) -> str:
        return str(self.envelope["type"]).split(".")[2]

    @property
    def time(self) -> datetime:
        return datetime.fromisoformat(self.envelope["time"])

    @property
    def school(self) -> str:
        return str(self.envelope["school"])

    @property
    def actor(self) -> str:
        return str(self.envelope["actor"])

    @property
    def cause(self) -> str | None:
        return self.envelope.get("causationid")

    @property
    def data(self) -> Mapping[str, Any]:
        data: Mapping[str, Any] = self.envelope["data"]
        return data

    @property
    def seen(self) -> dict[str, int]:
        return parse_seen(self.envelope.get("seen", ""))


class Source(Protocol):
    """Where a service's entries come from, in the order of their positions.

    `live`: the history goes on while it is read, so at its end a consequence may be there before its cause.
    """

    @property
    def live(self) -> bool: ...

    def read(self, service: str) -> AsyncIterator[bytes]: ...


class StreamSource:
    """The streams on the bus, read with the auditor's own account."""

    live = True

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(self, service: str) -> AsyncIterator[bytes]:
        stream = Stream(service.upper(), foreign=True)
        end = await stream.last_sequence(self._client)
        position = 0
        while position < end:
            fetched = await stream.fetch(self._client, position, _BATCH, _MAX_BYTES)
            if not fetched.messages:
                raise BrokenHistory(
                    f"the stream {stream.name} says that it has {end}, but ends at {position}"
                )
            for message in fetched.messages:
                if message.sequence <= end:
                    yield message.data
            position = fetched.messages[-1].sequence


class BundleSource:
    """A folder that `custode audit export` wrote: a file a service, an entry a line. Needs nothing that runs."""

    live = False

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def read(self, service: str) -> AsyncIterator[bytes]:
        for line in _lines(self._folder / f"{service}.jsonl"):
            yield line


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        for line in file:
            yield line.rstrip(b"\n")


async def checked(source: Source, service: str) -> AsyncIterator[Entry]:
    """The entries of one service; `BrokenHistory` where a position does not follow on or is not its own."""
    expected = 1
    async for raw in source.read(service):
        envelope = parse(raw)
        if envelope.get("source") != f"/{service}" or envelope.get("sequence") != str(expected):
            raise BrokenHistory(
                f"{service}: entry {expected} is missing or out of place: {envelope.get('sequence')} stands there"
            )
        yield Entry(service, expected, raw, envelope)
        expected += 1


async def merged(source: Source, until: datetime | None = None) -> AsyncIterator[Entry]:
    """All three histories as one: never an event before one that its writer had seen, else by time.

    Memory is constant: one entry a service. With `until`, the history as it stood at that moment. A live history ends
    with the last entry whose causes are all there; of any other, `BrokenHistory` says that causes are missing.
    """
    histories = {service: checked(source, service) for service in SERVICES}
    waiting: dict[str, Entry] = {}
    passed = dict.fromkeys(SERVICES, 0)
    cut: set[str] = set()

    async def advance(service: str) -> None:
        entry = await anext(histories[service], None)
        waiting.pop(service, None)
        if entry is not None and until is not None and entry.time > until:
            cut.add(service)
        elif entry is not None:
            waiting[service] = entry

    def has_passed(other: str, position: int) -> bool:
        """Beyond `until` nothing is waited for; beyond an end, something is missing."""
        return passed[other] >= position or other in cut

    for service in SERVICES:
        await advance(service)
    while waiting:
        ready = [
            entry
            for entry in waiting.values()
            if all(has_passed(other, position) for other, position in entry.seen.items())
        ]
        if not ready and source.live:
            return
        if not ready:
            raise BrokenHistory("one of the histories is not complete: causes are missing")
        entry = min(ready, key=lambda e: (e.time, SERVICES.index(e.service)))
        yield entry
        passed[entry.service] = entry.position
        await advance(entry.service)
