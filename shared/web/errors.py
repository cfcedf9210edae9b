"""Errors: RFC 9457 problem documents for programs, a page of the same content for people.

Texts are Italian message ids, translated when answered. Nothing of what a client sent is ever sent back: it
may be a secret.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response

from shared.web.i18n import N_, gettext
from shared.web.state import web_state

PROBLEM_TYPE = "application/problem+json"

TITLES: Mapping[int, str] = {
    400: N_("Richiesta non valida"),
    401: N_("Accesso richiesto"),
    403: N_("Operazione non consentita"),
    404: N_("Pagina non trovata"),
    405: N_("Operazione non prevista"),
    406: N_("Formato non disponibile"),
    408: N_("Invio interrotto"),
    409: N_("Operazione in conflitto con un’altra"),
    410: N_("Contenuto non più disponibile"),
    413: N_("Contenuto troppo grande"),
    415: N_("Formato non accettato"),
    422: N_("Dati da correggere"),
    429: N_("Troppe richieste"),
    500: N_("Errore imprevisto"),
    503: N_("Servizio non disponibile"),
}

DETAILS: Mapping[int, str] = {
    403: N_("Il suo profilo non la prevede."),
    404: N_("L’indirizzo è incompleto, oppure il contenuto è stato spostato o tolto."),
    405: N_("Torni alla pagina precedente e usi i suoi pulsanti."),
    429: N_("Attenda qualche minuto, poi riprovi."),
    503: N_("Riprovi tra qualche minuto."),
}

_FIELD_MESSAGES: Mapping[str, str] = {
    "missing": N_("Campo obbligatorio."),
    "extra_forbidden": N_("Campo non previsto."),
    "string_too_short": N_("Almeno %(min_length)s caratteri."),
    "string_too_long": N_("Al massimo %(max_length)s caratteri."),
    "too_short": N_("Almeno %(min_length)s elementi."),
    "too_long": N_("Al massimo %(max_length)s elementi."),
    "greater_than": N_("Deve essere maggiore di %(gt)s."),
    "greater_than_equal": N_("Deve essere almeno %(ge)s."),
    "less_than": N_("Deve essere minore di %(lt)s."),
    "less_than_equal": N_("Deve essere al massimo %(le)s."),
    "string_type": N_("Deve essere un testo."),
    "int_parsing": N_("Deve essere un numero intero."),
    "int_type": N_("Deve essere un numero intero."),
    "bool_parsing": N_("Deve essere vero o falso."),
    "date_parsing": N_("Deve essere una data come 2026-09-14."),
    "date_from_datetime_parsing": N_("Deve essere una data come 2026-09-14."),
    "date_type": N_("Deve essere una data come 2026-09-14."),
    "datetime_parsing": N_("Deve essere una data con ora come 2026-09-14T08:00:00Z."),
    "timezone_aware": N_("Deve indicare il fuso orario."),
    "uuid_parsing": N_("Deve essere un UUID."),
    "json_invalid": N_("Il corpo della richiesta non è JSON valido."),
    "enum": N_("Deve essere uno di: %(expected)s."),
    "literal_error": N_("Deve essere uno di: %(expected)s."),
}
_OTHER_FIELD_MESSAGE = N_("Valore non valido.")


class Problem(Exception):
    """A refusal with a name. Raise it anywhere; the client gets a problem document or a page.

    status: HTTP status. slug: the kind, e.g. `slip-expired` (type `urn:custode:problem:slip-expired`).
    title, detail: Italian msgids (marked with N_); `values` fill their `%(name)s` after translation and
    must not repeat what the client sent. errors: `{"pointer": "#/field", "detail": ...}` each. page: where a
    browser is sent instead (a path of this site).
    """

    def __init__(
        self,
        status: int,
        slug: str,
        title: str,
        detail: str = "",
        *,
        values: Mapping[str, object] | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        page: str | None = None,
    ) -> None:
        super().__init__(f"{status} {slug}")
        self.status = status
        self.slug = slug
        self.title = title
        self.detail = detail
        self.values = dict(values or {})
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.page = page

    @property
    def type(self) -> str:
        """The problem's type URI; `about:blank` when the status says it all."""
        return f"urn:custode:problem:{self.slug}" if self.slug else "about:blank"

    def text(self, message: str) -> str:
        """`message` in the request's language, with the values filled in."""
        translated = gettext(message)
        return translated % self.values if self.values else translated


def plain_problem(status: int, detail: str = "", headers: Mapping[str, str] | None = None) -> Problem:
    """A problem that is no more than its status."""
    title = TITLES.get(status) or TITLES[400 if status < 500 else 500]
    return Problem(status, "", title, detail, headers=headers)


def unexpected_problem() -> Problem:
    """What is said of any error that we did not foresee: nothing but where to find it."""
    return Problem(
        500,
        "unexpected",
        TITLES[500],
        N_(
            "Qualcosa non ha funzionato. L’operazione non è stata completata: riprovi tra poco o, se si "
            "ripete, comunichi alla scuola il codice della richiesta."
        ),
    )


def database_problem() -> Problem:
    """The database is away, full or overloaded: the same request may go well later."""
    return plain_problem(503, DETAILS[503], {"Retry-After": "5"})


def wants_html(connection: HTTPConnection) -> bool:
    """Whether the client is a browser that shows pages (its Accept names text/html)."""
    return "text/html" in connection.headers.get("accept", "")


def problem_document(connection: HTTPConnection, problem: Problem) -> dict[str, object]:
    """The RFC 9457 members of a problem; `instance` names this very occurrence by request id."""
    document: dict[str, object] = {
        "type": problem.type,
        "title": problem.text(problem.title),
        "status": problem.status,
        "instance": f"urn:custode:request:{request_id(connection)}",
    }
    if problem.detail:
        document["detail"] = problem.text(problem.detail)
    if problem.errors:
        document["errors"] = problem.errors
    return document


def request_id(connection: HTTPConnection) -> str:
    """The id of this request (16 hex digits), as in its log lines and its X-Request-ID header."""
    found = connection.scope.get("state", {}).get("request_id", "")
    return str(found)


def problem_response(request: HTTPConnection, problem: Problem) -> Response:
    """The answer to a problem: a redirect or a page for browsers, a problem document for everyone else."""
    htmx = request.headers.get("hx-request") == "true"
    if problem.page is not None and (htmx or wants_html(request)):
        if htmx:
            return Response(status_code=problem.status, headers={"HX-Redirect": problem.page})
        return RedirectResponse(problem.page, status_code=303, headers=problem.headers)
    document = problem_document(request, problem)
    if wants_html(request) and not htmx:
        pages = web_state(request).pages
        return pages.render(
            request,
            "error.html",
            status_code=problem.status,
            headers=problem.headers,
            problem=document,
            request_id=request_id(request),
            languages=(),  # its links would repeat the address that was asked for
        )
    body = orjson.dumps(document)
    return Response(body, status_code=problem.status, headers=problem.headers, media_type=PROBLEM_TYPE)


def _pointer(location: Sequence[object]) -> str:
    """RFC 6901 pointer of a field; anything that is not an identifier (a client's own key) is left out."""
    parts = []
    for part in location:
        text = str(part)
        parts.append(text if text.isascii() and text.replace("_", "a").replace("-", "a").isalnum() else "?")
    return "#/" + "/".join(part[:64] for part in parts)


def field_errors(errors: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """pydantic's errors in our words: where and why, never the value."""
    found = []
    for error in errors:
        kind = str(error.get("type", ""))
        context = error.get("ctx") or {}
        message = _FIELD_MESSAGES.get(kind, _OTHER_FIELD_MESSAGE)
        try:
            detail = gettext(message) % context
        except (KeyError, TypeError):
            detail = gettext(_OTHER_FIELD_MESSAGE)
        location = error.get("loc", ())
        if kind == "extra_forbidden":
            location = location[:-1]
        elif kind == "json_invalid":
            location = location[:1]
        found.append({"pointer": _pointer(location), "detail": detail, "code": kind})
    return found


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem_response(request, error)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = error.detail if isinstance(error.detail, str) else ""
    if detail == HTTPStatus(error.status_code).phrase or error.status_code in (404, 405):
        detail = DETAILS.get(error.status_code, "")
    return problem_response(request, plain_problem(error.status_code, detail, error.headers))


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problem = Problem(
        422,
        "invalid-fields",
        TITLES[422],
        N_("Alcuni dati mancano o non sono nella forma attesa."),
        errors=field_errors(error.errors()),
    )
    return problem_response(request, problem)


def install_errors(app: FastAPI) -> None:
    """Answer every error of `app` as above (unexpected ones are caught by the middleware in guard.py)."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_invalid)
