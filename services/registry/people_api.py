"""The desk's acts upon people, and what a family sees, as JSON (M1, M3, M4, M9, E3, P8). Each act may be repeated:
`changed` is false where it held already."""

from collections.abc import Awaitable
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.registry.authority import registry_of
from services.registry.desk import context_of, nobody_here, problem_of
from services.registry.domain.access import Closed
from services.registry.people import NobodyHere
from services.registry.people_answers import (
    ChildAnswer,
    FoundAnswer,
    PersonAnswer,
    child_answer,
    link_answer,
)
from shared.contracts.registry import EndGround, IdentityCheck, RestrictionGround
from shared.decider import Refused
from shared.web.actions import Action, allowed
from shared.web.description import SESSION, problems, secured
from shared.web.sessions import Principal

router = APIRouter(prefix="/api/registry", tags=["people"])
_SESSION = secured(SESSION)
_ACT = problems(401, 403, 404, 422)
_MAY_CONTRADICT = problems(401, 403, 404, 409, 422)
MaySee = Annotated[Principal, Depends(allowed(Action.see_people))]
MayRestrict = Annotated[Principal, Depends(allowed(Action.restrict_guardianship))]
MayCorrect = Annotated[Principal, Depends(allowed(Action.correct_address))]
MayMerge = Annotated[Principal, Depends(allowed(Action.merge_guardians))]
MaySettle = Annotated[Principal, Depends(allowed(Action.settle_wrong_child))]
MayJustify = Annotated[Principal, Depends(allowed(Action.activate_justification))]
Parent = Annotated[Principal, Depends(allowed(Action.see_own_children))]
Reason = Annotated[str, Field(min_length=1, max_length=500)]
_LINK = "/guardians/{guardian}/children/{student}"


class _Act(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Because(_Act):
    reason: Reason


class Restriction(Because):
    """`on`: a local day, today or later."""

    on: date
    ground: RestrictionGround


class Ending(Because):
    on: date
    ground: EndGround


class Decision(Because):
    """Whether the child is theirs after all; if not, the link ends today."""

    is_theirs: bool


class Service(_Act):
    """Online justification: active, or not (then a reason must be given; it also refuses what was asked)."""

    active: bool
    reason: str = Field(default="", max_length=500)


class Address(Because):
    email: str = Field(min_length=3, max_length=254)
    identity_check: IdentityCheck


class Merging(Because):
    """`merged` is the second record: it is closed, the one in the address is kept."""

    merged: str = Field(min_length=1, max_length=100)


class Changed(BaseModel):
    changed: bool


@router.get("/people", responses=problems(401, 403), openapi_extra=_SESSION)
async def find(
    request: Request, who: MaySee, q: Annotated[str, Query(min_length=2, max_length=100)]
) -> list[FoundAnswer]:
    """Pupils and guardians of one's school whose name holds these words."""
    found = await registry_of(request).people.queries.find(who.school, q)
    return [FoundAnswer(id=one.id, kind=one.kind, name=one.name, about=one.about) for one in found]


@router.get("/people/{person}", responses=problems(401, 403, 404), openapi_extra=_SESSION)
async def show(request: Request, who: MaySee, person: str) -> PersonAnswer:
    people = registry_of(request).people
    known = await people.queries.person(who.school, person)
    if known is None:
        raise nobody_here()
    policy, on = await people.policy(who.school), people.today
    relations = await people.queries.relations(who.school, person, on)
    return PersonAnswer(
        id=known.id,
        kind=known.kind,
        name=known.name,
        email=known.email,
        mailbox=known.mailbox,
        merged_into=known.merged_into,
        links=[link_answer(relation, policy, on) for relation in relations],
    )


@router.get("/children", responses=problems(401, 403), openapi_extra=_SESSION)
async def own_children(request: Request, who: Parent) -> list[ChildAnswer]:
    """The signed-in parent's children: what they see, and who may justify. Links that ended are not there."""
    people = registry_of(request).people
    policy, on = await people.policy(who.school), people.today
    relations = await people.queries.relations(who.school, who.person_id, on)
    return [child_answer(r, policy, on) for r in relations if r.closed(policy, on) is not Closed.ended]


@router.post(f"{_LINK}/restriction", responses=_MAY_CONTRADICT, openapi_extra=_SESSION)
async def restrict(
    request: Request, who: MayRestrict, guardian: str, student: str, act: Restriction
) -> Changed:
    """From that day this guardian sees nothing of this child, whatever an import says."""
    return await _done(
        registry_of(request).people.restrict(
            who.school,
            guardian,
            student,
            on=act.on,
            ground=act.ground,
            reason=act.reason,
            context=context_of(request, who),
        )
    )


@router.post(f"{_LINK}/restriction/lift", responses=_ACT, openapi_extra=_SESSION)
async def lift(request: Request, who: MayRestrict, guardian: str, student: str, act: Because) -> Changed:
    return await _done(
        registry_of(request).people.lift(
            who.school, guardian, student, reason=act.reason, context=context_of(request, who)
        )
    )


@router.post(f"{_LINK}/end", responses=_ACT, openapi_extra=_SESSION)
async def end(request: Request, who: MayRestrict, guardian: str, student: str, act: Ending) -> Changed:
    """From that day the guardianship is no more; only the desk brings it back."""
    return await _done(
        registry_of(request).people.end(
            who.school,
            guardian,
            student,
            on=act.on,
            ground=act.ground,
            reason=act.reason,
            context=context_of(request, who),
        )
    )


@router.post(f"{_LINK}/return", responses=problems(401, 403, 404), openapi_extra=_SESSION)
async def link_again(request: Request, who: MayRestrict, guardian: str, student: str) -> Changed:
    return await _done(
        registry_of(request).people.link_again(
            who.school, guardian, student, context=context_of(request, who)
        )
    )


@router.post(f"{_LINK}/wrong-child", responses=_ACT, openapi_extra=_SESSION)
async def settle_wrong_child(
    request: Request, who: MaySettle, guardian: str, student: str, act: Decision
) -> Changed:
    """Answers what a guardian reported; where nothing was reported it changes nothing."""
    return await _done(
        registry_of(request).people.settle_wrong_child(
            who.school,
            guardian,
            student,
            is_theirs=act.is_theirs,
            reason=act.reason,
            context=context_of(request, who),
        )
    )


@router.post(
    f"{_LINK}/justification", name="api_justification", responses=_MAY_CONTRADICT, openapi_extra=_SESSION
)
async def justification(
    request: Request, who: MayJustify, guardian: str, student: str, act: Service
) -> Changed:
    """A right of the guardianship, from year to year; only for a guardian who may see the child's data."""
    people, context = registry_of(request).people, context_of(request, who)
    if act.active:
        return await _done(people.activate_justification(who.school, guardian, student, context=context))
    return await _done(
        people.end_justification(who.school, guardian, student, reason=act.reason, context=context)
    )


@router.post(
    "/guardians/{guardian}/address", name="api_correct_address", responses=_ACT, openapi_extra=_SESSION
)
async def correct_address(request: Request, who: MayCorrect, guardian: str, act: Address) -> Changed:
    """The address for credentials, after an identity check; no import replaces it."""
    return await _done(
        registry_of(request).people.correct_address(
            who.school,
            guardian,
            email=act.email,
            identity_check=act.identity_check,
            reason=act.reason,
            context=context_of(request, who),
        )
    )


@router.post(
    "/guardians/{guardian}/merge", name="api_merge", responses=_MAY_CONTRADICT, openapi_extra=_SESSION
)
async def merge(request: Request, who: MayMerge, guardian: str, act: Merging) -> Changed:
    """Two records of one person: children and ids move to the kept one, what was shut stays shut."""
    return await _done(
        registry_of(request).people.merge(
            who.school, guardian, act.merged, reason=act.reason, context=context_of(request, who)
        )
    )


async def _done(act: Awaitable[bool]) -> Changed:
    try:
        return Changed(changed=await act)
    except NobodyHere:
        raise nobody_here() from None
    except Refused as refused:
        raise problem_of(refused) from None
