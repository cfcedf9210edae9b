"""Commands that school systems publish on real NATS: carried out once, repeated harmlessly, or quarantined (S3)."""

import pytest

from deploy.engines import NatsEngine
from services.registry.operations import Registry
from shared.contracts.registry import InstitutionalMailboxActivated, StudentEnrolled
from tests.integration.ingress_fixtures import bus, command, emptied, reopen, school_system
from tests.integration.registry_fixtures import (
    OTHER_SCHOOL,
    SCHOOL,
    YEAR,
    OpenRegistry,
    events_of,
    kek_file,
    registry_settings,
    settled,
    with_school,
)

__all__ = ["bus", "kek_file", "registry_settings", "reopen"]


async def enrolled(registry: Registry) -> list[StudentEnrolled]:
    return [event for event in await events_of(registry) if isinstance(event, StudentEnrolled)]


@pytest.mark.requirement("S3", part="on the bus, idempotent")
async def test_a_command_is_carried_out_once(reopen: OpenRegistry, bus: NatsEngine) -> None:
    async with reopen() as registry, school_system(bus) as system:
        for _ in range(3):
            await system.request(f"ingress.{SCHOOL}.cmd", command(), timeout=2)
        await emptied(bus)
        assert len(await enrolled(registry)) == 1
        assert await registry.quarantined() == []
        head = await registry.store.head()
        await system.request(f"ingress.{SCHOOL}.cmd", command("m2"), timeout=2)
        await emptied(bus)
        assert await registry.store.head() == head
        await settled(registry.runtime)


async def test_what_came_while_nobody_listened_is_not_lost(reopen: OpenRegistry, bus: NatsEngine) -> None:
    async with school_system(bus) as system:
        for n in range(20):
            await system.request(f"ingress.{SCHOOL}.cmd", command(f"m{n}", str(n)), timeout=2)
    async with reopen() as registry:
        await emptied(bus)
        assert len(await enrolled(registry)) == 20


async def test_poison_is_put_aside_and_stops_nobody(reopen: OpenRegistry, bus: NatsEngine) -> None:
    async with reopen() as registry, school_system(bus) as system, school_system(bus, OTHER_SCHOOL) as other:
        poison = [
            b"\xff\x00",
            command("m1", command="Erase"),
            command("m2", data={"school": OTHER_SCHOOL}),
            command("m3", data={"school_year": YEAR, "password": "segreta"}),
        ]
        for payload in (*poison, command("m4")):
            await system.request(f"ingress.{SCHOOL}.cmd", payload, timeout=2)
        await other.request(f"ingress.{OTHER_SCHOOL}.cmd", command("m1"), timeout=2)
        await emptied(bus)
        assert len(await enrolled(registry)) == 1
        found = await registry.quarantined()
        assert len(found) == 5
        by_school = {q.school: q.reason for q in found if q.school == OTHER_SCHOOL}
        assert by_school == {OTHER_SCHOOL: "the school is not registered here"}
        rows = await registry.runtime.pool.fetch("select payload, reason from events.quarantine")
        assert all(b"segreta" not in row["payload"] and b"Verdi" not in row["payload"] for row in rows)
        assert all("segreta" not in row["reason"] for row in rows)


async def test_quarantine_is_retried_or_settled(reopen: OpenRegistry, bus: NatsEngine) -> None:
    async with reopen() as registry, school_system(bus, OTHER_SCHOOL) as other:
        await other.request(f"ingress.{OTHER_SCHOOL}.cmd", command(), timeout=2)
        await other.request(f"ingress.{OTHER_SCHOOL}.cmd", b"{", timeout=2)
        await emptied(bus)
        first, second = await registry.quarantined()
        assert await registry.retry_quarantined(first.id) == "the school is not registered here"
        await with_school(registry, OTHER_SCHOOL, "altra")
        assert await registry.retry_quarantined(first.id) is None
        assert [q.id for q in await registry.quarantined()] == [second.id]
        assert await registry.settle_quarantined(second.id)
        assert await registry.quarantined() == []
        assert len(await enrolled(registry)) == 1
        with pytest.raises(KeyError):
            await registry.retry_quarantined(first.id)


@pytest.mark.requirement("E8", part="on the bus, idempotent")
async def test_a_mailbox_follows_upon_its_pupil(reopen: OpenRegistry, bus: NatsEngine) -> None:
    async with school_system(bus) as system:
        said = {"pupil": "77", "address": "anna@scuola.example"}
        mailbox = command("b1", command="ActivateMailbox", data=said)
        for payload in (mailbox, command("m1"), mailbox):
            await system.request(f"ingress.{SCHOOL}.cmd", payload, timeout=2)
        nobody = command("b2", command="ActivateMailbox", data=said | {"pupil": "99"})
        other = command("b1", command="ActivateMailbox", data=said | {"address": "altra@scuola.example"})
        twice = command("b3", command="ActivateMailbox", data=said | {"student": "x"})
        for payload in (nobody, other, twice):
            await system.request(f"ingress.{SCHOOL}.cmd", payload, timeout=2)
    async with reopen() as registry:
        await emptied(bus)
        active = [e for e in await events_of(registry) if isinstance(e, InstitutionalMailboxActivated)]
        assert len(active) == 1
        reasons = {q.message_id: q.reason for q in await registry.quarantined()}
        assert set(reasons) == {"b1", "b2", "b3"}
        assert reasons["b1"] == "this id was used before, for another mailbox"
        assert reasons["b2"].startswith("No pupil of the school matches")


async def test_an_id_used_for_another_enrolment_is_poison(reopen: OpenRegistry, bus: NatsEngine) -> None:
    async with reopen() as registry, school_system(bus) as system:
        await system.request(f"ingress.{SCHOOL}.cmd", command("m1", "1"), timeout=2)
        await system.request(f"ingress.{SCHOOL}.cmd", command("m1", "2"), timeout=2)
        await emptied(bus)
        (found,) = await registry.quarantined()
        assert found.reason == "this id was used before, for another enrolment"
        assert found.message_id == "m1"
        assert len(await enrolled(registry)) == 1
