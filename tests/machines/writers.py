"""What the rules of the event store machine have in common: units sent, answers held against the model."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Collection, Sequence
from itertools import groupby
from typing import Any

import asyncpg
import orjson

from shared.contracts.entry import EntryTooLarge
from shared.contracts.event import Event, Recorded
from shared.eventstore.units import (
    Committed,
    Conflict,
    IdempotencyKey,
    KeyReused,
    Repeated,
    Unit,
    Write,
)
from tests.machines.ground import Copy, Ground
from tests.machines.history import Model, Sent, Undigestible, append, project, tag_of
from tests.machines.plans import FAULTS, TAKEN, Intent
from tests.machines.witness import Witnessed
from tests.samples import CONTEXT

LEDGER = "insert into private.ledger (unit) values ($1)"
OWN_FAULTS: dict[str, type[Exception]] = {
    "refused": asyncpg.CheckViolationError,
    "undigestible": Undigestible,
    "large": EntryTooLarge,
    TAKEN: asyncpg.UniqueViolationError,
}
LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    OSError,
)
"""What is told to whoever asked when the connection broke: the outcome is not known."""


async def at_once(work: Sequence[Awaitable[Any]]) -> list[Any]:
    return await asyncio.gather(*work, return_exceptions=True)


class Writers(Witnessed):
    """Two copies of a service over one database, and the model beside them."""

    def __init__(
        self,
        ground: Ground,
        foreign: Sequence[Recorded[Event]],
        told: Sequence[tuple[str, str]],
        steps: Counter[str],
        witnessed: list[str],
    ) -> None:
        super().__init__(witnessed)
        self.ground = ground
        self.foreign = foreign
        self.steps = steps
        self.model = Model(told, ledger={TAKEN})
        self.copies: list[Copy] = []
        self.database = ""
        self._tags = 0

    def open_copy(self) -> Copy:
        return self.ground.run(self.ground.copy(self.database, project))

    def tag(self) -> str:
        self._tags += 1
        return f"u{self._tags}"

    def key(self, drawn: tuple[int, int] | None) -> IdempotencyKey | None:
        if drawn is None:
            return None
        number, body = drawn
        return IdempotencyKey("machine", f"k{number}", f"body {body}".encode())

    def sent(self, intent: Intent) -> Sent:
        """The unit that is meant, versions counted from where the model stands now."""
        tag = self.tag()
        ahead = Counter(self.model.versions)
        appends, n = [], 0
        for part in intent.parts:
            appends.append(append(part.stream, max(0, ahead[part.stream] + part.off), part.kinds, tag, n))
            ahead[part.stream] += len(part.kinds)
            n += len(part.kinds)
        writes = (
            () if intent.write is None else (Write(LEDGER, ((TAKEN if intent.write == TAKEN else tag,),)),)
        )
        unit = Unit(intent.school, CONTEXT, tuple(appends), writes, self.key(intent.key), {"tag": tag})
        kinds = {kind for part in intent.parts for kind in part.kinds}
        return Sent(tag, unit, frozenset(kinds & {*FAULTS} | ({TAKEN} if intent.write == TAKEN else set())))

    def submit(self, intent: Intent, sent: Sent) -> Awaitable[Any]:
        copy = self.copies[intent.copy]
        return self._alone(copy, sent.unit) if intent.alone else copy.batcher.submit(sent.unit)

    async def _alone(self, copy: Copy, unit: Unit) -> Any:
        (outcome,) = await copy.store.commit([unit])
        return outcome

    def foretell(self, sent: Sequence[Sent]) -> list[Conflict | Repeated | KeyReused | None]:
        """The answers to units that stand one after the other; None where one is accepted."""
        model = Model((), versions=Counter(self.model.versions), keys=dict(self.model.keys))
        answers: list[Conflict | Repeated | KeyReused | None] = []
        for one in sent:
            key = one.unit.idempotency
            if key is not None and (known := model.answer(key)) is not None:
                answers.append(Repeated(known[1]) if known[0] else KeyReused(key.scope, key.key))
            elif (wrong := model.refused(one.unit)) is not None:
                answers.append(Conflict(*wrong))
            else:
                answers.append(None)
                for a in one.unit.appends:
                    model.versions[a.stream] += len(a.events)
                if key is not None:
                    model.keys[key.key] = key.fingerprint, one.unit.result
        return answers

    def settle(self, sent: Sequence[Sent], answers: Sequence[Any], *, lost: bool = False) -> None:
        """Take over what now stands in the store, and hold every answer against it."""
        before, keys = Counter(self.model.versions), dict(self.model.keys)
        due = self._must_get_through(sent) if not lost else set()
        entries, marks = self.ground.run(self._news())
        by_tag = {s.tag: s for s in sent}
        found = {tag: list(group) for tag, group in groupby(entries, key=unit_of)}
        assert len(found) == len({unit_of(e) for e in entries}), "a unit is torn apart"
        assert found.keys() <= by_tag.keys(), "what nobody sent"
        for tag, group in found.items():
            self.model.accept(by_tag[tag], group)
        for one, answer in zip(sent, answers, strict=True):
            if isinstance(answer, Committed):
                assert not one.faults
                assert [r.entry for r in answer.events] == found.get(one.tag, [])
                assert answer.result == one.unit.result
                if not one.unit.appends:
                    self.model.accept(one, [])
            elif lost and isinstance(answer, LOST):
                if not one.unit.appends and one.tag in marks:
                    self.model.accept(one, [])
                continue
            else:
                assert one.tag not in found, f"refused, and there all the same: {answer!r}"
        for one, answer in zip(sent, answers, strict=True):
            if not isinstance(answer, Committed) and not (lost and isinstance(answer, LOST)):
                assert one.tag not in due, f"nothing stood against it: {answer!r}"
                self._check_refusal(one, answer, before, keys, sent)

    def _check_refusal(
        self, one: Sent, answer: Any, before: Counter[str], keys: Collection[str], others: Sequence[Sent]
    ) -> None:
        key = one.unit.idempotency
        match answer:
            case Repeated(result):
                assert key is not None and self.model.answer(key) == (True, result)
            case KeyReused():
                known = self.model.answer(key) if key is not None else None
                assert known is not None and not known[0]
            case Conflict(stream, expected, actual):
                assert expected != actual
                assert key is None or key.key not in keys, "a key that was used answers first"
                after, ahead, possible = self.model.versions[stream], 0, False
                for a in one.unit.appends:
                    if a.stream == stream:
                        stood = before[stream] + ahead <= actual <= after + ahead
                        possible = possible or (a.expected == expected and stood)
                        ahead += len(a.events)
                assert possible
            case Undigestible():
                # A mistake in a projection fails the whole group that was committed with it.
                assert any("undigestible" in other.faults for other in others)
            case Exception():
                assert isinstance(answer, tuple(OWN_FAULTS[f] for f in one.faults)), repr(answer)
            case _:
                raise AssertionError(f"no answer: {answer!r}")

    def _must_get_through(self, sent: Sequence[Sent]) -> set[str]:
        """Those with whom nobody competes."""
        if any("undigestible" in s.faults for s in sent):
            return set()
        streams = Counter(stream for s in sent for stream in s.streams)
        keys = Counter(s.unit.idempotency.key for s in sent if s.unit.idempotency is not None)
        due = set()
        for s in sent:
            key = s.unit.idempotency
            fresh = key is None or (keys[key.key] == 1 and self.model.answer(key) is None)
            alone = all(streams[stream] == 1 for stream in s.streams)
            if fresh and alone and not s.faults and self.model.refused(s.unit) is None:
                due.add(s.tag)
        return due

    async def _news(self) -> tuple[list[bytes], set[str]]:
        """The entries after those that the model knows; the units that left another trace."""
        pool = self.copies[0].store.pool
        rows = await pool.fetch(
            "select position, entry from events.entries where position > $1 order by position",
            self.model.positions,
        )
        marks = await pool.fetch(
            "select unit from private.ledger union select result ->> 'tag' from events.idempotency"
        )
        return [row["entry"] for row in rows], {row["unit"] for row in marks}

    async def news(self) -> list[bytes]:
        return (await self._news())[0]

    async def recover(self) -> None:
        """Until every pool has noticed which of its connections are gone."""
        for copy in self.copies:
            for pool in (copy.store.pool, copy.keys):
                for _ in range(50):
                    found = await at_once([pool.fetchval("select 1") for _ in range(4)])
                    if found == [1] * 4:
                        break
                    await asyncio.sleep(0.01)
                else:
                    raise AssertionError("the connections do not come back")


def unit_of(entry: bytes) -> str:
    return tag_of(orjson.loads(entry)["data"]).split(".")[0]
