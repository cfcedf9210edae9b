"""Challenges for passkeys: drawn, kept by the browser in a signed cookie, and good for one answer (WebAuthn 13.4.3).

Nothing is written for who only opens the sign-in page; what was answered once is remembered until it is too old anyway.
"""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Literal

from services.identity.passwords import Peppers
from shared.database import Pool
from shared.sql import Statements

SQL = Statements(__file__)
LIFE = timedelta(minutes=5)
_BYTES = 32
Purpose = Literal["register", "sign-in"]


@dataclass(frozen=True, slots=True)
class Challenge:
    """`cookie`: what the browser brings back with its answer."""

    value: bytes = field(repr=False)
    cookie: str = field(repr=False)


class Challenges:
    def __init__(self, pool: Pool, peppers: Peppers) -> None:
        self._pool = pool
        self._key = peppers.derived("passkey-challenge")

    def new(self, purpose: Purpose, session: str, now: datetime) -> Challenge:
        """`session`: the one that it is bound to, beside the browser; empty where nobody is signed in."""
        value = secrets.token_bytes(_BYTES)
        told = f"{_text(value)}.{int((now + LIFE).timestamp())}"
        return Challenge(value, f"{told}.{self._signature(told, purpose, session)}")

    async def spend(self, cookie: str | None, purpose: Purpose, session: str, now: datetime) -> bytes | None:
        """The challenge, this once; None for whatever is not one of ours, of this purpose and session, in its life."""
        told, _, signature = (cookie or "").rpartition(".")
        if not told.isascii() or not signature.isascii():
            return None
        if not hmac.compare_digest(signature, self._signature(told, purpose, session)):
            return None
        text, _, until = told.partition(".")
        ends_at = datetime.fromtimestamp(int(until), UTC)
        if ends_at <= now:
            return None
        try:
            value = urlsafe_b64decode(f"{text}=")
        except (NotBase64, ValueError):
            return None
        spent = await self._pool.fetchval(SQL("spend_challenge"), sha256(value).digest(), ends_at)
        return value if spent is not None else None

    def _signature(self, told: str, purpose: Purpose, session: str) -> str:
        return _text(hmac.digest(self._key, f"{purpose}|{session}|{told}".encode(), sha256))


def _text(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")
