"""Rows -> everything about one holder's credentials: where they stand, what became of each delivery (M7, M8)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.notifications import queries
from services.notifications.names import full_name
from services.notifications.queries import DeliveryStep, Holder, SchoolClass
from services.notifications.searching import Place, places
from services.notifications.slips import SlipOfHolder, slips
from shared.contracts.notifications import HandedTo, HandOverBy
from shared.database import Pool
from shared.sql import Statements

SQL = Statements(__file__)


@dataclass(frozen=True, slots=True)
class HandOverStep:
    """`note`: who took it for another, or why it was undone."""

    undone: bool
    at: datetime
    class_title: str
    to: HandedTo | None
    by: HandOverBy | None
    note: str = field(repr=False)
    by_whom: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Told:
    """A delivery with all that was done for it, in order. `slip`: it is on paper."""

    delivery: Mapping[str, Any] = field(repr=False)
    steps: tuple[DeliveryStep, ...]
    hand_overs: tuple[HandOverStep, ...]
    slip: SlipOfHolder | None


@dataclass(frozen=True, slots=True)
class OneHolder:
    """`here`: as the class says from which a slip would be printed now; None of one who is in no class any more."""

    account: str
    holder: str
    role: str
    name: str = field(repr=False)
    user_code: str = field(repr=False)
    generation: int | None
    activated_at: datetime | None
    pupils: tuple[Place, ...] = field(repr=False)
    here: Holder | None
    school_class: SchoolClass | None
    deliveries: tuple[Told, ...]


async def one_holder(pool: Pool, account: str, school: str, now: datetime) -> OneHolder | None:
    """None where there is no such account in this school."""
    row = await pool.fetchrow(SQL("account_of_school"), account, school)
    if row is None:
        return None
    holder = row["holder"]
    pupils = (await places(pool, [holder]))[holder]
    here = await _here(pool, holder, pupils, now)
    found = await queries.holders_around(pool, [pupil.student for pupil in pupils], [holder], now)
    general = found[0] if found else None
    return OneHolder(
        account=account,
        holder=holder,
        role=row["role"],
        name=await queries.holder_name(pool, holder),
        user_code=row["user_code"] or "",
        generation=row["generation"],
        activated_at=row["activated_at"],
        pupils=pupils,
        here=here or general,
        school_class=next((p.school_class for p in pupils if here and _is(p.school_class, here)), None),
        deliveries=await _deliveries(pool, account, school),
    )


def _is(one: SchoolClass | None, here: Holder) -> bool:
    return one is not None and one.id == here.class_id


async def _here(pool: Pool, holder: str, pupils: Sequence[Place], now: datetime) -> Holder | None:
    """In the class of a child whose data they may see; else in any."""
    classes = list(dict.fromkeys(p.school_class.id for p in pupils if p.school_class))
    rows = await queries.holders(pool, classes, now, [holder])
    rows.sort(key=lambda one: (not one.facts.data_access, classes.index(one.class_id)))
    return rows[0] if rows else None


async def _deliveries(pool: Pool, account: str, school: str) -> tuple[Told, ...]:
    rows = [dict(row) for row in await pool.fetch(SQL("deliveries_of_account"), account, school)]
    ids = [row["delivery"] for row in rows]
    given = await hand_overs(pool, ids)
    on_paper = await slips(pool, ids, school)
    told = [
        Told(
            delivery=row,
            steps=tuple(await queries.steps(pool, row["delivery"])),
            hand_overs=tuple(given[row["delivery"]]),
            slip=on_paper.get(row["delivery"]),
        )
        for row in rows
    ]
    return tuple(told)


async def hand_overs(pool: Pool, deliveries: Sequence[str]) -> Mapping[str, Sequence[HandOverStep]]:
    """What was handed over and undone, in order, by delivery."""
    found: dict[str, list[HandOverStep]] = {delivery: [] for delivery in deliveries}
    for row in await pool.fetch(SQL("hand_over_steps"), list(deliveries)):
        found[row["delivery"]].append(_hand_over(row))
    return found


def _hand_over(row: Any) -> HandOverStep:
    return HandOverStep(
        undone=row["undone"],
        at=row["at"],
        class_title=row["class_title"] or "",
        to=HandedTo(row["handed_to"]) if row["handed_to"] else None,
        by=HandOverBy(row["by"]) if row["by"] else None,
        note=row["note"] or "",
        by_whom=full_name(row["family_name"], row["given_name"]),
    )
