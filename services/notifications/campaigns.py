"""Campaigns as they stand: whom each covers, and what became of each of them, by class (E1)."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from services.notifications import queries
from services.notifications.domain.campaign import ENDED, HOLDS, CampaignState
from services.notifications.domain.states import State
from services.notifications.names import full_name
from services.notifications.queries import Holder, SchoolClass
from shared.contracts.policy import Channel, CredentialPolicy, HolderRole
from shared.database import Pool
from shared.policies import local_day
from shared.sql import Statements

SQL = Statements(__file__)
_OF_AGE: Final = 18


class Outcome(StrEnum):
    """What became of one whom a campaign covers. `waiting` is none yet."""

    waiting = "waiting"
    sent = "sent"
    bounced = "bounced"
    failed = "failed"
    printed = "printed"
    activated = "activated"


_BY_STATE: Final[Mapping[State, Outcome]] = {
    State.waiting: Outcome.waiting,
    State.to_print: Outcome.waiting,
    State.queued: Outcome.waiting,
    State.sending: Outcome.waiting,
    State.deferred: Outcome.waiting,
    State.sent: Outcome.sent,
    State.bounced: Outcome.bounced,
    State.undelivered: Outcome.failed,
    State.no_address: Outcome.failed,
    State.expired: Outcome.failed,
    State.printed: Outcome.printed,
    State.handed_over: Outcome.printed,
    State.activated: Outcome.activated,
}


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """`classes` empty: the whole school. `by`: who planned it."""

    id: str
    school: str
    title: str
    roles: tuple[HolderRole, ...]
    classes: tuple[str, ...]
    opens: datetime
    per_domain_a_minute: int | None
    state: CampaignState
    planned_at: datetime
    opened_at: datetime | None
    ended_at: datetime | None
    reason: str | None
    by: str = field(repr=False)

    @property
    def ended(self) -> bool:
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class ClassProgress:
    school_class: SchoolClass
    outcomes: Counter[Outcome]

    @property
    def total(self) -> int:
        return self.outcomes.total()


@dataclass(frozen=True, slots=True)
class Progress:
    """`outcomes`: of each holder once, also of those who have children in several classes."""

    outcomes: Counter[Outcome]
    classes: tuple[ClassProgress, ...]

    @property
    def total(self) -> int:
        return self.outcomes.total()

    @property
    def done(self) -> int:
        return self.total - self.outcomes[Outcome.waiting]

    @property
    def sent(self) -> int:
        """Whom it reached, as far as anybody knows."""
        return sum(self.outcomes[o] for o in (Outcome.sent, Outcome.printed, Outcome.activated))

    @property
    def failed(self) -> int:
        return self.outcomes[Outcome.bounced] + self.outcomes[Outcome.failed]


@dataclass(frozen=True, slots=True)
class Preview:
    """Whom a campaign would reach as things stand. `without_address`: of those who are to be written to, whom nothing can
    be sent to; `without_mailbox`: pupils whose institutional mailbox is not active; `served`: who has credentials
    already, and keeps them."""

    people: Counter[HolderRole]
    classes: int
    without_address: int
    without_mailbox: int
    served: int

    @property
    def total(self) -> int:
        return self.people.total()


async def campaigns(pool: Pool, school: str) -> list[CampaignRow]:
    """The newest first."""
    return [_row(row) for row in await pool.fetch(SQL("campaigns"), school, None)]


async def campaign(pool: Pool, school: str, campaign_id: str) -> CampaignRow | None:
    """None for one that does not exist, or is another school's."""
    row = await pool.fetchrow(SQL("campaigns"), school, campaign_id)
    return None if row is None else _row(row)


async def progress(pool: Pool, one: CampaignRow, now: datetime) -> Progress:
    """What became of each whom the campaign covers. Who had credentials before it was planned is none of its."""
    classes = await _classes(pool, one.school, one.classes)
    covered = await _covered(pool, classes, one.roles, now)
    by_class: dict[str, Counter[Outcome]] = {each.id: Counter() for each in classes}
    everyone: dict[str, Outcome] = {}
    for holder in covered:
        outcome = _outcome(one, holder)
        if outcome is not None:
            by_class[holder.class_id][outcome] += 1
            everyone[holder.id] = outcome
    told = tuple(ClassProgress(each, by_class[each.id]) for each in classes if by_class[each.id])
    return Progress(Counter(everyone.values()), told)


async def preview(
    pool: Pool,
    school: str,
    roles: Sequence[HolderRole],
    classes: Sequence[str],
    policy: CredentialPolicy | None,
    now: datetime,
) -> Preview:
    chosen = await _classes(pool, school, classes)
    covered = {h.id: h for h in await _covered(pool, chosen, roles, now)}
    born = await _births(pool, [h.id for h in covered.values() if h.role == "pupil"])
    today = local_day(now)
    fresh = [h for h in covered.values() if h.standing.state is State.waiting]
    channels = {h.id: policy.of(_role(h, born, today)).channel if policy is not None else None for h in fresh}
    active = await _active_mailboxes(pool, [h.id for h in fresh])
    return Preview(
        people=Counter(_role(h, born, today) for h in fresh),
        classes=len({h.class_id for h in fresh}),
        without_address=sum(channels[h.id] is Channel.email and not h.facts.has_address for h in fresh),
        without_mailbox=sum(
            channels[h.id] is Channel.institutional_mailbox and h.id not in active for h in fresh
        ),
        served=sum(h.facts.issued or h.facts.kept for h in covered.values()),
    )


async def unknown_classes(pool: Pool, school: str, classes: Sequence[str]) -> set[str]:
    """Which of these are no classes of the school."""
    return set(classes) - {each.id for each in await queries.classes(pool, school)}


async def _classes(pool: Pool, school: str, chosen: Sequence[str]) -> list[SchoolClass]:
    """Those that were chosen; else all of the newest year."""
    everything = await queries.classes(pool, school)
    if chosen:
        return [each for each in everything if each.id in set(chosen)]
    return [each for each in everything if each.year == everything[0].year]


async def _covered(
    pool: Pool, classes: Sequence[SchoolClass], roles: Sequence[HolderRole], now: datetime
) -> list[Holder]:
    found = await queries.holders(pool, [each.id for each in classes], now)
    born = await _births(pool, [h.id for h in found if h.role == "pupil"])
    today = local_day(now)
    return [h for h in found if _role(h, born, today) in roles]


def _role(holder: Holder, born: Mapping[str, date], today: date) -> HolderRole:
    if holder.role == "guardian":
        return HolderRole.guardian
    day = born.get(holder.id)
    if (
        day is not None
        and today.year - day.year - ((today.month, today.day) < (day.month, day.day)) >= _OF_AGE
    ):
        return HolderRole.pupil_of_age
    return HolderRole.pupil_under_age


async def _births(pool: Pool, students: Sequence[str]) -> dict[str, date]:
    rows = await pool.fetch(SQL("births"), list(students)) if students else ()
    return {row["student"]: row["born"] for row in rows}


async def _active_mailboxes(pool: Pool, students: Sequence[str]) -> set[str]:
    rows = await pool.fetch(SQL("active_mailboxes"), list(students)) if students else ()
    return {row["student"] for row in rows}


def _outcome(one: CampaignRow, holder: Holder) -> Outcome | None:
    """None for who is none of the campaign's: served before, or meant to have none, or after it had ended."""
    facts, issued_at = holder.facts, holder.issued_at
    if not facts.issued:
        waits = holder.standing.state is State.waiting and not facts.kept
        return Outcome.waiting if waits and not one.ended else None
    if issued_at is None or issued_at < one.planned_at:
        return None
    if one.ended_at is not None and issued_at > one.ended_at:
        return None
    if facts.activated:
        return Outcome.activated
    return _BY_STATE.get(holder.standing.state)


def _row(row: Any) -> CampaignRow:
    return CampaignRow(
        id=row["campaign"],
        school=row["school"],
        title=row["title"],
        roles=tuple(HolderRole(role) for role in json.loads(row["roles"])),
        classes=tuple(json.loads(row["classes"])),
        opens=row["opens"],
        per_domain_a_minute=row["per_domain_a_minute"],
        state=CampaignState(row["state"]),
        planned_at=row["planned_at"],
        opened_at=row["opened_at"],
        ended_at=row["ended_at"],
        reason=row["reason"],
        by=full_name(row["family_name"], row["given_name"]),
    )


async def holding(pool: Pool, school: str) -> list[CampaignRow]:
    """The school's campaigns that hold back whom they cover."""
    return [one for one in await campaigns(pool, school) if one.state in HOLDS]


async def at_work(pool: Pool, since: datetime) -> list[CampaignRow]:
    """Of all schools, those that have not ended, and those that ended since."""
    return [_row(row) for row in await pool.fetch(SQL("campaigns_at_work"), since)]


async def bounced_of_sent(pool: Pool, one: CampaignRow) -> tuple[int, int]:
    """How many of its mails a server took, and how many of those came back."""
    row = await pool.fetchrow(SQL("campaign_mails"), one.id)
    return (row["sent"], row["bounced"]) if row is not None else (0, 0)
