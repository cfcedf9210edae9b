"""The story of one credential: every event that concerns it, and every event that caused one of these."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from audit.history import Entry, Source, merged

_NAMES_A_HOLDER = ("account", "holder", "student", "guardian", "credential", "delivery")
_LEADS_ON = {"account", "holder", "credential", "delivery"}


class NothingFound(Exception):
    def __init__(self) -> None:
        super().__init__("no event concerns this id: look it up on the desk's page, or with `--school`")


async def story(source: Source, start: str, until: datetime | None = None) -> list[Entry]:
    """The entries about `start` (an account, holder, credential or delivery id), in causal order.

    Ids lead on: from a holder to the account, from the account to its credentials and deliveries. What caused an
    entry belongs to the story too, back to its first cause.
    """
    wanted = {start}
    index: dict[str, _Seen] = {}
    async for entry in merged(source, until):
        ids = _ids(entry)
        index[entry.id] = _Seen(frozenset(ids.values()), entry.cause)
        if wanted & set(ids.values()):
            wanted |= {value for name, value in ids.items() if name in _LEADS_ON}
    # What came before the id that led to it was known belongs to it too, and the causes of all that.
    chosen = {entry_id for entry_id, seen in index.items() if wanted & seen.ids}
    if not chosen:
        raise NothingFound
    for entry_id in list(chosen):
        cause = index[entry_id].cause
        while cause is not None and cause in index and cause not in chosen:
            chosen.add(cause)
            cause = index[cause].cause
    return [entry async for entry in merged(source, until) if entry.id in chosen]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the first pass keeps of an entry."""

    ids: frozenset[str]
    cause: str | None


async def of_school(source: Source, school: str, until: datetime | None = None) -> AsyncIterator[Entry]:
    """A school's whole history; `BrokenHistory` where its own numbering shows a gap is the verifier's matter."""
    async for entry in merged(source, until):
        if entry.school == school:
            yield entry


def _ids(entry: Entry) -> Mapping[str, str]:
    return {
        name: value for name in _NAMES_A_HOLDER if isinstance(value := entry.data.get(name), str) and value
    }


def causes(entries: Iterable[Entry]) -> dict[str, str]:
    """For each entry's id, what caused it: `StudentEnrolled (registry:12)`."""
    places = {entry.id: f"{entry.name} ({entry.service}:{entry.position})" for entry in entries}
    return {
        entry.id: places.get(entry.cause, "an earlier event") for entry in entries if entry.cause is not None
    }
