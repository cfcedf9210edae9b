"""Handing slips over: a class with its names to tick, one slip by its QR code, and the list to sign (P5)."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.notifications import queries
from services.notifications.channels.people import Child, SchoolHead
from services.notifications.channels.slip.model import RegisterLine
from services.notifications.channels.slip.register import render_register
from services.notifications.desk import DeskUser, desk_of
from services.notifications.handing_over import (
    InClass,
    at_the_desk,
    class_to_hand_over,
    problem,
    slip_to_hand_over,
)
from services.notifications.notes import filled
from services.notifications.operations import ChangedMeanwhile
from services.notifications.operations_hand_over import Giving, NoSuchSlip, hand_over, undo_hand_over
from services.notifications.slips import SlipOfHolder, classes_of_teacher, slips_of_class, slips_of_classes
from services.notifications.views import pdf_headers, render, school_of, traceparent
from shared.contracts.notifications import HandedTo, HandOverBy
from shared.decider import Refused
from shared.policies import local_day
from shared.web.actions import Action, allowed, may
from shared.web.errors import Problem
from shared.web.i18n import N_, gettext
from shared.web.sessions import Principal

router = APIRouter(prefix="/consegne", include_in_schema=False)
Ids = Annotated[list[str] | None, Form(max_length=1000)]
Name = Annotated[str, Form(max_length=200)]
Reason = Annotated[str, Form(max_length=500)]
SignedIn = Annotated[Principal, Depends(allowed(Action.own_account))]
From = Annotated[str, Form(max_length=20)]
MINE = "/consegne/consegna"
SCANNED = "foglio"
"""How the QR code of a sheet is told from a link: identity adds it where it leads on from a scan."""
UNNAMED = N_("Scriva chi ritira.")
UNEXPLAINED = N_("Scriva perché il foglio non risulta consegnato.")
INSIDE = "/accesso/inizio"


@router.get("/consegna", name="hand_over_classes")
async def my_classes(request: Request, who: InClass) -> HTMLResponse:
    """A teacher's own classes, or all of this year's for the desk, with what is left to hand over in each."""
    desk = desk_of(request)
    pool = desk.commands.store.pool
    school = await school_of(desk, who)
    if at_the_desk(who):
        classes = await queries.classes(pool, school.code)
    else:
        classes = await classes_of_teacher(pool, who.person_id, school.code, desk.now)
    year = classes[0].year if classes else ""
    of_year = [one for one in classes if one.year == year]
    on_paper = await slips_of_classes(pool, [one.id for one in of_year], school.code)
    left = [(one, [slip for slip in on_paper[one.id] if slip.open(desk.now)]) for one in of_year]
    return render(request, who, "hand_over_classes.html", school, active=MINE, year=year, left=left)


@router.get("/classi/{class_id}/consegna", name="hand_over_class")
async def show_class(
    request: Request,
    who: InClass,
    class_id: str,
    registrate: Annotated[int, "how many were recorded a moment ago"] = 0,
    rifiutate: int = 0,
) -> HTMLResponse:
    """The names of a class: what is left to hand over, to be ticked, and what was handed over."""
    return await _class_page(request, who, class_id, recorded=registrate, refused=rifiutate)


@router.post("/classi/{class_id}/consegna", name="hand_over_ticked")
async def record_class(
    request: Request,
    who: InClass,
    class_id: str,
    slips: Ids = None,
    a: Annotated[HandedTo, Form()] = HandedTo.pupil,
    delegato: Name = "",
    come: Annotated[Literal["tick", "list"], Form()] = "tick",
    dove: Annotated[Literal["classe", "sportello"], Form()] = "classe",
) -> Response:
    """What was ticked is handed over, each slip once; who is absent stays open. The desk says where."""
    desk = desk_of(request)
    school, one = await class_to_hand_over(desk, who, class_id)
    at_desk = dove == "sportello" and at_the_desk(who)
    errors = {}
    if not slips:
        errors["slips"] = gettext(N_("Segni almeno una persona."))
    name, wrong = filled(delegato, gettext(UNNAMED)) if a is HandedTo.delegate else ("", "")
    if wrong:
        errors["delegato"] = wrong
    if errors:
        return await _class_page(
            request,
            who,
            class_id,
            errors=errors,
            ticked=slips or (),
            to=a,
            delegate=delegato,
            by=come,
            at_desk=at_desk,
        )
    giving = Giving(
        school=school.code,
        class_id=None if at_desk else one.id,
        to=a,
        by=HandOverBy(come),
        delegate=name,
        actor=who.account_id,
        traceparent=traceparent(request),
    )
    try:
        given = await hand_over(desk, slips or (), giving)
    except (NoSuchSlip, ChangedMeanwhile) as trouble:
        raise problem(trouble) from None
    query = f"registrate={len(given.recorded) + len(given.already)}&rifiutate={len(given.refused)}"
    return RedirectResponse(f"/consegne/classi/{one.id}/consegna?{query}", status_code=303)


async def _class_page(request: Request, who: DeskUser, class_id: str, **told: Any) -> HTMLResponse:
    desk = desk_of(request)
    school, one = await class_to_hand_over(desk, who, class_id)
    pool = desk.commands.store.pool
    of_class = await slips_of_class(pool, one.id, school.code)
    chosen = set(request.query_params.getlist("holders"))
    here = [s for s in of_class if s.handed_over is not None]
    context: dict[str, Any] = {
        "recorded": 0,
        "refused": 0,
        "errors": {},
        "to": HandedTo.pupil,
        "delegate": "",
        "by": "tick",
        "at_desk": False,
        "ticked": [s.delivery for s in of_class if s.holder in chosen],
    }
    errors = told.get("errors")
    return render(
        request,
        who,
        "hand_over_class.html",
        school,
        active=MINE if not at_the_desk(who) else "/consegne/",
        status_code=422 if errors else 200,
        school_class=one,
        left=[s for s in of_class if s.open(desk.now)],
        done=here,
        dead=[s for s in of_class if s.handed_over is None and not s.open(desk.now)],
        total=len(of_class),
        **context | told,
    )


@router.get("/classi/{class_id}/elenco-firme", name="signatures")
async def signatures(request: Request, who: InClass, class_id: str) -> Response:
    """The list to be signed at hand-over: whose slip is on paper and still here. No secret is on it."""
    desk = desk_of(request)
    school, one = await class_to_hand_over(desk, who, class_id)
    of_class = await slips_of_class(desk.commands.store.pool, one.id, school.code)
    lines = [_line(slip) for slip in of_class if slip.open(desk.now)]
    if not lines:
        raise Problem(
            409,
            "nothing-to-hand-over",
            N_("Non c’è niente da consegnare"),
            N_("In questa classe nessun tagliando stampato aspetta di essere consegnato."),
        )
    head = SchoolHead(name=school.name, code=school.code)
    today = local_day(desk.now)
    pdf = render_register(lines, class_name=one.title, school=head, today=today)
    return Response(pdf, media_type="application/pdf", headers=pdf_headers(f"elenco-firme-{one.title}"))


def _line(slip: SlipOfHolder) -> RegisterLine:
    guardian = slip.role != "pupil"
    return RegisterLine(
        reference=slip.delivery,
        holder_name=slip.name,
        role="guardian" if guardian else "pupil",
        concerning=tuple(Child(pupil.name, pupil.class_title) for pupil in slip.pupils) if guardian else (),
    )


@router.get("/consegna/{slip_id}", name="hand_over_slip")
async def show_slip(request: Request, who: SignedIn, slip_id: str, da: str = "") -> Response:
    """What the QR code of a slip opens (`da=foglio`), and links of the desk: for a family their own area, for who may
    hand it over a name and a button."""
    if not may(who, Action.hand_over_in_class):
        return RedirectResponse(INSIDE, status_code=303)
    return await _slip_page(request, who, slip_id, da)


@router.post("/consegna/{slip_id}", name="hand_over_scanned")
async def record_slip(
    request: Request,
    who: InClass,
    slip_id: str,
    a: Annotated[HandedTo, Form()] = HandedTo.holder,
    delegato: Name = "",
    da: From = "",
) -> Response:
    """Handed over: in the teacher's class, or at the desk. Only what came from the sheet's QR code was scanned."""
    desk = desk_of(request)
    _, slip, where = await slip_to_hand_over(desk, who, slip_id)
    name, wrong = filled(delegato, gettext(UNNAMED)) if a is HandedTo.delegate else ("", "")
    if wrong:
        return await _slip_page(request, who, slip_id, da, errors={"delegato": wrong})
    giving = Giving(
        school=who.school,
        class_id=where.id if where else None,
        to=a,
        by=HandOverBy.scan if da == SCANNED else HandOverBy.tick,
        delegate=name,
        actor=who.account_id,
        traceparent=traceparent(request),
    )
    try:
        given = await hand_over(desk, [slip.delivery], giving)
    except (NoSuchSlip, ChangedMeanwhile) as trouble:
        raise problem(trouble) from None
    if given.refused:
        raise problem(Refused(given.refused[slip.delivery], ""))
    return RedirectResponse(f"/consegne/consegna/{slip.delivery}", status_code=303)


async def _slip_page(
    request: Request, who: DeskUser, slip_id: str, came_from: str, errors: dict[str, str] | None = None
) -> HTMLResponse:
    desk = desk_of(request)
    school, slip, where = await slip_to_hand_over(desk, who, slip_id)
    return render(
        request,
        who,
        "hand_over_slip.html",
        school,
        active=MINE if not at_the_desk(who) else "/consegne/",
        status_code=422 if errors else 200,
        slip=slip,
        where=where,
        came_from=came_from if came_from == SCANNED else "",
        open=slip.open(desk.now),
        errors=errors or {},
    )


@router.get("/consegna/{slip_id}/annulla", name="undo_hand_over")
async def ask_why(request: Request, who: InClass, slip_id: str) -> Response:
    return await _undo_page(request, who, slip_id, {})


@router.post("/consegna/{slip_id}/annulla")
async def undo(request: Request, who: InClass, slip_id: str, motivo: Reason = "") -> Response:
    """Undone with a reason: the sheet is here again, its password is the same."""
    desk = desk_of(request)
    _, slip, _ = await slip_to_hand_over(desk, who, slip_id)
    reason, wrong = filled(motivo, gettext(UNEXPLAINED))
    if wrong:
        return await _undo_page(request, who, slip_id, {"motivo": wrong})
    try:
        await undo_hand_over(
            desk,
            slip.delivery,
            reason,
            school=who.school,
            actor=who.account_id,
            traceparent=traceparent(request),
        )
    except (Refused, NoSuchSlip) as trouble:
        raise problem(trouble) from None
    return RedirectResponse(f"/consegne/consegna/{slip.delivery}", status_code=303)


async def _undo_page(
    request: Request, who: DeskUser, slip_id: str, errors: dict[str, str]
) -> HTMLResponse | RedirectResponse:
    desk = desk_of(request)
    school, slip, where = await slip_to_hand_over(desk, who, slip_id)
    if slip.handed_over is None:
        return RedirectResponse(f"/consegne/consegna/{slip.delivery}", status_code=303)
    return render(
        request,
        who,
        "hand_over_undo.html",
        school,
        active=MINE if not at_the_desk(who) else "/consegne/",
        status_code=422 if errors else 200,
        slip=slip,
        where=where,
        errors=errors,
    )
