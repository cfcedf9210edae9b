"""The page and the JSON of the embedded mailbox.

The messages hold live credentials of the installation being tried, so even here: known hosts only (no DNS
rebinding), nothing from other sites, and a message's HTML runs in a sandbox without scripts.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from markupsafe import Markup, escape
from starlette.middleware.trustedhost import TrustedHostMiddleware

from deploy.mailbox.smtp import Faults
from deploy.mailbox.store import Entry, MailStore, body
from deploy.mailbox.words import WORDS, language_of

PAGE: Final = 50
_HERE: Final = Path(__file__).parent
_CSP: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_MESSAGE_CSP: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
_LINK: Final = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)]")

Call = Callable[[Request], Awaitable[Response]]


def linked(text: str) -> Markup:
    """Plain text with its web addresses as links; everything else escaped."""
    out, end = Markup(""), 0
    for found in _LINK.finditer(text):
        out += escape(text[end : found.start()])
        out += Markup('<a href="{0}" target="_blank" rel="noopener noreferrer">{0}</a>').format(found[0])
        end = found.end()
    return out + escape(text[end:])


def when(seconds: float) -> str:
    """A moment, in the machine's own time zone."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%d/%m/%Y %H:%M:%S")


def create_app(store: MailStore, faults: Faults, host: str) -> FastAPI:
    """The app; `host` is the address that it listens on, besides localhost the only one that it answers as."""
    app = FastAPI(title="Custode mailbox", docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")
    templates = Jinja2Templates(directory=_HERE / "templates")
    templates.env.filters |= {"linked": linked, "when": when}
    templates.env.trim_blocks = templates.env.lstrip_blocks = True

    @app.middleware("http")
    async def protect(request: Request, call_next: Call) -> Response:
        if request.method not in {"GET", "HEAD"} and request.headers.get("sec-fetch-site", "none") not in {
            "none",
            "same-origin",
        }:
            return PlainTextResponse("not from another site", 403)
        response = await call_next(request)
        for name, value in {
            "Content-Security-Policy": _CSP,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        }.items():
            response.headers.setdefault(name, value)
        return response

    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["localhost", "127.0.0.1", "[::1]", host])

    def page(request: Request, name: str, status: int = 200, **context: object) -> HTMLResponse:
        language = language_of(request.headers.get("accept-language"))
        return templates.TemplateResponse(
            request, name, {"t": WORDS[language], "language": language, **context}, status_code=status
        )

    def known(message_id: str) -> Entry:
        entry = store.entry(message_id)
        if entry is None:
            raise HTTPException(404, "no such message")
        return entry

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/", response_class=HTMLResponse)
    def messages(
        request: Request,
        to: Annotated[str, Query(max_length=320)] = "",
        page_number: Annotated[int, Query(alias="page", ge=1, le=1_000_000)] = 1,
    ) -> HTMLResponse:
        total, _ = store.find(to, limit=0)
        pages = max(1, -(-total // PAGE))
        page_number = min(page_number, pages)
        _, found = store.find(to, limit=PAGE, offset=(page_number - 1) * PAGE)
        return page(
            request,
            "list.html",
            to=to,
            total=total,
            messages=found,
            page=page_number,
            pages=pages,
        )

    @app.get("/messages/{message_id}", response_class=HTMLResponse)
    def message(request: Request, message_id: str) -> HTMLResponse:
        entry, parsed = store.entry(message_id), store.message(message_id)
        if entry is None or parsed is None:
            return page(request, "missing.html", status=404)
        plain, html = body(parsed, "plain"), body(parsed, "html")
        return page(request, "message.html", message=entry, plain=plain, has_html=html is not None)

    @app.get("/messages/{message_id}/html", response_class=HTMLResponse)
    def html(message_id: str) -> HTMLResponse:
        known(message_id)
        parsed = store.message(message_id)
        shown = body(parsed, "html") if parsed is not None else None
        if shown is None:
            raise HTTPException(404, "no HTML in this message")
        return HTMLResponse(shown, headers={"Content-Security-Policy": _MESSAGE_CSP})

    @app.get("/messages/{message_id}/raw")
    @app.get("/api/messages/{message_id}/raw")
    def raw(message_id: str) -> Response:
        known(message_id)
        return Response(
            store.raw(message_id) or b"",
            media_type="message/rfc822",
            headers={"Content-Disposition": f'attachment; filename="{message_id}.eml"'},
        )

    @app.post("/empty")
    def empty() -> RedirectResponse:
        store.clear()
        faults.forget()
        return RedirectResponse("/", 303)

    @app.get("/api/messages")
    def api_messages(
        to: Annotated[str, Query(max_length=320)] = "",
        limit: Annotated[int, Query(ge=1, le=1000)] = PAGE,
        offset: Annotated[int, Query(ge=0)] = 0,
    ) -> dict[str, object]:
        total, found = store.find(to, limit=limit, offset=offset)
        return {"total": total, "messages": [asdict(entry) for entry in found]}

    @app.get("/api/messages/{message_id}")
    def api_message(message_id: str) -> dict[str, object]:
        entry, parsed = known(message_id), store.message(message_id)
        if parsed is None:
            raise HTTPException(404, "no such message")
        headers = [[name, str(value)] for name, value in parsed.items()]
        texts = {"text": body(parsed, "plain"), "html": body(parsed, "html")}
        return asdict(entry) | {"headers": headers} | texts

    @app.delete("/api/messages")
    def api_clear() -> dict[str, int]:
        faults.forget()
        return {"deleted": store.clear()}

    return app
