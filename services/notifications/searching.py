"""The desk's search: who, or which class, is meant by a few letters (M7)."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from services.notifications import queries
from services.notifications.names import collation_key, full_name
from services.notifications.queries import Holder, SchoolClass
from shared.database import Pool
from shared.sql import Statements

SQL = Statements(__file__)
MOST = 50
_SHORTEST_CODE = 3
_MARKS = re.compile("[\u0300-\u036f]")
_NOT_ALNUM = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Place:
    """A pupil with the class of the newest year; no class for one who has left."""

    student: str
    name: str = field(repr=False)
    school_class: SchoolClass | None


@dataclass(frozen=True, slots=True)
class Hit:
    holder: Holder
    pupils: tuple[Place, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """`more`: there are others; a longer name finds them."""

    classes: tuple[SchoolClass, ...]
    people: tuple[Hit, ...]
    more: bool


def plain_words(text: str) -> list[str]:
    """`D’Amico Nicolò` as `d`, `amico`, `nicolo`: as `projections.plain_name` has it."""
    without_accents = _MARKS.sub("", unicodedata.normalize("NFKD", text)).lower()
    return [word for word in _NOT_ALNUM.split(without_accents) if word]


async def search(pool: Pool, school: str, text: str, now: datetime) -> Found:
    """By the beginnings of names, a user code, or a class alone or beside names (`1a rossi`)."""
    words = plain_words(text)
    if not words:
        return Found((), (), more=False)
    of_school = await queries.classes(pool, school)
    year = of_school[0].year if of_school else ""
    titles = {"".join(plain_words(one.title)): one for one in of_school if one.year == year}
    joined = "".join(words)
    classes = tuple(one for title, one in titles.items() if title.startswith(joined))
    in_class = next((titles[word] for word in words if word in titles), None) if len(words) > 1 else None
    names = [word for word in words if in_class is None or word != "".join(plain_words(in_class.title))]
    code = joined if len(joined) >= _SHORTEST_CODE and in_class is None and joined.isascii() else ""
    rows = await pool.fetch(
        SQL("search_people"),
        " & ".join([f"'@{school}'", *(f"'{word}':*" for word in names)]),
        code,
        in_class.id if in_class else None,
        MOST + 1,
        school,
    )
    shown = [row["holder"] for row in rows[:MOST]]
    return Found(classes, await _hits(pool, shown, now), more=len(rows) > MOST)


async def _hits(pool: Pool, holders: Sequence[str], now: datetime) -> tuple[Hit, ...]:
    around = await places(pool, holders)
    students = {place.student for of_holder in around.values() for place in of_holder}
    people = await queries.holders_around(pool, students, holders, now)
    people.sort(key=lambda holder: collation_key(holder.name))
    return tuple(Hit(holder, around[holder.id]) for holder in people)


async def places(pool: Pool, holders: Sequence[str]) -> dict[str, tuple[Place, ...]]:
    """The pupils whom these holders are, or are guardians of, by holder."""
    found: dict[str, list[Place]] = {holder: [] for holder in holders}
    for row in await pool.fetch(SQL("pupils_around"), list(holders)):
        one = SchoolClass(row["class_id"], row["year"], row["title"]) if row["class_id"] else None
        name = full_name(row["family_name"], row["given_name"])
        found[row["holder"]].append(Place(row["student"], name, one))
    return {holder: tuple(sorted(of, key=lambda p: collation_key(p.name))) for holder, of in found.items()}
