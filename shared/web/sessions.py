"""Sessions as the web front sees them: an opaque token in a cookie, and who it stands for.

The token is 256 random bits; only its SHA-256 is ever stored or asked about. `require(...)` is the one door
to pages and API routes for signed-in people.
"""

import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NewType, Protocol, get_args
from urllib.parse import quote, unquote, urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from shared.web.cookies import cookie_header, session_cookie
from shared.web.errors import TITLES, Problem
from shared.web.i18n import DESK_LANGUAGES, N_, choose_language, use_language
from shared.web.state import web_state

Role = Literal["guardian", "pupil", "teacher", "secretary", "principal", "administrator", "auditor"]
ROLES: frozenset[Role] = frozenset(get_args(Role))
STAFF: frozenset[Role] = ROLES - {"guardian", "pupil"}

SessionToken = NewType("SessionToken", str)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Principal:
    """Who asks. `must_change`: the initial password still stands, nothing but changing it is open (E5).

    `strong`: came in with a passkey, or their school still takes the password alone, until the day before
    `password_only_until`, which is known only of staff to whom it matters: who came in with a password.
    """

    account_id: str
    person_id: str
    school: str
    roles: frozenset[Role]
    must_change: bool
    session_expires: datetime
    language: str = "it"
    session_id: str = field(default="", repr=False)
    strong: bool = False
    password_only_until: date | None = None

    @property
    def last_day_without_passkey(self) -> date | None:
        """The day before `password_only_until`: what a page tells them."""
        return self.password_only_until - timedelta(days=1) if self.password_only_until else None


class Introspector(Protocol):
    """Who knows which session is whose (identity itself, or the others' cache of its answers)."""

    async def introspect(self, token_hash: bytes) -> Principal | None:
        """The session's principal; None when unknown, ended or revoked.

        Raises SessionsUnavailable when that cannot be known now.
        """
        ...


class SessionsUnavailable(Exception):
    """Nobody can say now whether the session holds."""


def new_token() -> SessionToken:
    """A new session token: 256 random bits, urlsafe."""
    return SessionToken(secrets.token_urlsafe(32))


def hash_token(token: str) -> bytes:
    """SHA-256 of a token (32 bytes); the token has full entropy, so no salt."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def set_session(response: Response, instance: str, token: SessionToken, max_age: int | None = None) -> None:
    """Give the browser its token. `max_age` in seconds; None: until the browser closes."""
    response.headers.append("Set-Cookie", cookie_header(session_cookie(instance), token, max_age))


def clear_session(response: Response, instance: str) -> None:
    """Make the browser forget its token (of our pages it kept nothing: they are all `no-store`)."""
    response.headers.append("Set-Cookie", cookie_header(session_cookie(instance), "", 0))


def session_token(connection: HTTPConnection) -> SessionToken | None:
    """The token that the request brought; None also for what was never one of ours, so that nobody is asked."""
    token = connection.cookies.get(session_cookie(web_state(connection).settings.instance))
    return SessionToken(token) if token and _TOKEN.fullmatch(token) else None


def safe_next(path: str | None, default: str = "/") -> str:
    """`path` if it is a path of this site (no browser could read another site in it), else `default`."""
    if not path or len(path) > 2000 or not path.startswith("/") or " " in path:
        return default
    for candidate in (path, unquote(path)):
        if re.search(r"[\\\x00-\x1f\x7f]", candidate) or candidate.startswith("//"):
            return default
    parts = urlsplit(path)
    if parts.scheme or parts.netloc:
        return default
    return path


async def principal_of(request: HTTPConnection) -> Principal | None:
    """Who asks, or None. Asked once a request; sets the page's user and their language."""
    state = request.scope.setdefault("state", {})
    if "principal" in state:
        known: Principal | None = state["principal"]
        return known
    web = web_state(request)
    token = session_token(request)
    principal = None
    if token is not None and web.introspector is not None:
        try:
            principal = await web.introspector.introspect(hash_token(token))
        except SessionsUnavailable:
            raise Problem(
                503,
                "sessions-unavailable",
                TITLES[503],
                N_("In questo momento non possiamo verificare il suo accesso. Riprovi tra qualche secondo."),
                headers={"Retry-After": "5"},
            ) from None
    if principal is not None and principal.session_expires <= datetime.now(UTC):
        principal = None
    state["principal"] = principal
    if principal is not None:
        catalogues = web.pages.catalogues
        among = DESK_LANGUAGES if principal.roles & STAFF else None
        language = choose_language(request, catalogues, web.settings.instance, principal.language, among)
        use_language(catalogues, language)
    return principal


async def optional_principal(request: Request) -> Principal | None:
    """FastAPI dependency for public pages: who asks, if anyone is signed in."""
    return await principal_of(request)


def sign_in_problem(request: Request) -> Problem:
    """401; a browser is sent to the sign-in page and comes back to the page that it wanted."""
    page = web_state(request).settings.sign_in_path
    if request.method in ("GET", "HEAD"):
        query = f"?{request.url.query}" if request.url.query else ""
        wanted = safe_next(f"{request.url.path}{query}", "")
        page += f"?next={quote(wanted, safe='/')}" if wanted else ""
    return Problem(401, "sign-in-required", TITLES[401], N_("Per questa pagina occorre accedere."), page=page)


def require(*roles: Role, allow_must_change: bool = False) -> Callable[[Request], Awaitable[Principal]]:
    """A FastAPI dependency: the signed-in principal, with one of `roles` (any role when none is named).

    Browsers without a session go to the sign-in page, with an initial password to the change of it, unless
    `allow_must_change`. Programs get 401 and 403 problems. In a route's signature:
    `who: Annotated[Principal, Depends(require("secretary"))]`.
    """
    wanted = frozenset(roles)

    async def dependency(request: Request) -> Principal:
        principal = await principal_of(request)
        if principal is None:
            raise sign_in_problem(request)
        if principal.must_change and not allow_must_change:
            raise Problem(
                403,
                "password-change-required",
                N_("Prima occorre cambiare la password"),
                N_("Al primo accesso la password ricevuta va sostituita con una scelta da lei."),
                page=web_state(request).settings.must_change_path,
            )
        if wanted and not wanted & principal.roles:
            raise Problem(
                403, "role-required", TITLES[403], N_("Il suo profilo non consente di aprire questa pagina.")
            )
        return principal

    return dependency
