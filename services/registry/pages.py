"""The signed-in home: who you are, for which children, what you can do. For families, pupils and staff (E7, M4)."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from services.registry import family_words
from services.registry.authority import registry_of
from services.registry.domain.access import Closed, of_age
from services.registry.people_queries import Person, Relation
from shared.contracts.policy import CredentialPolicy
from shared.web.actions import Action, allowed, may
from shared.web.i18n import N_, gettext
from shared.web.navigation import navigation_of
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
_DESK: frozenset[Role] = frozenset({"secretary", "principal", "administrator", "teacher"})
DONE = {
    "giustificazione": (
        N_("Richiesta inviata"),
        N_("La segreteria attiva il servizio. Lo vedrà su questa pagina."),
    ),
    "segnalazione": (
        N_("Segnalazione inviata"),
        N_("I dati di quell’alunno sono chiusi finché la segreteria non decide."),
    ),
    "consenso": (
        N_("Scelta salvata"),
        N_("Vale da adesso. Può cambiarla quando vuole, da questa pagina."),
    ),
    "gia": (N_("Era già così"), N_("Non è cambiato nulla.")),
}


@router.get("/registro", response_class=RedirectResponse)
async def registro() -> RedirectResponse:
    return RedirectResponse("/registro/", status_code=308)


@router.get("/registro/", response_class=HTMLResponse, name="home")
async def home(
    request: Request, who: Annotated[Principal, Depends(allowed(Action.own_account))], fatto: str = ""
) -> HTMLResponse:
    registry = registry_of(request)
    people, on = registry.people, registry.today
    school = await registry.queries.school(who.school)
    policy = await people.policy(who.school)
    is_guardian, is_pupil = "guardian" in who.roles, "pupil" in who.roles
    children = await people.queries.relations(who.school, who.person_id, on) if is_guardian else []
    ended = [r for r in children if r.closed(policy, on) is Closed.ended]
    person = await people.queries.person(who.school, who.person_id) if is_pupil else None
    return web_state(request).pages.render(
        request,
        "home.html",
        school=None if school is None else SchoolFront(name=school.name),
        navigation=navigation_of(who, "/registro/"),
        who=await registry.queries.name_of(who.school, who.person_id),
        roles=[gettext(ROLES[role]) for role in ROLES if role in who.roles],
        school_code=who.school,
        is_guardian=is_guardian,
        children=[_child(r, policy, on) for r in children if r not in ended],
        ended=len(ended),
        pupil=await registry.queries.pupil(who.school, who.person_id, on) if is_pupil else None,
        own=None if person is None else family_words.of_pupil(person.birth_date, policy, on),
        parents=[] if person is None else await _parents(request, who, person, policy),
        desk=bool(_DESK & who.roles),
        may_deliver=may(who, Action.see_deliveries),
        may_see=may(who, Action.see_people),
        may_activate=may(who, Action.activate_mailboxes),
        may_appoint=may(who, Action.appoint_staff),
        done=[gettext(text) for text in DONE[fatto]] if fatto in DONE else [],
    )


def _child(relation: Relation, policy: CredentialPolicy | None, on: Any) -> dict[str, Any]:
    """One child as the parent's page shows it: nothing of a child whose data is closed."""
    why = relation.closed(policy, on)
    return {
        "id": relation.student,
        "relation": relation,
        "relationship": gettext(family_words.RELATIONSHIPS[relation.relationship]),
        "closed": None if why is None else family_words.why_closed(why, relation),
        "named": why in (None, Closed.consent_missing),
        "parent": family_words.of_parent(relation, policy, on),
        "child": family_words.of_child(relation, policy, on),
        "may_ask": why is None
        and not relation.pupil_ended
        and not relation.standing.justifies_online
        and relation.service != "requested",
        "may_report": why is None,
    }


async def _parents(
    request: Request, who: Principal, person: Person, policy: CredentialPolicy | None
) -> list[Relation]:
    """The parents whom a pupil of age lets see their data, or not, where the school asks (M4)."""
    registry = registry_of(request)
    on = registry.today
    if not of_age(person.birth_date, on):
        return []
    relations = await registry.people.queries.relations(who.school, person.id, on)
    standing = [r for r in relations if r.closed(policy, on) in (None, Closed.consent_missing)]
    return [r for r in standing if r.asks_consent(policy, on)]
