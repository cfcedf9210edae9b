"""One walk through each history, as it stands in the database: every entry is parsed once and opened never."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from deploy.inspection.aggregates import UNREADABLE
from deploy.inspection.bloom import Bloom
from deploy.inspection.finding import Finding, Invariant, Outcome, Wrong, found
from deploy.inspection.snapshots import SQL, Look, Snapshot
from shared.contracts.event import parse_seen

_CAUSES_FIRST = ("registry", "identity", "notifications")
_MOST_SUSPECTS = 10_000
Envelope = Mapping[str, Any]


async def history(look: Look) -> list[Finding]:
    """Entries and their columns, what they had seen, what caused them, the keys that they name."""
    findings, causes = [], Causes()
    for service in _CAUSES_FIRST:
        if (snapshot := look.snapshots.get(service)) is None:
            continue
        keys = Keys(await _keyring(look, service))
        numbers, seen = OwnNumbers(snapshot), Seen(snapshot, look.heads)
        async for batch in snapshot.rows("entries"):
            for row in batch:
                envelope = numbers.take(row)
                if envelope is not None:
                    seen.take(row["position"], envelope)
                    causes.take(service, row["position"], envelope)
                    keys.take(row["position"], envelope)
            await keys.ask()
        findings += [numbers.finding(), seen.finding(), keys.finding(service)]
    if look.snapshots.keys() >= set(_CAUSES_FIRST):
        findings += causes.findings()
    return findings


class OwnNumbers:
    """What an entry says of itself is what its columns say."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._service = snapshot.service
        self._wrong = Wrong()
        self._count = 0

    def take(self, row: asyncpg.Record) -> Envelope | None:
        """The envelope; None when it is none."""
        self._count += 1
        position = row["position"]
        try:
            envelope = orjson.loads(row["entry"])
            differs = [name for name, value in self._expected(row).items() if envelope.get(name) != value]
        except (orjson.JSONDecodeError, AttributeError):
            self._wrong.add(f"position {position} holds no entry")
            return None
        if differs:
            self._wrong.add(f"position {position} says another {', '.join(differs)}")
        return envelope if isinstance(envelope.get("data"), dict) else None

    def _expected(self, row: asyncpg.Record) -> dict[str, str]:
        return {
            "source": f"/{self._service}",
            "sequence": str(row["position"]),
            "school": row["school"],
            "schoolsequence": str(row["school_position"]),
            "subject": row["stream"],
            "streamversion": str(row["stream_version"]),
        }

    def finding(self) -> Finding:
        return found(Invariant.entries, self._service, self._wrong, {"entries": self._count})


class Seen:
    """How far the writer had read the others: never beyond what there is, never less than before."""

    def __init__(self, snapshot: Snapshot, heads: Mapping[str, int]) -> None:
        self._snapshot = snapshot
        self._heads = heads
        self._before: dict[str, int] = {}
        self._wrong = Wrong()
        self._said = ""

    def take(self, position: int, envelope: Envelope) -> None:
        said = envelope.get("seen", "")
        if said == self._said:
            return
        self._said = said
        try:
            now = parse_seen(said)
        except UNREADABLE:
            self._wrong.add(f"position {position} does not say what it had seen")
            return
        for source in self._before.keys() | now.keys():
            had, has = self._before.get(source, 0), now.get(source, 0)
            if has < had:
                self._wrong.add(f"position {position} had seen {source}:{has}, one before it {source}:{had}")
            if source in self._heads and has > self._heads[source]:
                self._wrong.add(
                    f"position {position} had seen {source}:{has}, which ends at {self._heads[source]}"
                )
        self._before = now

    def finding(self) -> Finding:
        for source, position in self._before.items():
            if position > (cursor := self._snapshot.cursors.get(source, 0)):
                self._wrong.add(f"{source}:{position} was seen, but the cursor stands at {cursor}")
        return found(Invariant.seen, self._snapshot.service, self._wrong)


class Causes:
    """An event that another caused names one that exists. What a service did because of a forged entry does not."""

    def __init__(self) -> None:
        self._ids = Bloom()
        self._suspects: list[tuple[str, int, str]] = []
        self._counts: dict[str, int] = {}

    def take(self, service: str, position: int, envelope: Envelope) -> None:
        self._ids.add(str(envelope.get("id")))
        cause = envelope.get("causationid")
        self._counts.setdefault(service, 0)
        if cause is not None:
            self._counts[service] += 1
            if str(cause) not in self._ids and len(self._suspects) < _MOST_SUSPECTS:
                self._suspects.append((service, position, str(cause)))

    def findings(self) -> list[Finding]:
        """Asked again at the end: a cause in a history that was walked through later is there by now."""
        wrong = {service: Wrong() for service in self._counts}
        for service, position, cause in self._suspects:
            if cause not in self._ids:
                wrong[service].add(f"position {position} was caused by {cause}, which is in no history")
        return [found(Invariant.causes, s, w, {"caused": self._counts[s]}) for s, w in wrong.items()]


class Keys:
    """Every key that a sealed part names is in the keyring, as the key of that person and purpose."""

    def __init__(self, keyring: asyncpg.Connection | None) -> None:
        self._keyring = keyring
        self._asked: dict[str, tuple[str, str, int]] = {}
        self._wrong = Wrong()
        self._count = 0

    def take(self, position: int, envelope: Envelope) -> None:
        for part in envelope["data"].values():
            if isinstance(part, dict) and "sealed" in part:
                self._count += 1
                named = (str(part.get("person")), str(part.get("purpose")), position)
                self._asked.setdefault(str(part.get("key")), named)

    async def ask(self) -> None:
        """A query for each batch of entries."""
        if self._keyring is None or not self._asked:
            return
        ids = [key for key in self._asked if _is_uuid(key)]
        there = {r["key"]: (r["person"], r["purpose"]) for r in await self._keyring.fetch(SQL("keys"), ids)}
        for key, (person, purpose, position) in self._asked.items():
            if there.get(key) != (person, purpose):
                self._wrong.add(f"the key {key} of position {position} is not there")
        self._asked.clear()

    def finding(self, service: str) -> Finding:
        if self._keyring is None:
            return Finding(Invariant.keys, service, Outcome.could_not_look, "the keyring does not answer")
        return found(Invariant.keys, service, self._wrong, {"parts": self._count})


def _is_uuid(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False


async def _keyring(look: Look, service: str) -> asyncpg.Connection | None:
    try:
        return await look.keyring(service)
    except (OSError, TimeoutError, asyncpg.PostgresError):
        return None
