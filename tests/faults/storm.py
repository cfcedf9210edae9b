"""Scenario: 2,000 sign-ins at once, of many accounts from many addresses; nobody who retries as told is refused."""

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack

from tests.faults.check import check
from tests.faults.flow import Flow
from tests.faults.ground import Ground, ground
from tests.faults.outside import Outside
from tests.faults.patience import Patient
from tests.faults.people import Way, school
from tests.faults.scenario import Report, scenario

SIGN_INS_AN_ADDRESS = 5
SIGN_INS_AN_ACCOUNT = 4
"""At once: from the fifth on, an account makes unknown devices wait (M10), and says how long."""
ROOM = 300 * 1024 * 1024
"""What identity may grow by: two hashes under way take 38 MiB of it."""
PATIENCE_SECONDS = 600.0


@scenario("sign-in-storm")
async def sign_in_storm(report: Report) -> None:
    """2,000 (short: 240) sign-ins with right passwords start together."""
    pupils, sign_ins = (420, 2000) if report.long else (50, 240)
    one = school("TOIS00009X", "email", pupils, ways=(Way.file,))
    async with ground(report) as made, Outside(made.wiring) as outside:
        flow = Flow(made, outside, [one], report)
        await flow.prepare()
        flow.all_of_them()
        await flow.run()
        before = made.memory("identity")
        most = [before]
        watching = asyncio.create_task(_watch(made, most))
        answers, refused = await _storm(flow, sign_ins)
        watching.cancel()
        peak, after = max(most), made.memory("identity")
        report.note(f"{sign_ins} sign-ins, answers: {dict(answers)}")
        report.note(
            f"identity's memory: {before >> 20} MiB before, {peak >> 20} at most, {after >> 20} after"
        )
        if peak > before + ROOM:
            report.violation("bounded memory", f"identity grew from {before >> 20} to {peak >> 20} MiB")
        if refused:
            report.violation("sign-in", f"{refused} right passwords were refused")
        if not answers["503"]:
            report.violation("queue", "the queue was never full: the storm was none")
        if answers["503"] != answers["503 with Retry-After"]:
            report.violation("queue", "a 503 did not say when to come back")
        await check(flow, passwords=10)


async def _storm(flow: Flow, sign_ins: int) -> tuple[Counter[str], int]:
    """Every answer by status, and how many were refused in the end."""
    answers: Counter[str] = Counter()
    codes = sorted(flow.book.chosen) * SIGN_INS_AN_ACCOUNT
    random.Random(flow.report.seed).shuffle(codes)
    if len(codes) < sign_ins:
        flow.report.violation("storm", f"there are accounts for {len(codes)} sign-ins only")
    made = flow.ground
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        tasks = []
        for number in range(sign_ins // SIGN_INS_AN_ADDRESS):
            address = f"127.2.{1 + number // 200}.{1 + number % 200}"
            http = Patient(made.site, host=made.host, address=address, answers=answers, obedient=True)
            await stack.enter_async_context(http)
            for _ in range(SIGN_INS_AN_ADDRESS):
                tasks.append(group.create_task(_sign_in(flow, http, codes.pop())))
        done = await asyncio.gather(*tasks)
    return answers, done.count(False)


async def _sign_in(flow: Flow, http: Patient, code: str) -> bool:
    body = {"user_code": code, "password": flow.book.chosen[code]}
    answer = await http.ask("POST", "/api/identity/sessions", json=body, seconds=PATIENCE_SECONDS)
    return answer.status_code == 201


async def _watch(made: Ground, most: list[int]) -> None:
    while True:
        most.append(made.memory("identity"))
        await asyncio.sleep(0.2)
