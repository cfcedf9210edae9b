"""The sender of the envelope says which message comes back: one address a message, that nobody can make up (VERP, S4).

`bounce+<token>@scuola.it`: the token names a delivery or a notice and its attempt, authenticated with a key that only
notifications has. It also stands in a header, for servers that write another sender on the envelope.
"""

import hashlib
import hmac
import re
from base64 import b32decode, b32encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Final, Literal
from uuid import UUID

from services.notifications.channels.email.address import Mailbox, mailbox
from services.notifications.channels.email.send import RETURN_PATH

HEADER: Final = "X-Custode-Return"
Kind = Literal["delivery", "notice"]
_KINDS: Final[dict[Kind, bytes]] = {"delivery": b"d", "notice": b"n"}
_NAMES: Final[dict[bytes, Kind]] = {letter: kind for kind, letter in _KINDS.items()}
_MAC: Final = 11
_BYTES: Final = 1 + 16 + 2 + _MAC
_LENGTH: Final = _BYTES * 8 // 5
_TOKEN: Final = re.compile(rf"(?<![a-z2-7])[a-z2-7]{{{_LENGTH}}}(?![a-z2-7])", re.IGNORECASE)
_FEWEST_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Returned:
    """Which message a token is of."""

    kind: Kind
    id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class ReturnPaths:
    """`address`: where what comes back is read, `bounce@scuola.it`; None: at the sender's own mailbox, and the header
    alone tells which message it was."""

    key: bytes = field(repr=False)
    address: Mailbox | None = None

    @classmethod
    def from_file(cls, path: Path, address: str | None) -> "ReturnPaths":
        """Raises `ValueError` for a key of fewer than 32 bytes, or an address that is none."""
        key = path.read_bytes().strip()
        if len(key) < _FEWEST_KEY_BYTES:
            raise ValueError("the key of return paths has 32 bytes at least")
        return cls(key, mailbox(address) if address else None)

    def token(self, kind: Kind, message: str, attempt: int) -> str:
        """Lower case letters and digits. Raises `ValueError` for an id that is no UUID."""
        said = _KINDS[kind] + UUID(message).bytes + min(attempt, 0xFFFF).to_bytes(2)
        return b32encode(said + self._mac(said)).decode("ascii").lower()

    def path(self, token: str) -> str | None:
        """The envelope's sender of that message."""
        if self.address is None:
            return None
        return f"{self.address.local}+{token}@{self.address.domain}"

    def read(self, token: str) -> Returned | None:
        """None for what we did not make."""
        if not _TOKEN.fullmatch(token):
            return None
        raw = b32decode(token.upper())
        said, mac = raw[:-_MAC], raw[-_MAC:]
        kind = _NAMES.get(said[:1])
        if kind is None or not hmac.compare_digest(mac, self._mac(said)):
            return None
        return Returned(kind, str(UUID(bytes=said[1:17])), int.from_bytes(said[17:]))

    def stamp(self, message: EmailMessage, kind: Kind, of: str, attempt: int) -> EmailMessage:
        """The message, saying which one it is, should it come back."""
        token = self.token(kind, of, attempt)
        message[HEADER] = token
        if (path := self.path(token)) is not None:
            message[RETURN_PATH] = f"<{path}>"
        return message

    def find(self, text: str) -> Iterator[Returned]:
        """Ours, in the order in which they stand in a text."""
        for found in _TOKEN.finditer(text):
            if (known := self.read(found[0])) is not None:
                yield known

    def _mac(self, said: bytes) -> bytes:
        return hmac.digest(self.key, b"custode/return-path/1" + said, hashlib.sha256)[:_MAC]
