"""The auditor's merge, replay and bundle, over histories that were really written (S5)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from audit import bundle
from audit.history import BrokenHistory, BundleSource, merged
from audit.replay import NothingFound, story
from shared.contracts.event import Context, Event
from shared.contracts.identity import FirstAccessCompleted, SlipClaimed
from shared.contracts.notifications import DeliveryAttempted
from shared.eventstore.store import EventStore
from shared.eventstore.units import Append, Committed, Foreign, Unit
from tests.conftest import Kernel
from tests.samples import SCHOOL, enrolled


@dataclass
class Histories:
    stores: dict[str, EventStore]
    live: bool = False

    async def read(self, service: str) -> AsyncIterator[bytes]:
        async for batch in self.stores[service].replay_entries():
            for _, entry in batch:
                yield entry

    async def write(self, service: str, stream: str, event: Event, cause: str | None = None) -> str:
        store = self.stores[service]
        version = len((await store.load([stream])).get(stream, ()))
        context = Context(actor=f"service:{service}", correlation="c", causation=cause)
        (outcome,) = await store.commit([Unit(SCHOOL, context, (Append(stream, version, (event,)),))])
        assert isinstance(outcome, Committed)
        return outcome.events[0].id

    async def tell(self, source: str, reader: str) -> None:
        store = self.stores[reader]
        after = (await store.cursors()).get(source, 0)
        async for batch in self.stores[source].replay(after):
            await store.commit([], foreign=Foreign(source, after, batch))
            after = batch[-1].position


@pytest.fixture
async def histories(kernel: Kernel) -> Histories:
    made = Histories({s: await kernel.store(s) for s in ("registry", "identity", "notifications")})
    child, stranger = enrolled("child"), enrolled("stranger")
    cause = await made.write("registry", "student/child", child)
    await made.write("registry", "student/stranger", stranger)
    await made.tell("registry", "identity")
    claim = SlipClaimed(account="acc", credential="cred", claims=1, reason="send")
    issued = await made.write("identity", "account/acc", claim, cause)
    await made.tell("identity", "notifications")
    await made.write("notifications", "delivery/d", DeliveryAttempted(delivery="d", attempt=1), issued)
    await made.write(
        "identity", "account/acc", FirstAccessCompleted(account="acc", credential="cred"), issued
    )
    return made


async def test_causes_come_before_consequences_even_when_clocks_disagree(histories: Histories) -> None:
    early = histories.stores["identity"]
    early.clock = lambda before=early.clock: before() - timedelta(days=1)  # type: ignore[misc]
    await histories.write("registry", "student/late", enrolled("late"))
    await histories.tell("registry", "identity")
    await histories.write("identity", "account/z", FirstAccessCompleted(account="z", credential="z"))
    places = [(e.service, e.position) async for e in merged(histories)]
    assert places.index(("registry", 3)) < places.index(("identity", 3))
    assert len(places) == len(set(places)) == 7


@pytest.mark.requirement("S5", part="the story of one credential, in causal order")
async def test_the_story_of_a_credential_has_its_causes_and_nothing_of_others(histories: Histories) -> None:
    told = [(e.service, e.name) for e in await story(histories, "cred")]
    assert told == [
        ("registry", "StudentEnrolled"),
        ("identity", "SlipClaimed"),
        ("identity", "FirstAccessCompleted"),
    ]
    with pytest.raises(NothingFound):
        await story(histories, "nobody")


@pytest.mark.requirement("S5", part="replayed and verified offline")
async def test_a_bundle_is_replayed_with_nothing_running(histories: Histories, tmp_path: Path) -> None:
    await bundle.export(histories, tmp_path)
    assert await bundle.verify(tmp_path) == {"registry": 2, "identity": 2, "notifications": 1}
    live = [e.raw async for e in merged(histories)]
    assert [e.raw async for e in merged(BundleSource(tmp_path))] == live


@pytest.mark.parametrize("damage", ["cut", "swap", "alter", "double"])
async def test_a_damaged_bundle_is_refused(histories: Histories, tmp_path: Path, damage: str) -> None:
    await bundle.export(histories, tmp_path)
    path = tmp_path / "registry.jsonl"
    first, second = path.read_bytes().splitlines(keepends=True)
    altered = second.replace(b"service:registry", b"service:nobodyyy")
    damaged = {
        "cut": [first],
        "swap": [second, first],
        "alter": [first, altered],
        "double": [first, second, second],
    }[damage]
    path.write_bytes(b"".join(damaged))
    with pytest.raises(BrokenHistory):
        await bundle.verify(tmp_path)


async def test_effects_without_their_causes_are_refused_in_a_bundle_and_cut_off_while_live(
    histories: Histories, tmp_path: Path
) -> None:
    await histories.write("registry", "student/late", enrolled("late"))
    await histories.tell("registry", "identity")
    await histories.write("identity", "account/z", FirstAccessCompleted(account="z", credential="z"))

    class Truncated(Histories):
        async def read(self, service: str) -> AsyncIterator[bytes]:
            position = 0
            async for entry in super().read(service):
                position += 1
                if service != "registry" or position <= 2:
                    yield entry

    truncated = Truncated(histories.stores)
    with pytest.raises(BrokenHistory, match="causes are missing"):
        _ = [e async for e in merged(truncated)]
    truncated.live = True
    await bundle.export(truncated, tmp_path)
    assert await bundle.verify(tmp_path) == {"registry": 2, "identity": 2, "notifications": 1}
