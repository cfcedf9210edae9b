"""After the fire: what was promised is there, once, and the installation's invariants hold."""

import asyncio
import json
import random
from collections import Counter, defaultdict
from typing import Any

from deploy.environment import SERVICES
from deploy.inspection import Outcome, inspect
from tests.faults.flow import Flow, entitled, reached, signs_in
from tests.faults.patience import until
from tests.faults.people import SOURCE, SchoolUnderFire

SETTLE_SECONDS = 300.0
_OUTCOMES = frozenset({"EmailAccepted", "DeliveryFailed", "DeliveryRefused", "DeliverySuperseded"})
_EVENTS = """
    select split_part(e ->> 'type', '.', 3) as name, e -> 'data' as data
    from (select convert_from(entry, 'UTF8')::jsonb as e, position from events.entries where school = $1) as said
    order by position
"""
_READING = {"registry": ("identity",), "identity": ("registry",), "notifications": ("registry", "identity")}
_OPEN = """
    select count(*) from projections.deliveries_v1
    where channel = 'email' and status in ('requested', 'attempting', 'deferred')
"""


async def check(flow: Flow, *, passwords: int) -> None:
    """Everything is looked at; `passwords`: of how many families' sign-ins is tried again."""
    flow.report.phase("settle")
    await settle(flow)
    flow.report.phase("check")
    for school in flow.schools:
        await _enrolments(flow, school)
        await _credentials(flow, school)
        await _deliveries(flow, school)
    _mails(flow)
    flow.report.phase("passwords")
    await _passwords(flow, passwords)
    flow.report.phase("inspect")
    await _invariants(flow)
    if faults := flow.answers["500"] + flow.answers["desk 500"]:
        flow.report.violation("answers", f"{faults} requests were answered with 500")
    spread = ", ".join(f"{count} times {what}" for what, count in sorted(flow.answers.items()))
    flow.report.note(f"{len(flow.book.enrolled)} pupils, {len(flow.book.chosen)} first sign-ins; {spread}")


async def settle(flow: Flow) -> None:
    """Every part is ready, everybody has read everything, no mail is on its way."""
    await flow.ground.ready(SETTLE_SECONDS)
    before: list[int] = []

    async def still() -> bool:
        nonlocal before
        heads = {s: int(await flow.outside.value(s, "select position from events.head")) for s in SERVICES}
        level = all([await _has_read(flow, s, heads) for s in SERVICES])
        quiet = before == list(heads.values())
        before = list(heads.values())
        return level and quiet and await flow.outside.value("notifications", _OPEN) == 0

    await until(still, "the end of all work", SETTLE_SECONDS, 1.0)


async def _has_read(flow: Flow, service: str, heads: dict[str, int]) -> bool:
    rows = await flow.outside.rows(service, "select source, position from events.cursors")
    cursors = {row["source"]: row["position"] for row in rows}
    return all(cursors.get(source, 0) == heads[source] for source in _READING[service])


async def _events(flow: Flow, service: str, school: str) -> list[tuple[str, dict[str, Any]]]:
    rows = await flow.outside.rows(service, _EVENTS, school)
    return [(row["name"], json.loads(row["data"])) for row in rows]


async def _enrolments(flow: Flow, school: SchoolUnderFire) -> None:
    rows = await flow.outside.rows(
        "registry",
        "select kind, external_id, person from projections.identifiers_v1 where school = $1 and source = $2",
        school.code,
        SOURCE,
    )
    known = {row["external_id"] for row in rows}
    if lost := {pupil.id for pupil in school.pupils if pupil.id in flow.book.enrolled} - known:
        flow.report.violation(
            "enrolments", f"{len(lost)} acknowledged pupils are not there: {sorted(lost)[:3]}"
        )
    people = Counter(row["person"] for row in rows)
    if len(people) != len(rows):
        flow.report.violation("enrolments", "one person was entered as two")
    names = Counter(name for name, _ in await _events(flow, "registry", school.code))
    links = sum(len(pupil.guardians) for pupil in school.pupils)
    for name, expected in (("StudentEnrolled", len(school.pupils)), ("GuardianLinked", links)):
        if names[name] != expected:
            flow.report.violation("enrolments", f"{names[name]} times {name} where {expected} were due")


async def _credentials(flow: Flow, school: SchoolUnderFire) -> None:
    events = await _events(flow, "identity", school.code)
    issued = Counter(data["holder"] for name, data in events if name == "CredentialsIssued")
    if len(issued) != entitled(school) or set(issued.values()) - {1}:
        flow.report.violation(
            "credentials",
            f"{len(issued)} holders have {issued.total()} credentials, {entitled(school)} were due",
        )
    changed = Counter(data["account"] for name, data in events if name == "PasswordChanged")
    if len(changed) != reached(school) or set(changed.values()) - {1}:
        flow.report.violation(
            "passwords",
            f"{len(changed)} accounts changed {changed.total()} passwords, once each was asked for",
        )


async def _deliveries(flow: Flow, school: SchoolUnderFire) -> None:
    """Each delivery one outcome; a slip one first printing, and a reason for each other."""
    outcomes: dict[str, list[str]] = defaultdict(list)
    holders: dict[str, str] = {}
    for name, data in await _events(flow, "notifications", school.code):
        if name == "DeliveryRequested":
            holders[data["delivery"]] = data["holder"]
        elif name in _OUTCOMES or (name == "SlipPrinted" and data["reason"] == "first_printing"):
            outcomes[data["delivery"]].append(name)
    of_holder = Counter(holders.values())
    if len(of_holder) != entitled(school) or set(of_holder.values()) - {1}:
        flow.report.violation(
            "deliveries",
            f"{len(of_holder)} holders have {len(holders)} deliveries, {entitled(school)} were due",
        )
    wrong = Counter(tuple(outcomes[d]) for d in holders if len(outcomes[d]) != 1)
    for said, count in wrong.items():
        flow.report.violation("deliveries", f"{count} deliveries with the outcomes {said or 'none'}")
    failed = sum(outcomes[d] == ["DeliveryFailed"] for d in holders)
    if failed != len(school.unreachable):
        flow.report.violation(
            "deliveries", f"{failed} failed where {len(school.unreachable)} mailboxes say never"
        )
    spread = Counter(name for d in holders for name in outcomes[d])
    flow.report.note(f"{school.code} ({school.policy}): {dict(spread)}")


def _mails(flow: Flow) -> None:
    """Who is written to twice gets the same message with the same secret."""
    flow.mails.new()
    twice = 0
    for letters in flow.mails.letters.values():
        twice += len(letters) > 1
        for what in ("message_id", "code", "password", "pin"):
            if len({getattr(letter, what) for letter in letters}) != 1:
                flow.report.violation("mails", f"a mail was repeated with another {what}")
    if any(len(printed) != 1 for printed in flow.book.slips.values()):
        flow.report.violation("slips", "a slip was printed again with another secret")
    flow.report.note(f"{len(flow.mails.letters)} mailboxes, {twice} of them with a repeated mail")


async def _passwords(flow: Flow, most: int) -> None:
    """What a family set opens the door; what it was given first does not any more."""
    codes = random.Random(flow.report.seed).sample(sorted(flow.book.chosen), min(most, len(flow.book.chosen)))
    places = asyncio.Semaphore(8)

    async def one(code: str) -> tuple[bool, bool]:
        async with places, flow.family() as http:
            new = await signs_in(http, code, flow.book.chosen[code])
            return new, await signs_in(http, code, flow.book.initial[code])

    answers = Counter(await asyncio.gather(*(one(code) for code in codes)))
    for (new, old), count in answers.items():
        if not new:
            flow.report.violation("passwords", f"{count} families' own passwords are refused")
        if old:
            flow.report.violation("passwords", f"{count} initial passwords still open the door")


async def _invariants(flow: Flow) -> None:
    for finding in await inspect(flow.ground.wiring):
        if finding.outcome is not Outcome.ok:
            flow.report.violation(
                finding.invariant.value, f"{finding.service}: {finding.outcome.value} {finding.text}"
            )
