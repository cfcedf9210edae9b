"""Rows -> answers: circulars, whom they concern, who has read them; a school's own words (P10, E11)."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from services.notifications.channels.circular.render import Letterhead
from services.notifications.domain.circular import Content
from services.notifications.domain.school_texts import Words
from services.notifications.names import collation_key, full_name
from services.notifications.queries import School
from shared.contracts.notifications import Audience, AudienceSize, CircularAudience
from shared.database import Pool
from shared.sql import Statements
from shared.web.sessions import Principal

SQL = Statements(__file__)
PEOPLE = (Audience.guardians, Audience.pupils, Audience.teachers, Audience.ata)
"""Audiences that are people: the public is not counted, and reads without being known."""
_BY_ROLE: Mapping[str, tuple[str, ...]] = {
    "teacher": ("teachers",),
    "secretary": ("ata",),
    "principal": ("teachers", "ata"),
}


@dataclass(frozen=True, slots=True)
class Circular:
    """`as_audience` and `read_at`: of whoever asks, where a reader asks."""

    id: str
    school: str
    year: str
    number: str
    day: date
    subject: str
    text: str
    signed_by: str
    audience: CircularAudience
    sizes: tuple[AudienceSize, ...]
    published_at: datetime
    withdrawn_at: datetime | None
    withdrawn_for: str | None
    as_audience: Audience | None = None
    read_at: datetime | None = None

    @property
    def public(self) -> bool:
        return Audience.public in self.audience.audiences


@dataclass(frozen=True, slots=True)
class Member:
    """One person of an audience. `address`: where a message goes; None: nowhere."""

    audience: Audience
    holder: str
    name: str = field(repr=False)
    address: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class AudienceReads:
    """How many of an audience have read it; `holders` and `by_mail` as it was at publication."""

    audience: Audience
    holders: int
    by_mail: int
    readers: int


@dataclass(frozen=True, slots=True)
class Draft:
    """`content`: what was written so far, by field; nothing of it is checked yet."""

    id: str
    content: Mapping[str, Any]
    author: str
    updated_at: datetime
    circular: str | None


async def school_of_customer(pool: Pool, customer_id: str) -> School | None:
    """The school of a public address."""
    row = await pool.fetchrow(SQL("school_of_customer"), customer_id)
    return None if row is None else School(row["school"], row["name"], row["customer_id"], None)


async def of_school(pool: Pool, school: str, *, public_only: bool = False) -> list[Circular]:
    """The newest first; withdrawn ones too, but not among the public ones."""
    rows = await pool.fetch(SQL("circulars_of_school"), school, None, public_only)
    return [_circular(dict(row)) for row in rows]


async def one_of_school(pool: Pool, school: str, circular: str) -> Circular | None:
    """None for one that does not exist, or is another school's."""
    row = await pool.fetchrow(SQL("circulars_of_school"), school, circular, False)
    return None if row is None else _circular(dict(row))


async def of_reader(pool: Pool, who: Principal, circular: str | None = None) -> list[Circular]:
    """Those that concern whoever is signed in, the newest first."""
    staff = sorted({audience for role in who.roles for audience in _BY_ROLE.get(role, ())})
    rows = await pool.fetch(SQL("circulars_of_reader"), who.school, who.person_id, staff, circular)
    return [_circular(dict(row)) for row in rows]


async def members(pool: Pool, school: str, audience: CircularAudience, year: str) -> list[Member]:
    """Everybody of these audiences now, as a class list is ordered; each person once."""
    rows = await pool.fetch(
        SQL("audience"), school, [a.value for a in audience.audiences], list(audience.classes), year
    )
    rows.sort(key=lambda row: collation_key(row["family_name"], row["given_name"]))
    found = {
        row["holder"]: Member(
            audience=Audience(row["audience"]),
            holder=row["holder"],
            name=full_name(row["family_name"], row["given_name"]),
            address=row["address"] or None,
        )
        for row in rows
    }
    return list(found.values())


def sizes(audience: CircularAudience, of: Sequence[Member]) -> tuple[AudienceSize, ...]:
    """How many of each audience there are, and how many a message reaches."""
    everybody = Counter(member.audience for member in of)
    reached = Counter(member.audience for member in of if member.address)
    return tuple(
        AudienceSize(audience=one, holders=everybody[one], by_mail=reached[one])
        for one in PEOPLE
        if one in audience.audiences
    )


async def reads(pool: Pool, circulars: Sequence[Circular]) -> dict[str, tuple[AudienceReads, ...]]:
    """By circular, how many of each audience have read it."""
    rows = await pool.fetch(SQL("reads_of_circulars"), [c.id for c in circulars])
    count = {(row["circular"], row["audience"]): row["readers"] for row in rows}
    return {
        c.id: tuple(
            AudienceReads(
                size.audience, size.holders, size.by_mail, count.get((c.id, size.audience.value), 0)
            )
            for size in c.sizes
        )
        for c in circulars
    }


async def unread(pool: Pool, circular: Circular) -> dict[Audience, list[Member]]:
    """Who of its audiences, as they are now, has not opened it yet."""
    have = {row["holder"] for row in await pool.fetch(SQL("readers_of_circular"), circular.id)}
    found: dict[Audience, list[Member]] = defaultdict(list)
    for member in await members(pool, circular.school, circular.audience, circular.year):
        if member.holder not in have:
            found[member.audience].append(member)
    return {audience: found[audience] for audience in PEOPLE if audience in found}


async def notices(pool: Pool, circulars: Collection[str]) -> dict[str, Counter[str]]:
    """By circular, how many messages stand where."""
    found: dict[str, Counter[str]] = {circular: Counter() for circular in circulars}
    for row in await pool.fetch(SQL("notices_of_circulars"), list(circulars)):
        found[row["circular"]][row["status"]] = row["notices"]
    return found


async def notice_states(pool: Pool, circular: str) -> dict[str, str]:
    """By holder, where the message about a circular stands."""
    rows = await pool.fetch(SQL("notices_of_circular"), circular)
    return {row["holder"]: row["status"] for row in rows}


async def drafts(pool: Pool, school: str) -> list[Draft]:
    """Those that are still being written, the newest first."""
    return [_draft(dict(row)) for row in await pool.fetch(SQL("drafts_of_school"), school, None)]


async def draft(pool: Pool, school: str, draft_id: str) -> Draft | None:
    row = await pool.fetchrow(SQL("drafts_of_school"), school, draft_id)
    return None if row is None else _draft(dict(row))


async def letterhead(pool: Pool, school: School) -> Letterhead:
    """The school's name alone, until it has adopted one."""
    row = await pool.fetchrow(SQL("letterhead"), school.code)
    if row is None:
        return Letterhead((school.name,))
    return Letterhead(tuple(json.loads(row["head"])), tuple(json.loads(row["foot"])))


async def words(pool: Pool, school: str) -> dict[tuple[str, str], Words]:
    """By template and language, what the school says in its own words."""
    rows = await pool.fetch(SQL("mail_words"), school)
    return {
        (row["template"], row["language"]): Words(row["subject"], row["opening"], row["closing"])
        for row in rows
    }


def content_of(circular: Circular) -> Content:
    return Content(
        number=circular.number,
        day=circular.day,
        subject=circular.subject,
        text=circular.text,
        signed_by=circular.signed_by,
        audience=circular.audience,
    )


def _draft(row: Mapping[str, Any]) -> Draft:
    return Draft(row["draft"], json.loads(row["content"]), row["author"], row["updated_at"], row["circular"])


def _circular(row: Mapping[str, Any]) -> Circular:
    audiences = tuple(Audience(one) for one in json.loads(row["audiences"]))
    audience = row.get("audience")
    return Circular(
        id=row["circular"],
        school=row["school"],
        year=row["year"],
        number=row["number"],
        day=row["day"],
        subject=row["subject"],
        text=row["text"],
        signed_by=row["signed_by"],
        audience=CircularAudience(audiences=audiences, classes=tuple(json.loads(row["classes"]))),
        sizes=tuple(AudienceSize.model_validate(size) for size in json.loads(row["sizes"])),
        published_at=row["published_at"],
        withdrawn_at=row["withdrawn_at"],
        withdrawn_for=row["withdrawn_for"],
        as_audience=Audience(audience) if audience else None,
        read_at=row.get("read_at"),
    )
