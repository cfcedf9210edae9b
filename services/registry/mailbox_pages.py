"""The desk's page of the pupils' institutional mailboxes: how many are there, and the directory's export (E8)."""

from io import BytesIO
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from services.registry import list_forms
from services.registry.authority import registry_of
from services.registry.desk import context_of, render
from services.registry.imports.cells import BadCell, read_email
from services.registry.imports.problems import Refused as FileRefused
from services.registry.mailboxes import Wanted
from services.registry.people_pages import PEOPLE
from shared.web.actions import Action, allowed
from shared.web.errors import TITLES, Problem
from shared.web.i18n import N_, gettext
from shared.web.sessions import Principal

router = APIRouter(include_in_schema=False)
MAILBOXES: Final = "/registro/sportello/caselle"
MayActivate = Annotated[Principal, Depends(allowed(Action.activate_mailboxes))]
_MOST = 20_000


@router.get(MAILBOXES, response_class=HTMLResponse, name="mailboxes")
async def show(request: Request, who: MayActivate, attivate: int | None = None) -> Response:
    return await _page(request, who, activated=attivate)


@router.post(f"{MAILBOXES}/anteprima", response_class=HTMLResponse, name="preview_mailboxes")
async def preview(request: Request, who: MayActivate) -> Response:
    """What the export would do; nothing is done yet."""
    sent = await list_forms.uploaded(request)
    if sent is None:
        return await _page(request, who, errors={"file": gettext(list_forms.NO_FILE)})
    name, content = sent
    try:
        found = await registry_of(request).mailboxes.activate_file(
            who.school, name, BytesIO(content), context_of(request, who), dry_run=True
        )
    except FileRefused as refused:
        return await _page(request, who, errors={"file": list_forms.unreadable(refused)})
    rows = [[student, address] for student, address in found.outcome.chosen]
    return await _page(
        request,
        who,
        found=found,
        problems=list_forms.told(found.problems),
        rows="\n".join(" ".join(row) for row in rows),
    )


@router.post(MAILBOXES, response_class=HTMLResponse, name="activate_mailboxes")
async def activate(request: Request, who: MayActivate) -> Response:
    """Those that the preview had found, looked at again."""
    async with request.form(max_files=0, max_fields=5) as form:
        lines = str(form.get("righe") or "").split("\n")
    try:
        wanted = [_wanted(at, line) for at, line in enumerate(lines) if line.strip()]
    except (BadCell, ValueError):
        wanted = []
    if not 0 < len(wanted) <= _MOST:
        raise Problem(400, "rows-unreadable", TITLES[400], N_("Ricominci caricando di nuovo il file."))
    done = await registry_of(request).mailboxes.activate(who.school, wanted, context_of(request, who))
    return RedirectResponse(f"{MAILBOXES}?attivate={len(done.chosen)}", status_code=303)


def _wanted(at: int, line: str) -> Wanted:
    """As the preview had written it. Raises `BadCell`, `ValueError`."""
    student, address = line.split()
    if not student.isprintable():
        raise ValueError("an id is printable")
    return Wanted(at, read_email(address), student=student)


async def _page(request: Request, who: Principal, **context: Any) -> Response:
    registry = registry_of(request)
    years = await registry.queries.years(who.school)
    classes = await registry.mailboxes.by_class(who.school, years[0], registry.today) if years else []
    usual: dict[str, Any] = {"activated": None, "errors": {}, "found": None, "problems": [], "rows": ""}
    return await render(
        request,
        who,
        "mailboxes.html",
        PEOPLE,
        status_code=422 if context.get("errors") else 200,
        classes=classes,
        year=years[0] if years else "",
        **(usual | context),
    )
