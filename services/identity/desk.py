"""What the desk reads of a holder's credential: its state in one word, requests, history, relatives."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

import asyncpg

from services.identity.domain.account import ACCOUNT, account_id
from services.identity.policies import today_in_rome
from shared.contracts.event import Event, Recorded
from shared.contracts.identity import AccountRole
from shared.eventstore.store import EventStore
from shared.sql import Statements

SQL = Statements(__file__)
_DECIDED_SHOWN = 20
_ID = re.compile(r"[A-Za-z0-9._:-]{1,100}")


class State(StrEnum):
    """Of an account, as pages show it. `issued`: the initial secret waits for its first use."""

    none = "none"
    waiting = "waiting"
    refused = "refused"
    issued = "issued"
    expired = "expired"
    active = "active"
    locked = "locked"
    suspended = "suspended"
    revoked = "revoked"
    retired = "retired"


@dataclass(frozen=True, slots=True)
class Card:
    """One account of one school. `generation`, `channel` and `expires` are those of the newest credential."""

    account: str
    holder: str
    role: AccountRole
    state: State
    user_code: str | None
    family_name: str | None
    given_name: str | None
    birth_date: date | None
    suspended: str | None
    since: datetime | None
    ended_because: str | None
    into: str | None
    refused: str | None
    lost_at: datetime | None
    lost_by: str | None
    generation: int | None
    channel: str | None
    expires: datetime | None
    slip: bool
    waiting: bool

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.family_name, self.given_name) if part)


@dataclass(frozen=True, slots=True)
class Request:
    """A request for regeneration. Actors are account ids; `motivation` and `reason` are None of erased people."""

    id: str
    account: str
    asked_by: str
    asker: str
    asked_at: datetime
    asked_check: str | None
    motivation: str | None
    state: str
    decider: str | None
    decided_at: datetime | None
    decided_check: str | None
    reason: str | None
    name: str = ""
    role: str = ""
    user_code: str | None = None


@dataclass(frozen=True, slots=True)
class Relative:
    """`child`: of the guardian who was asked about; else a guardian of the pupil."""

    person: str
    account: str
    name: str
    child: bool


class DeskQueries:
    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._pool = store.pool

    async def card(self, account: str, school: str) -> Card | None:
        """None: this school has no such account."""
        row = await self._pool.fetchrow(SQL("card"), account, school) if is_id(account) else None
        return _card(row, self._store.clock()) if row is not None else None

    async def requests_of(self, account: str, school: str) -> list[Request]:
        """The newest first."""
        rows = await self._pool.fetch(SQL("regenerations_of_account"), account, school)
        return [_request(row) for row in rows]

    async def open_requests(self, school: str) -> list[Request]:
        """The oldest first."""
        return [_named(row) for row in await self._pool.fetch(SQL("open_regenerations"), school)]

    async def decided_requests(self, school: str) -> list[Request]:
        """The last twenty, the newest first."""
        rows = await self._pool.fetch(SQL("decided_regenerations"), school, _DECIDED_SHOWN)
        return [_named(row) for row in rows]

    async def request(self, request: str, school: str) -> Request | None:
        row = await self._pool.fetchrow(SQL("regeneration"), request, school) if is_id(request) else None
        return _named(row) if row is not None else None

    async def names(self, accounts: Collection[str]) -> dict[str, str]:
        """Of actors who are people; of services and systems nothing."""
        rows = await self._pool.fetch(SQL("names_of_accounts"), sorted(accounts))
        return {row["account"]: _name(row) for row in rows}

    async def relatives(self, holder: str, school: str) -> list[Relative]:
        today = today_in_rome(self._store.clock())
        rows = await self._pool.fetch(SQL("relatives"), holder, school, today)
        found = []
        for row in rows:
            role = AccountRole.pupil if row["child"] else AccountRole.guardian
            account = account_id(role, row["person"])
            found.append(Relative(row["person"], account, _name(row), row["child"]))
        return sorted(found, key=lambda one: one.name)

    async def history(self, account: str) -> Sequence[Recorded[Event]]:
        """All that happened to the account but for its sign-ins, the newest first."""
        stream = ACCOUNT.stream(account)
        found = await self._store.load([stream], ACCOUNT.unmoved_by)
        return list(reversed(found.get(stream, [])))


def is_id(text: str) -> bool:
    """Whether it can be one: nothing else reaches the database."""
    return _ID.fullmatch(text) is not None


def _card(row: asyncpg.Record, now: datetime) -> Card:
    return Card(
        account=row["account"],
        holder=row["holder"],
        role=AccountRole(row["role"]),
        state=_state(row, now),
        user_code=row["user_code"],
        family_name=row["family_name"],
        given_name=row["given_name"],
        birth_date=row["birth_date"],
        suspended=row["suspended"],
        since=row["ended_since"] or row["suspended_since"] or row["locked_since"],
        ended_because=row["ended_because"],
        into=row["into_"],
        refused=row["refused"],
        lost_at=row["lost_at"],
        lost_by=row["lost_by"],
        generation=row["generation"],
        channel=row["channel"],
        expires=row["expires"] if row["password"] == "initial" else None,  # noqa: S105
        slip=row["slip"],
        waiting=row["waiting"],
    )


def _state(row: asyncpg.Record, now: datetime) -> State:
    """The one that matters most: what is closed stands before what is usable."""
    closed = (
        (row["ending"] is not None, State(row["ending"] or "none")),
        (row["suspended"] is not None, State.suspended),
        (row["locked_since"] is not None, State.locked),
    )
    for holds, state in closed:
        if holds:
            return state
    password: str | None = row["password"]
    if password is not None:
        used = password != "initial" or row["accessed"]  # noqa: S105
        return State.active if used else State.expired if row["expires"] <= now else State.issued
    if row["waiting"]:
        return State.waiting
    if row["refused"] is not None:
        return State.refused
    return State.expired if row["credential_state"] not in (None, "regenerated") else State.none


def _request(row: asyncpg.Record) -> Request:
    return Request(
        id=row["request"],
        account=row["account"],
        asked_by=row["asked_by"],
        asker=row["asker"],
        asked_at=row["asked_at"],
        asked_check=row["asked_check"],
        motivation=row["motivation"],
        state=row["state"],
        decider=row["decider"],
        decided_at=row["decided_at"],
        decided_check=row["decided_check"],
        reason=row["reason"],
    )


def _named(row: asyncpg.Record) -> Request:
    found = _request(row)
    return Request(
        **{name: getattr(found, name) for name in Request.__slots__ if name not in _OF_HOLDER},
        name=_name(row),
        role=row["role"],
        user_code=row["user_code"],
    )


_OF_HOLDER = frozenset({"name", "role", "user_code"})


def _name(row: asyncpg.Record) -> str:
    return " ".join(part for part in (row["family_name"], row["given_name"]) if part)
