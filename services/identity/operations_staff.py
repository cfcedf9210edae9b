"""The accounts of those who work at a school, in the hands of its administrators.

A school has one administrator at least who can sign in: the last one is neither closed nor loses the role.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from services.identity.domain.account import Command
from services.identity.domain.commands import ResetStaffPassword, RevokeSessions
from services.identity.domain.commands_life import Reinstate, Revoke
from services.identity.domain.commands_staff import ChangeRoles, RemovePasskeys
from services.identity.initial_secrets import new_password
from services.identity.operations import TEMPORARY, NewStaffMember, StaffOpened, carry_out, given, open_staff
from services.identity.passwords import Hasher, normalised
from shared.contracts.identity import RevocationReason, StaffRole
from shared.contracts.registry import IdentityCheck
from shared.decider import Refused
from shared.eventstore.commands import Commands
from shared.eventstore.units import IdempotencyKey, Write
from shared.sql import Statements

SQL = Statements(__file__)


@dataclass(frozen=True, slots=True)
class Member:
    """`appointed_as`: what the registry says they are; None of somebody whom it does not know, or who has left."""

    account: str
    person: str
    roles: tuple[StaffRole, ...]
    user_code: str | None
    given_name: str | None
    family_name: str | None
    closed: bool
    suspended: bool
    locked: bool
    appointed_as: str | None
    temporary_until: datetime | None
    passkeys: int
    seen_at: datetime | None

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.family_name, self.given_name) if part)


@dataclass(frozen=True, slots=True)
class Appointed:
    """Works at the school and has no account yet."""

    person: str
    kind: str
    given_name: str
    family_name: str

    @property
    def name(self) -> str:
        return f"{self.family_name} {self.given_name}".strip()


@dataclass(frozen=True, slots=True)
class Given:
    """A temporary password, to be shown once to whoever gave it."""

    account: str
    user_code: str
    expires: datetime
    password: str = field(repr=False)


class StaffDesk:
    def __init__(self, commands: Commands, hasher: Hasher) -> None:
        self._commands = commands
        self._store = commands.store
        self._hasher = hasher
        self._turn = asyncio.Lock()

    async def members(self, school: str) -> list[Member]:
        """By name, the closed accounts last."""
        rows = await self._store.pool.fetch(SQL("staff_members"), school, None)
        return sorted((_member(row) for row in rows), key=lambda m: (m.closed, m.name.casefold(), m.account))

    async def member(self, school: str, account: str) -> Member:
        """Raises `Refused("unknown_account")`, of another school's too."""
        row = await self._store.pool.fetchrow(SQL("staff_members"), school, account)
        if row is None:
            raise Refused("unknown_account", "this school has no such staff account")
        return _member(row)

    async def to_open(self, school: str, person: str | None = None) -> list[Appointed]:
        """Those appointed who have no account, by name."""
        rows = await self._store.pool.fetch(SQL("appointed_without_account"), school, person)
        found = (
            Appointed(row["person"], row["kind"], row["given_name"] or "", row["family_name"] or "")
            for row in rows
        )
        return sorted(found, key=lambda one: one.name.casefold())

    async def open(
        self,
        school: str,
        roles: Sequence[StaffRole],
        *,
        actor: str,
        person: str | None = None,
        given_name: str = "",
        family_name: str = "",
        key: IdempotencyKey | None = None,
    ) -> Given | StaffOpened:
        """`person`: somebody appointed, whose names are those of the registry. `StaffOpened` for a request that was
        carried out before: its password was shown then.

        Raises `Refused`: `no_role`, `unknown_person`, `unusable_name`, `already_open`.
        """
        if not roles:
            raise Refused("no_role", "who works at the school has one role at least")
        if person is not None:
            appointed = await self.to_open(school, person)
            if not appointed:
                raise Refused("unknown_person", "nobody of this name works here without an account")
            given_name, family_name = appointed[0].given_name, appointed[0].family_name
        password = new_password()
        member = NewStaffMember(school, tuple(roles), given_name, family_name, password, person=person)
        opened = await open_staff(self._commands, self._hasher, member, actor=actor, key=key)
        if opened.repeated or opened.expires is None:
            return opened
        return Given(opened.account, opened.user_code, opened.expires, password)

    async def reset(self, school: str, account: str, *, actor: str, remove_passkeys: bool) -> Given:
        """A temporary password; every session ends. `remove_passkeys`: they were lost. Whoever had closed their own
        access, or was kept out, gets in again with it: it is handed over in person."""
        member = await self.member(school, account)
        password = new_password()
        verifier = await self._hasher.hash(normalised(password))
        expires = self._store.clock() + TEMPORARY
        commands: list[Command] = [Reinstate(identity_check=IdentityCheck.known_in_person)]
        commands.append(ResetStaffPassword(expires))
        if remove_passkeys:
            commands.append(RemovePasskeys())
        writes = (
            given(account, school, verifier, expires),
            Write(SQL("forget_failures_of_account"), ((account,),)),
        )
        await self._do(school, account, commands, actor, writes)
        return Given(account, member.user_code or "", expires, password)

    async def change_roles(
        self, school: str, account: str, roles: Sequence[StaffRole], *, actor: str
    ) -> None:
        """Raises `Refused`: `unknown_account`, `no_role`, `last_administrator`, `closed`."""
        await self.member(school, account)
        async with self._one_at_a_time(school):
            if StaffRole.administrator not in roles:
                await self._must_not_be_last(school, account)
            await self._do(school, account, [ChangeRoles(frozenset(roles))], actor)

    async def close(self, school: str, account: str, note: str, *, actor: str) -> None:
        """Who leaves the school: password, passkeys and sessions are gone.

        Raises `Refused`: `unknown_account`, `own_account`, `last_administrator`.
        """
        await self.member(school, account)
        if account == actor:
            raise Refused("own_account", "nobody closes their own account: another administrator does")
        async with self._one_at_a_time(school):
            await self._must_not_be_last(school, account)
            await self._do(school, account, [Revoke(RevocationReason.staff_left, note)], actor)

    async def end_sessions(self, school: str, account: str, *, actor: str) -> None:
        await self.member(school, account)
        await self._do(school, account, [RevokeSessions("ended_by_desk")], actor)

    async def _must_not_be_last(self, school: str, account: str) -> None:
        member = await self.member(school, account)
        if StaffRole.administrator not in member.roles or member.closed:
            return
        if not await self._store.pool.fetchval(SQL("other_administrators"), school, account):
            raise Refused("last_administrator", "the school would be without an administrator")

    @asynccontextmanager
    async def _one_at_a_time(self, school: str) -> AsyncIterator[None]:
        """Two administrators who close each other at the same moment would leave the school without one. Of this
        process one waits at the database, and the others for that one: each there holds a connection of the pool."""
        async with self._turn, self._store.pool.acquire() as connection:
            await connection.execute("select pg_advisory_lock(hashtext($1))", f"staff/{school}")
            try:
                yield
            finally:
                await connection.execute("select pg_advisory_unlock(hashtext($1))", f"staff/{school}")

    async def _do(
        self,
        school: str,
        account: str,
        commands: Sequence[Command],
        actor: str,
        writes: Sequence[Write] = (),
    ) -> None:
        await carry_out(self._commands, school, account, commands, actor=actor, writes=writes)


def _member(row: asyncpg.Record) -> Member:
    found = dict(row)
    named = set(found.pop("roles").split(","))
    roles = tuple(role for role in StaffRole if role.value in named)
    return Member(person=found.pop("holder"), roles=roles, **found)
