"""Scenario: two copies of every service over the same databases: two relays, two readers, two postmen, two ingresses."""

import asyncio
import random

from deploy.engines.ports import free_port
from deploy.environment import SERVICES
from tests.faults.check import check
from tests.faults.flow import Flow
from tests.faults.ground import ground, twins
from tests.faults.outside import Outside
from tests.faults.people import school
from tests.faults.scenario import Report, scenario


@scenario("two-of-everything")
async def two_of_everything(report: Report) -> None:
    """100 pupils of two schools through both copies, 40 kills of either (short: 12 pupils, 4 kills)."""
    pupils, kills = (50, 40) if report.long else (6, 4)
    schools = [school("TOIS00005X", "email", pupils), school("TOIS00006X", "paper", pupils)]
    ports = {service: free_port() for service in SERVICES}
    draw = random.Random(report.seed)
    async with ground(report) as made, Outside(made.wiring) as outside:
        flow = Flow(made, outside, schools, report)
        await flow.prepare()
        with twins(made, ports) as seconds:
            flow.urls = {s: (made.service(s), twin.url) for s, twin in seconds.items()}
            async with asyncio.TaskGroup() as group:
                working = group.create_task(flow.run())
                for number in range(1, kills + 1):
                    flow.more(2 * pupils // kills)
                    await asyncio.sleep(draw.uniform(0.2, 2.5))
                    service, second = draw.choice(SERVICES), draw.random() < 0.5
                    twin = seconds[service]
                    report.kills += twin.kill() if second else made.kill(service)
                    if second:
                        await asyncio.sleep(draw.uniform(0.0, 1.0))
                        twin.start()
                    if number % 4 == 0:
                        await made.ready()
                flow.all_of_them()
                await working
            await check(flow, passwords=200 if report.long else 4)
