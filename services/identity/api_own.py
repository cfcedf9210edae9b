"""A holder's own access as JSON: PIN, language, confirmations. Errors are RFC 9457 problems."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from services.identity.confirmations import LIFE, Given
from services.identity.domain.pin import Standing
from services.identity.pages_own import CLOSED, WRONG_PASSWORD, WRONG_PIN, told
from services.identity.pins import PinRefused
from services.identity.showing import NotShown
from services.identity.web import Front, client_of
from shared.decider import Refused
from shared.web.actions import Action, allowed
from shared.web.confirmation import SUBJECT_PATTERN, Purpose
from shared.web.description import SESSION, problems, secured
from shared.web.errors import TITLES, Problem
from shared.web.i18n import N_, gettext
from shared.web.sessions import Principal

Holder = Annotated[Principal, Depends(allowed(Action.own_account))]
Secret = Annotated[SecretStr, Field(max_length=1024)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class PinChange(_Body):
    """`proof`: the present PIN or the password; empty for a first PIN a moment after signing in."""

    proof: Secret = SecretStr("")
    new: Secret


class LanguageChoice(_Body):
    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")]


class Confirmation(_Body):
    """`proof`: the PIN, or the password of an account that has none. `subject`: an opaque id."""

    purpose: Purpose
    subject: Annotated[str, Field(pattern=SUBJECT_PATTERN)]
    proof: Secret


class ConfirmationAnswer(BaseModel):
    """The code is good once, for this session, purpose and subject: in the header `Custode-Confirmation`."""

    code: str
    seconds: int


def not_shown(trouble: NotShown, standing: Standing) -> Problem:
    if trouble.disabled:
        return Problem(409, "pin-disabled", N_("Il PIN è disattivato"), told(trouble))
    headers = {"Retry-After": str(trouble.wait)} if trouble.wait else None
    title = WRONG_PIN if trouble.left is not None or standing is Standing.active else WRONG_PASSWORD
    return Problem(403, "proof-not-accepted", title, told(trouble), headers=headers)


def closed() -> Problem:
    return Problem(403, "account-closed", TITLES[403], CLOSED)


def own_api_routes(front: Front) -> APIRouter:
    router = APIRouter(prefix="/api/identity", tags=["own access"])

    @router.put(
        "/pin", status_code=204, responses=problems(401, 403, 409, 503), openapi_extra=secured(SESSION)
    )
    async def change_pin(request: Request, body: PinChange, who: Holder) -> None:
        """Choose one's PIN. 422 with the reason when it is refused, 409 where the school has none."""
        mine = await front.own.mine(who)
        if mine is None or not mine.has_pins:
            raise Problem(409, "no-pin-here", N_("Il suo accesso non ha un PIN"))
        new = body.new.get_secret_value()
        try:
            outcome = await front.own.pins.change(
                who, body.proof.get_secret_value(), new, client_of(front, request)
            )
        except Refused:
            raise closed() from None
        if isinstance(outcome, NotShown):
            raise not_shown(outcome, mine.standing)
        if isinstance(outcome, PinRefused):
            reason = gettext(outcome.reason)
            raise Problem(
                422,
                "pin-not-acceptable",
                N_("Questo PIN non può essere usato"),
                outcome.reason,
                errors=[{"pointer": "#/body/new", "detail": reason}],
            )

    @router.put(
        "/language",
        name="api_choose_language",
        status_code=204,
        responses=problems(401, 403, 503),
        openapi_extra=secured(SESSION),
    )
    async def choose_language(body: LanguageChoice, who: Holder) -> None:
        """In which language pages, mails and slips are written (M14)."""
        if not front.pages.catalogues.offers(body.language):
            raise Problem(422, "unknown-language", N_("Scelga una lingua tra quelle elencate"))
        await front.own.choose_language(who, body.language)

    @router.post(
        "/confirmations",
        name="api_confirm",
        status_code=201,
        responses=problems(401, 403, 409, 503),
        openapi_extra=secured(SESSION),
    )
    async def confirm(request: Request, body: Confirmation, who: Holder) -> ConfirmationAnswer:
        """Confirm what has consequences (E2); whoever does it redeems the code."""
        proof, client = body.proof.get_secret_value(), client_of(front, request)
        try:
            outcome = await front.own.confirmations.confirm(who, body.purpose, body.subject, proof, client)
        except Refused:
            raise closed() from None
        if isinstance(outcome, Given):
            return ConfirmationAnswer(code=outcome.code, seconds=int(LIFE.total_seconds()))
        mine = await front.own.mine(who)
        raise not_shown(outcome, mine.standing if mine else Standing.none)

    return router
