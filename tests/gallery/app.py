"""The component gallery: every macro of shared/web on one page, and routes that misbehave. Used by tests only."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, Form, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse

from shared.web.app import Check, create_web_app
from shared.web.errors import Problem
from shared.web.i18n import N_
from shared.web.sessions import (
    Principal,
    SessionsUnavailable,
    clear_session,
    hash_token,
    new_token,
    optional_principal,
    require,
    set_session,
)
from shared.web.settings import WebSettings
from shared.web.templating import NavItem, Pages, SchoolFront

HERE = Path(__file__).parent
SITE = "http://localhost:8080"
SECRET = "volpe-turchese-9481"

SCHOOL = SchoolFront(
    name="Istituto Comprensivo “Grazia Deledda”",
    place="Via dei Mirti 12, Oristano",
    site_url="https://www.icdeledda.example",
    privacy_url="https://www.icdeledda.example/privacy",
)
NAVIGATION = (
    NavItem("Classi", "/galleria", active=True),
    NavItem("Consegne", "/galleria/vuota"),
    NavItem("Richieste", "/galleria/conferma"),
)
PUPILS = (
    ("Bianchi, Aurora", "success", "Primo accesso fatto", "12 settembre 2026"),
    ("Costa, Leonardo", "progress", "Consegnata, mai usata", "10 settembre 2026"),
    ("El Amrani, Yasmine", "danger", "E-mail respinta", "9 settembre 2026"),
    ("Popescu, Andrei", "warning", "Scade tra 3 giorni", "2 settembre 2026"),
    ("Zanetti, Sofia", "neutral", "Da consegnare", "—"),
)


class Desk(BaseModel):
    """A body with rules, to see what is told of its errors."""

    code: str = Field(min_length=30)
    year: int


class FixedSessions:
    """Sessions known by token, as identity would answer."""

    def __init__(self) -> None:
        self.known: dict[bytes, Principal] = {}
        self.down = False

    async def introspect(self, token_hash: bytes) -> Principal | None:
        """The principal of a known session."""
        if self.down:
            raise SessionsUnavailable
        return self.known.get(token_hash)

    def open(self, *, must_change: bool = False, roles: frozenset[str] = frozenset({"secretary"}),
             hours: float = 1, language: str = "it") -> str:  # fmt: skip
        """A new session; returns its token."""
        token = new_token()
        self.known[hash_token(token)] = Principal(
            account_id="account-1",
            person_id="person-1",
            school="ORIC81000X",
            roles=frozenset(r for r in ("secretary", "guardian", "teacher") if r in roles),
            must_change=must_change,
            session_expires=datetime.now(UTC) + timedelta(hours=hours),
            language=language,
        )
        return token


def gallery(
    settings: WebSettings | None = None,
    sessions: FixedSessions | None = None,
    checks: dict[str, Check] | None = None,
    translations: Sequence[Path] = (),
) -> FastAPI:
    """The gallery as an app of its own."""
    chosen = settings or WebSettings(site_url=SITE, instance="galleria", body_limit=10_000,
                                     body_limits={"/galleria/carica": 50_000})  # fmt: skip
    known = sessions or FixedSessions()
    pages = Pages("Registro", [HERE / "templates"], translations)
    app = create_web_app(
        "gallery",
        settings=chosen,
        pages=pages,
        introspector=known,
        checks=checks,
        openapi_url="/galleria/api/openapi.json",
    )

    @app.get("/galleria")
    async def whole(
        request: Request, user: Annotated[Principal | None, Depends(optional_principal)]
    ) -> HTMLResponse:
        return pages.render(request, "gallery.html", school=SCHOOL, navigation=NAVIGATION, pupils=PUPILS)

    @app.get("/galleria/modulo")
    async def form(request: Request) -> HTMLResponse:
        return pages.render(request, "sign_in.html", school=SCHOOL, errors={})

    @app.post("/galleria/modulo")
    async def answered(request: Request, codice: Annotated[str, Form()] = "",
                       password: Annotated[str, Form()] = "") -> Response:  # fmt: skip
        if codice == "ABCD2345" and password == SECRET:
            token = known.open()
            response = RedirectResponse("/galleria/segreta", status_code=303)
            set_session(response, chosen.instance, token)  # type: ignore[arg-type]
            return response
        errors = {"password": "Il codice utente o la password non corrispondono."}
        return pages.render(request, "sign_in.html", status_code=422, school=SCHOOL, errors=errors)

    @app.get("/galleria/conferma")
    async def confirm(request: Request) -> HTMLResponse:
        return pages.render(request, "confirm_page.html", school=SCHOOL, navigation=NAVIGATION)

    @app.get("/galleria/vuota")
    async def nothing(request: Request) -> HTMLResponse:
        return pages.render(request, "nothing.html", school=None)

    @app.get("/galleria/segreta")
    async def private(
        request: Request, who: Annotated[Principal, Depends(require("secretary", "teacher"))]
    ) -> HTMLResponse:
        return pages.render(request, "gallery.html", school=SCHOOL, navigation=NAVIGATION, pupils=PUPILS)

    @app.get("/galleria/cambio")
    async def change(
        who: Annotated[Principal, Depends(require(allow_must_change=True))],
    ) -> PlainTextResponse:
        return PlainTextResponse("cambio")

    @app.post("/galleria/uscita")
    async def leave() -> Response:
        response = RedirectResponse("/galleria", status_code=303)
        clear_session(response, chosen.instance)
        return response

    @app.post("/galleria/api/banco")
    async def desk(body: Desk) -> dict[str, bool]:
        return {"ok": True}

    @app.post("/galleria/carica")
    async def upload(request: Request) -> dict[str, int]:
        return {"bytes": sum([len(chunk) async for chunk in request.stream()])}

    @app.get("/galleria/rotta/{name}")
    async def broken(name: str) -> None:
        raise RuntimeError(f"the secret of {name} is {SECRET}") from ValueError(SECRET)

    @app.get("/galleria/a-meta")
    async def half() -> StreamingResponse:
        async def stream() -> AsyncIterator[bytes]:
            yield b"x" * 100
            raise RuntimeError(SECRET)

        return StreamingResponse(stream())

    @app.get("/galleria/rifiuto")
    async def refusal() -> None:
        raise Problem(
            409,
            "slip-expired",
            N_("Operazione in conflitto con un’altra"),
            N_("Il contenuto inviato supera il massimo di %(limit)s MB."),
            values={"limit": 3},
        )

    return app
