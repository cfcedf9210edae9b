"""What the desk's pages and its JSON share: who acts, why something was refused, and how that is said."""

from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse

from services.registry.authority import registry_of
from shared.contracts.event import Context
from shared.decider import Refused
from shared.ids import new_id
from shared.web.errors import TITLES, Problem
from shared.web.i18n import N_, gettext
from shared.web.navigation import desk_navigation
from shared.web.sessions import Principal, principal_of, sign_in_problem
from shared.web.state import web_state
from shared.web.templating import SchoolFront

REFUSALS: Final = {
    "reason_missing": N_("Scriva il motivo: resta nella storia."),
    "reason_unusable": N_("Il motivo ha al massimo 500 caratteri, senza caratteri di controllo."),
    "date_is_past": N_("Da oggi o da un giorno futuro: nulla si decide per il passato."),
    "date_unusable": N_("Scriva una data, per esempio 14/09/2026."),
    "not_linked": N_("Questo genitore non è collegato all’alunno."),
    "ended": N_("Il legame è chiuso: prima va ricollegato."),
    "no_access": N_(
        "Può giustificare solo chi può vedere i dati dell’alunno: prima va riaperto l’accesso ai dati."
    ),
    "email_unusable": N_("Non è un indirizzo e-mail valido."),
    "guardian_unknown": N_("La scheda non c’è più, o è stata unita a un’altra."),
    "pupil_unknown": N_("La scheda non c’è più, o è stata unita a un’altra."),
    "merged": N_("La scheda è stata unita a un’altra: agisca su quella."),
    "another_person": N_("I due codici fiscali sono diversi: sono due persone, e non si uniscono."),
    "links_disagree": N_(
        "Per lo stesso alunno un legame è chiuso e l’altro no: decida prima quale vale, poi unisca le schede."
    ),
    "same_record": N_("Una scheda non si unisce a sé stessa."),
    "under_age": N_("Lo decide l’alunno, e solo da maggiorenne."),
    "not_appointed": N_("Insegna solo chi risulta in servizio."),
    "staff_same_email": N_("L’indirizzo è già di un’altra persona."),
    "staff_ambiguous": N_("Più persone hanno questo nome: indichi l’e-mail con cui sono note."),
    "text_unusable": N_("Controlli cognome, nome e indirizzo: qualcosa non è scritto come ci si attende."),
    "choice_unusable": N_("Scelga una delle voci."),
}
FIELD: Final = {
    "reason_missing": "motivo",
    "reason_unusable": "motivo",
    "date_is_past": "dal",
    "date_unusable": "dal",
    "email_unusable": "indirizzo",
    "choice_unusable": "fondamento",
}
"""Which field of a form a refusal is about; of the others it is the form as a whole."""


def said(refused: Refused) -> str:
    """Why, in the reader's language."""
    return gettext(REFUSALS[refused.reason])


def problem_of(refused: Refused) -> Problem:
    """For programs: 422 for what was written, 409 for what stands against it."""
    status = 422 if refused.reason in FIELD or refused.reason == "text_unusable" else 409
    return Problem(status, refused.reason.replace("_", "-"), TITLES[status], REFUSALS[refused.reason])


def nobody_here() -> Problem:
    """Another school's person answers as one who does not exist."""
    return Problem(
        404, "person-unknown", TITLES[404], N_("Nella sua scuola non c’è nessuno con questo codice.")
    )


async def signed_in(request: Request) -> Principal:
    """Whoever a route's dependency has let in."""
    principal = await principal_of(request)
    if principal is None:
        raise sign_in_problem(request)
    return principal


def context_of(request: Request, who: Principal) -> Context:
    traceparent = getattr(request.state, "traceparent", None)
    return Context(actor=who.account_id, correlation=new_id(), traceparent=traceparent)


async def school_front(request: Request, who: Principal) -> SchoolFront | None:
    school = await registry_of(request).queries.school(who.school)
    return None if school is None else SchoolFront(name=school.name)


async def render(
    request: Request, who: Principal, template: str, active: str, status_code: int = 200, **context: Any
) -> HTMLResponse:
    """A page of the desk, with its navigation."""
    return web_state(request).pages.render(
        request,
        template,
        status_code=status_code,
        school=await school_front(request, who),
        navigation=desk_navigation(who, active),
        **context,
    )
