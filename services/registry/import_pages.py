"""The desk's import: a file, what it would do, one button, how far it is, what it did."""

from pathlib import PurePath
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from services.registry import import_words
from services.registry.authority import registry_of
from services.registry.desk_imports import DeskImports, Import
from services.registry.report import Report
from services.registry.uploads import Uploads
from shared.web.actions import Action, allowed
from shared.web.errors import Problem
from shared.web.i18n import N_, gettext
from shared.web.navigation import desk_navigation
from shared.web.sessions import Principal
from shared.web.state import web_state
from shared.web.templating import SchoolFront

router = APIRouter(include_in_schema=False)
IMPORTS: Final = "/registro/sportello/importa"
_A_MOMENT: Final = 4.0
"""Seconds: most files are done by then, and nobody has to wait on a page of progress."""
MayImport = Annotated[Principal, Depends(allowed(Action.import_files))]


@router.get(IMPORTS, response_class=HTMLResponse, name="imports")
async def start_page(request: Request, who: MayImport) -> Response:
    return await _page(request, who, {})


@router.post(IMPORTS, response_class=HTMLResponse)
async def look(request: Request, who: MayImport) -> Response:
    """Take the file and say what it would do: nothing goes in."""
    uploads: Uploads = request.app.state.uploads
    try:
        async with uploads.received(request) as file:
            name = PurePath(file.filename or "").name
            if not name:
                return await _page(request, who, {"file": gettext(N_("Scelga il file da importare."))})
            found = await _imports(request).look(name, file.file, who.school, who.account_id)
    except Problem as problem:
        if problem.slug != "invalid-fields":
            raise
        return await _page(request, who, {"file": gettext(N_("Scelga il file da importare."))})
    if isinstance(found, Report):
        said = " ".join(import_words.message(each) for each in found.problems)
        return await _page(request, who, {"file": said})
    return RedirectResponse(f"{IMPORTS}/{found.id}", status_code=303)


@router.get(f"{IMPORTS}/{{upload}}", response_class=HTMLResponse, name="import")
async def show(request: Request, who: MayImport, upload: str) -> Response:
    found = await _found(request, who, upload)
    response = await _render(request, who, "import_run.html", **_context(found))
    if request.headers.get("HX-Request") == "true" and found.state != "running":
        response.headers["HX-Refresh"] = "true"
    return response


@router.post(f"{IMPORTS}/{{upload}}", name="carry_out_import")
async def carry_out(request: Request, who: MayImport, upload: str) -> Response:
    """Do it; pressed twice, it is done once."""
    found = await _found(request, who, upload)
    imports = _imports(request)
    await imports.start(found.id, who.school, who.account_id)
    await imports.settled(found.id, _A_MOMENT)
    return RedirectResponse(f"{IMPORTS}/{found.id}", status_code=303)


@router.post(f"{IMPORTS}/{{upload}}/annulla", name="forget_import")
async def forget(request: Request, who: MayImport, upload: str) -> Response:
    """The file is not kept any longer; nothing went in."""
    await _imports(request).forget(upload, who.school, who.account_id)
    return RedirectResponse(IMPORTS, status_code=303)


def _imports(request: Request) -> DeskImports:
    imports: DeskImports = request.app.state.desk_imports
    return imports


async def _found(request: Request, who: Principal, upload: str) -> Import:
    found = await _imports(request).find(upload, who.school, who.account_id)
    if found is None:
        raise Problem(
            404,
            "import-gone",
            N_("Questo file non è più qui"),
            N_(
                "Un file si conserva per un’ora, e uno nuovo prende il posto del precedente: lo invii di nuovo."
            ),
        )
    return found


def _context(found: Import) -> dict[str, Any]:
    report = found.report
    return {
        "run": found,
        "report": report,
        "summary": import_words.summary(report.counts),
        "figures": import_words.figures(report.counts),
        "credentials": [] if report.expected is None else import_words.credentials(report.expected),
        "problems": import_words.problems(report),
        "problems_in_all": report.counts.errors + report.counts.warnings,
        "message": import_words.message,
        "nothing_new": not report.counts.events,
    }


async def _page(request: Request, who: Principal, errors: dict[str, str]) -> HTMLResponse:
    latest = await _imports(request).latest(who.school, who.account_id)
    return await _render(
        request,
        who,
        "import.html",
        status_code=422 if errors else 200,
        errors=errors,
        latest=[(each, import_words.summary(each.report.counts)) for each in latest],
    )


async def _render(
    request: Request, who: Principal, template: str, status_code: int = 200, **context: Any
) -> HTMLResponse:
    school = await registry_of(request).queries.school(who.school)
    return web_state(request).pages.render(
        request,
        template,
        status_code=status_code,
        school=None if school is None else SchoolFront(name=school.name),
        navigation=desk_navigation(who, IMPORTS),
        **context,
    )
