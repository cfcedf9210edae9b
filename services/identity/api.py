"""JSON over HTTP, under /api/identity. Errors are RFC 9457 problems."""

from typing import Annotated

from fastapi import APIRouter, Body, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from services.identity.device_words import device_word
from services.identity.operations import issue_by_desk
from services.identity.signing_in import Objection
from services.identity.web import NOT_ACCEPTED, NOT_ACCEPTED_HINT, Front
from shared.web.actions import Action, allowed
from shared.web.description import SESSION, problems, secured
from shared.web.errors import TITLES, Problem
from shared.web.i18n import N_, gettext
from shared.web.sessions import Principal, clear_session, optional_principal

UserCode = Annotated[str, Field(min_length=1, max_length=100)]
Id = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._:-]+$")]
Anyone = Annotated[Principal | None, Depends(optional_principal)]
SignedInHolder = Annotated[Principal, Depends(allowed(Action.own_account, while_changing=True))]
Desk = Annotated[Principal, Depends(allowed(Action.issue))]
MOST_NAMED = 1000


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Credentials(_Body):
    user_code: UserCode
    password: Annotated[SecretStr, Field(max_length=1024)]
    remember: bool = False


class PasswordChange(_Body):
    """`user_code` may be left out by whoever is signed in."""

    user_code: UserCode | None = None
    old: Annotated[SecretStr, Field(max_length=1024)]
    new: Annotated[SecretStr, Field(max_length=1024)]


class IssuanceRequest(_Body):
    """Accounts, or holders, or the whole school: exactly one of them."""

    accounts: list[Id] | None = Field(default=None, min_length=1, max_length=MOST_NAMED)
    holders: list[Id] | None = Field(default=None, min_length=1, max_length=MOST_NAMED)
    school: bool = False


class SessionAnswer(BaseModel):
    account: str
    school: str
    must_change: bool
    change_advised: bool


class MeAnswer(BaseModel):
    account: str
    person: str
    school: str
    roles: list[str]
    must_change: bool
    given_name: str | None
    family_name: str | None


class IssuanceAnswer(BaseModel):
    """`accepted` are issued as soon as their channel is open; `in_use` stand already and were left alone."""

    accepted: int
    in_use: int


def not_accepted(wait: int) -> Problem:
    """`wait`: seconds before the next attempt is looked at; 0 for none."""
    headers = {"Retry-After": str(wait)} if wait else None
    return Problem(401, "credentials-not-accepted", NOT_ACCEPTED, NOT_ACCEPTED_HINT, headers=headers)


def password_problem(objection: Objection) -> Problem:
    return Problem(
        422,
        "password-not-acceptable",
        N_("Questa password non può essere usata"),
        objection.reason,
        errors=[{"pointer": "#/body/new", "detail": gettext(objection.reason)}],
    )


def api_routes(front: Front) -> APIRouter:
    router = APIRouter(prefix="/api/identity", tags=["identity"])

    @router.post("/sessions", name="api_sign_in", status_code=201, responses=problems(401, 503))
    async def sign_in(request: Request, response: Response, body: Credentials) -> SessionAnswer:
        """Sign in; the session comes as a cookie. 401 for unknown, wrong and not-yet alike."""
        who = await front.signing_in.sign_in(
            body.user_code,
            body.password.get_secret_value(),
            remember=body.remember,
            instead_of=front.session(request),
            address=front.address(request),
            device_cookie=front.device(request),
            on=device_word(request.headers.get("user-agent")),
        )
        if who is None:
            raise not_accepted(await front.seconds_to_wait(request, body.user_code))
        front.signed_in(response, who)
        return SessionAnswer(
            account=who.account,
            school=who.school,
            must_change=who.session.must_change,
            change_advised=who.advised,
        )

    @router.delete("/sessions", status_code=204, responses=problems(401, 503), openapi_extra=secured(SESSION))
    async def sign_out(response: Response, who: SignedInHolder) -> None:
        """End this session, everywhere."""
        await front.sessions.end(who)
        clear_session(response, front.settings.instance)

    @router.post("/password", name="api_change_password", status_code=204, responses=problems(401, 503))
    async def change_password(
        request: Request, response: Response, body: PasswordChange, who: Anyone
    ) -> None:
        """Change the password; every other session ends. 422 with the reason when the new one is refused."""
        code = body.user_code or (await front.signing_in.user_code_of(who.account_id) if who else None)
        me = await front.queries.me(who) if who is not None else None
        changed = await front.signing_in.change_password(
            code or "",
            body.old.get_secret_value(),
            body.new.get_secret_value(),
            principal=who,
            remembered=me.remembered if me else False,
            address=front.address(request),
            device_cookie=front.device(request),
            on=device_word(request.headers.get("user-agent")),
        )
        if isinstance(changed, Objection):
            raise password_problem(changed)
        if changed is None:
            raise not_accepted(await front.seconds_to_wait(request, code or ""))
        if who is not None:
            front.give_session(response, changed)

    @router.get("/me", responses=problems(401, 503), openapi_extra=secured(SESSION))
    async def me(who: SignedInHolder) -> MeAnswer:
        """Who is signed in."""
        found = await front.queries.me(who)
        return MeAnswer(
            account=who.account_id,
            person=who.person_id,
            school=who.school,
            roles=sorted(who.roles),
            must_change=who.must_change,
            given_name=found.given_name if found else None,
            family_name=found.family_name if found else None,
        )

    @router.post(
        "/issuance", status_code=202, responses=problems(401, 403, 503), openapi_extra=secured(SESSION)
    )
    async def issue(who: Desk, body: Annotated[IssuanceRequest, Body()]) -> IssuanceAnswer:
        """The desk's one action (P2): issue to those left out. Repeating it issues nothing twice."""
        named = body.accounts or body.holders
        if (body.accounts is not None) + (body.holders is not None) + body.school != 1:
            raise Problem(
                422,
                "name-whom",
                TITLES[422],
                N_("Indichi gli account, oppure le persone, oppure l’intera scuola."),
            )
        done = await issue_by_desk(front.commands, who.school, named, actor=who.account_id)
        front.wake_issuer()
        return IssuanceAnswer(accepted=done.accepted, in_use=done.in_use)

    return router
