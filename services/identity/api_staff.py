"""Staff accounts as JSON, in the hands of a school's administrators. Errors are RFC 9457 problems."""

from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from pydantic import BaseModel, ConfigDict, Field

from services.identity.operations import StaffOpened
from services.identity.operations_staff import Given, Member
from services.identity.refusals_staff import telling_staff
from services.identity.web import Front
from shared.contracts.identity import StaffRole
from shared.eventstore.units import IdempotencyKey
from shared.web.actions import Action, allowed, may
from shared.web.description import SESSION, problems, secured
from shared.web.errors import TITLES, Problem
from shared.web.i18n import N_
from shared.web.sessions import Principal

Administrator = Annotated[Principal, Depends(allowed(Action.manage_staff))]
Ending = Annotated[Principal, Depends(allowed(Action.end_sessions))]
Id = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._:-]+$")]
Name = Annotated[str, Field(max_length=200)]
Roles = Annotated[list[StaffRole], Field(min_length=1, max_length=len(StaffRole))]
Key = Annotated[str | None, Header(min_length=1, max_length=200)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class StaffOpening(_Body):
    """`person`: somebody appointed in the registry, whose names are known; else the names."""

    roles: Roles
    person: Id | None = None
    given_name: Name = ""
    family_name: Name = ""


class RolesChange(_Body):
    roles: Roles


class PasswordReset(_Body):
    """`remove_passkeys`: they were lost."""

    remove_passkeys: bool = False


class Closing(_Body):
    note: Annotated[str, Field(min_length=1, max_length=500)]


class MemberAnswer(BaseModel):
    """`appointed_as`: what the registry says they are, null where it knows nobody of this id."""

    account: str
    person: str
    roles: list[StaffRole]
    user_code: str | None
    given_name: str | None
    family_name: str | None
    closed: bool
    suspended: bool
    locked: bool
    appointed_as: str | None
    temporary_until: datetime | None
    passkeys: int
    seen_at: datetime | None


class PasswordAnswer(BaseModel):
    """The temporary password, this once; it must be changed at the first sign-in, before `expires`."""

    account: str
    user_code: str
    password: str
    expires: datetime


def staff_api_routes(front: Front) -> APIRouter:
    router = APIRouter(prefix="/api/identity", tags=["staff"])

    def described(*statuses: int) -> Any:
        return {"responses": problems(401, 403, *statuses, 503), "openapi_extra": secured(SESSION)}

    @router.get("/staff", **described())
    async def members(who: Administrator) -> list[MemberAnswer]:
        """Who has a staff account at this school; closed ones come last."""
        return [_answer(member) for member in await front.staff.members(who.school)]

    @router.post("/staff", status_code=201, **described(404, 409))
    async def open_(who: Administrator, body: StaffOpening, idempotency_key: Key = None) -> PasswordAnswer:
        """Open an account. With an `Idempotency-Key` a repeat opens nothing, and shows no password."""
        key = None
        if idempotency_key is not None:
            print_ = sha256(body.model_dump_json().encode()).digest()
            key = IdempotencyKey(f"staff/{who.school}", idempotency_key, print_)
        async with telling_staff():
            opened = await front.staff.open(
                who.school,
                body.roles,
                actor=who.account_id,
                person=body.person,
                given_name=body.given_name,
                family_name=body.family_name,
                key=key,
            )
        if isinstance(opened, StaffOpened):
            raise Problem(
                409,
                "opened-before",
                TITLES[409],
                N_(
                    "Questo account è già stato aperto: la password si vede una volta sola. Se serve, ne dia un’altra."
                ),
            )
        return _password(opened)

    @router.get("/staff/{account}", **described(404))
    async def member(who: Administrator, account: Id) -> MemberAnswer:
        async with telling_staff():
            return _answer(await front.staff.member(who.school, account))

    @router.put("/staff/{account}/roles", status_code=204, **described(404, 409))
    async def change_roles(who: Administrator, account: Id, body: RolesChange) -> None:
        """The last administrator keeps the role."""
        async with telling_staff():
            await front.staff.change_roles(who.school, account, body.roles, actor=who.account_id)

    @router.post("/staff/{account}/password", **described(404, 409))
    async def reset(who: Administrator, account: Id, body: PasswordReset) -> PasswordAnswer:
        """A temporary password; every session ends."""
        async with telling_staff():
            return _password(
                await front.staff.reset(
                    who.school, account, actor=who.account_id, remove_passkeys=body.remove_passkeys
                )
            )

    @router.post("/staff/{account}/closure", status_code=204, **described(404, 409))
    async def close(who: Administrator, account: Id, body: Closing) -> None:
        """Who leaves: password, passkeys and sessions are gone."""
        async with telling_staff():
            await front.staff.close(who.school, account, body.note, actor=who.account_id)

    @router.delete("/accounts/{account}/sessions", name="api_end_sessions", status_code=204, **described(404))
    async def end_sessions(who: Ending, account: Id) -> None:
        """Sign a holder out everywhere; of staff their administrator does."""
        staff = may(who, Action.manage_staff)
        if not await front.sessions.end_all(account, who.school, actor=who.account_id, staff=staff):
            raise Problem(
                404, "no-account", TITLES[404], N_("Questo account non c’è, o non è della sua scuola.")
            )

    return router


def _answer(member: Member) -> MemberAnswer:
    return MemberAnswer.model_validate(member, from_attributes=True)


def _password(given: Given) -> PasswordAnswer:
    return PasswordAnswer(
        account=given.account, user_code=given.user_code, password=given.password, expires=given.expires
    )
