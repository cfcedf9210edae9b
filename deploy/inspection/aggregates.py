"""The aggregates of one category, each with its whole history, a few hundred at a time: memory stays constant."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from deploy.inspection.snapshots import Snapshot

_AT_ONCE = 500
UNREADABLE = (KeyError, IndexError, TypeError, AttributeError, ValueError)
"""What an entry raises that is not of its type's shape."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One event as it stands; nothing of it is opened."""

    name: str
    position: int
    school: str
    time: datetime
    data: Mapping[str, Any]


@dataclass(slots=True)
class Aggregate:
    """`id` is the stream's, without its category."""

    id: str
    facts: list[Fact] = field(default_factory=list)


async def aggregates(snapshot: Snapshot, category: str) -> AsyncIterator[list[Aggregate]]:
    """All of a category in the order of their ids; an entry that cannot be read is another invariant's matter."""
    some: list[Aggregate] = []
    async for batch in snapshot.rows("aggregates", f"{category}/%"):
        for row in batch:
            named = row["stream"].split("/", 1)[1]
            if not some or some[-1].id != named:
                if len(some) >= _AT_ONCE:
                    yield some
                    some = []
                some.append(Aggregate(named))
            if (fact := _fact(row["position"], row["school"], row["entry"])) is not None:
                some[-1].facts.append(fact)
    if some:
        yield some


def _fact(position: int, school: str, entry: bytes) -> Fact | None:
    try:
        envelope = orjson.loads(entry)
        name = envelope["type"].split(".")[2]
        return Fact(name, position, school, datetime.fromisoformat(envelope["time"]), envelope["data"])
    except UNREADABLE:
        return None
