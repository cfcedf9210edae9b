"""What has consequences is confirmed with the PIN, at identity, before another service does it (E2).

The service sends the signed-in holder to `confirmation_url(...)`. Identity says in words what is confirmed, asks the
PIN (the password where there is none) and sends the browser back to `back` with a code, `?conferma=…`. The code is good
once, within five minutes, for this session, this purpose and this subject; the service hands it in over the bus and is
told yes or no. No PIN and no password ever leaves identity.

    if not await confirmed(request, Purpose.justification_service, guardianship):
        return RedirectResponse(confirmation_url(Purpose.justification_service, guardianship, back), 303)

`back` is opened with GET, with the code when it was confirmed and without when the holder gave up: opened without a
code it does nothing. After the act the service redirects to an address without the code.
"""

import re
from enum import StrEnum
from typing import Protocol
from urllib.parse import urlencode, urlsplit, urlunsplit

import nats.errors
import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import HTTPConnection

from shared.messaging.bus import Bus, BusUnavailable
from shared.web.errors import TITLES, Problem
from shared.web.i18n import N_
from shared.web.sessions import hash_token, session_token
from shared.web.state import web_state

log = structlog.get_logger()
REDEEM_SUBJECT = "identity.confirmations.redeem"
CONFIRM_PATH = "/accesso/conferma"
CODE = "conferma"
"""The query parameter that a code comes back in; programs may send it in the header `Custode-Confirmation`."""
HEADER = "custode-confirmation"
_ASK_TIMEOUT = 3.0
_CODE = re.compile(r"[A-Za-z0-9_-]{43}")
SUBJECT_PATTERN = r"^[A-Za-z0-9._:-]{1,120}$"
SUBJECT = re.compile(SUBJECT_PATTERN)


class Purpose(StrEnum):
    """What may be confirmed. Identity knows the words of each; a further one is added here and there."""

    justify = "justify"
    justification_service = "justification_service"
    parents_consent = "parents_consent"
    regeneration = "regeneration"


class ConfirmationsUnavailable(Exception):
    """Nobody can say now whether the code is good."""


class Confirmer(Protocol):
    """Who redeems codes: identity itself, or the bus to it."""

    async def redeem(self, token_hash: bytes, code: str, purpose: str, subject: str) -> bool:
        """Whether this session confirmed this, just now; the code is spent. Raises `ConfirmationsUnavailable`."""
        ...


def confirmation_url(purpose: Purpose, subject: str, back: str) -> str:
    """Where to send the signed-in holder. `subject`: an opaque id (no name, no code of a person); `back`: a path of
    this site."""
    if not SUBJECT.fullmatch(subject):
        raise ValueError("a subject is 1 to 120 letters, digits and . _ : -")
    query = urlencode({"scopo": purpose.value, "oggetto": subject, "next": back})
    return f"{CONFIRM_PATH}?{query}"


def with_code(back: str, code: str) -> str:
    """`back` with the code, whatever its query says already."""
    parts = urlsplit(back)
    kept = "&".join(p for p in parts.query.split("&") if p and p.partition("=")[0] != CODE)
    query = f"{kept}&{CODE}={code}" if kept else f"{CODE}={code}"
    return urlunsplit(parts._replace(query=query))


async def confirmed(request: HTTPConnection, purpose: Purpose, subject: str, code: str | None = None) -> bool:
    """Whether whoever asks has just confirmed exactly this; True once for each confirmation.

    `code`: from the request's `?conferma=` (or its header) when None. False for none, wrong, spent, late, another
    session's, another purpose's or another subject's. Raises a 503 `Problem` when identity cannot be asked.
    """
    web = web_state(request)
    code = code or request.query_params.get(CODE) or request.headers.get(HEADER) or ""
    token = session_token(request)
    if token is None or web.confirmer is None or not _CODE.fullmatch(code) or not SUBJECT.fullmatch(subject):
        return False
    try:
        return await web.confirmer.redeem(hash_token(token), code, purpose.value, subject)
    except ConfirmationsUnavailable:
        raise Problem(
            503,
            "confirmations-unavailable",
            TITLES[503],
            N_("In questo momento non possiamo verificare la sua conferma. Riprovi tra qualche secondo."),
            headers={"Retry-After": "5"},
        ) from None


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    def encoded(self) -> bytes:
        return self.model_dump_json(exclude_none=True).encode()


class Redemption(_Message):
    """The request on `identity.confirmations.redeem`."""

    token_hash: str = Field(pattern=r"^[0-9a-f]{64}$", repr=False)
    code: str = Field(pattern=r"^[A-Za-z0-9_-]{43}$", repr=False)
    purpose: str = Field(max_length=60)
    subject: str = Field(pattern=SUBJECT_PATTERN)

    @classmethod
    def read(cls, data: bytes) -> "Redemption | None":
        """None when it is not one."""
        try:
            return cls.model_validate_json(data)
        except ValidationError:
            return None


class Redeemed(_Message):
    """The answer: `confirmed`, or `error` when that cannot be said."""

    confirmed: bool = False
    error: str | None = None


class BusConfirmer:
    """`Confirmer` for the services that are not identity."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def redeem(self, token_hash: bytes, code: str, purpose: str, subject: str) -> bool:
        try:
            asked = Redemption(token_hash=token_hash.hex(), code=code, purpose=purpose, subject=subject)
        except ValidationError:
            return False
        try:
            reply = await self._bus.client.request(REDEEM_SUBJECT, asked.encoded(), timeout=_ASK_TIMEOUT)
            answer = Redeemed.model_validate_json(reply.data)
        except (BusUnavailable, nats.errors.Error, OSError, TimeoutError, ValidationError) as trouble:
            log.info("confirmations.unavailable", error=type(trouble).__name__)
            raise ConfirmationsUnavailable from None
        if answer.error is not None:
            raise ConfirmationsUnavailable
        return answer.confirmed
