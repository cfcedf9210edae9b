"""Scenario: the mail server refuses, delays, hangs, drops the line, answers 4xx and 5xx, bounces, and dies."""

import asyncio
import random
import signal

from tests.faults.check import check
from tests.faults.flow import Flow
from tests.faults.ground import Ground, ground
from tests.faults.outside import Outside
from tests.faults.people import Way, school
from tests.faults.scenario import Report, scenario

MAILBOXES = (
    "",
    "+reply452x2",
    "+reply421x1",
    "+reply550",
    "+dropx1",
    "+hangupx2",
    "+delay3",
    "+reply450x1",
    "+bounce",
    "+reply552",
    "+dropx2",
)
SHORT_MAILBOXES = ("", "+reply452x1", "+reply550", "+dropx1", "+hangupx1", "+reply421x1", "+delay1")


@scenario("mail-trouble")
async def mail_trouble(report: Report) -> None:
    """88 pupils whose guardians' mailboxes misbehave; the server dies and hangs (short: 7 pupils, one kill)."""
    pupils, kills = (88, 12) if report.long else (7, 1)
    mailboxes = MAILBOXES if report.long else SHORT_MAILBOXES
    one = school("TOIS00007X", "email", pupils, ways=(Way.http,), mailboxes=mailboxes)
    draw = random.Random(report.seed)
    async with ground(report) as made, Outside(made.wiring) as outside:
        flow = Flow(made, outside, [one], report)
        # Who signs in ends the secret, and with it every repeat of the mail that is still to come.
        flow.hesitation = 20.0 if report.long else 3.0
        await flow.prepare()
        async with asyncio.TaskGroup() as group:
            working = group.create_task(flow.run())
            for _ in range(kills):
                flow.more(pupils // kills)
                await asyncio.sleep(draw.uniform(0.5, 4.0))
                report.kills += made.kill("mailbox")
                if report.long:
                    await _hangs(made, draw.uniform(0.5, 4.0))
            flow.all_of_them()
            await working
        await check(flow, passwords=pupils)
        await _attempts(flow)


async def _hangs(made: Ground, seconds: float) -> None:
    """It takes connections and says nothing."""
    await made.ready()
    made.signal("mailbox", signal.SIGSTOP)
    await asyncio.sleep(seconds)
    made.signal("mailbox", signal.SIGCONT)


async def _attempts(flow: Flow) -> None:
    """How often mail went out again; that each repeat was the same mail, `check` has looked at."""
    rows = await flow.outside.rows(
        "notifications", "select attempts, count(*) as n from projections.deliveries_v1 group by 1 order by 1"
    )
    flow.report.note("attempts: " + ", ".join(f"{row['n']} times {row['attempts']}" for row in rows))
