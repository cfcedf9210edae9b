"""Nothing escapes: an error that nobody foresaw becomes a neutral 500, told in the log without its values."""

import traceback

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.database import DATABASE_TROUBLES
from shared.web.cookies import language_cookie_header
from shared.web.errors import database_problem, problem_response, unexpected_problem
from shared.web.i18n import choose_language, use_language
from shared.web.state import web_state

log = structlog.get_logger("custode.http")


def describe(error: BaseException) -> list[dict[str, object]]:
    """What an error is and where it happened, cause by cause; no messages: they may hold personal data."""
    chain: list[dict[str, object]] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        frames = traceback.extract_tb(current.__traceback__)[-12:]
        where = [
            f"{frame.filename.rpartition('site-packages/')[2]}:{frame.lineno} {frame.name}"
            for frame in frames
        ]
        chain.append({"error": f"{type(current).__module__}.{type(current).__qualname__}", "where": where})
        current = current.__cause__ or current.__context__
    return chain


class CatchAllMiddleware:
    """Answers unexpected errors itself, so that no server prints their text."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            away = isinstance(error, (*DATABASE_TROUBLES, TimeoutError))
            if away:
                log.warning("database trouble", chain=describe(error))
            else:
                log.error("unexpected error", chain=describe(error))
            if started:
                # Too late for another status; a cut connection tells the client that the answer is not whole.
                raise ConnectionAbortedError("answer cut short by an unexpected error") from None
            response = problem_response(
                HTTPConnection(scope), database_problem() if away else unexpected_problem()
            )
            await response(scope, receive, send)


class LanguageMiddleware:
    """Chooses the request's language; a choice by `?lang=` is remembered in a cookie."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        web = web_state(connection)
        catalogues = web.pages.catalogues
        use_language(catalogues, choose_language(connection, catalogues, web.settings.instance))
        asked = connection.query_params.get("lang")

        async def remembered(message: Message) -> None:
            if message["type"] == "http.response.start" and asked is not None and catalogues.offers(asked):
                header = language_cookie_header(web.settings.instance, asked)
                MutableHeaders(scope=message).append("Set-Cookie", header)
            await send(message)

        await self.app(scope, receive, remembered)
