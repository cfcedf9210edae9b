"""Claiming sealed slips from identity over request and reply, and opening them in memory (DESIGN 5, shared.sealing)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice

import structlog
from nats.errors import Error as NatsError
from pydantic import ValidationError

from services.notifications.epoch_keys import EpochKeyMissing, EpochKeys
from shared.messaging.bus import Bus, BusUnavailable
from shared.sealing import (
    CLAIM_SUBJECT,
    MOST_PER_CLAIM,
    CannotOpen,
    ClaimedSlip,
    ClaimReason,
    ClaimRefusal,
    ClaimReply,
    ClaimRequest,
    InitialSecret,
    open_secret,
)

log = structlog.get_logger()
_TIMEOUT = 5.0


class ClaimsUnavailable(Exception):
    """Identity, or the bus between us, does not answer at this moment: nothing was done, ask again later."""

    def __init__(self) -> None:
        super().__init__("identity does not answer a claim at this moment")


class NotOpened(StrEnum):
    """Why there is no secret for a credential."""

    gone = "gone"
    expired = "expired"
    too_many_claims = "too_many_claims"
    unknown = "unknown"
    key_missing = "key_missing"
    damaged = "damaged"


@dataclass(frozen=True, slots=True)
class Opened:
    generation: int
    secret: InitialSecret = field(repr=False)


@dataclass(frozen=True, slots=True)
class Claimed:
    """What identity answered; still sealed."""

    slips: Mapping[str, ClaimedSlip | ClaimRefusal] = field(repr=False)

    def open(self, keys: EpochKeys, school: str, credential: str) -> Opened | NotOpened:
        """The secret in memory, or why there is none. Blocks for some 0.1 ms."""
        slip = self.slips.get(credential, ClaimRefusal.unknown)
        if isinstance(slip, ClaimRefusal):
            return NotOpened(slip.value)
        if slip.school != school:
            return NotOpened.damaged
        try:
            private = keys.private_key(slip.key)
            secret = open_secret(private, slip.ciphertext(), slip.binding(credential))
        except EpochKeyMissing:
            return NotOpened.key_missing
        except CannotOpen:
            return NotOpened.damaged
        return Opened(slip.generation, secret)


async def claim(
    bus: Bus, credentials: Sequence[str], reason: ClaimReason, delivery: str | None = None
) -> Claimed:
    """One claim for each credential, in requests of at most 100. Errors: ClaimsUnavailable, for all of them."""
    found: dict[str, ClaimedSlip | ClaimRefusal] = {}
    rest = iter(dict.fromkeys(credentials))
    while some := tuple(islice(rest, MOST_PER_CLAIM)):
        request = ClaimRequest(credentials=some, reason=reason, delivery=delivery)
        reply = await _ask(bus, request)
        for credential in some:
            answer = reply.slips.get(credential)
            if answer is None:
                raise ClaimsUnavailable
            found[credential] = answer if isinstance(answer, ClaimedSlip) else answer.refused
    return Claimed(found)


async def _ask(bus: Bus, request: ClaimRequest) -> ClaimReply:
    payload = request.model_dump_json(exclude_none=True).encode()
    try:
        message = await bus.client.request(CLAIM_SUBJECT, payload, timeout=_TIMEOUT)
        reply = ClaimReply.model_validate_json(message.data)
    except ValidationError:
        log.error("claims.unreadable_answer")
        raise ClaimsUnavailable from None
    except (BusUnavailable, NatsError, OSError, TimeoutError):
        raise ClaimsUnavailable from None
    if reply.error is not None:
        log.error("claims.refused", reason=reply.error)
        raise ClaimsUnavailable
    return reply
