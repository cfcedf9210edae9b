"""Which mailboxes of pupils are there and receive, over HTTP: one, many, or a directory's export (E8)."""

from pathlib import PurePath
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel

from services.registry.authority import Activating, AuthorisedFirst, Speaker, registry_of
from services.registry.imports.problems import Problem as RowProblem
from services.registry.imports.problems import Refused as FileRefused
from services.registry.imports.problems import sentence
from services.registry.mailboxes import Wrong
from services.registry.requests import MailboxesRequest, fingerprint
from services.registry.uploads import Uploads
from shared.contracts.event import Context
from shared.eventstore.units import IdempotencyKey
from shared.ids import new_id
from shared.web.description import API_KEY, SESSION, problems, secured
from shared.web.errors import Problem
from shared.web.i18n import N_, current_language

router = APIRouter(prefix="/api/registry/mailboxes", tags=["mailboxes"], route_class=AuthorisedFirst)
_BY_EITHER = secured(API_KEY, SESSION)
_EXPORT: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "The users' CSV of Google Workspace or Microsoft 365.",
                        }
                    },
                }
            }
        },
    }
}


class WrongMailbox(BaseModel):
    """`pointer` into the request, or `line` of the file; `code` is stable, `detail` in the reader's language."""

    pointer: str | None = None
    line: int | None = None
    column: str | None = None
    code: str
    severity: str = "error"
    detail: str


class MailboxesAnswer(BaseModel):
    """`activated`: new, or with another address than before. `unchanged`: said before. What is in `problems` as an
    error stays out; the rest goes in."""

    dry_run: bool
    activated: int
    unchanged: int
    problems: list[WrongMailbox]


@router.post("", responses=problems(401, 403, 422, 503), openapi_extra=_BY_EITHER)
async def activate(
    request: Request,
    who: Activating,
    wanted: MailboxesRequest,
    dry_run: Annotated[bool, Query(description="Only say what would happen.")] = False,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> MailboxesAnswer:
    """These mailboxes are there and receive: pupils' credentials may go there now. Saying it again changes nothing."""
    key = None
    if idempotency_key is not None and not dry_run:
        key = IdempotencyKey(f"mailboxes/{who.school}", idempotency_key, fingerprint(wanted))
    done = await registry_of(request).mailboxes.activate(
        who.school, wanted.wanted(), _context(request, who), dry_run=dry_run, key=key
    )
    if done.key_reused:
        raise Problem(
            422,
            "idempotency-key-reused",
            N_("Chiave di idempotenza già usata"),
            N_("Questa Idempotency-Key è già servita per una richiesta con altro contenuto."),
        )
    return MailboxesAnswer(
        dry_run=dry_run,
        activated=len(done.chosen),
        unchanged=done.unchanged,
        problems=[_wrong(wrong) for wrong in done.wrong],
    )


@router.post("/files", responses=problems(401, 403, 422, 503), openapi_extra=_EXPORT | _BY_EITHER)
async def activate_file(
    request: Request,
    who: Activating,
    dry_run: Annotated[bool, Query(description="Only say what would happen.")] = False,
) -> MailboxesAnswer:
    """The same from the export of the school's directory. Rows match by id, codice fiscale, or name and class."""
    uploads: Uploads = request.app.state.uploads
    async with uploads.received(request) as file:
        name = PurePath(file.filename or "file").name
        try:
            done = await registry_of(request).mailboxes.activate_file(
                who.school, name, file.file, _context(request, who), dry_run=dry_run
            )
        except FileRefused as refused:
            raise unreadable(refused) from None
    return MailboxesAnswer(
        dry_run=dry_run,
        activated=len(done.outcome.chosen),
        unchanged=done.outcome.unchanged,
        problems=[_row(problem) for problem in done.problems],
    )


def unreadable(refused: FileRefused) -> Problem:
    detail = refused.text(_language())
    return Problem(
        422,
        "file-unreadable",
        N_("File non leggibile"),
        "",
        errors=[{"pointer": "#/file", "code": refused.code, "detail": detail}],
    )


def _wrong(wrong: Wrong) -> WrongMailbox:
    text = sentence(wrong.code, _language(), {})
    return WrongMailbox(pointer=f"#/mailboxes/{wrong.at}", code=wrong.code, detail=text)


def _row(problem: RowProblem) -> WrongMailbox:
    return WrongMailbox(
        line=problem.line,
        column=problem.column,
        code=problem.code,
        severity=problem.severity,
        detail=problem.text(_language()),
    )


def _context(request: Request, who: Speaker) -> Context:
    traceparent = getattr(request.state, "traceparent", None)
    return Context(actor=who.actor, correlation=new_id(), traceparent=traceparent)


def _language() -> Any:
    return "it" if current_language() == "it" else "en"
