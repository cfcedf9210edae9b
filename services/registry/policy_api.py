"""A school's policy over HTTP: what is in force, planned and past; what another would change; its adoption."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.registry import policy_words
from services.registry.authority import registry_of
from services.registry.domain.credential_rules import Contradiction
from services.registry.policy_book import Book, Policies, Standing, Version
from services.registry.policy_terms import Preview
from shared.contracts.policy import PRESETS, CredentialPolicy, HolderRole
from shared.decider import Refused
from shared.web.actions import Action, allowed
from shared.web.description import SESSION, problems, secured
from shared.web.errors import TITLES, Problem
from shared.web.i18n import gettext
from shared.web.sessions import Principal

router = APIRouter(prefix="/api/registry/policy", tags=["policy"])
MaySee = Annotated[Principal, Depends(allowed(Action.see_policy))]
MayChange = Annotated[Principal, Depends(allowed(Action.change_policy))]


class VersionAnswer(BaseModel):
    """An adoption. `adopted_by` is an opaque id, `author` the name of a member of staff."""

    number: int
    standing: Standing
    in_force_from: date
    policy: CredentialPolicy
    reason: str
    adopted_by: str
    author: str | None
    adopted_at: datetime


class PolicyAnswer(BaseModel):
    """`history` holds every adoption in the order in which they were made."""

    school: str
    today: date
    in_force: VersionAnswer | None
    planned: list[VersionAnswer]
    history: list[VersionAnswer]


class Wanted(BaseModel):
    """A policy, or the preset of one of the two circulars; `in_force_from` is a local day, today where not said."""

    model_config = ConfigDict(extra="forbid")
    policy: CredentialPolicy | None = None
    preset: str | None = Field(default=None, pattern=f"^({'|'.join(PRESETS)})$")
    in_force_from: date | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "Wanted":
        if (self.policy is None) == (self.preset is None):
            raise ValueError("either a policy or a preset")
        return self

    async def terms(self, policies: Policies, school: str) -> CredentialPolicy:
        """A preset leaves as it is until when staff need no passkey."""
        if self.policy is not None:
            return self.policy
        return await policies.starting_from(school, PRESETS[self.preset or ""], self.in_force_from)


class Adopting(Wanted):
    """`seen` is the preview's: with it, what was adopted in the meantime is not overwritten."""

    reason: str = Field(min_length=1, max_length=500)
    seen: int | None = Field(default=None, ge=0)


class DifferenceAnswer(BaseModel):
    """`role` is null for what concerns the whole school."""

    role: HolderRole | None
    field: str
    before: Any
    after: Any


class PreviewAnswer(BaseModel):
    """`touched` counts whom the school has now; `consequences` says it in words; `wrong` says why it is refused."""

    in_force_from: date
    changes_nothing: bool
    seen: int
    differences: list[DifferenceAnswer]
    touched: dict[str, int]
    replaces: list[date]
    consequences: list[str]
    wrong: list[str]


class AdoptedAnswer(BaseModel):
    """`changed` is false where the same was to hold from that day anyway."""

    changed: bool
    policy: PolicyAnswer


@router.get("", responses=problems(401, 403, 503), openapi_extra=secured(SESSION))
async def standing(request: Request, who: MaySee) -> PolicyAnswer:
    """The caller's school: the policy in force today, what is planned, and every adoption with author and reason."""
    return standing_of(who.school, await registry_of(request).policies.book(who.school))


@router.post("/preview", responses=problems(401, 403, 503), openapi_extra=secured(SESSION))
async def preview(request: Request, who: MaySee, wanted: Wanted) -> PreviewAnswer:
    """What adopting it would change, and for how many. Nothing is adopted."""
    policies = registry_of(request).policies
    terms = await wanted.terms(policies, who.school)
    return previewed(await policies.preview(who.school, terms, wanted.in_force_from))


@router.post("", responses=problems(401, 403, 409, 503), openapi_extra=secured(SESSION))
async def adopt(request: Request, who: MayChange, wanted: Adopting) -> AdoptedAnswer:
    """Adopt it. The same again changes nothing; what was issued before keeps its terms."""
    registry = registry_of(request)
    terms = await wanted.terms(registry.policies, who.school)
    try:
        changed = await registry.adopt_policy(
            who.school,
            terms,
            wanted.reason,
            wanted.in_force_from,
            seen=wanted.seen,
            actor=who.account_id,
        )
    except Refused as refused:
        found = await registry.policies.preview(who.school, terms, wanted.in_force_from)
        raise _problem(refused, found) from None
    return AdoptedAnswer(
        changed=changed, policy=standing_of(who.school, await registry.policies.book(who.school))
    )


def previewed(found: Preview) -> PreviewAnswer:
    days = [gettext(policy_words.REFUSALS[found.wrong_day])] if found.wrong_day else []
    return PreviewAnswer(
        in_force_from=found.day,
        changes_nothing=found.changes_nothing,
        seen=found.seen,
        differences=[
            DifferenceAnswer(role=d.role, field=d.field, before=d.before, after=d.after)
            for d in found.differences
        ],
        touched={name: getattr(found.numbers, name) for name in found.numbers.__dataclass_fields__},
        replaces=sorted({planned.in_force_from for planned in found.replaces}),
        consequences=policy_words.consequences(found),
        wrong=[*days, *(policy_words.wrong(each) for each in found.contradictions)],
    )


def standing_of(school: str, book: Book) -> PolicyAnswer:
    told = [_version(version) for version in book.versions]
    return PolicyAnswer(
        school=school,
        today=book.today,
        in_force=None if book.in_force is None else _version(book.in_force),
        planned=[_version(version) for version in book.planned],
        history=told,
    )


def _version(version: Version) -> VersionAnswer:
    return VersionAnswer(
        number=version.number,
        standing=version.standing,
        in_force_from=version.in_force_from,
        policy=version.policy,
        reason=version.reason,
        adopted_by=version.by,
        author=version.author,
        adopted_at=version.adopted_at,
    )


_WHERE = {
    "in_force_from_past": "#/in_force_from",
    "in_force_from_far": "#/in_force_from",
    "reason_missing": "#/reason",
    "reason_unusable": "#/reason",
}


def _problem(refused: Refused, found: Preview) -> Problem:
    slug = refused.reason.replace("_", "-")
    said = policy_words.REFUSALS[refused.reason]
    if refused.reason == "policy_changed":
        return Problem(409, slug, TITLES[409], said)
    if refused.reason == "policy_contradictory":
        errors = [
            {"pointer": _pointer(each), "code": each.code, "detail": policy_words.wrong(each)}
            for each in found.contradictions
        ]
    else:
        errors = [{"pointer": _WHERE.get(refused.reason, "#"), "detail": gettext(said)}]
    return Problem(422, slug, TITLES[422], said, errors=errors)


def _pointer(contradiction: Contradiction) -> str:
    role = "" if contradiction.role is None else f"/{contradiction.role.value}"
    return f"#/policy{role}/{contradiction.field}"
