"""Everything in the event store's database, held against the model after every step."""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from shared.eventstore.store import EventStore
from tests.machines.history import project
from tests.machines.plans import COPIES, STREAMS
from tests.machines.witness import witnessed
from tests.machines.writers import Writers


class Counted(Writers):
    @initialize()
    def begin(self) -> None:
        self.database = self.ground.run(self.ground.database())
        self.copies = [self.open_copy() for _ in range(COPIES)]
        self.ground.run(self.copies[0].store.pool.execute("insert into private.ledger values ('taken')"))

    def teardown(self) -> None:
        if not self.copies:
            return
        try:
            rebuild = self.ground.rebuild(self.copies[0], self.database, project, self.foreign)
            assert self.ground.run(rebuild.run(service_role="registry", switch=False)).differences == {}
            for copy in self.copies:
                self.ground.run(self._check_told(copy.store, batch=7))
        finally:
            for copy in self.copies:
                self.ground.run(copy.close())
            self.ground.run(self.ground.drop(self.database))

    def count(self, what: str, number: int = 1) -> None:
        self.steps["steps"] += 1
        self.steps[what] += number

    @rule(
        copy=st.integers(0, COPIES - 1),
        streams=st.sets(st.sampled_from((*STREAMS, "counter/c0", "student/nobody"))),
        after=st.integers(0, 40),
        batch=st.integers(1, 9),
    )
    @witnessed
    def look(self, copy: int, streams: set[str], after: int, batch: int) -> None:
        """What is read is what was written, whatever the cut."""
        self.count("looks")
        store, model = self.copies[copy].store, self.model
        loaded = self.ground.run(store.load(streams))
        assert loaded.keys() == {stream for stream in streams if model.versions[stream]}
        for stream, events in loaded.items():
            assert [r.stream_version for r in events] == [*range(1, model.versions[stream] + 1)]
        self.ground.run(self._check_told(store, batch, after))

    async def _check_told(self, store: EventStore, batch: int, after: int = 0) -> None:
        position = after
        async for recorded in store.replay(after, batch=batch):
            assert len(recorded) <= batch
            for one in recorded:
                position += 1
                assert one.position == position and one.event == self.model.events[one.id]
        assert position == max(after, self.model.positions)

    @invariant()
    @witnessed
    def everything_stands_as_counted(self) -> None:
        if self.copies:
            self.ground.run(self._check_database())

    async def _check_database(self) -> None:
        pool, model = self.copies[0].store.pool, self.model
        assert await pool.fetchval("select position from events.head") == model.positions
        numbers = "select count(*), max(position) from events.entries"
        assert [tuple(row) for row in await pool.fetch(numbers)] == [
            (model.positions, model.positions or None)
        ]
        schools = await pool.fetch("select school, position from events.school_heads")
        assert {row[0]: row[1] for row in schools} == {**model.schools}
        cursors = {"identity": model.read} if model.read else {}
        assert [await copy.store.cursors() for copy in self.copies] == [cursors] * COPIES
        keys = await pool.fetch("select key, fingerprint, result ->> 'tag' from events.idempotency")
        assert {k: (f, t) for k, f, t in keys} == {k: (f, r["tag"]) for k, (f, r) in model.keys.items()}
        assert {unit for (unit,) in await pool.fetch("select unit from private.ledger")} == model.ledger
        pupils = await pool.fetch("select student, class_id, family, moves from projections.pupils")
        assert {student: tuple(rest) for student, *rest in pupils} == model.pupils
        steps = await pool.fetch("select stream, version, class_id from projections.steps")
        assert {(stream, version): class_id for stream, version, class_id in steps} == model.steps
