"""The event store under random concurrent writers on a real PostgreSQL, held against a model (DESIGN 4)."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule

from deploy.engines import PostgresEngine
from shared.contracts.entry import EntryTooLarge
from shared.contracts.event import Event, Recorded
from shared.contracts.identity import FirstAccessCompleted
from shared.decider import Refused
from shared.eventstore.commands import Executed
from shared.eventstore.units import (
    Append,
    Committed,
    ConcurrencyConflict,
    Conflict,
    CursorMoved,
    Foreign,
    IdempotencyKey,
    IdempotencyKeyReused,
    Unit,
)
from shared.keyring.keyring import KeyEncryptionKey
from tests.machines.counted import Counted
from tests.machines.counter import COUNTER, Count
from tests.machines.ground import Ground
from tests.machines.history import Sent, project
from tests.machines.plans import COPIES, KINDS, STREAMS, Intent, Part, executions, intents
from tests.machines.witness import run_machine, witnessed
from tests.machines.writers import LOST, OWN_FAULTS, at_once, unit_of
from tests.samples import CONTEXT, unit

TOLD = [(f"p{n % 4}", f"c{n}") for n in range(24)]
"""What the other service's history says: (pupil, credential), each an event."""


class EventStoreMachine(Counted):
    @rule(intents=intents())
    @witnessed
    def write_at_once(self, intents: list[Intent]) -> None:
        self.count("concurrent units", len(intents))
        sent = [self.sent(intent) for intent in intents]
        answers = self.ground.run(at_once([self.submit(*pair) for pair in zip(intents, sent, strict=True)]))
        self.settle(sent, answers)

    @rule(copy=st.integers(0, COPIES - 1), intents=intents(), atomic=st.booleans())
    @witnessed
    def write_in_one_commit(self, copy: int, intents: list[Intent], atomic: bool) -> None:
        """One after the other, as if each had committed alone: every answer is known beforehand."""
        self.count("units of one commit", len(intents))
        sent = [self.sent(intent) for intent in intents]
        expected = self.foretell(sent)
        conflicts = [o for o in expected if isinstance(o, Conflict)]
        fault = any(o is None and s.faults for o, s in zip(expected, sent, strict=True))
        work = self.copies[copy].store.commit([s.unit for s in sent], atomic=atomic)
        (answer,) = self.ground.run(at_once([work]))
        too_large = isinstance(answer, EntryTooLarge) and any("large" in s.faults for s in sent)
        if fault or too_large or (atomic and conflicts):
            allowed = {OWN_FAULTS[f] for s in sent for f in s.faults}
            if atomic and conflicts:
                allowed.add(ConcurrencyConflict)
            assert isinstance(answer, tuple(allowed)), repr(answer)
            if isinstance(answer, ConcurrencyConflict):
                assert answer.conflict == conflicts[0]
            self.settle([], [])
            return
        assert isinstance(answer, list), repr(answer)
        for outcome, foretold in zip(answer, expected, strict=True):
            assert isinstance(outcome, Committed) if foretold is None else outcome == foretold
        self.settle(sent, answer)

    @rule(copy=st.integers(0, COPIES - 1), count=st.integers(195, 230))
    @witnessed
    def write_much(self, copy: int, count: int) -> None:
        """Enough for the way that long batches take."""
        if self.model.positions > 600:
            return
        self.count("long batches")
        parts = (Part(STREAMS[copy], 0, tuple(KINDS[n % 4] for n in range(count))),)
        sent = self.sent(Intent(copy, "INSTANCE", parts, None, None, alone=True))
        self.settle([sent], self.ground.run(self.copies[copy].store.commit([sent.unit])))

    @rule(
        readers=st.lists(
            st.tuples(st.integers(0, 1), st.sampled_from((0, 0, 0, -2, 1)), intents(0, 2)),
            min_size=1,
            max_size=3,
        ),
        many=st.integers(1, 4),
    )
    @witnessed
    def read(self, readers: list[tuple[int, int, list[Intent]]], many: int) -> None:
        """Readers of one stream at once, some of them mistaken about where it stands: at most one gets on."""
        self.count("readers", len(readers))
        before = self.model.read
        sent, work = [], []
        for copy, off, react in readers:
            after = min(max(0, before + off), len(self.foreign) - 1)
            batch = self.foreign[after : after + many]
            units = [self.sent(intent) for intent in react]
            sent.append((after, batch, units))
            foreign = Foreign("identity", after, batch)
            work.append(self.copies[copy].store.commit([s.unit for s in units], foreign=foreign))
        answers = self.ground.run(at_once(work))
        won = [(*place, a) for place, a in zip(sent, answers, strict=True) if isinstance(a, list)]
        taken = {after for after, _, _, _ in won}
        for (after, _, units), answer in zip(sent, answers, strict=True):
            if isinstance(answer, list):
                continue
            faults = tuple(OWN_FAULTS[f] for s in units for f in s.faults)
            assert isinstance(answer, (CursorMoved, ConcurrencyConflict, *faults)), repr(answer)
            if after == before and before not in taken:
                assert not isinstance(answer, CursorMoved)
                assert faults or isinstance(answer, ConcurrencyConflict)
        upto = before
        for after, batch, _, _ in sorted(won, key=lambda one: one[0]):
            # One who was ahead of the cursor may be right by the time that it is its turn.
            assert after == upto
            upto = batch[-1].position
        units = [s for _, _, units, _ in won for s in units]
        self.settle(units, [outcome for *_, outcomes in won for outcome in outcomes])
        self.model.move_cursor(upto)

    @rule(executions=executions())
    @witnessed
    def execute(self, executions: list[Any]) -> None:
        """Commands decide again until they are through: each once, none twice, whoever else was first."""
        self.count("commands", len(executions))
        work, sent = [], []
        for e in executions:
            key = self.key(e.key)
            command = Count(e.aggregate, self.tag(), e.refuse)
            sent.append((command, key))
            commands = self.copies[e.copy].commands
            work.append(
                commands.execute(
                    COUNTER, e.aggregate, command, school="INSTANCE", context=CONTEXT, idempotency=key,
                    result={"tag": command.tag},
                )
            )  # fmt: skip
        answers = self.ground.run(at_once(work))
        entries = self.ground.run(self.news())
        found = {unit_of(entry): entry for entry in entries}
        by_tag = {command.tag: (command, key) for command, key in sent}
        for tag, entry in found.items():
            command, key = by_tag[tag]
            stream = COUNTER.stream(command.aggregate)
            version = self.model.versions[stream]
            unit = Unit(
                "INSTANCE", CONTEXT, (Append(stream, version, tuple(COUNTER.decide(version, command))),),
                idempotency=key, result={"tag": tag},
            )  # fmt: skip
            self.model.accept(Sent(tag, unit), [entry])
        for (command, key), answer in zip(sent, answers, strict=True):
            self._check_executed(command, key, answer, done=command.tag in found)

    def _check_executed(
        self, command: Count, key: IdempotencyKey | None, answer: object, *, done: bool
    ) -> None:
        known = self.model.answer(key) if key is not None else None
        if isinstance(answer, Executed):
            assert done is not answer.repeated
            if answer.repeated:
                assert known == (True, answer.result)
            else:
                assert answer.result == {"tag": command.tag} and len(answer.events) == 1
            return
        assert not done
        if isinstance(answer, Refused):
            assert command.refuse
        else:
            assert isinstance(answer, IdempotencyKeyReused), repr(answer)
            assert known is not None and not known[0]

    @rule(copy=st.integers(0, COPIES - 1))
    @witnessed
    def start_anew(self, copy: int) -> None:
        """A copy without memories joins one that has some."""
        self.count("copies started anew")
        self.ground.run(self.copies[copy].close())
        self.copies[copy] = self.open_copy()

    @rule(copy=st.integers(0, COPIES - 1), intents=intents(2, 6), after=st.integers(0, 12))
    @witnessed
    def cut(self, copy: int, intents: list[Intent], after: int) -> None:
        """Connections break in the middle: what was answered holds, what was not is there whole or not at all, and
        may be asked again."""
        self.count("cuts")
        sent = [self.sent(intent) for intent in intents]

        async def cut() -> None:
            await asyncio.sleep(after / 1000)
            await self.ground.cut(self.copies[copy])

        work = [self.submit(*pair) for pair in zip(intents, sent, strict=True)]
        answers = self.ground.run(at_once([*work, cut()]))[:-1]
        self.ground.run(self.recover())
        self.settle(sent, answers, lost=True)
        # Whoever has an idempotency key may ask again, the other copy too.
        again = [
            s
            for s, answer in zip(sent, answers, strict=True)
            if isinstance(answer, LOST) and s.unit.idempotency
        ]
        for one in again:
            self.settle([one], self.ground.run(at_once([self.copies[1 - copy].batcher.submit(one.unit)])))

    @rule(intents=intents(), switch=st.booleans())
    @witnessed
    def rebuild(self, intents: list[Intent], switch: bool) -> None:
        self.count("rebuilds")
        sent = [self.sent(intent) for intent in intents]
        work: list[Awaitable[Any]] = [self.submit(*pair) for pair in zip(intents, sent, strict=True)]
        rebuild = self.ground.rebuild(self.copies[0], self.database, project, self.foreign)
        *answers, rebuilt = self.ground.run(
            at_once([*work, rebuild.run(service_role="registry", switch=switch)])
        )
        if isinstance(rebuilt, Exception):
            raise rebuilt
        assert rebuilt.differences == {} and rebuilt.switched is switch
        self.settle(sent, answers)


async def _tell(ground: Ground) -> list[Recorded[Event]]:
    """The other service's history, from a store of its own."""
    copy = await ground.copy(await ground.database(), lambda _: ())
    told = [FirstAccessCompleted(account=student, credential=credential) for student, credential in TOLD]
    units = [unit(event, stream=f"account/{n}") for n, event in enumerate(told)]
    outcomes = await copy.store.commit(units)
    await copy.close()
    return [r for o in outcomes if isinstance(o, Committed) for r in o.events]


@pytest.mark.timeout(7200)
def test_no_writer_loses_or_doubles_anything(
    postgres: PostgresEngine,
    kek: KeyEncryptionKey,
    profile: settings,
    record_property: Callable[[str, object], None],
) -> None:
    steps: Counter[str] = Counter()
    witnessed: list[str] = []
    with asyncio.Runner() as runner:
        ground = Ground(postgres, kek, runner)
        told = runner.run(_tell(ground))

        class Machine(EventStoreMachine):
            def __init__(self) -> None:
                super().__init__(ground, told, TOLD, steps, witnessed)

        run_machine(Machine, witnessed, profile)
    for what, number in steps.items():
        record_property(what, number)
