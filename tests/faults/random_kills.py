"""Scenario: any process is killed at any moment, the engines and the supervisor included, while a school works."""

import asyncio
import random
import time

from tests.faults.check import check
from tests.faults.flow import Flow
from tests.faults.ground import PARTS, Ground, ground
from tests.faults.outside import Outside
from tests.faults.people import school
from tests.faults.scenario import Report, scenario

SHORT_KILLS = 6
LONG_KILLS = 140
SUPERVISOR_EVERY = 20
"""Every so many kills it is the whole installation that goes, as in a power cut."""
RECOVERY_EVERY = 5
"""So often it may come back wholly before the next kill; the others come when they come."""


@scenario("random-kills")
async def random_kills(report: Report) -> None:
    """300 pupils of two schools, 140 kills (short: 16 pupils, 6 kills)."""
    pupils, kills = (150, LONG_KILLS) if report.long else (8, SHORT_KILLS)
    schools = [school("TOIS00001X", "email", pupils), school("TOIS00002X", "paper", pupils)]
    async with ground(report) as made, Outside(made.wiring) as outside:
        flow = Flow(made, outside, schools, report)
        await flow.prepare()
        async with asyncio.TaskGroup() as group:
            working = group.create_task(flow.run())
            await _kill(flow, made, kills, 2 * pupils)
            flow.all_of_them()
            if not made.alive:
                made.start()
            await working
        await check(flow, passwords=600 if report.long else 6)


async def _kill(flow: Flow, made: Ground, kills: int, pupils: int) -> None:
    draw = random.Random(flow.report.seed)
    parts = [*PARTS, *PARTS[-3:]]  # the services twice as often
    entered = 0
    for number in range(1, kills + 1):
        due = pupils * number // kills
        flow.more(due - entered)
        entered = due
        await asyncio.sleep(draw.uniform(0.05, 2.5))
        last = number == kills
        whole = number % SUPERVISOR_EVERY == 0 or (last and kills < SUPERVISOR_EVERY)
        part = "supervisor" if whole else draw.choice(parts)
        await _until_killed(made, part)
        flow.report.kills += 1
        if part == "supervisor":
            await asyncio.sleep(draw.uniform(0.0, 1.0))
            made.start()
        if part == "supervisor" or number % RECOVERY_EVERY == 0:
            await made.ready()


async def _until_killed(made: Ground, part: str) -> None:
    """It may just be starting after an earlier kill: then in a moment."""
    deadline = time.monotonic() + 60
    while not made.kill(part):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{part} was not there to be killed for a minute")
        await asyncio.sleep(0.05)
