"""The bus stops, and work goes on."""

import asyncio

from deploy.environment import SERVICES
from tests.faults.engines.house import house
from tests.faults.scenario import Report, scenario


@scenario("bus-away")
async def bus_away(report: Report) -> None:
    """NATS is down for a minute: enrolling goes on over HTTP, the mails follow, `/readyz` says it."""
    async with house(report) as here:
        await here.families(5)
        async with here.arriving():
            await asyncio.sleep(0.5)
            await here.running.stop("nats")
            before = len(here.accepted)
            for service in SERVICES:
                await here.red(service, "no connection to the message bus")
            await asyncio.sleep(60.0 if report.long else 2.0)
            during = len(here.accepted) - before
            if not during:
                report.violation("goes-on", "nobody was enrolled while the bus was down")
            report.note(f"{during} families were enrolled while the bus was down")
            await here.running.start("nats")
        await here.settles()


@scenario("bus-crashes")
async def bus_crashes(report: Report) -> None:
    """NATS is killed again and again while families arrive."""
    async with house(report) as here:
        async with here.arriving():
            for _ in range(12 if report.long else 2):
                await asyncio.sleep(1.0)
                await here.running.kill("nats")
                report.kills += 1
                await here.running.wait_ready("nats")
        await here.settles()
