"""Rows -> slips on paper: whose they are, where they are handed over, and what became of them (P5)."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from services.notifications.domain.circular import school_year
from services.notifications.names import collation_key, full_name
from services.notifications.queries import SchoolClass
from shared.contracts.event import Context
from shared.contracts.notifications import HandedTo, HandOverBy
from shared.database import Pool
from shared.policies import local_day
from shared.sql import Statements

SQL = Statements(__file__)


@dataclass(frozen=True, slots=True)
class HandedOver:
    """`by_whom`: the name of the member of staff; empty where it is not known."""

    at: datetime
    class_id: str | None
    class_title: str
    to: HandedTo
    by: HandOverBy
    delegate: str = field(repr=False)
    by_whom: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pupil:
    student: str
    name: str = field(repr=False)
    class_id: str
    class_title: str


@dataclass(frozen=True, slots=True)
class SlipOfHolder:
    """A printed slip. `pupils`: itself, or those whose data its holder may see. `current`: it serves still."""

    delivery: str
    school: str
    account: str
    holder: str
    role: str
    name: str = field(repr=False)
    expires: datetime
    activated_at: datetime | None
    current: bool
    printed_from: str | None
    pupils: tuple[Pupil, ...] = field(repr=False)
    handed_over: HandedOver | None
    correlation: str
    cause: str
    order: tuple[Any, ...] = field(repr=False)

    def where(self) -> tuple[str, ...]:
        """The classes in which it may be handed over: that from which it was printed, if this still is one."""
        of_pupils = tuple(dict.fromkeys(pupil.class_id for pupil in self.pupils))
        return (self.printed_from,) if self.printed_from in of_pupils and self.printed_from else of_pupils

    def open(self, now: datetime) -> bool:
        """It is on paper, serves, and nobody has recorded that it was handed over."""
        return self.handed_over is None and self.current and self.expires > now

    def context(self, actor: str, traceparent: str | None) -> Context:
        return Context(
            actor=actor, correlation=self.correlation, causation=self.cause, traceparent=traceparent
        )


async def slips(pool: Pool, deliveries: Collection[str], school: str) -> dict[str, SlipOfHolder]:
    """Those of the school that are on paper, by delivery; whatever else was named is not there."""
    possible = [delivery for delivery in deliveries if "\0" not in delivery]
    rows = await pool.fetch(SQL("slips"), possible, school)
    return {row["delivery"]: _slip(dict(row)) for row in rows}


async def slips_of_classes(
    pool: Pool, class_ids: Sequence[str], school: str
) -> dict[str, list[SlipOfHolder]]:
    """For each class, in the order of its list: each pupil, followed by their guardians."""
    rows = await pool.fetch(SQL("slips_of_classes"), list(class_ids))
    found = await slips(pool, {row["delivery"] for row in rows}, school)
    by_class: dict[str, list[SlipOfHolder]] = {class_id: [] for class_id in class_ids}
    for row in rows:
        if (slip := found.get(row["delivery"])) is not None:
            by_class[row["class_id"]].append(slip)
    for class_id, of_class in by_class.items():
        of_class.sort(key=partial(_place, class_id=class_id))
    return by_class


async def slips_of_class(pool: Pool, class_id: str, school: str) -> list[SlipOfHolder]:
    """In the order of the class list: each pupil, followed by their guardians."""
    return (await slips_of_classes(pool, [class_id], school))[class_id]


async def classes_of_teacher(pool: Pool, teacher: str, school: str, now: datetime) -> list[SchoolClass]:
    """Those of the school year that runs at `now`, or is to come."""
    rows = await pool.fetch(SQL("classes_of_teacher"), teacher, school, school_year(local_day(now)))
    found = [SchoolClass(row["class_id"], row["year"], row["title"]) for row in rows]
    found.sort(key=lambda one: one.title)
    return sorted(found, key=lambda one: one.year, reverse=True)


async def teaches(pool: Pool, teacher: str, class_id: str, school: str, now: datetime) -> bool:
    year = school_year(local_day(now))
    return bool(await pool.fetchval(SQL("teaches"), teacher, class_id, school, year))


def _place(slip: SlipOfHolder, class_id: str) -> tuple[Any, ...]:
    here = [pupil for pupil in slip.pupils if pupil.class_id == class_id] or list(slip.pupils)
    first = min((collation_key(pupil.name) for pupil in here), default=collation_key(""))
    return first, slip.role != "pupil", slip.order


def _slip(row: Mapping[str, Any]) -> SlipOfHolder:
    children = sorted(
        json.loads(row["children"]), key=lambda c: collation_key(c["family_name"], c["given_name"])
    )
    handed_over = None
    if row["at"] is not None:
        handed_over = HandedOver(
            at=row["at"],
            class_id=row["handed_in"],
            class_title=row["handed_in_title"] or "",
            to=HandedTo(row["handed_to"]),
            by=HandOverBy(row["by"]),
            delegate=row["delegate"] or "",
            by_whom=full_name(row["by_family_name"], row["by_given_name"]),
        )
    return SlipOfHolder(
        delivery=row["delivery"],
        school=row["school"],
        account=row["account"],
        holder=row["holder"],
        role=row["role"],
        name=full_name(row["family_name"], row["given_name"]),
        expires=row["expires"],
        activated_at=row["activated_at"],
        current=bool(row["current"]),
        printed_from=row["printed_from"],
        pupils=tuple(
            Pupil(c["student"], full_name(c["family_name"], c["given_name"]), c["class_id"], c["class"])
            for c in children
        ),
        handed_over=handed_over,
        correlation=row["correlation"],
        cause=row["cause"],
        order=collation_key(row["family_name"], row["given_name"]),
    )
