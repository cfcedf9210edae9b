"""The bus loses what it stored, in whole or in part: the databases are the truth, and bring it back."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nats
import orjson
from nats.aio.client import Client

from shared.ids import new_id
from tests.faults.engines.house import House, house, until
from tests.faults.scenario import Report, scenario

Told = list[tuple[str, int, bytes]]


@scenario("bus-wiped")
async def bus_wiped(report: Report) -> None:
    """Killed, its files gone: the streams come back with the same numbers; the queue's untaken commands do not."""
    async with house(report) as here:
        system = await System.of(here)
        await here.families(6)
        await system.hands_in(first := system.commands(3))
        here.accepted += mothers(first)
        await here.settles()
        told = await history(here)
        await here.running.stop("registry")
        await system.hands_in(untaken := system.commands(4))
        async with lost(here):
            shutil.rmtree(here.bus.store)
        await here.running.start("registry")
        async with here.arriving():
            await asyncio.sleep(10.0 if report.long else 1.0)
        if await until(lambda: taken(here, 1), 2.0):
            report.violation("ingress", "a command came back from a queue whose files were gone")
        # What the manual says: hand in again all that was handed in of late, under the same ids.
        await system.hands_in([*first, *untaken])
        here.accepted += mothers(untaken)
        await here.settles()
        await same_beginning(here, told)


@scenario("bus-rolled-back")
async def bus_rolled_back(report: Report) -> None:
    """An older copy of its files takes their place: streams go on from there, repeated commands do nothing."""
    async with house(report) as here:
        system = await System.of(here)
        await here.families(4)
        await here.settles()
        await here.running.stop("registry")
        await system.hands_in(commands := system.commands(3))
        await here.running.stop("nats")
        copy = here.bus.store.with_name("older")
        shutil.copytree(here.bus.store, copy)
        _owned_alike(here.bus.store, copy)
        await here.running.start("nats")
        await here.running.start("registry")
        here.accepted += mothers(commands)
        async with here.arriving():
            await asyncio.sleep(20.0 if report.long else 2.0)
        told = await history(here)
        for _ in range(3 if report.long else 1):
            async with here.arriving(at_once=2):
                await asyncio.sleep(0.5)
                async with lost(here):
                    shutil.rmtree(here.bus.store)
                    shutil.copytree(copy, here.bus.store)
                    _owned_alike(copy, here.bus.store)
                await asyncio.sleep(1.0)
        await here.settles()
        await same_beginning(here, told)


class lost:
    """`async with lost(house)`: NATS is killed and stays down for the block; afterwards it runs again."""

    def __init__(self, here: House) -> None:
        self._here = here

    async def __aenter__(self) -> None:
        await self._here.running.kill("nats")
        self._here.report.kills += 1
        await self._here.running.stop("nats")

    async def __aexit__(self, *_: object) -> None:
        await self._here.running.start("nats")


async def history(here: House) -> Told:
    return [(entry.service, entry.position, entry.raw) for entry in await here.school.events()]


async def same_beginning(here: House, told: Told) -> None:
    """What was in the streams is there again, byte for byte, under the same numbers."""

    async def missing() -> Told:
        return sorted(set(told) - set(await history(here)))

    async def all_there() -> bool:
        return not await missing()

    if not await until(all_there, 30.0, 0.5):
        gone = await missing()
        here.report.violation(
            "streams", f"{len(gone)} entries came back otherwise or not, first {gone[0][:2]}"
        )


async def taken(here: House, count: int) -> bool:
    """Whether the registry has enrolled `count` more than were accepted over HTTP."""
    return (await here.school.counts())["StudentEnrolled"] >= len(here.accepted) + count


def _owned_alike(source: Path, target: Path) -> None:
    """Copies belong to the server's user, as the originals do."""
    for path in (source, *source.rglob("*")):
        found = path.stat()
        shutil.chown(target / path.relative_to(source), found.st_uid, found.st_gid)


def mothers(commands: Sequence[dict[str, Any]]) -> list[str]:
    return [command["data"]["guardians"][0]["email"] for command in commands]


class System:
    """A school's system on the bus."""

    def __init__(self, here: House) -> None:
        self._here = here

    @classmethod
    async def of(cls, here: House) -> "System":
        await here.bus.add_school(here.school.code)
        return cls(here)

    def commands(self, count: int) -> list[dict[str, Any]]:
        """Enrolments of families that are known to nobody yet."""
        school, made = self._here.school, []
        for _ in range(count):
            data = school.enrolment(school.pupil(), school.guardian())
            made.append({"id": new_id(), "command": "Enrol", "source": school.source, "data": data})
        return made

    async def hands_in(self, commands: Sequence[dict[str, Any]]) -> None:
        """Publishes each and waits for its acknowledgement; once more for whichever has none."""
        code = self._here.school.code
        client = await nats.connect(
            self._here.running.nats_url,
            nkeys_seed=str(self._here.bus.seed_file(f"school_{code}")),
            inbox_prefix=f"_INBOX_school_{code}".encode(),
        )
        try:
            for command in commands:
                while not await self._acknowledged(client, f"ingress.{code}.cmd", orjson.dumps(command)):
                    await asyncio.sleep(0.2)
        finally:
            await client.close()

    @staticmethod
    async def _acknowledged(client: Client, subject: str, payload: bytes) -> bool:
        try:
            answer = await client.request(subject, payload, timeout=5)
        except nats.errors.Error:
            return False
        return "error" not in orjson.loads(answer.data)
