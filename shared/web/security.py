"""Request protection: who may ask, from where, how much; and the headers that every answer carries.

Refusals are `Problem`s, answered by the app like any other. OWASP ASVS 5.0 chapters 3 and 4.
"""

import asyncio
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.web.addresses import refuse_odd_address
from shared.web.errors import TITLES, Problem, problem_response
from shared.web.i18n import N_
from shared.web.settings import WebSettings, normalise_host

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    # `no-referrer` would make browsers send `Origin: null` with our own forms, and the phones that know no
    # Sec-Fetch-Site could not be told from a foreign page. Other sites get nothing either way.
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_STRICT_TRANSPORT = "max-age=31536000; includeSubDomains"


class SecurityHeadersMiddleware:
    """Strict headers on every answer; nothing is stored by anyone unless the answer says so itself."""

    def __init__(self, app: ASGIApp, settings: WebSettings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                if self.settings.https:
                    headers.setdefault("Strict-Transport-Security", _STRICT_TRANSPORT)
            await send(message)

        await self.app(scope, receive, guarded)


def refuse_forged_host(headers: Mapping[str, str], settings: WebSettings) -> None:
    """Raise a 400 problem when the Host header is not one of ours."""
    if normalise_host(headers.get("host", "")) not in settings.allowed_hosts:
        raise Problem(
            400,
            "unknown-host",
            TITLES[400],
            N_("Questo non è l’indirizzo del sito: usi quello indicato dalla scuola."),
        )


def refuse_cross_site(method: str, headers: Mapping[str, str], settings: WebSettings) -> None:
    """Raise a 403 problem when another site made a browser ask for a change.

    A browser tells where a request comes from (Sec-Fetch-Site, or Origin). A client that tells neither is no
    browser, and is let through only when it brings no cookie: programs use API keys.
    """
    if method in SAFE_METHODS:
        return
    site = headers.get("sec-fetch-site")
    origin = headers.get("origin")
    if site is not None:
        ours = site in ("same-origin", "none")
    elif origin is not None:
        ours = normalise_host(origin) == settings.origin
    else:
        ours = "cookie" not in headers
    if not ours:
        raise Problem(
            403,
            "cross-site-request",
            TITLES[403],
            N_("La richiesta arriva da un altro sito. Torni alla pagina della scuola e la ripeta da lì."),
        )


class RequestGuardMiddleware:
    """Refuses odd addresses, forged hosts, cross-site changes and bodies that are too large or never end."""

    def __init__(self, app: ASGIApp, settings: WebSettings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = self.settings.limit_for(scope["path"])
        try:
            refuse_odd_address(scope)
            if scope["path"] not in PROBES:
                refuse_forged_host(headers, self.settings)
            refuse_cross_site(scope["method"], headers, self.settings)
            declared = headers.get("content-length", "0")
            if not declared.isdecimal() or int(declared) > limit:
                raise too_large(limit)
        except Problem as problem:
            response = problem_response(HTTPConnection(scope), problem)
            await response(scope, receive, send)
            return
        await self.app(scope, _watched(receive, limit, self.settings.body_idle_seconds), send)


def too_large(limit: int) -> Problem:
    """The 413 problem for a body above `limit` bytes."""
    detail = N_("Il contenuto inviato supera il massimo di %(limit)s MB.")
    return Problem(413, "too-large", TITLES[413], detail, values={"limit": f"{limit / 1024 / 1024:.3g}"})


def stalled(seconds: float) -> Problem:
    """The 408 problem for a body of which nothing came for `seconds`; the connection is of no more use."""
    return Problem(
        408,
        "body-stalled",
        TITLES[408],
        N_("L’invio si è fermato prima della fine: per %(seconds)s secondi non è arrivato nulla. Riprovi."),
        values={"seconds": f"{seconds:g}"},
        headers={"Connection": "close"},
    )


class BodyRefused(HTTPException):
    """Raised while a body is read (FastAPI lets HTTPExceptions through): too large, or stalled."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.status)
        self.problem = problem


async def on_body_refused(request: Request, error: Exception) -> Response:
    """Exception handler: the problem."""
    assert isinstance(error, BodyRefused)
    return problem_response(request, error.problem)


def _watched(receive: Receive, limit: int, idle_seconds: float) -> Receive:
    """`receive` with an end to a body: after `limit` bytes, or when none comes for so long before it is whole.

    What is received after the body's end is the client's leaving, which may take as long as the answer.
    """
    loop = asyncio.get_running_loop()
    received = 0
    whole = False
    waited = (
        0.0  # since the last byte, and for the client alone: what the app does meanwhile is not its fault
    )

    async def watched() -> Message:
        nonlocal received, whole, waited
        if whole:
            return await receive()
        asked = loop.time()
        try:
            async with asyncio.timeout(max(idle_seconds - waited, 0)):
                message = await receive()
        except TimeoutError:
            raise BodyRefused(stalled(idle_seconds)) from None
        if message["type"] != "http.request":
            whole = True
            return message
        whole = not message.get("more_body", False)
        size = len(message.get("body", b""))
        waited = 0.0 if size else waited + loop.time() - asked
        received += size
        if received > limit:
            raise BodyRefused(too_large(limit))
        return message

    return watched
