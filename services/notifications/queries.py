"""Rows -> answers: classes, the state of every credential of a class, a delivery with its steps (M7)."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.notifications.domain.delivery import Status
from services.notifications.domain.states import Bar, Facts, Sent, Standing, State, standing
from services.notifications.names import collation_key, full_name
from shared.contracts.identity import RefusalReason, ShredReason
from shared.contracts.notifications import DeliveryProblem
from shared.contracts.policy import Channel, CredentialPolicy
from shared.database import Pool
from shared.policies import policy_in_force
from shared.sql import Statements

SQL = Statements(__file__)


@dataclass(frozen=True, slots=True)
class School:
    """`policy`: the one in force when it was asked for."""

    code: str
    name: str
    customer_id: str
    policy: CredentialPolicy | None


@dataclass(frozen=True, slots=True)
class SchoolClass:
    id: str
    year: str
    title: str


@dataclass(frozen=True, slots=True)
class Holder:
    """A pupil of the class, or a guardian of one. `of_whom`: the names of a guardian's pupils in the class, for the
    desk; `may_see`: those whose data the guardian may see, for what others than the desk read."""

    id: str
    role: str
    relationship: str | None
    name: str = field(repr=False)
    of_whom: tuple[str, ...] = field(repr=False)
    may_see: tuple[str, ...] = field(repr=False)
    class_id: str
    account: str | None
    credential: str | None
    issued_at: datetime | None
    activated_at: datetime | None
    facts: Facts
    standing: Standing

    @property
    def delivery(self) -> Sent | None:
        """What the holder has, or is to get: a slip that stands in for a mail comes first."""
        return self.facts.slip_instead or self.facts.delivery


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """`activated`: also who is inside and has asked for new credentials meanwhile."""

    school_class: SchoolClass
    holders: int
    states: Counter[State]
    activated: int


@dataclass(frozen=True, slots=True)
class DeliveryStep:
    """`kind`: mail or print. `by`: the name of the member of staff who printed."""

    kind: str
    number: int
    at: datetime
    outcome: str | None
    ended_at: datetime | None
    code: int | None
    problem: str | None
    retry_at: datetime | None
    reason: str | None
    by: str


async def school(pool: Pool, code: str, now: datetime) -> School | None:
    """The school, with the policy that is in force now."""
    row = await pool.fetchrow(SQL("school"), code)
    if row is None:
        return None
    policy = await policy_in_force(pool, code, now)
    return School(row["school"], row["name"], row["customer_id"], policy)


async def classes(pool: Pool, school: str) -> list[SchoolClass]:
    """All classes of a school: the newest year first, then by title (1A before 2A before 10A)."""
    rows = await pool.fetch(SQL("classes_of_school"), school)
    found = [SchoolClass(row["class_id"], row["year"], row["title"]) for row in rows]
    found.sort(key=lambda c: _title_key(c.title))
    return sorted(found, key=lambda c: c.year, reverse=True)


async def school_class(pool: Pool, class_id: str, school: str) -> SchoolClass | None:
    """None for a class that does not exist, or is another school's: the two look alike from outside."""
    row = await pool.fetchrow(SQL("class"), class_id, school)
    return None if row is None else SchoolClass(row["class_id"], row["year"], row["title"])


async def counts(pool: Pool, of: Sequence[SchoolClass], now: datetime) -> list[ClassCounts]:
    """How many credentials of each class are in which state."""
    by_class: dict[str, list[Holder]] = {one.id: [] for one in of}
    for holder in await holders(pool, list(by_class), now):
        by_class[holder.class_id].append(holder)
    return [
        ClassCounts(one, len(here), Counter(h.standing.state for h in here), sum(map(_inside, here)))
        for one, here in ((one, by_class[one.id]) for one in of)
    ]


def _inside(holder: Holder) -> bool:
    state = holder.standing.state
    return state is State.activated or (state is State.to_decide and holder.facts.activated)


async def holders(
    pool: Pool, class_ids: Collection[str], now: datetime, of: Collection[str] | None = None
) -> list[Holder]:
    """Pupils in the order of the class list, each followed by their guardians; a twin's parent stands once. `of`: only
    these."""
    only = None if of is None else list(of)
    return _holders(await pool.fetch(SQL("holders_of_classes"), list(class_ids), [], only), now)


async def holders_around(
    pool: Pool, students: Collection[str], of: Collection[str], now: datetime
) -> list[Holder]:
    """These holders, as far as they are these pupils or their guardians, once each, in no class (`class_id` empty)."""
    return _holders(await pool.fetch(SQL("holders_of_classes"), [], list(students), list(of)), now)


def _holders(records: Iterable[Any], now: datetime) -> list[Holder]:
    rows = [dict(row) for row in records]
    rows.sort(key=_class_list_order)
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        grouped.setdefault((row["class_id"], row["holder"]), []).append(row)
    return [_holder(same, now) for same in grouped.values()]


async def delivery(pool: Pool, delivery_id: str, school: str) -> Mapping[str, Any] | None:
    row = await pool.fetchrow(SQL("delivery"), delivery_id, school)
    return None if row is None else dict(row)


async def deliveries(
    pool: Pool, school: str, status: str | None, before: tuple[datetime, str] | None, most: int
) -> list[Mapping[str, Any]]:
    """The newest first; `before` is the (requested_at, delivery) that the last page ended with."""
    at, after_id = before if before is not None else (None, None)
    return [dict(row) for row in await pool.fetch(SQL("deliveries"), school, status, at, after_id, most)]


async def steps(pool: Pool, delivery_id: str) -> list[DeliveryStep]:
    names = ("kind", "number", "at", "outcome", "ended_at", "code", "problem", "retry_at", "reason")
    return [
        DeliveryStep(**{n: row[n] for n in names}, by=full_name(row["family_name"], row["given_name"]))
        for row in await pool.fetch(SQL("steps"), delivery_id)
    ]


def _title_key(title: str) -> tuple[int, str]:
    digits = "".join(c for c in title if c.isdigit())
    return int(digits or 0), title.casefold()


def _class_list_order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    pupil = collation_key(row["pupil_family_name"], row["pupil_given_name"])
    return pupil, row["student"], row["role"] != "pupil", collation_key(row["family_name"], row["given_name"])


def _holder(rows: Sequence[Mapping[str, Any]], now: datetime) -> Holder:
    row = rows[0]
    guardian = row["role"] == "guardian"
    facts = Facts(
        channel=Channel(row["channel"]) if row["channel"] else None,
        exclusive=bool(row["exclusive"]),
        issued=row["credential"] is not None,
        expires=row["expires"],
        secret=ShredReason(row["secret"]) if row["secret"] not in (None, "sealed") else None,
        activated=row["activated_at"] is not None,
        kept=row["kept_year"] is not None,
        refusal=RefusalReason(row["refusal"]) if row["refusal"] else None,
        has_address=row["has_address"],
        data_access=any(r["data_access"] for r in rows),
        bars=frozenset(Bar(bar) for bar in (row["bars"] or "").split()),
        to_decide=row["to_decide"],
        delivery=_sent(row, ""),
        slip_instead=_sent(row, "slip_"),
    )
    pupils = {r["student"]: full_name(r["pupil_family_name"], r["pupil_given_name"]) for r in rows}
    seen = {r["student"] for r in rows if r["data_access"]}
    return Holder(
        id=row["holder"],
        role=row["role"],
        relationship=row["relationship"],
        name=full_name(row["family_name"], row["given_name"]),
        of_whom=tuple(pupils.values()) if guardian else (),
        may_see=tuple(name for student, name in pupils.items() if student in seen) if guardian else (),
        class_id=row["class_id"],
        account=row["account"],
        credential=row["credential"],
        issued_at=row["issued_at"],
        activated_at=row["activated_at"],
        facts=facts,
        standing=standing(facts, now),
    )


def _sent(row: Mapping[str, Any], prefix: str) -> Sent | None:
    if row[f"{prefix}delivery"] is None:
        return None
    problem = row[f"{prefix}problem"]
    return Sent(
        delivery=row[f"{prefix}delivery"],
        status=Status(row[f"{prefix}status"]),
        problem=DeliveryProblem(problem) if problem else None,
        code=row[f"{prefix}code"],
        changed_at=row[f"{prefix}changed_at"],
        retry_at=row[f"{prefix}retry_at"],
        printings=row[f"{prefix}printings"],
    )


async def holder_name(pool: Pool, holder: str) -> str:
    """Empty for a person who is not known (any more)."""
    row = await pool.fetchrow(SQL("holder_name"), holder)
    return "" if row is None else full_name(row["family_name"], row["given_name"])
