"""What staff do: open accounts of colleagues, issue to those who were left out (P2)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import asyncpg

from services.identity.consequences import consequences
from services.identity.domain.account import ACCOUNT, Command, account_id, role_of
from services.identity.domain.commands import OpenStaff, ResetStaffPassword
from services.identity.domain.commands_life import Reinstate
from services.identity.domain.commands_staff import RemovePasskeys
from services.identity.initial_secrets import canonical_user_code
from services.identity.password_rules import objection
from services.identity.passwords import Hasher, Verifier, normalised
from services.identity.policies import Case, today_in_rome
from services.identity.queries import Queries
from services.identity.reactions import draw_user_codes, enqueued
from shared.contracts.event import Context, Event
from shared.contracts.identity import AccountRole, StaffDetails, StaffRole
from shared.contracts.registry import IdentityCheck
from shared.database import Pool
from shared.decider import Refused
from shared.eventstore.commands import Commands, Workspace
from shared.eventstore.units import ConcurrencyConflict, IdempotencyKey, Unit, Write
from shared.ids import new_id
from shared.sql import Statements
from shared.text import Unusable, tidy

SQL = Statements(__file__)
TEMPORARY = timedelta(days=14)
"""The life of a password that another typed."""
LONGEST_NAME = 200
_TRIES = 5
_SCHOOL_POLL = 0.25


@dataclass(frozen=True, slots=True)
class NewStaffMember:
    """`final`: the password given is the one to keep; otherwise it must be changed at the first sign-in, within
    14 days. `person`: whose account it is, where the registry knows them already."""

    school: str
    roles: tuple[StaffRole, ...]
    given_name: str
    family_name: str
    password: str = field(repr=False)
    final: bool = False
    person: str | None = None


@dataclass(frozen=True, slots=True)
class StaffOpened:
    """`repeated`: the account had been opened by the same request before, with another password than the one at hand."""

    account: str
    user_code: str
    expires: datetime | None
    repeated: bool = False


async def add_staff(commands: Commands, hasher: Hasher, member: NewStaffMember, *, actor: str) -> str:
    """The user code of the new account. Raises `Refused` as `open_staff` does."""
    return (await open_staff(commands, hasher, member, actor=actor)).user_code


async def open_staff(
    commands: Commands,
    hasher: Hasher,
    member: NewStaffMember,
    *,
    actor: str,
    key: IdempotencyKey | None = None,
) -> StaffOpened:
    """Raises `Refused`: `unknown_school`, `weak_password` (text is an Italian message id), `unusable_name`,
    `already_open`."""
    store = commands.store
    given_name, family_name = _tidied(member.given_name), _tidied(member.family_name)
    school = await Queries(store.pool).school(member.school)
    if school is None:
        raise Refused("unknown_school", f"no school {member.school} is known here")
    own = (given_name, family_name, school.name)
    if (reason := objection(member.password, own)) is not None:
        raise Refused("weak_password", reason)
    verifier = await hasher.hash(normalised(member.password))
    holder = member.person or new_id()
    account = account_id(AccountRole.staff, holder)
    expires = None if member.final else store.clock() + TEMPORARY
    for tries_left in reversed(range(_TRIES)):
        (code,) = await draw_user_codes(store, 1)
        details = StaffDetails(user_code=code, family_name=family_name, given_name=given_name)
        try:
            done = await commands.execute(
                ACCOUNT,
                account,
                OpenStaff(account, holder, member.roles, details),
                school=member.school,
                context=Context(actor=actor, correlation=new_id()),
                writes=[given(account, member.school, verifier, expires)],
                idempotency=key,
                result={"account": account},
            )
        except asyncpg.UniqueViolationError:
            if not tries_left:
                raise
            continue
        if done.repeated:
            before = str(done.result["account"])
            return StaffOpened(before, await _user_code(store.pool, before), None, repeated=True)
        return StaffOpened(account, code, expires)
    raise AssertionError


def _tidied(name: str) -> str:
    """A name as pages and lists can show it. Raises `Refused`."""
    try:
        tidied, _ = tidy(name)
    except Unusable as bad:
        raise Refused("unusable_name", f"the name holds {bad}") from None
    if not 0 < len(tidied) <= LONGEST_NAME:
        raise Refused("unusable_name", f"a name has 1 to {LONGEST_NAME} characters")
    return tidied


async def reset_staff_password(
    commands: Commands,
    hasher: Hasher,
    school: str,
    user_code: str,
    password: str,
    *,
    actor: str,
    remove_passkeys: bool = False,
) -> datetime:
    """Give a staff member a temporary password; all their sessions end, a suspended account is open again. Returns when
    it ends. `remove_passkeys`: they were lost.

    Raises `Refused`: `unknown_account`, `weak_password` (text is an Italian message id).
    """
    store, code = commands.store, canonical_user_code(user_code)
    found = await store.pool.fetchrow(SQL("staff_account"), school, code)
    if found is None:
        raise Refused("unknown_account", "no staff account of this school has this user code")
    account, *own = found.values()
    if (reason := objection(password, [word for word in (*own, code) if word])) is not None:
        raise Refused("weak_password", reason)
    verifier = await hasher.hash(normalised(password))
    expires = store.clock() + TEMPORARY
    wanted: list[Command] = [Reinstate(identity_check=IdentityCheck.known_in_person)]
    wanted += [ResetStaffPassword(expires), *([RemovePasskeys()] if remove_passkeys else ())]
    forget = Write(SQL("forget_failures_of_account"), ((account,),))
    await carry_out(
        commands,
        school,
        account,
        wanted,
        actor=actor,
        writes=(given(account, school, verifier, expires), forget),
    )
    return expires


async def carry_out(
    commands: Commands,
    school: str,
    account: str,
    wanted: Sequence[Command],
    *,
    actor: str,
    writes: Sequence[Write] = (),
) -> None:
    """All of it in one commit, with what must follow from it and then `writes`; nothing where nothing is decided."""
    context = Context(actor=actor, correlation=new_id())
    conflict: ConcurrencyConflict | None = None
    for _ in range(_TRIES):
        workspace = Workspace(commands.store)
        await workspace.load(ACCOUNT, {account})
        events: list[Event] = []
        for command in wanted:
            events += workspace.decide(ACCOUNT, account, command)
        if not events:
            return
        try:
            await commands.submit(
                Unit(school, context, workspace.appends(), (*consequences(events), *writes))
            )
        except ConcurrencyConflict as lost:
            conflict = lost
            continue
        return
    assert conflict is not None
    raise conflict


def given(account: str, school: str, verifier: Verifier, expires: datetime | None) -> Write:
    """A password that another typed: temporary, unless it is to be kept."""
    row = (account, school, verifier.text, verifier.pepper)
    if expires is None:
        return Write(SQL("put_chosen_verifier"), ((*row, False),))
    return Write(SQL("put_temporary_verifier"), ((*row, expires),))


async def _user_code(pool: Pool, account: str) -> str:
    return str(await pool.fetchval(SQL("account_lookup"), account))


async def wait_for_school(pool: Pool, school: str, at_most: float = 10.0) -> None:
    """Until we have read of this school, or `at_most` seconds."""
    queries = Queries(pool)
    for _ in range(int(at_most / _SCHOOL_POLL)):
        if await queries.school(school) is not None:
            return
        await asyncio.sleep(_SCHOOL_POLL)


@dataclass(frozen=True, slots=True)
class Issuance:
    """What became of the desk's action: `accepted` are issued as soon as their channel is open (most at once); `in_use`
    have credentials that stand, or are suspended."""

    accepted: int
    in_use: int


async def issue_by_desk(
    commands: Commands, school: str, named: Sequence[str] | None, *, actor: str
) -> Issuance:
    """Issue to those refused for want of an account, and anew to those whose credentials were never used in their
    life. `named`: accounts or holders; None: the whole school. Credentials that stand are left alone.
    """
    store = commands.store
    now = store.clock()
    rows = await store.pool.fetch(
        SQL("issuable"), school, list(named) if named is not None else None, now, today_in_rome(now)
    )
    workspace = Workspace(store)
    await workspace.load(ACCOUNT, {row["account"] for row in rows})
    year = await store.pool.fetchval(SQL("current_year"), school)
    context = Context(actor=actor, correlation=new_id())
    writes, in_use = [], 0
    for row in rows:
        state = workspace.state(ACCOUNT, row["account"])
        if state.suspended is not None:
            in_use += 1
            continue
        credential = state.credential
        if credential is not None and credential.live(now):
            claimed = credential.claims > 0 and not credential.returned
            if credential.accessed or credential.changed or claimed or named is None:
                in_use += 1
                continue
        role = role_of(row["account"], row["holder"])
        case = Case(row["holder"], role, school, row["year"] or year, None)
        writes.append(enqueued(case, context))
    if writes:
        await commands.submit(Unit(school, context, (), tuple(writes)))
    return Issuance(len(writes), in_use)
