"""Rows -> answers."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from shared.contracts.identity import AccountRole
from shared.contracts.policy import CredentialPolicy
from shared.database import Pool
from shared.policies import policy_in_force
from shared.sql import Statements
from shared.web.sessions import Principal

SQL = Statements(__file__)


@dataclass(frozen=True, slots=True)
class School:
    code: str
    name: str
    customer_id: str


@dataclass(frozen=True, slots=True)
class Me:
    """The signed-in holder. `initial_until`: the initial password still stands, and ends then."""

    account: str
    role: AccountRole
    roles: tuple[str, ...]
    user_code: str | None
    given_name: str | None
    family_name: str | None
    initial_until: datetime | None
    remembered: bool


@dataclass(frozen=True, slots=True)
class StaffMember:
    account: str
    school: str
    roles: tuple[str, ...]
    user_code: str | None
    given_name: str | None
    family_name: str | None


class Queries:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def school_at(self, customer_id: str) -> School | None:
        """By the stable part of its own address (P6, E4)."""
        return _school(await self._pool.fetchrow(SQL("school_by_customer"), customer_id))

    async def school(self, code: str) -> School | None:
        return _school(await self._pool.fetchrow(SQL("school_by_code"), code))

    async def policy(self, school: str, now: datetime) -> CredentialPolicy | None:
        """What the school's policy is today."""
        return await policy_in_force(self._pool, school, now)

    async def me(self, principal: Principal) -> Me | None:
        row = await self._pool.fetchrow(SQL("me"), principal.account_id, principal.session_id)
        if row is None:
            return None
        return Me(
            account=row["account"],
            role=AccountRole(row["role"]),
            initial_until=row["expires"] if row["kind"] == "initial" else None,
            remembered=bool(row["remembered"]),
            **_named(row),
        )

    async def staff(self, school: str | None = None) -> list[StaffMember]:
        rows = await self._pool.fetch(SQL("staff"), school)
        return [StaffMember(account=row["account"], school=row["school"], **_named(row)) for row in rows]


def _named(row: asyncpg.Record) -> dict[str, Any]:
    names = {name: row[name] for name in ("user_code", "given_name", "family_name")}
    return names | {"roles": tuple(row["roles"].split(","))}


def _school(row: asyncpg.Record | None) -> School | None:
    if row is None:
        return None
    return School(row["school"], row["name"], row["customer_id"])
