"""The desk's pages under /consegne: classes, the state of every credential, slips to print (P5, M7, M8)."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.notifications import labels, queries
from services.notifications.campaigns import holding
from services.notifications.claims import ClaimsUnavailable
from services.notifications.desk import DeskUser, NotFound, Printing, Who, desk_of
from services.notifications.domain.states import State, Step
from services.notifications.handing_over import InClass
from services.notifications.operations import (
    ChangedMeanwhile,
    LeftOut,
    NothingPrinted,
    NotOfThisClass,
    Order,
    Printed,
    ReasonNeeded,
)
from services.notifications.operations_alerts import open_alerts
from services.notifications.queries import School, SchoolClass
from services.notifications.remarks import remarks
from services.notifications.reminders import remindable
from services.notifications.slips import slips_of_class
from services.notifications.views import class_of, pdf_headers, render, school_of, traceparent
from shared.contracts.notifications import PrintingReason
from shared.policies import local_day
from shared.web.actions import Action, may
from shared.web.errors import Problem, wants_html
from shared.web.i18n import N_, gettext

router = APIRouter(prefix="/consegne", include_in_schema=False)
REPRINT_REASONS = tuple(r for r in PrintingReason if r is not PrintingReason.first_printing)
ISSUE_PATH = "/accesso/emissioni"
_IN_BULK = (Step.print, Step.reprint, Step.hand_over, Step.issue, Step.resend)
_COUNT = re.compile(r"[0-9]{1,5}")
_DOWN = N_("In questo momento i tagliandi non si possono stampare")
_CHANGED = N_("Qualcosa è cambiato nel frattempo")


@router.get("/", name="classes")
async def show_classes(request: Request, who: InClass, anno: str = "") -> Response:
    """The classes of one school year, each with its credentials counted by state. Teachers have their own list."""
    if not may(who, Action.see_deliveries):
        return RedirectResponse("/consegne/consegna", status_code=303)
    desk = desk_of(request)
    pool = desk.commands.store.pool
    school = await school_of(desk, who)
    everything = await queries.classes(pool, school.code)
    years = list(dict.fromkeys(c.year for c in everything))
    year = anno if anno in years else (years[0] if years else "")
    counts = await queries.counts(pool, [c for c in everything if c.year == year], desk.now)
    total: Counter[State] = sum((c.states for c in counts), Counter())
    present = [state for state in labels.STATES if total[state]]
    return render(
        request,
        who,
        "classes.html",
        school,
        years=years,
        year=year,
        classes=counts,
        total=total,
        states=present,
        alerts=await open_alerts(pool, school.code) if may(who, Action.settle_alerts) else 0,
        q="",
    )


@router.get("/classi/{class_id}", name="class")
async def show_class(
    request: Request,
    who: Who,
    class_id: str,
    stato: str = "",
    ruolo: str = "",
    emesse: str = "",
    scelti: str = "",
    promemoria: str = "",
    reinviate: str = "",
    escluse: str = "",
) -> HTMLResponse:
    """Every holder of a class with the one state of their credential and the one thing to do next. `scelti=tutti`:
    all that are shown are ticked."""
    return await _class_page(
        request,
        who,
        class_id,
        stato,
        ruolo,
        all_chosen=scelti == "tutti",
        reminded=int(promemoria) if _COUNT.fullmatch(promemoria) else None,
        begun=_count(emesse),
        resent=(_count(reinviate), _count(escluse)) if reinviate else None,
    )


async def _class_page(
    request: Request,
    who: DeskUser,
    class_id: str,
    stato: str = "",
    ruolo: str = "",
    *,
    status_code: int = 200,
    **told: Any,
) -> HTMLResponse:
    desk = desk_of(request)
    school, one = await class_of(desk, who, class_id)
    everyone = await queries.holders(desk.commands.store.pool, [one.id], desk.now)
    state = State(stato) if stato in set(State) else None
    role = ruolo if ruolo in ("pupil", "guardian") else ""
    shown = [
        h for h in everyone if (state is None or h.standing.state is state) and (not role or h.role == role)
    ]
    count = Counter(h.standing.state for h in everyone)
    on_paper = await slips_of_class(desk.commands.store.pool, one.id, school.code)
    return render(
        request,
        who,
        "class.html",
        school,
        status_code=status_code,
        school_class=one,
        everyone=everyone,
        shown=shown,
        state=state,
        role=role,
        count=count,
        states=[s for s in labels.STATES if count[s]],
        to_print=[h for h in everyone if h.standing.step is Step.print],
        to_issue=[h for h in everyone if h.standing.step is Step.issue],
        able={step.value: [h for h in shown if h.standing.allows(step)] for step in _IN_BULK},
        to_remind=await remindable(desk.commands.store, school.code, [one.id], desk.now),
        to_hand_over=[slip for slip in on_paper if slip.open(desk.now)],
        issue_path=ISSUE_PATH,
        remarks=remarks(
            everyone,
            school,
            local_day(desk.now),
            await holding(desk.commands.store.pool, school.code),
        ),
        left_out=desk.told_once(who.account_id, one.id),
        **{"all_chosen": False, "reminded": None, "begun": 0, "resent": None, "unchosen": False} | told,
    )


def _count(told: str) -> int:
    """What the address says happened; nothing where it says anything but a number."""
    return int(told) if _COUNT.fullmatch(told) else 0


@router.get("/classi/{class_id}/tagliandi")
async def back_to_class(request: Request, who: Printing, class_id: str) -> Response:
    """Where the address of a PDF is opened again: it was made for a form, and is not kept."""
    _, one = await class_of(desk_of(request), who, class_id)
    return RedirectResponse(f"/consegne/classi/{one.id}", status_code=303)


@router.post("/classi/{class_id}/tagliandi", name="print")
async def print_slips(
    request: Request,
    who: Printing,
    class_id: str,
    holders: Annotated[list[str] | None, Form(max_length=1000)] = None,
    motivo: Annotated[PrintingReason | Literal[""], Form()] = "",
    consegna: Annotated[Literal["classe", "sportello"], Form()] = "classe",
    scelta: Annotated[Literal["tutti", "selezione"], Form()] = "tutti",
    passo: Annotated[Literal["motivo", ""], Form()] = "",
) -> Response:
    """The slips as a PDF, streamed and never stored. A reprint asks for its reason first."""
    desk = desk_of(request)
    school, one = await class_of(desk, who, class_id)
    chosen = frozenset(holders or ())
    if scelta == "selezione" and not chosen:
        if wants_html(request):
            return await _class_page(request, who, class_id, status_code=422, unchosen=True)
        raise Problem(
            422,
            "nothing-selected",
            N_("Nessun tagliando selezionato"),
            N_("Torni all’elenco e selezioni almeno una persona."),
        )
    order = Order(
        school=school,
        school_class=one,
        holders=chosen,
        reason=motivo if motivo and motivo is not PrintingReason.first_printing else None,
        carried_by="holder" if consegna == "sportello" else "pupil",
        actor=who.account_id,
        traceparent=traceparent(request),
    )
    try:
        printed = await desk.print_slips(order)
    except ReasonNeeded as needed:
        return _ask_reason(request, who, school, one, needed, order, asked=bool(passo or motivo))
    except (NotOfThisClass, NothingPrinted, ClaimsUnavailable, ChangedMeanwhile) as trouble:
        raise _problem(trouble) from None
    desk.tell_once(who.account_id, one.id, printed.left_out)
    return _pdf(printed, one)


def _ask_reason(
    request: Request,
    who: DeskUser,
    school: School,
    one: SchoolClass,
    needed: ReasonNeeded,
    order: Order,
    *,
    asked: bool,
) -> Response:
    missing = N_("Indichi perché si ristampa.")
    if not wants_html(request):
        raise Problem(
            422,
            "reason-needed",
            N_("Serve il motivo della ristampa"),
            missing,
            errors=[{"pointer": "#/motivo", "detail": gettext(missing)}],
        )
    return render(
        request,
        who,
        "reason.html",
        school,
        status_code=422,
        school_class=one,
        again=needed.again,
        chosen=needed.chosen,
        carried_by=order.carried_by,
        reasons=[(r.value, gettext(labels.REASONS[r]), "") for r in REPRINT_REASONS],
        errors={"motivo": gettext(missing)} if asked else {},
    )


def _pdf(printed: Printed, one: SchoolClass) -> Response:
    told = {"Custode-Slips": str(printed.slips), "Custode-Left-Out": str(len(printed.left_out))}
    return Response(
        printed.pdf, media_type="application/pdf", headers=pdf_headers(f"tagliandi-{one.title}") | told
    )


def _problem(trouble: Exception) -> Problem:
    match trouble:
        case NotOfThisClass():
            return NotFound()
        case NothingPrinted(left_out=left_out):
            return Problem(
                409,
                "nothing-to-print",
                N_("Non c’è niente da stampare"),
                N_("Nessun tagliando è stato stampato."),
                errors=_told(left_out),
            )
        case ClaimsUnavailable():
            return Problem(
                503,
                "secrets-unavailable",
                _DOWN,
                N_(
                    "Il servizio delle credenziali non risponde. Nessun tagliando è stato stampato né segnato come "
                    "stampato: riprovi tra qualche minuto."
                ),
                headers={"Retry-After": "30"},
            )
    return Problem(
        409,
        "changed-meanwhile",
        _CHANGED,
        N_(
            "Un tagliando è stato usato, sostituito o stampato da altri. Niente è stato stampato: torni all’elenco, "
            "che mostra lo stato aggiornato, e riprovi."
        ),
    )


def _told(left_out: Sequence[LeftOut]) -> list[dict[str, str]]:
    return [{"detail": f"{one.name}: {gettext(labels.WHY_NOT[one.why])}"} for one in left_out]
