"""Scenario: every named fault point, in every service where it can be reached, ends its process once in turn."""

import asyncio
import time

from shared.faults import Point
from tests.faults.check import check
from tests.faults.flow import Flow
from tests.faults.ground import ground
from tests.faults.outside import Outside
from tests.faults.people import school
from tests.faults.scenario import Report, scenario

REACHED_SECONDS = 180.0
PUPILS_EVERY = 0.4
EVERYWHERE = (
    Point.before_commit,
    Point.after_commit,
    Point.before_publish,
    Point.published,
    Point.reaction_prepared,
    Point.reaction_committed,
)
REGISTRY = (Point.key_made, Point.command_carried_out, *EVERYWHERE)
"""A person's key is made where the person is first heard of: here, or on the command line for staff."""
POINTS = (
    *(("registry", point) for point in REGISTRY),
    ("notifications", Point.mail_attempted),
    ("notifications", Point.mail_accepted),
    ("identity", Point.slip_claimed),
    ("notifications", Point.slips_rendered),
    ("notifications", Point.epoch_key_written),
    *((service, point) for point in EVERYWHERE for service in ("identity", "notifications")),
)
SHORT = (
    ("registry", Point.published),
    ("identity", Point.reaction_prepared),
    ("notifications", Point.mail_accepted),
    ("identity", Point.slip_claimed),
)


@scenario("crash-points")
async def crash_points(report: Report) -> None:
    """Each point while 150 pupils of two schools come in (short: four points, once)."""
    pupils = 75 if report.long else 8
    schools = [school("TOIS00003X", "email", pupils), school("TOIS00004X", "paper", pupils)]
    points = POINTS if report.long else SHORT
    async with ground(report) as made, Outside(made.wiring) as outside:
        flow = Flow(made, outside, schools, report)
        await flow.prepare()
        async with asyncio.TaskGroup() as group:
            working = group.create_task(flow.run())
            for number, (service, point) in enumerate(points, 1):
                await _reached(flow, service, point, 2 * pupils * number // len(points))
            flow.all_of_them()
            await working
        await check(flow, passwords=100 if report.long else 4)
    missing = {point for _, point in POINTS} ^ set(Point)
    if missing:
        report.violation("points", f"never tried: {', '.join(sorted(missing))}")


async def _reached(flow: Flow, service: str, point: Point, pupils: int) -> None:
    """Let pupils in, up to so many in all, until the service has come to the point and is back."""
    made, report = flow.ground, flow.report
    reached = made.want(service, point)
    if point is Point.epoch_key_written:  # at its start, and then once in a long while
        made.kill(service)
        report.kills += 1
    began = let_in = time.monotonic()
    while not reached.exists():
        now = time.monotonic()
        if now - began > REACHED_SECONDS:
            made.unwant()
            report.violation("points", f"{service} never came to {point}")
            return
        if now > let_in and flow.let_in < pupils:
            flow.more()
            let_in = now + PUPILS_EVERY
        await asyncio.sleep(0.05)
    report.kills += 1
    await made.ready()
