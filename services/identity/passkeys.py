"""Passkeys of those who work at a school: registered, signed in with, removed (DESIGN 7; WebAuthn level 3).

The first one is registered with the password; further ones with one that there is, unless the school still takes the
password alone. User verification is asked for always, so that a passkey is two factors in one: the device, and what
unlocks it. Which make of authenticator it is, we do not ask.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import structlog
import webauthn
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import base64url_to_bytes, options_to_json_dict
from webauthn.helpers.structs import (
    AttestationConveyancePreference,
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from webauthn.registration.verify_registration_response import VerifiedRegistration

from services.identity.challenges import LIFE, Challenges
from services.identity.consequences import consequences
from services.identity.devices import Devices
from services.identity.domain.account import ACCOUNT, Command
from services.identity.domain.commands import RecordSignIn, RevokeSessions
from services.identity.domain.commands_staff import RegisterPasskey, RemovePasskey
from services.identity.sessions import opened
from services.identity.showing import Client, NotShown, Showing
from services.identity.signing_in import SignedIn
from shared.contracts.event import Context, Event
from shared.contracts.identity import AccountRole
from shared.decider import Refused
from shared.eventstore.commands import Commands, Workspace
from shared.eventstore.units import ConcurrencyConflict, Unit, Write
from shared.ids import new_id
from shared.policies import local_day, policy_in_force
from shared.sql import Statements
from shared.text import Unusable, tidy
from shared.web.sessions import Principal

SQL = Statements(__file__)
LONGEST_NAME = 60
_TRIES = 10
_TIMEOUT = int(LIFE.total_seconds() * 1000)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Who asks for a passkey: `id` is the site's host, `origin` its whole address."""

    id: str
    origin: str
    name: str = "Custode"

    @classmethod
    def at(cls, site_url: str) -> "RelyingParty":
        parts = urlsplit(site_url)
        return cls(parts.hostname or "", f"{parts.scheme}://{parts.netloc}".lower())


@dataclass(frozen=True, slots=True)
class Passkey:
    """`synced`: kept by an account of its maker's, so that the loss of one device does not lose it."""

    id: str
    name: str
    synced: bool
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Asked:
    """What the browser is to do, and the cookie that it brings back."""

    options: Mapping[str, Any]
    cookie: str = field(repr=False)


class Passkeys:
    def __init__(
        self,
        commands: Commands,
        challenges: Challenges,
        devices: Devices,
        showing: Showing,
        party: RelyingParty,
    ) -> None:
        self._commands = commands
        self._store = commands.store
        self._pool = commands.store.pool
        self._challenges = challenges
        self._devices = devices
        self._showing = showing
        self._party = party

    async def of(self, account: str) -> list[Passkey]:
        """The oldest first."""
        rows = await self._pool.fetch(SQL("passkeys_of_account"), account)
        return [
            Passkey(row["passkey"], row["name"], row["backed_up"], row["created_at"], row["used_at"])
            for row in rows
        ]

    async def needs_password(self, who: Principal) -> bool:
        """Whether a passkey is registered with the password once more. Raises `Refused("passkey_needed")`."""
        if by_passkey(who):
            return False
        if not who.strong and await self.of(who.account_id):
            raise Refused("passkey_needed", "a further passkey is registered by whoever signed in with one")
        return True

    async def to_register(self, who: Principal, password: str, client: Client) -> Asked | NotShown:
        """For `navigator.credentials.create`. `password`: where `needs_password` says so.

        The challenge is for this session, so that the answer needs no password. Raises `HasherBusy`, `Refused`.
        """
        if await self.needs_password(who):
            async with self._showing.by_password(who, password, client) as shown:
                if isinstance(shown, NotShown):
                    return shown
                for write in shown.settled:
                    await self._pool.executemany(write.statement, write.rows)
        owner = await self._pool.fetchrow(SQL("passkey_owner"), who.account_id)
        known = await self._pool.fetch(SQL("passkeys_of_account"), who.account_id)
        challenge = self._challenges.new("register", who.session_id, self._store.clock())
        code = (owner and owner["user_code"]) or who.account_id
        named = (
            " ".join(part for part in (owner["given_name"], owner["family_name"]) if part) if owner else ""
        )
        options = webauthn.generate_registration_options(
            rp_id=self._party.id,
            rp_name=(owner and owner["school_name"]) or self._party.name,
            user_id=who.account_id.encode(),
            user_name=code,
            user_display_name=named or code,
            challenge=challenge.value,
            timeout=_TIMEOUT,
            attestation=AttestationConveyancePreference.NONE,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                require_resident_key=True,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=row["credential_id"]) for row in known],
        )
        return Asked(options_to_json_dict(options), challenge.cookie)

    async def register(
        self,
        who: Principal,
        credential: Mapping[str, Any],
        name: str,
        cookie: str | None,
    ) -> Passkey:
        """Raises `Refused`: `not_accepted`, `unusable_name`, `passkey_known`, `too_many_passkeys`."""
        now = self._store.clock()
        named = _tidied(name)
        challenge = await self._challenges.spend(cookie, "register", who.session_id, now)
        verified = self._registered(credential, challenge)
        if verified is None:
            raise Refused("not_accepted", "this answer is to no question of ours")
        passkey = new_id()
        row = (passkey, who.account_id, who.school, verified.credential_id, verified.credential_public_key)
        rest = (verified.sign_count, named, verified.credential_backed_up, now)
        writes = [Write(SQL("put_passkey"), ((*row, *rest),))]
        try:
            await self._decide(who.account_id, who.school, [RegisterPasskey(passkey)], writes)
        except asyncpg.UniqueViolationError:
            raise Refused("passkey_known", "this passkey is registered already") from None
        return Passkey(passkey, named, verified.credential_backed_up, now, None)

    def to_sign_in(self) -> Asked:
        """For `navigator.credentials.get`: no account is named, the passkey tells which it is."""
        challenge = self._challenges.new("sign-in", "", self._store.clock())
        options = webauthn.generate_authentication_options(
            rp_id=self._party.id,
            challenge=challenge.value,
            timeout=_TIMEOUT,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return Asked(options_to_json_dict(options), challenge.cookie)

    async def sign_in(
        self,
        credential: Mapping[str, Any],
        cookie: str | None,
        *,
        instead_of: bytes | None = None,
        device_cookie: str | None = None,
        on: str = "",
    ) -> SignedIn | None:
        """None: not one of ours, an old question, or an account that nothing opens; which is told to nobody."""
        now = self._store.clock()
        challenge = await self._challenges.spend(cookie, "sign-in", "", now)
        raw_id = _bytes_of(credential.get("rawId"))
        row = await self._pool.fetchrow(SQL("passkey_lookup"), raw_id) if challenge and raw_id else None
        if row is None or challenge is None or not _handle_is(credential, row["account"]):
            return None
        verified = self._authenticated(credential, challenge, row)
        if verified is None:
            return None
        count, backed_up = verified.new_sign_count, verified.credential_backed_up
        if await self._pool.fetchval(SQL("use_passkey"), row["passkey"], count, backed_up, now) is None:
            log.warning("passkeys.copied", passkey=row["passkey"])
            return None
        account, school, role = row["account"], row["school"], AccountRole(row["role"])
        session = opened(
            account, school, role, remember=False, must_change=False, now=now, how="passkey", on=on
        )
        device = self._devices.read(device_cookie) or self._devices.new()
        writes = [session.write, Write(SQL("put_device"), ((account, device, now),), beside=True)]
        try:
            await self._end_before(instead_of)
            await self._decide(account, school, [RecordSignIn()], writes, with_=row["passkey"])
        except Refused:
            return None
        return SignedIn(account, school, role, session, False, self._devices.cookie(device))

    async def remove(self, who: Principal, passkey: str) -> None:
        """The last one stays where the school asks for one: it would be the password that registers the next.

        Raises `Refused`: `passkey_needed`, `unknown_passkey`, `last_passkey`.
        """
        if not who.strong:
            raise Refused("passkey_needed", "a passkey is removed by whoever signed in with one")
        now = self._store.clock()
        policy = await policy_in_force(self._pool, who.school, now)
        until = policy.staff_password_only_until if policy is not None else None
        removing = RemovePasskey(passkey, keep_last=until is None or until <= local_day(now))
        await self._decide(who.account_id, who.school, [removing])

    def _registered(
        self, credential: Mapping[str, Any], challenge: bytes | None
    ) -> VerifiedRegistration | None:
        if challenge is None:
            return None
        try:
            return webauthn.verify_registration_response(
                credential=dict(credential),
                expected_challenge=challenge,
                expected_rp_id=self._party.id,
                expected_origin=self._party.origin,
                require_user_verification=True,
            )
        except Exception as wrong:  # whatever a browser, or somebody else, made up
            log.info("passkeys.refused", error=type(wrong).__name__)
            return None

    def _authenticated(
        self, credential: Mapping[str, Any], challenge: bytes, row: asyncpg.Record
    ) -> VerifiedAuthentication | None:
        try:
            return webauthn.verify_authentication_response(
                credential=dict(credential),
                expected_challenge=challenge,
                expected_rp_id=self._party.id,
                expected_origin=self._party.origin,
                credential_public_key=row["public_key"],
                credential_current_sign_count=row["sign_count"],
                require_user_verification=True,
            )
        except Exception as wrong:
            log.info("passkeys.refused", error=type(wrong).__name__)
            return None

    async def _end_before(self, token_hash: bytes | None) -> None:
        """Signing in ends the session that the request brought, whosever it was."""
        before = await self._pool.fetchrow(SQL("session_of_token"), token_hash) if token_hash else None
        if before is None:
            return
        ending = RevokeSessions("signed_in_again", before["session"])
        await self._decide(before["account"], before["school"], [ending])

    async def _decide(
        self,
        account: str,
        school: str,
        commands: Sequence[Command],
        writes: Sequence[Write] = (),
        with_: str | None = None,
    ) -> None:
        """`with_`: the passkey that the account must still have. Raises `Refused`."""
        context = Context(actor=account, correlation=new_id())
        conflict: ConcurrencyConflict | None = None
        for _ in range(_TRIES):
            workspace = Workspace(self._store)
            await workspace.load(ACCOUNT, {account})
            if with_ is not None and with_ not in workspace.state(ACCOUNT, account).passkeys:
                raise Refused("unknown_passkey", "it was removed meanwhile")
            events: list[Event] = []
            for command in commands:
                events += workspace.decide(ACCOUNT, account, command)
            unit = Unit(school, context, workspace.appends(), (*consequences(events), *writes))
            try:
                await self._commands.submit(unit)
            except ConcurrencyConflict as lost:
                conflict = lost
                continue
            return
        assert conflict is not None
        raise conflict


def by_passkey(who: Principal) -> bool:
    """Whether they came in with one: of whoever did not, it is known until when the password is enough."""
    return who.strong and who.password_only_until is None


def _tidied(name: str) -> str:
    try:
        tidied, _ = tidy(name)
    except Unusable as bad:
        raise Refused("unusable_name", f"the name holds {bad}") from None
    if not 0 < len(tidied) <= LONGEST_NAME:
        raise Refused("unusable_name", f"a name has 1 to {LONGEST_NAME} characters")
    return tidied


def _bytes_of(text: object) -> bytes | None:
    if not isinstance(text, str) or len(text) > 2048:
        return None
    try:
        return base64url_to_bytes(text)
    except ValueError:
        return None


def _handle_is(credential: Mapping[str, Any], account: str) -> bool:
    """The passkey says whose it is; we say it too, and the two must agree."""
    response = credential.get("response")
    handle = response.get("userHandle") if isinstance(response, Mapping) else None
    return _bytes_of(handle) == account.encode()
