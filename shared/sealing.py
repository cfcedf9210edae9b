"""The sealed slip: how an initial secret travels from identity to notifications (DESIGN 5).

HPKE base mode (RFC 9180) with X25519, HKDF-SHA256 and AES-256-GCM. School, credential, generation and key id are
bound in `info`: a copy that is moved to another row opens nothing. Keys are base64url of the raw 32 bytes.

**Claiming.** Notifications asks by a NATS request on `identity.slips.claim` (`CLAIM_SUBJECT`), one claim an attempt:

    {"credentials": ["<credential>", …], "reason": "send" | "resend" | "print" | "reprint", "delivery": "<id>" | null}

with 1 to 100 credentials, each named once. Identity answers

    {"slips": {"<credential>": {"school": …, "generation": 1, "key": "<key id>", "sealed": "<base64url>"}
                             | {"refused": "gone" | "expired" | "too_many_claims" | "unknown"}}}

or `{"error": "<what is wrong with the request>"}`. Every credential asked for is in the answer. The same ciphertext
comes back each time; every claim is an event (`SlipClaimed`); above 5 an alert, at 20 refused (`too_many_claims`).
`gone`: shredded at first access or superseded. `expired`: its life is over. `unknown`: never heard of.
`ClaimRequest` and `ClaimReply` check both directions.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Self

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from pydantic import BaseModel, ConfigDict, Field, model_validator

CLAIM_SUBJECT = "identity.slips.claim"
MOST_PER_CLAIM = 100
ALERT_ABOVE_CLAIMS = 5
REFUSE_AT_CLAIMS = 20

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_LABEL = "custode/sealed-slip/1"


class CannotOpen(Exception):
    """The slip was not sealed to this key for this credential, or it was tampered with."""

    def __init__(self) -> None:
        super().__init__("this slip does not open with this key for this credential")


class MalformedKey(ValueError):
    """Not the base64url of a raw 32-byte X25519 key."""

    def __init__(self) -> None:
        super().__init__("not an X25519 key: base64url of 32 bytes was expected")


@dataclass(frozen=True, slots=True)
class InitialSecret:
    """What a holder needs to sign in for the first time. Its repr shows nothing."""

    password: str = field(repr=False)
    pin: str | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return "InitialSecret(…)"


@dataclass(frozen=True, slots=True)
class Binding:
    """What a sealed slip belongs to; `key_id` is that of `SealingKeyPublished`."""

    school: str
    credential: str
    generation: int
    key_id: str

    def info(self) -> bytes:
        return orjson.dumps([_LABEL, self.school, self.credential, self.generation, self.key_id])


def new_private_key() -> X25519PrivateKey:
    return X25519PrivateKey.generate()


def public_key_text(key: X25519PrivateKey) -> str:
    """The public half as `SealingKeyPublished.public_key` carries it."""
    return _text(key.public_key().public_bytes_raw())


def private_key_text(key: X25519PrivateKey) -> str:
    """For notifications' key file, which no backup holds."""
    return _text(key.private_bytes_raw())


def read_private_key(text: str) -> X25519PrivateKey:
    """Raises `MalformedKey`."""
    return X25519PrivateKey.from_private_bytes(_raw(text))


def read_public_key(text: str) -> X25519PublicKey:
    """Raises `MalformedKey`."""
    return X25519PublicKey.from_public_bytes(_raw(text))


def seal_secret(public_key_b64: str, plain: InitialSecret, binding: Binding) -> bytes:
    """The ciphertext (encapsulated key included). Raises `MalformedKey`."""
    message = orjson.dumps({"password": plain.password, "pin": plain.pin})
    return _SUITE.encrypt(message, read_public_key(public_key_b64), info=binding.info())


def open_secret(private_key: X25519PrivateKey, sealed: bytes, binding: Binding) -> InitialSecret:
    """Raises `CannotOpen`."""
    try:
        message = _SUITE.decrypt(sealed, private_key, info=binding.info())
    except (InvalidTag, ValueError):
        raise CannotOpen from None
    content = orjson.loads(message)
    return InitialSecret(content["password"], content["pin"])


class ClaimReason(StrEnum):
    send = "send"
    resend = "resend"
    print = "print"
    reprint = "reprint"


class ClaimRefusal(StrEnum):
    gone = "gone"
    expired = "expired"
    too_many_claims = "too_many_claims"
    unknown = "unknown"


_Id = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._:-]+$")]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ClaimRequest(_Message):
    credentials: tuple[_Id, ...] = Field(min_length=1, max_length=MOST_PER_CLAIM)
    reason: ClaimReason
    delivery: _Id | None = None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.credentials)) != len(self.credentials):
            raise ValueError("a credential is named twice")
        return self


class ClaimedSlip(_Message):
    """`sealed` is base64url."""

    school: str
    generation: int
    key: str
    sealed: str = Field(repr=False)

    def binding(self, credential: str) -> Binding:
        return Binding(self.school, credential, self.generation, self.key)

    def ciphertext(self) -> bytes:
        """Raises `CannotOpen` when it is no base64url."""
        try:
            return urlsafe_b64decode(self.sealed)
        except (NotBase64, ValueError):
            raise CannotOpen from None


class RefusedClaim(_Message):
    refused: ClaimRefusal


class ClaimReply(_Message):
    """Either `slips`, one entry for each credential asked for, or `error`."""

    slips: dict[str, ClaimedSlip | RefusedClaim] = Field(default_factory=dict)
    error: str | None = None

    def encoded(self) -> bytes:
        return self.model_dump_json(exclude_none=True, exclude_defaults=True).encode()


def claimed_slip(binding: Binding, sealed: bytes) -> ClaimedSlip:
    return ClaimedSlip(
        school=binding.school, generation=binding.generation, key=binding.key_id, sealed=_text(sealed)
    )


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode("ascii")


def _raw(text: str) -> bytes:
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (NotBase64, ValueError):
        raise MalformedKey from None
    if len(raw) != 32:
        raise MalformedKey
    return raw
