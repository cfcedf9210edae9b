"""The desk's pages about one person: who they are, with whom they stand how, what can be done, what was done."""

from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.responses import Response

from services.registry import desk_words
from services.registry.authority import registry_of
from services.registry.desk import nobody_here, render
from services.registry.desk_acts import ACTS, Act, acts_for
from services.registry.domain.access import age
from services.registry.family_words import RELATIONSHIPS
from services.registry.people import People
from services.registry.people_queries import Person, Relation
from shared.contracts.policy import CredentialPolicy
from shared.web.actions import Action, allowed, may
from shared.web.i18n import N_, gettext
from shared.web.sessions import Principal

router = APIRouter(include_in_schema=False)
PEOPLE: Final = "/registro/sportello/persone"
REPORTS: Final = "/registro/sportello/segnalazioni"
MaySee = Annotated[Principal, Depends(allowed(Action.see_people))]
MayCorrect = Annotated[Principal, Depends(allowed(Action.correct_address))]
MayMerge = Annotated[Principal, Depends(allowed(Action.merge_guardians))]
MayActivate = Annotated[Principal, Depends(allowed(Action.activate_mailboxes))]
MaySettle = Annotated[Principal, Depends(allowed(Action.settle_wrong_child))]
_FIELDS: Final = 12
_DONE: Final = {
    "indirizzo": N_(
        "Indirizzo corretto. Le credenziali che il vecchio indirizzo non aveva ricevuto partono di nuovo verso quello "
        "nuovo, se sono ancora conservate. Per le altre apra Classi e poi la persona: lì trova che cosa si può fare."
    ),
    "unisci": N_("Schede unite: figli e codici sono ora su questa."),
    "casella": N_("Casella attivata: le credenziali dell’alunno possono andare lì."),
}


@router.get(PEOPLE, response_class=HTMLResponse, name="people")
async def find(request: Request, who: MaySee, q: str = "") -> Response:
    words = q[:100]
    found = await registry_of(request).people.queries.find(who.school, words)
    return await render(
        request,
        who,
        "people.html",
        PEOPLE,
        q=words,
        found=found,
        may_activate=may(who, Action.activate_mailboxes),
        may_appoint=may(who, Action.appoint_staff),
    )


@router.get(f"{PEOPLE}/{{person}}", response_class=HTMLResponse, name="person")
async def show(request: Request, who: MaySee, person: str, fatto: str = "") -> Response:
    people = registry_of(request).people
    known = await person_of(people, who, person)
    if known.merged_into is not None:
        return RedirectResponse(f"{PEOPLE}/{known.merged_into}", status_code=303)
    policy, on = await people.policy(who.school), people.today
    relations = await people.queries.relations(who.school, person, on)
    return await render(
        request,
        who,
        "person.html",
        PEOPLE,
        person=known,
        age=None if known.birth_date is None else age(known.birth_date, on),
        relations=[(r, desk_words.standing(r, policy, on), _acts(who, r, policy, on)) for r in relations],
        relationships=RELATIONSHIPS,
        may_correct=known.kind == "guardian" and may(who, Action.correct_address),
        may_merge=known.kind == "guardian" and may(who, Action.merge_guardians),
        may_activate=known.kind == "pupil" and may(who, Action.activate_mailboxes),
        history=await people.history(who.school, known, relations),
        done=_done(fatto),
        nothing=fatto == "gia",
    )


def _acts(who: Principal, relation: Relation, policy: CredentialPolicy | None, on: date) -> list[Act]:
    sees, justifies = relation.closed(policy, on) is None, relation.may_justify(policy, on)
    return [act for act in acts_for(relation, sees=sees, justifies=justifies) if may(who, act.action)]


def _done(slug: str) -> str:
    texts = {act.slug: act.done for act in ACTS} | _DONE
    return gettext(texts[slug]) if slug in texts else ""


async def person_of(people: People, who: Principal, person: str) -> Person:
    known = await people.queries.person(who.school, person)
    if known is None:
        raise nobody_here()
    return known


@router.get(REPORTS, response_class=HTMLResponse, name="reports")
async def reports(request: Request, who: MaySettle, fatto: str = "") -> Response:
    """What awaits the desk: *this is not my child*, and who asked for online justification."""
    people = registry_of(request).people
    waiting = await people.queries.to_settle(who.school, people.today)
    policy, on = await people.policy(who.school), people.today
    return await render(
        request,
        who,
        "reports.html",
        REPORTS,
        reported=[r for r in waiting if r.standing.reported],
        asking=[(r, r.closed(policy, on)) for r in waiting if r.service == "requested"],
        closed=desk_words.CLOSED,
        relationships=RELATIONSHIPS,
        may_activate=may(who, Action.activate_justification),
        done=_done(fatto),
        nothing=fatto == "gia",
    )
