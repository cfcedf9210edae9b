"""Rows to answers: what pages and the API show. Names are sorted here: the databases collate by code point."""

from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from services.registry.domain.people import name_key
from shared.contracts.policy import CredentialPolicy
from shared.database import Pool
from shared.policies import local_day, policy_in_force
from shared.sql import Statements

SQL = Statements(__file__)


@dataclass(frozen=True, slots=True)
class SchoolRow:
    code: str
    name: str
    customer_id: str
    entry_grade: int


@dataclass(frozen=True, slots=True)
class ClassRow:
    class_id: str
    title: str
    grade: int | None
    section: str | None
    curriculum: str | None
    pupils: int


@dataclass(frozen=True, slots=True)
class PupilRow:
    """`year` and `class_title` of the latest year known; `ended`: no longer enrolled."""

    student: str
    family_name: str | None
    given_name: str | None
    year: str | None = None
    class_title: str | None = None
    ended: bool = False
    kind: str | None = None

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.given_name, self.family_name) if part)


def today(now: datetime) -> date:
    return local_day(now)


class Queries:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def school(self, code: str) -> SchoolRow | None:
        row = await self._pool.fetchrow(SQL("school"), code)
        return None if row is None else _school(row)

    async def policy(self, code: str, now: datetime) -> CredentialPolicy | None:
        """The school's policy in force today."""
        return await policy_in_force(self._pool, code, now)

    async def schools(self) -> list[SchoolRow]:
        return [_school(row) for row in await self._pool.fetch(SQL("schools"))]

    async def years(self, code: str) -> list[str]:
        """The latest first."""
        return [row["year"] for row in await self._pool.fetch(SQL("years"), code)]

    async def classes(self, code: str, year: str, on: date) -> list[ClassRow]:
        return [ClassRow(**row) for row in await self._pool.fetch(SQL("classes"), code, year, on)]

    async def class_pupils(self, code: str, class_id: str, on: date) -> list[PupilRow]:
        rows = await self._pool.fetch(SQL("class_pupils"), code, class_id, on)
        return sorted((PupilRow(**row) for row in rows), key=_by_name)

    async def pupil(self, code: str, student: str, on: date) -> PupilRow | None:
        row = await self._pool.fetchrow(SQL("pupil"), code, student, on)
        return None if row is None else _pupil(row)

    async def name_of(self, code: str, person: str) -> str | None:
        """What a guardian, pupil or member of staff is called; None when not known (or erased)."""
        row = await self._pool.fetchrow(SQL("person_name"), code, person)
        if row is None or row["family_name"] is None:
            return None
        return f"{row['given_name']} {row['family_name']}"


def _school(row: asyncpg.Record) -> SchoolRow:
    return SchoolRow(row["school"], row["name"], row["customer_id"], row["entry_grade"])


def _pupil(row: asyncpg.Record) -> PupilRow:
    return PupilRow(
        row["student"],
        row["family_name"],
        row["given_name"],
        row["year"],
        row["title"],
        bool(row["ended"]),
    )


def _by_name(pupil: PupilRow) -> tuple[str, str]:
    return name_key(pupil.family_name or "", ""), name_key(pupil.given_name or "", "")
