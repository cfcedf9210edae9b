"""The signed-in home: who you are, for which children. The same page for families, pupils and staff."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from services.registry.authority import registry_of
from services.registry.queries import today
from shared.web.actions import Action, allowed
from shared.web.i18n import N_, gettext
from shared.web.sessions import Principal, Role
from shared.web.state import web_state
from shared.web.templating import SchoolFront

router = APIRouter(include_in_schema=False)

ROLES: dict[Role, str] = {
    "guardian": N_("genitore o tutore"),
    "pupil": N_("alunno"),
    "teacher": N_("docente"),
    "secretary": N_("segreteria"),
    "principal": N_("dirigente scolastico"),
    "administrator": N_("amministratore"),
    "auditor": N_("revisore"),
}
RELATIONSHIPS = {
    "father": N_("padre"),
    "mother": N_("madre"),
    "legal_guardian": N_("tutore"),
    "foster": N_("affidatario"),
    "grandfather": N_("nonno"),
    "grandmother": N_("nonna"),
    "uncle": N_("zio"),
    "aunt": N_("zia"),
    "brother": N_("fratello"),
    "sister": N_("sorella"),
    "other": N_("familiare"),
}
_DESK: frozenset[Role] = frozenset({"secretary", "principal", "teacher"})


@router.get("/registro", response_class=RedirectResponse)
async def registro() -> RedirectResponse:
    return RedirectResponse("/registro/", status_code=308)


@router.get("/registro/", response_class=HTMLResponse, name="home")
async def home(
    request: Request, who: Annotated[Principal, Depends(allowed(Action.own_account))]
) -> HTMLResponse:
    queries = registry_of(request).queries
    on = today(registry_of(request).store.clock())
    school = await queries.school(who.school)
    front = None if school is None else SchoolFront(name=school.name)
    children = await queries.children(who.school, who.person_id, on) if "guardian" in who.roles else []
    pupil = await queries.pupil(who.school, who.person_id, on) if "pupil" in who.roles else None
    return web_state(request).pages.render(
        request,
        "home.html",
        school=front,
        who=await queries.name_of(who.school, who.person_id),
        roles=[gettext(ROLES[role]) for role in ROLES if role in who.roles],
        school_code=who.school,
        children=[(child, gettext(RELATIONSHIPS[child.relationship])) for child in children],
        is_guardian="guardian" in who.roles,
        pupil=pupil,
        desk=bool(_DESK & who.roles),
    )
