"""Where the mail server hands in what came back, as it came: `POST /api/notifications/bounces` (S4)."""

import hmac
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from pydantic import BaseModel

from services.notifications.bounces import Bounces, Taken
from shared.web.description import API_KEY, problems, secured
from shared.web.errors import TITLES, Problem
from shared.web.i18n import N_

router = APIRouter(prefix="/api/notifications", tags=["notifications"])
_FEWEST: Final = 32
_SCHEME: Final = "bearer "
_MAIL: Final = {"schema": {"type": "string", "format": "binary"}}
_BODY: Final = {
    "content": {"message/rfc822": _MAIL, "application/octet-stream": _MAIL},
    "required": False,
}


class BounceOut(BaseModel):
    """`counted`: a message is known not to have arrived; `known`: it was already; `delayed`: somebody goes on trying, or
    it did arrive; `no_report`: no report of a mail server; `not_ours`: about a message that was not sent from here."""

    outcome: Taken


@dataclass(frozen=True, slots=True)
class BounceIntake:
    """`key`: whoever hands something in must know it."""

    bounces: Bounces
    key: bytes = field(repr=False)

    @classmethod
    def from_file(cls, bounces: Bounces, path: Path) -> "BounceIntake":
        """Raises `ValueError` for a key of fewer than 32 characters, `OSError` for a file that cannot be read."""
        key = path.read_bytes().strip()
        if len(key) < _FEWEST:
            raise ValueError("the key for handing in bounces has 32 characters at least")
        return cls(bounces, key)

    def admits(self, authorization: str) -> bool:
        """Whether this header holds the key."""
        given = authorization[len(_SCHEME) :] if authorization.lower().startswith(_SCHEME) else ""
        return hmac.compare_digest(given.strip().encode("utf-8", "replace"), self.key)


@router.post(
    "/bounces",
    responses=problems(401, 413, 503),
    openapi_extra={"requestBody": _BODY, **secured(API_KEY)},
)
async def take_bounce(request: Request) -> BounceOut:
    """The mail as the server has it, in the body (`message/rfc822`), with `Authorization: Bearer <key>`. The same one may
    come any number of times, and whatever is no report is taken too: a mail server is never given a reason to bounce a
    bounce."""
    intake: BounceIntake | None = getattr(request.app.state, "bounces", None)
    if intake is None:
        raise Problem(
            503,
            "bounces-not-taken",
            TITLES[503],
            N_("Questa installazione non riceve i messaggi tornati indietro: manca la chiave."),
            headers={"Retry-After": "3600"},
        )
    if not intake.admits(request.headers.get("authorization", "")):
        raise Problem(
            401,
            "key-required",
            TITLES[401],
            N_("Serve la chiave del server di posta."),
            headers={"WWW-Authenticate": "Bearer"},
        )
    return BounceOut(outcome=await intake.bounces.take(await request.body()))
