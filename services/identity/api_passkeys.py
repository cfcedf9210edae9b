"""Passkeys and sessions as JSON: what `passkey.js` asks, and programs may. Errors are RFC 9457 problems."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from services.identity.device_words import device_word
from services.identity.passkeys import LONGEST_NAME, Asked
from services.identity.refusals_staff import telling_staff
from services.identity.showing import NotShown
from services.identity.web import Front, client_of, start_of
from shared.web.actions import Action, allowed
from shared.web.cookies import cookie_header
from shared.web.description import SESSION, problems, secured
from shared.web.errors import TITLES, Problem
from shared.web.i18n import N_
from shared.web.sessions import Principal, clear_session

Holder = Annotated[Principal, Depends(allowed(Action.own_account))]
Staff = Annotated[Principal, Depends(allowed(Action.own_passkeys))]
Id = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._:-]+$")]
_COOKIE_SECONDS = 300


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class RegistrationWish(_Body):
    """`password`: of whoever did not sign in with a passkey."""

    password: Annotated[SecretStr, Field(max_length=1024)] = SecretStr("")


class Registration(_Body):
    """`credential`: the browser's answer, as `PublicKeyCredential.toJSON` has it."""

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    credential: Annotated[dict[str, Any], Field(max_length=20)]


class PasskeySignIn(_Body):
    credential: Annotated[dict[str, Any], Field(max_length=20)]


class OptionsAnswer(BaseModel):
    """What the browser's `navigator.credentials` is to be given; binary values are base64url."""

    publicKey: dict[str, Any]


class PasskeyAnswer(BaseModel):
    passkey: str
    name: str
    synced: bool
    created_at: datetime
    used_at: datetime | None


class PasskeySessionAnswer(BaseModel):
    """`start`: the page that they start on."""

    account: str
    school: str
    start: str


class OpenSession(BaseModel):
    """`this`: the one that asks."""

    session: str
    device: str
    opened_with: str
    remembered: bool
    opened_at: datetime
    seen_at: datetime
    this: bool


def passkey_api_routes(front: Front) -> APIRouter:
    router = APIRouter(prefix="/api/identity", tags=["passkeys"])
    _passkeys(router, front)
    _sessions(router, front)
    return router


def _described(*statuses: int) -> Any:
    return {"responses": problems(401, 403, *statuses, 503), "openapi_extra": secured(SESSION)}


def _passkeys(router: APIRouter, front: Front) -> None:
    @router.get("/passkeys", name="api_passkeys", **_described())
    async def passkeys(who: Staff) -> list[PasskeyAnswer]:
        return [
            PasskeyAnswer(
                passkey=each.id,
                name=each.name,
                synced=each.synced,
                created_at=each.created_at,
                used_at=each.used_at,
            )
            for each in await front.passkeys.of(who.account_id)
        ]

    @router.post("/passkeys/options", **_described())
    async def to_register(
        request: Request, response: Response, who: Staff, body: RegistrationWish
    ) -> OptionsAnswer:
        """The question for a new passkey; good for five minutes, in this browser and session, once."""
        async with telling_staff():
            asked = await front.passkeys.to_register(
                who, body.password.get_secret_value(), client_of(front, request)
            )
        if isinstance(asked, NotShown):
            headers = {"Retry-After": str(asked.wait)} if asked.wait else None
            raise Problem(
                403,
                "password-not-accepted",
                N_("La password non è questa."),
                N_("Per registrare una passkey scriva la password con cui ha effettuato l’accesso."),
                headers=headers,
            )
        return _asked(front, response, asked)

    @router.post("/passkeys", status_code=201, **_described(409))
    async def register(request: Request, response: Response, who: Staff, body: Registration) -> PasskeyAnswer:
        async with telling_staff():
            made = await front.passkeys.register(
                who, body.credential, body.name, request.cookies.get(_cookie(front))
            )
        _forget(front, response)
        return PasskeyAnswer(
            passkey=made.id,
            name=made.name,
            synced=made.synced,
            created_at=made.created_at,
            used_at=made.used_at,
        )

    @router.delete("/passkeys/{passkey}", status_code=204, **_described(404, 409))
    async def remove(who: Staff, passkey: Id) -> None:
        """The last one stays while the school asks its staff for one."""
        async with telling_staff():
            await front.passkeys.remove(who, passkey)

    @router.post("/passkey-sessions/options")
    async def to_sign_in(response: Response) -> OptionsAnswer:
        """The question for signing in; no account is named."""
        return _asked(front, response, front.passkeys.to_sign_in())

    @router.post(
        "/passkey-sessions", name="api_passkey_sign_in", status_code=201, responses=problems(401, 503)
    )
    async def sign_in(request: Request, response: Response, body: PasskeySignIn) -> PasskeySessionAnswer:
        """Sign in; the session comes as a cookie. 401 for whatever is not accepted."""
        who = await front.passkeys.sign_in(
            body.credential,
            request.cookies.get(_cookie(front)),
            instead_of=front.session(request),
            device_cookie=front.device(request),
            on=device_word(request.headers.get("user-agent")),
        )
        if who is None:
            raise Problem(
                401,
                "passkey-not-accepted",
                N_("La passkey non è stata accettata"),
                N_("Riprovi, oppure acceda con il codice utente e la password."),
            )
        front.signed_in(response, who)
        _forget(front, response)
        return PasskeySessionAnswer(account=who.account, school=who.school, start=start_of(who.role))


def _sessions(router: APIRouter, front: Front) -> None:
    @router.get("/sessions", **_described())
    async def sessions(who: Holder) -> list[OpenSession]:
        """Where the holder is signed in (M10)."""
        return [
            OpenSession(
                session=each.session,
                device=each.device,
                opened_with=each.opened_with,
                remembered=each.remembered,
                opened_at=each.opened_at,
                seen_at=each.seen_at,
                this=each.session == who.session_id,
            )
            for each in await front.sessions.of(who.account_id)
        ]

    @router.delete("/sessions/{session}", status_code=204, **_described(404))
    async def end_one(who: Holder, session: Id) -> None:
        """End one of one's own."""
        if not await front.sessions.end_one(who, session):
            raise Problem(404, "no-session", TITLES[404], N_("Questo accesso è già terminato."))

    @router.post("/sessions/end-all", status_code=204, **_described())
    async def end_all(response: Response, who: Holder) -> None:
        """Sign out everywhere, here too."""
        await front.sessions.end_all(who.account_id, who.school, actor=who.account_id)
        clear_session(response, front.settings.instance)


def _asked(front: Front, response: Response, asked: Asked) -> OptionsAnswer:
    response.headers.append("Set-Cookie", cookie_header(_cookie(front), asked.cookie, _COOKIE_SECONDS))
    return OptionsAnswer(publicKey=dict(asked.options))


def _forget(front: Front, response: Response) -> None:
    response.headers.append("Set-Cookie", cookie_header(_cookie(front), "", 0))


def _cookie(front: Front) -> str:
    return f"__Host-{front.settings.instance}-passkey"
