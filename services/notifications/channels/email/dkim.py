"""Signing mails as their domain's (RFC 6376, RFC 8463): relaxed canonicalisation of header and body.

Only signing is here, over `cryptography`; that others can verify it is tested with another implementation.
"""

import re
import time
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

FEWEST_BITS: Final = 1024
_SIGNED: Final = (
    b"from",
    b"to",
    b"reply-to",
    b"subject",
    b"date",
    b"message-id",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"content-language",
    b"auto-submitted",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
)
_BLANKS: Final = re.compile(rb"[ \t]+")
_FOLD: Final = re.compile(rb"\r\n(?=[ \t])")
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


class BadDkimKey(ValueError):
    """The text says what is wrong, and never holds the key."""


@dataclass(frozen=True, slots=True)
class DkimSigner:
    """`selector._domainkey.domain` is where the public half is published in the DNS."""

    domain: str
    selector: str
    key: RSAPrivateKey | Ed25519PrivateKey = field(repr=False)
    clock: Callable[[], float] = time.time

    @classmethod
    def from_file(cls, path: Path, domain: str, selector: str) -> "DkimSigner":
        """Raises `BadDkimKey` for what is no PEM of an RSA (1024 bits at least) or Ed25519 private key without a
        password, `OSError` for a file that cannot be read."""
        for name in (domain, selector):
            if not _NAME.fullmatch(name):
                raise BadDkimKey("the domain and the selector of DKIM are names in lower case")
        try:
            key = load_pem_private_key(path.read_bytes(), None)
        except (ValueError, TypeError) as error:
            raise BadDkimKey("the file of DKIM's key holds no private key in PEM") from error
        if isinstance(key, RSAPrivateKey) and key.key_size >= FEWEST_BITS:
            return cls(domain, selector, key)
        if isinstance(key, Ed25519PrivateKey):
            return cls(domain, selector, key)
        raise BadDkimKey(f"DKIM takes RSA keys of {FEWEST_BITS} bits at least, or Ed25519")

    def signed(self, message: bytes) -> bytes:
        """The message (lines end in CRLF) with a signature on top."""
        head, _, body = message.partition(b"\r\n\r\n")
        fields = [_field(line) for line in _FOLD.sub(b"", head).split(b"\r\n") if b":" in line]
        present = [name for name in _SIGNED if any(name == known for known, _ in fields)]
        # From once more than it is there: nobody can add a second one under our signature.
        names = [*present, b"from"]
        tags = b"; ".join(
            (
                b"v=1",
                b"a=" + (b"rsa-sha256" if isinstance(self.key, RSAPrivateKey) else b"ed25519-sha256"),
                b"c=relaxed/relaxed",
                b"d=" + self.domain.encode(),
                b"s=" + self.selector.encode(),
                b"t=" + str(int(self.clock())).encode(),
                b"h=" + b":".join(names),
                b"bh=" + b64encode(sha256(_body(body)).digest()),
                b"b=",
            )
        )
        said = b"".join(name + b":" + _last(fields, name) + b"\r\n" for name in present)
        signature = b64encode(self._sign(said + b"dkim-signature:" + tags))
        return _folded(b"DKIM-Signature: " + tags, signature) + b"\r\n" + message

    def _sign(self, said: bytes) -> bytes:
        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(said, padding.PKCS1v15(), SHA256())
        return self.key.sign(sha256(said).digest())


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name.strip().lower(), _BLANKS.sub(b" ", value).strip()


def _last(fields: list[tuple[bytes, bytes]], name: bytes) -> bytes:
    return next(value for known, value in reversed(fields) if known == name)


def _body(body: bytes) -> bytes:
    lines = [_BLANKS.sub(b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


def _folded(tags: bytes, signature: bytes) -> bytes:
    """In lines that every server takes; where it is folded, relaxed reads one blank, and in `b=` nothing at all."""
    lines, line = [], b""
    for word in tags.split(b" "):
        if line and len(line) + len(word) > 76 and not word.startswith(b"b="):
            lines.append(line)
            line = b""
        line = line + b" " + word if line else word
    lines.append(line)
    folded = b"\r\n ".join(lines)
    parts = [signature[n : n + 72] for n in range(0, len(signature), 72)]
    return folded + b"\r\n ".join((b"", *parts))
