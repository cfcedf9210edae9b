"""The desk's pages of campaigns: plan with a preview, follow, pause, resume, cancel (E1)."""

import re
from datetime import date, datetime, time, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.notifications import campaigns, labels_campaigns, queries
from services.notifications.api_campaigns import REFUSED, Running, by_of, refusal, steer
from services.notifications.desk import DeskUser, NotFound, desk_of
from services.notifications.operations_campaigns import (
    LONGEST_TITLE,
    NoSuchCampaign,
    Plan,
    check,
    known,
    plan,
)
from services.notifications.views import render, school_of
from shared.contracts.policy import HolderRole
from shared.decider import Refused
from shared.eventstore.units import IdempotencyKey
from shared.ids import new_id
from shared.policies import ROME, local_day
from shared.web.i18n import N_, gettext

router = APIRouter(prefix="/consegne", include_in_schema=False)
CAMPAIGNS: Final = "/consegne/campagne"
_MOST_A_MINUTE: Final = 10_000
_ONCE: Final = re.compile(r"[0-9a-f-]{36}")
_FIELDS: Final = {
    "unknown_class": "classi",
    "no_such_day": "giorno",
    "long_past": "giorno",
    "text_unusable": "titolo",
}
_ACTS: Final = {"pausa": "pause", "annullamento": "cancel"}


@router.get("/campagne", name="campaigns")
async def show_campaigns(request: Request, who: Running) -> HTMLResponse:
    """All of the school, the newest first, each with how far it is."""
    desk = desk_of(request)
    school = await school_of(desk, who)
    pool = desk.commands.store.pool
    found = await campaigns.campaigns(pool, school.code)
    rows = [(one, await campaigns.progress(pool, one, desk.now)) for one in found[:20]]
    return _render(request, who, "campaigns.html", rows=rows, school=school)


@router.get("/campagne/nuova", name="new_campaign")
async def new_campaign(request: Request, who: Running) -> HTMLResponse:
    desk = desk_of(request)
    tomorrow = local_day(desk.now) + timedelta(days=1)
    form = {"titolo": "", "giorno": tomorrow.isoformat(), "ora": "08:00", "ritmo": ""}
    return await _form(request, who, form, [HolderRole.guardian.value], [])


@router.post("/campagne")
async def plan_campaign(
    request: Request,
    who: Running,
    titolo: Annotated[str, Form(max_length=1000)] = "",
    ruoli: Annotated[list[str] | None, Form(max_length=10)] = None,
    classi: Annotated[list[str] | None, Form(max_length=500)] = None,
    giorno: Annotated[str, Form(max_length=20)] = "",
    ora: Annotated[str, Form(max_length=20)] = "",
    ritmo: Annotated[str, Form(max_length=20)] = "",
    passo: Annotated[str, Form(max_length=20)] = "",
    una_volta: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """First a preview of whom it will reach; confirmed (`passo=conferma`), it is planned."""
    form = {"titolo": titolo, "giorno": giorno, "ora": ora, "ritmo": ritmo}
    wanted, errors = _read(form, ruoli or [], classi or [])
    desk, by = desk_of(request), by_of(request, who)
    if wanted is None:
        return await _form(request, who, form, ruoli or [], classi or [], errors)
    if passo == "conferma":
        once = IdempotencyKey(f"campaign-form/{who.account_id}", una_volta, b"form")
        try:
            named = await plan(desk, by, wanted, once if _ONCE.fullmatch(una_volta) else None)
        except Refused as refused:
            raise refusal(refused) from None
        return RedirectResponse(f"{CAMPAIGNS}/{named}", status_code=303)
    pool = desk.commands.store.pool
    try:
        await check(desk, by, wanted)
    except Refused as refused:
        field = _FIELDS.get(refused.reason, "titolo")
        return await _form(request, who, form, ruoli or [], [], {field: _refused(refused.reason)})
    school = await school_of(desk, who)
    seen = await campaigns.preview(pool, school.code, wanted.roles, wanted.classes, school.policy, desk.now)
    titles = [c.title for c in await queries.classes(pool, school.code) if c.id in set(wanted.classes)]
    return _render(
        request,
        who,
        "campaign_preview.html",
        school=school,
        plan=wanted,
        form=form,
        seen=seen,
        titles=titles,
        at_once=wanted.opens <= desk.now,
        policy=school.policy,
        una_volta=new_id(),
    )


@router.get("/campagne/{campaign}", name="campaign")
async def show_campaign(request: Request, who: Running, campaign: str) -> HTMLResponse:
    """How far it is, in all and by class."""
    return await _one(request, who, campaign, "campaign.html")


@router.post("/campagne/{campaign}/ripresa", name="resume_campaign")
async def resume_campaign(request: Request, who: Running, campaign: str) -> Response:
    await steer(request, who, campaign, "resume")
    return RedirectResponse(f"{CAMPAIGNS}/{campaign}", status_code=303)


@router.get("/campagne/{campaign}/{atto}", name="campaign_act")
async def ask_act(request: Request, who: Running, campaign: str, atto: str) -> HTMLResponse:
    """What a pause or a cancellation will do, and why it is wanted."""
    if atto not in _ACTS:
        raise NotFound()
    return await _one(request, who, campaign, "campaign_act.html", act=_ACTS[atto], atto=atto)


@router.post("/campagne/{campaign}/{atto}")
async def do_act(
    request: Request,
    who: Running,
    campaign: str,
    atto: str,
    motivo: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    if atto not in _ACTS:
        raise NotFound()
    if not motivo.strip():
        told = {"motivo": _refused("reason_needed")}
        return await _one(
            request,
            who,
            campaign,
            "campaign_act.html",
            act=_ACTS[atto],
            atto=atto,
            errors=told,
            status_code=422,
        )
    await steer(request, who, campaign, _ACTS[atto], motivo)
    return RedirectResponse(f"{CAMPAIGNS}/{campaign}", status_code=303)


def _read(form: dict[str, str], roles: list[str], classes: list[str]) -> tuple[Plan | None, dict[str, str]]:
    """The plan that was typed, or what is wrong with it, by field."""
    wrong: dict[str, str] = {}
    title = " ".join(form["titolo"].split())
    if not title or len(title) > LONGEST_TITLE:
        wrong["titolo"] = N_("Scriva un titolo, al massimo di 120 caratteri.")
    chosen = [HolderRole(role) for role in roles if role in labels_campaigns.ROLES]
    if not chosen:
        wrong["ruoli"] = REFUSED["nobody_covered"]
    opens = _moment(form["giorno"], form["ora"])
    if opens is None:
        wrong["giorno"] = N_("Scriva il giorno e l’ora in cui la campagna apre.")
    pace = form["ritmo"].strip()
    if pace and not (pace.isascii() and pace.isdigit() and 1 <= int(pace) <= _MOST_A_MINUTE):
        wrong["ritmo"] = N_("Scriva un numero da 1 a 10000, o lasci vuoto.")
    if wrong or opens is None:
        return None, {name: gettext(text) for name, text in wrong.items()}
    return Plan(title, chosen, classes, opens, int(pace) if pace else None), {}


def _refused(reason: str) -> str:
    return gettext(REFUSED[reason])


def _moment(day: str, hour: str) -> datetime | None:
    try:
        return datetime.combine(date.fromisoformat(day), time.fromisoformat(hour), ROME)
    except ValueError:
        return None


async def _form(
    request: Request,
    who: DeskUser,
    form: dict[str, str],
    roles: list[str],
    classes: list[str],
    errors: dict[str, str] | None = None,
) -> HTMLResponse:
    desk = desk_of(request)
    school = await school_of(desk, who)
    everything = await queries.classes(desk.commands.store.pool, school.code)
    newest = [each for each in everything if each.year == everything[0].year]
    return _render(
        request,
        who,
        "campaign_form.html",
        status_code=422 if errors else 200,
        school=school,
        form=form,
        chosen_roles=roles,
        chosen_classes=set(classes),
        classes=newest,
        errors=errors or {},
    )


async def _one(
    request: Request,
    who: DeskUser,
    campaign: str,
    template: str,
    status_code: int = 200,
    errors: dict[str, str] | None = None,
    **context: object,
) -> HTMLResponse:
    desk = desk_of(request)
    try:
        one = await known(desk, by_of(request, who), campaign)
    except NoSuchCampaign:
        raise NotFound() from None
    school = await school_of(desk, who)
    pool = desk.commands.store.pool
    seen = await campaigns.progress(pool, one, desk.now)
    sent, bounced = await campaigns.bounced_of_sent(pool, one)
    titles = [c.title for c in await queries.classes(pool, school.code) if c.id in set(one.classes)]
    return _render(
        request,
        who,
        template,
        status_code=status_code,
        school=school,
        campaign=one,
        progress=seen,
        mails_sent=sent,
        mails_bounced=bounced,
        titles=titles,
        errors=errors or {},
        **context,
    )


def _render(
    request: Request,
    who: DeskUser,
    template: str,
    *,
    school: queries.School,
    status_code: int = 200,
    **context: object,
) -> HTMLResponse:
    return render(
        request,
        who,
        template,
        school,
        active=CAMPAIGNS,
        status_code=status_code,
        words=labels_campaigns,
        **context,
    )
