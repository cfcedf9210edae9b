"""Rows to answers about people: what stands between a guardian and a child, and what the desk must settle."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

import asyncpg

from services.registry.domain.access import Closed, Standing, asks_consent, closed, may_justify
from services.registry.domain.people import name_key
from shared.contracts.policy import CredentialPolicy
from shared.database import Pool
from shared.sql import Statements

SQL = Statements(__file__)
_ID = re.compile(r"[A-Za-z0-9-]{1,100}", re.ASCII)
_MOST = 30
"""People found by a name, at most: more is a wrong question."""


@dataclass(frozen=True, slots=True)
class Person:
    """A pupil or a guardian (`kind`). Of a merged record only `merged_into` is said."""

    id: str
    kind: str
    family_name: str | None = None
    given_name: str | None = None
    birth_date: date | None = None
    codice_fiscale: str | None = None
    email: str | None = None
    phone: str | None = None
    language: str | None = None
    mailbox: str | None = None
    mailbox_since: datetime | None = None
    merged_into: str | None = None

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.given_name, self.family_name) if part)


@dataclass(frozen=True, slots=True)
class Found:
    """One answer to a search by name; `about`: a pupil's class, a guardian's children."""

    id: str
    kind: str
    name: str
    about: str | None
    has_codice_fiscale: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """A guardianship as it stands. `service`: requested, active or ended, where anybody asked (P8)."""

    guardian: str
    student: str
    guardian_name: str
    student_name: str
    student_given: str
    relationship: str
    standing: Standing
    restriction_ground: str | None
    end_ground: str | None
    reported_at: datetime | None
    report_note: str | None
    service: str | None
    service_since: datetime | None
    year: str | None
    class_id: str | None
    class_title: str | None
    pupil_ended: bool

    def closed(self, policy: CredentialPolicy | None, on: date) -> Closed | None:
        return closed(self.standing, policy, on)

    def may_justify(self, policy: CredentialPolicy | None, on: date) -> bool:
        return may_justify(self.standing, policy, on)

    def asks_consent(self, policy: CredentialPolicy | None, on: date) -> bool:
        return asks_consent(self.standing.birth_date, policy, on)


class PeopleQueries:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def person(self, school: str, person: str) -> Person | None:
        if not _ID.fullmatch(person):
            return None
        row = await self._pool.fetchrow(SQL("person"), school, person)
        if row is None:
            return None
        if row["kind"] == "merged":
            return Person(id=person, kind="guardian", merged_into=row["person"])
        return Person(
            row["person"],
            row["kind"],
            row["family_name"],
            row["given_name"],
            row["birth_date"],
            row["codice_fiscale"],
            row["email"],
            row["phone"],
            row["language"],
            row["mailbox"],
            row["activated_at"],
        )

    async def relations(self, school: str, person: str, on: date) -> list[Relation]:
        """Of a guardian, by the children's names; of a pupil, by the guardians'."""
        if not _ID.fullmatch(person):
            return []
        rows = await self._pool.fetch(SQL("relations"), school, person, on)
        found = [_relation(row) for row in rows]
        return sorted(found, key=lambda r: name_key(r.student_name, "") + "/" + name_key(r.guardian_name, ""))

    async def relation(self, school: str, guardian: str, student: str, on: date) -> Relation | None:
        """Of this guardian to this pupil; a pupil is nobody's guardian, though relations of theirs are found by their id."""
        found = await self.relations(school, guardian, on)
        return next((r for r in found if (r.guardian, r.student) == (guardian, student)), None)

    async def to_settle(self, school: str, on: date) -> list[Relation]:
        """Reported as wrong, or asked for online justification: the oldest first."""
        return [_relation(row) for row in await self._pool.fetch(SQL("relations_to_settle"), school, on)]

    async def find(self, school: str, words: str, kind: str = "", most: int = _MOST) -> list[Found]:
        """People whose name holds each of these words. `kind`: pupil, guardian or either."""
        parts = [f"%{part}%" for word in words.split()[:5] if (part := name_key(word, ""))]
        if not parts:
            return []
        rows = await self._pool.fetch(SQL("find_people"), school, parts, kind, most)
        return [
            Found(
                row["person"],
                row["kind"],
                _name(row["given_name"], row["family_name"]),
                row["class_title"] or row["children"],
                row["codice_fiscale"] is not None,
            )
            for row in rows
        ]

    async def actors(self, school: str, actors: Collection[str]) -> dict[str, str]:
        """What members of staff and systems who acted are called."""
        rows = await self._pool.fetch(SQL("actors"), school, list(actors))
        return {row["actor"]: row["system"] or _name(row["given_name"], row["family_name"]) for row in rows}


def _name(given: str | None, family: str | None) -> str:
    return " ".join(part for part in (given, family) if part)


def _relation(row: asyncpg.Record) -> Relation:
    standing = Standing(
        data_access=row["data_access"],
        justifies_online=row["justifies_online"],
        restricted_on=row["restricted_on"],
        ended_on=row["ended_on"],
        reported=row["reported_at"] is not None,
        birth_date=row["birth_date"],
        consents=row["consents"],
    )
    return Relation(
        guardian=row["guardian"],
        student=row["student"],
        guardian_name=_name(row["guardian_given"], row["guardian_family"]),
        student_name=_name(row["student_given"], row["student_family"]),
        student_given=row["student_given"] or "",
        relationship=row["relationship"],
        standing=standing,
        restriction_ground=row["restriction_ground"],
        end_ground=row["end_ground"],
        reported_at=row["reported_at"],
        report_note=row["report_note"],
        service=row["service"],
        service_since=row["service_since"],
        year=row["year"],
        class_id=row["class_id"],
        class_title=row["class_title"],
        pupil_ended=bool(row["pupil_ended"]),
    )
