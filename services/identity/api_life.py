"""The life of a credential as JSON: state, loss, regeneration, separation, suspension. Errors are RFC 9457 problems.

Of another school's account or request it says 404, as of one that does not exist. Staff accounts are not here: they
have an API of their own.
"""

from hashlib import sha256
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Header
from pydantic import BaseModel

from services.identity.api_life_models import (
    AccountAnswer,
    Asked,
    AskedOnline,
    Denied,
    GrantAnswer,
    Granted,
    Loss,
    Regenerated,
    Reinstated,
    RequestAnswer,
    RequestMade,
    Revoked,
    Separated,
    SeparationAnswer,
    Suspended,
    Unlocked,
)
from services.identity.desk import Card
from services.identity.desk import Request as RegenerationRequest
from services.identity.operations_life import Acting
from services.identity.refusals import problem_of, telling
from services.identity.separation import separate
from services.identity.web import Front
from shared.contracts.identity import AccountRole, ReportedBy
from shared.decider import Refused
from shared.eventstore.units import IdempotencyKey
from shared.web.actions import Action, allowed
from shared.web.description import SESSION, problems, secured
from shared.web.sessions import Principal

Desk = Annotated[Principal, Depends(allowed(Action.request_regeneration))]
Deciding = Annotated[Principal, Depends(allowed(Action.decide_regeneration))]
Separating = Annotated[Principal, Depends(allowed(Action.separate))]
Suspending = Annotated[Principal, Depends(allowed(Action.suspend))]
Revoking = Annotated[Principal, Depends(allowed(Action.revoke))]
Unlocking = Annotated[Principal, Depends(allowed(Action.unlock))]
Holder = Annotated[Principal, Depends(allowed(Action.own_account))]
Key = Annotated[str | None, Header(alias="Idempotency-Key", min_length=1, max_length=200)]


def acting(who: Principal, what: str, body: BaseModel | None, key: str | None) -> Acting:
    """`what`: the operation and its object, so that one key serves one of them only."""
    if key is None:
        return Acting(who.school, who.account_id)
    said = body.model_dump(mode="json") if body is not None else None
    fingerprint = sha256(orjson.dumps([what, said], option=orjson.OPT_SORT_KEYS)).digest()
    return Acting(who.school, who.account_id, IdempotencyKey(f"desk/{who.account_id}", key, fingerprint))


async def family_card(front: Front, account: str, who: Principal) -> Card:
    """A family's or a pupil's account of one's own school. Raises the 404 of what does not exist."""
    card = await front.desk.card(account, who.school)
    if card is None or card.role is AccountRole.staff:
        raise problem_of(Refused("no_account", ""))
    return card


def life_api_routes(front: Front) -> APIRouter:
    router = APIRouter(prefix="/api/identity", tags=["credentials"])
    _reading(router, front)
    _regenerating(router, front)
    _standing(router, front)
    return router


def _reading(router: APIRouter, front: Front) -> None:
    @router.get("/accounts/{account}", responses=problems(401, 403, 404, 503), openapi_extra=secured(SESSION))
    async def account(account: str, who: Desk) -> AccountAnswer:
        """How a holder's account stands, with its requests for regeneration, the newest first."""
        card = await family_card(front, account, who)
        requests = await front.desk.requests_of(account, who.school)
        return AccountAnswer(
            account=card.account,
            person=card.holder,
            role=card.role,
            state=card.state,
            since=card.since,
            suspended=card.suspended,
            ended_because=card.ended_because,
            into=card.into,
            lost_at=card.lost_at,
            generation=card.generation,
            channel=card.channel,
            expires=card.expires,
            requests=[_answer(request) for request in requests],
        )

    @router.get("/regenerations", responses=problems(401, 403, 503), openapi_extra=secured(SESSION))
    async def open_requests(who: Desk) -> list[RequestAnswer]:
        """The requests of one's school that nobody has decided yet, the oldest first."""
        return [_answer(request) for request in await front.desk.open_requests(who.school)]


def _regenerating(router: APIRouter, front: Front) -> None:
    refusals: Any = {"responses": problems(401, 403, 404, 409, 503), "openapi_extra": secured(SESSION)}
    own: Any = {"responses": problems(401, 403, 409, 503), "openapi_extra": secured(SESSION)}

    @router.post("/accounts/{account}/regenerations", status_code=201, **refusals)
    async def ask(account: str, who: Desk, body: Asked, idempotency_key: Key = None) -> RequestMade:
        """Write down a request for regeneration (E6). One at a time can be open."""
        await family_card(front, account, who)
        does = acting(who, f"ask/{account}", body, idempotency_key)
        async with telling():
            request = await front.life.request_regeneration(
                account, ReportedBy.desk, body.motivation, does, identity_check=body.identity_check
            )
        return RequestMade(request=request)

    @router.post("/regenerations", status_code=201, **own)
    async def ask_online(who: Holder, body: AskedOnline, idempotency_key: Key = None) -> RequestMade:
        """A signed-in holder asks for their own; the desk checks who they are before it decides."""
        does = acting(who, "ask", body, idempotency_key)
        async with telling():
            request = await front.life.request_regeneration(
                who.account_id, ReportedBy.holder, body.motivation, does
            )
        return RequestMade(request=request)

    @router.post("/accounts/{account}/regeneration", **refusals)
    async def regenerate(
        account: str, who: Deciding, body: Regenerated, idempotency_key: Key = None
    ) -> GrantAnswer:
        """Ask and grant in one; 409 `exceptional` where the policy wants a decision of its own."""
        await family_card(front, account, who)
        does = acting(who, f"regenerate/{account}", body, idempotency_key)
        async with telling():
            done = await front.life.regenerate(account, body.motivation, body.identity_check, does)
        front.wake_issuer()
        return GrantAnswer(**done)

    @router.post("/regenerations/{request}/grant", **refusals)
    async def grant(request: str, who: Deciding, body: Granted, idempotency_key: Key = None) -> GrantAnswer:
        """Grant: the old password, PIN, copy and sessions die now."""
        does = acting(who, f"grant/{request}", body, idempotency_key)
        async with telling():
            done = await front.life.grant(request, body.identity_check, body.reason, does)
        front.wake_issuer()
        return GrantAnswer(**done)

    @router.post("/regenerations/{request}/deny", status_code=204, **refusals)
    async def deny(request: str, who: Deciding, body: Denied, idempotency_key: Key = None) -> None:
        """Deny, for a reason that stays on record. Who asks again opens a new request."""
        does = acting(who, f"deny/{request}", body, idempotency_key)
        async with telling():
            await front.life.deny(request, body.reason, does)

    @router.post("/accounts/{account}/separation", status_code=201, **refusals)
    async def separation(
        account: str, who: Separating, body: Separated, idempotency_key: Key = None
    ) -> SeparationAnswer:
        """A pupil who shared a parent's credential gets one of their own now, on a slip (P9)."""
        await family_card(front, account, who)
        does = acting(who, f"separate/{account}", body, idempotency_key)
        async with telling():
            done = await separate(
                front.life, front.commands.store, account, body.guardian, body.identity_check, does
            )
        return SeparationAnswer(**done)


def _standing(router: APIRouter, front: Front) -> None:
    refusals: Any = {"responses": problems(401, 403, 404, 409, 503), "openapi_extra": secured(SESSION)}
    own: Any = {"responses": problems(401, 403, 409, 503), "openapi_extra": secured(SESSION)}

    @router.post("/accounts/{account}/loss", status_code=204, **refusals)
    async def loss(account: str, who: Desk, body: Loss, idempotency_key: Key = None) -> None:
        """Lost, or seen by others, says the holder at the desk."""
        await family_card(front, account, who)
        does = acting(who, f"loss/{account}", body, idempotency_key)
        async with telling():
            await front.life.report_loss(account, ReportedBy.desk, does, block=body.block)

    @router.post("/loss", status_code=204, **own)
    async def own_loss(who: Holder, body: Loss, idempotency_key: Key = None) -> None:
        """A signed-in holder reports their own; blocking ends this session too."""
        does = acting(who, "loss", body, idempotency_key)
        async with telling():
            await front.life.report_loss(who.account_id, ReportedBy.holder, does, block=body.block)

    @router.post("/accounts/{account}/suspension", status_code=204, **refusals)
    async def suspend(account: str, who: Suspending, body: Suspended, idempotency_key: Key = None) -> None:
        """Nobody gets in until it is reinstated; sessions end at once."""
        await family_card(front, account, who)
        does = acting(who, f"suspend/{account}", body, idempotency_key)
        async with telling():
            await front.life.suspend(account, body.because, body.note, does)

    @router.post("/accounts/{account}/reinstatement", status_code=204, **refusals)
    async def reinstate(account: str, who: Suspending, body: Reinstated, idempotency_key: Key = None) -> None:
        """The same credentials serve again."""
        await family_card(front, account, who)
        does = acting(who, f"reinstate/{account}", body, idempotency_key)
        async with telling():
            await front.life.reinstate(account, body.note, body.identity_check, does)

    @router.post("/accounts/{account}/revocation", status_code=204, **refusals)
    async def revoke(account: str, who: Revoking, body: Revoked, idempotency_key: Key = None) -> None:
        """For good: password, PIN, copy and sessions are gone."""
        await family_card(front, account, who)
        does = acting(who, f"revoke/{account}", body, idempotency_key)
        async with telling():
            await front.life.revoke(account, body.because, body.note, does)

    @router.post("/accounts/{account}/unlocking", status_code=204, **refusals)
    async def unlock(account: str, who: Unlocking, body: Unlocked, idempotency_key: Key = None) -> None:
        """Forget the wrong guesses: any device may try again."""
        await family_card(front, account, who)
        does = acting(who, f"unlock/{account}", body, idempotency_key)
        async with telling():
            await front.life.unlock(account, body.identity_check, does)


def _answer(found: RegenerationRequest) -> RequestAnswer:
    return RequestAnswer(
        request=found.id,
        account=found.account,
        state=found.state,
        asked_by=found.asked_by,
        asker=found.asker,
        asked_at=found.asked_at,
        identity_check=found.decided_check or found.asked_check,
        motivation=found.motivation,
        decider=found.decider,
        decided_at=found.decided_at,
        reason=found.reason,
    )
