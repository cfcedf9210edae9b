"""Replay to typed events, personal parts opened, beside the peer's replay to its domain events.

Both histories say the same of as many pupils: enrolled, then corrected. Ours begins with no key in memory, fetches
one per pupil, opens what is sealed and checks it against its contract; nothing of the peer's is sealed or checked.
A second figure, without a bar, has the peer seal its events too. Ours reads an event's place from its entry when
somebody asks, which here nobody does.
"""

import asyncio
import time

from tests.benchmarks.figure import Bar, Bench, Figure, benchmark
from tests.benchmarks.ground import new_database
from tests.benchmarks.history import Family, make_place, opened, units
from tests.benchmarks.peer import School, Student, open_peer

_BATCH = 1000
_PEER_SAVE = 50
"""Pupils a save: many more at once, and the peer's pipeline stands still."""


@benchmark("replay")
async def replay(bench: Bench) -> list[Figure]:
    pupils = 20_000 if bench.long else 2_000
    place = await make_place(bench)
    families = [Family(n // 1000, n % 1000) for n in range(pupils)]
    async with opened(place) as store:
        for start in range(0, pupils, _BATCH):
            batch = [(f.school, f.enrolled_and_corrected()) for f in families[start : start + _BATCH]]
            await store.commit(list(units(batch)), atomic=True)

    async def ours() -> float:
        async with opened(place) as store:
            began = time.perf_counter()
            read = 0
            async for events in store.replay():
                read += len(events)
            assert read == 2 * pupils
            return read / (time.perf_counter() - began)

    async def beside_peer(name: str, *bars: Bar, sealed: bool) -> Figure:
        url = bench.postgres.role_url("registry_owner", await new_database(bench))
        with open_peer(url, sealed=sealed) as school:
            await asyncio.to_thread(_live, school, families)
            return await bench.compare(
                name,
                "events/s",
                f"{2 * pupils} events of {pupils} pupils",
                *bars,
                value=ours,
                peer=lambda: asyncio.to_thread(_replayed, school, 2 * pupils),
            )

    return [
        await beside_peer("replay", Bar("peer", "least", 1.5), sealed=False),
        await beside_peer("replay, the peer's sealed too", sealed=True),
    ]


def _live(school: School, families: list[Family]) -> None:
    batch: list[Student] = []
    for family in families:
        enrolled, corrected = family.enrolled_and_corrected().events
        said = enrolled.model_dump()
        details = enrolled.model_dump(mode="json")["details"]["value"]
        student = Student(
            student=said["student"],
            school=family.school,
            year=said["year"],
            class_id=said["class_id"],
            kind=said["kind"].value,
            starts=said["starts"],
            details=details,
        )
        student.correct(corrected.model_dump(mode="json")["details"]["value"])
        batch.append(student)
        if len(batch) == _PEER_SAVE:
            school.save(*batch)
            batch.clear()


def _replayed(school: School, expected: int) -> float:
    began = time.perf_counter()
    at, read = 0, 0
    while found := school.recorder.select_notifications(at, _BATCH, inclusive_of_start=False):
        events = [school.mapper.to_domain_event(notification) for notification in found]
        read += len(events)
        at = found[-1].id
    assert read == expected
    return read / (time.perf_counter() - began)
