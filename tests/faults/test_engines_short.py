"""One installation, one engine's failure after the other, while families arrive: the short form of `make faults`."""

import asyncio
import shutil

import pytest

from tests.faults.engines.bus_storage import history, lost, same_beginning
from tests.faults.engines.foreign_message import nonsense, put_and_look
from tests.faults.engines.house import House, house
from tests.faults.engines.postgres_away import cut
from tests.faults.scenario import Report


@pytest.mark.timeout(300)
async def test_engines_fail_one_after_the_other_and_nothing_is_lost_or_doubled() -> None:
    report = Report("engines in short", long=False)
    async with house(report) as here:
        async with here.arriving(at_once=1, pause=0.3):
            await asyncio.sleep(0.5)
            await _bus_fails(here)
            await _database_fails(here)
        await here.settles(120.0)
    assert report.violations == []


async def _bus_fails(here: House) -> None:
    await put_and_look(here, "registry", nonsense)
    told = await history(here)
    async with lost(here):
        await here.red("identity", "no connection to the message bus")
        shutil.rmtree(here.bus.store)
    await here.green()
    await same_beginning(here, told)


async def _database_fails(here: House) -> None:
    for _ in range(3):
        await cut(here)
        await asyncio.sleep(0.2)
    await here.running.kill("postgres")
    await here.red("registry", "the database")
    await here.running.wait_ready("postgres")
    await here.green()
