"""The one look at a password: found, given a place, counted, hashed, whoever it is (M10, DESIGN 7)."""

import hmac
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256

import asyncpg

from services.identity.addresses import Address
from services.identity.devices import Devices
from services.identity.door import Door
from services.identity.initial_secrets import canonical_password, canonical_user_code
from services.identity.passwords import Hasher, Peppers, Place, Verifier, normalised
from shared.contracts.identity import AccountRole
from shared.eventstore.store import EventStore
from shared.sql import Statements

SQL = Statements(__file__)
WAIT_FROM = 5
WAIT_SECONDS = 10
UNKNOWN_DEVICES_UP_TO = 100
_LONGEST_INPUT = 1024


@dataclass(frozen=True, slots=True)
class Proved:
    """Somebody who has shown that they know the password. `place`: for further hashes of theirs, while it is held."""

    account: str
    school: str
    role: AccountRole
    initial: bool
    must_change: bool
    verifier: Verifier = field(repr=False)
    subject: bytes = field(repr=False)
    bucket: str = field(repr=False)
    life_over: bool
    version: int
    """Of the account's history when the verifier was read: as long as it stands there, the verifier is this one."""
    place: Place = field(repr=False, compare=False)


class Proving:
    def __init__(
        self, store: EventStore, hasher: Hasher, peppers: Peppers, devices: Devices, door: Door
    ) -> None:
        self._store = store
        self._pool = store.pool
        self._hasher = hasher
        self._devices = devices
        self._door = door
        self._subject_key = peppers.derived("sign-in-subject")

    @asynccontextmanager
    async def proved(
        self,
        user_code: str,
        password: str,
        *,
        address: Address | None = None,
        device_cookie: str | None = None,
    ) -> AsyncIterator[Proved | None]:
        """None: unknown, wrong, or to be waited for.

        Raises `HasherBusy` before anything is counted: who was never looked at has not failed.
        """
        code = canonical_user_code(user_code[:_LONGEST_INPUT])
        device = self._devices.read(device_cookie)
        async with AsyncExitStack() as stack:
            if device is None:
                await stack.enter_async_context(self._door.from_address(address))
            else:
                stack.enter_context(self._door.on_device(device))
            row = await self._pool.fetchrow(SQL("sign_in_lookup"), code, device)
            assert row is not None
            known = row["device"] is not None
            if device is not None and not known:
                await stack.enter_async_context(self._door.from_address(address))
            place = stack.enter_context(self._hasher.place(known=known))
            proved = await self._prove(code, password, row, place)
            if proved is None and not known:
                self._door.failed(address)
            yield proved

    async def seconds_to_wait(self, user_code: str, *, device_cookie: str | None = None) -> int:
        """Until this code is looked at again; 0 when no wait is in force. Codes that nobody has wait alike."""
        code = canonical_user_code(user_code[:_LONGEST_INPUT])
        row = await self._pool.fetchrow(SQL("sign_in_lookup"), code, self._devices.read(device_cookie))
        assert row is not None
        seconds: int | None = await self._pool.fetchval(
            SQL("seconds_to_wait"),
            self._subject(code),
            row["device"] or "",
            self._store.clock(),
            WAIT_FROM,
            WAIT_SECONDS,
            UNKNOWN_DEVICES_UP_TO,
        )
        return seconds or 0

    def _subject(self, code: str) -> bytes:
        return hmac.digest(self._subject_key, code.encode(), sha256)

    async def _prove(self, code: str, password: str, row: asyncpg.Record, place: Place) -> Proved | None:
        """One count, one hash."""
        subject = self._subject(code)
        now = self._store.clock()
        bucket = row["device"] or ""
        allowed = await self._pool.fetchval(
            SQL("count_attempt"),
            subject,
            bucket,
            row["account"],
            row["school"],
            now,
            WAIT_FROM,
            WAIT_SECONDS,
            UNKNOWN_DEVICES_UP_TO,
        )
        life_over = row["expires"] is not None and row["expires"] <= now
        dead = life_over and (row["must_change"] or not row["accessed"])
        usable = allowed is not None and row["password"] is not None and not dead
        verifier = Verifier(row["password"], row["pepper"]) if usable else None
        if not await place.verify(hashed_form(password, row["kind"]), verifier):
            return None
        assert verifier is not None
        return Proved(
            row["account"],
            row["school"],
            AccountRole(row["role"]),
            row["kind"] == "initial",
            row["must_change"],
            verifier,
            subject,
            bucket,
            life_over,
            row["version"],
            place,
        )


def hashed_form(password: str, kind: str | None) -> str:
    """What of a typed password is hashed: an initial one may be typed in any grouping and case."""
    text = password[:_LONGEST_INPUT]
    return canonical_password(text) if kind == "initial" else normalised(text)
