"""The desk's pages about a school's own words, under /consegne/testi: its messages by language, its letterhead."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.notifications import labels_circulars
from services.notifications import queries_circulars as circulars
from services.notifications.channels.circular.render import Letterhead
from services.notifications.channels.languages import LANGUAGES, Language
from services.notifications.circular_views import ACTIVE, board_of, context_of
from services.notifications.desk import NotFound, desk_of
from services.notifications.domain.school_texts import (
    MOST_PART,
    MOST_SUBJECT,
    Template,
    Words,
    letterhead_fault,
    word_faults,
)
from services.notifications.queries import School
from services.notifications.text_previews import preview
from services.notifications.views import render, school_of
from shared.web import i18n
from shared.web.actions import Action, allowed
from shared.web.i18n import gettext
from shared.web.sessions import Principal

router = APIRouter(prefix="/consegne/testi", include_in_schema=False)
Adapter = Annotated[Principal, Depends(allowed(Action.adapt_texts))]
_FIELDS = {"subject": "oggetto", "opening": "apertura", "closing": "chiusura"}
_AS_IT_IS_READ = {
    # The message as a mail program shows it: its own styles, nothing else, nobody's frame.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; "
    "base-uri 'none'; form-action 'none'; sandbox",
}


@router.get("", name="texts")
async def index(request: Request, who: Adapter, salvato: str = "") -> HTMLResponse:
    school = await school_of(desk_of(request), who)
    return await _index(request, who, school, saved=salvato == "si")


@router.post("/carta-intestata", name="letterhead")
async def letterhead(
    request: Request,
    who: Adapter,
    testata: Annotated[str, Form(max_length=2000)] = "",
    piede: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    school = await school_of(desk_of(request), who)
    head, foot = _lines(testata), _lines(piede)
    if (fault := letterhead_fault(head, foot)) is not None:
        field = "testata" if letterhead_fault(head, ()) is not None else "piede"
        errors = {field: gettext(labels_circulars.LETTERHEAD_FAULTS[fault])}
        return await _index(request, who, school, errors=errors, head=testata, foot=piede, status_code=422)
    await board_of(request).adopt_letterhead(school.code, Letterhead(head, foot), context_of(request, who))
    return RedirectResponse(f"{request.url_for('texts').path}?salvato=si", 303)


@router.get("/{template}/{language}", name="text_edit")
async def edit(request: Request, who: Adapter, template: str, language: str) -> HTMLResponse:
    school = await school_of(desk_of(request), who)
    which, tongue = named(template, language)
    found = await circulars.words(desk_of(request).commands.store.pool, school.code)
    return _form(request, who, school, which, tongue, found.get((which, tongue), Words()))


@router.post("/{template}/{language}", name="text_save")
async def save(
    request: Request,
    who: Adapter,
    template: str,
    language: str,
    oggetto: Annotated[str, Form(max_length=500)] = "",
    apertura: Annotated[str, Form(max_length=3000)] = "",
    chiusura: Annotated[str, Form(max_length=3000)] = "",
    azione: Annotated[str, Form(max_length=20)] = "salva",
) -> Response:
    """`salva` keeps it; `anteprima` shows the plain text on the page; `messaggio` is the message itself, as HTML."""
    desk = desk_of(request)
    school = await school_of(desk, who)
    which, tongue = named(template, language)
    words = Words(" ".join(oggetto.split()) or None, _text(apertura), _text(chiusura))
    wrong = {
        _FIELDS[name]: gettext(labels_circulars.WORD_FAULTS[slug])
        for name, slug in word_faults(words).items()
    }
    if wrong:
        return _form(request, who, school, which, tongue, words, errors=wrong, status_code=422)
    if azione == "messaggio":
        shown = preview(which, tongue, words, school, desk.site_url, desk.now)
        return HTMLResponse(shown.html, headers=_AS_IT_IS_READ)
    if azione == "anteprima":
        return _form(request, who, school, which, tongue, words, unsaved=True)
    await board_of(request).adapt(school.code, which, tongue, words, context_of(request, who))
    return RedirectResponse(f"{request.url_for('texts').path}?salvato=si", 303)


async def _index(
    request: Request,
    who: Principal,
    school: School,
    *,
    saved: bool = False,
    errors: dict[str, str] | None = None,
    head: str | None = None,
    foot: str | None = None,
    status_code: int = 200,
) -> HTMLResponse:
    pool = desk_of(request).commands.store.pool
    paper = await circulars.letterhead(pool, school)
    own = await circulars.words(pool, school.code)
    return _page(
        request,
        who,
        "texts.html",
        school,
        status_code=status_code,
        templates=list(Template),
        languages_of_messages=[i18n.LANGUAGES[tag] for tag in LANGUAGES],
        adapted={key for key, words in own.items() if words != Words()},
        head="\n".join(paper.head) if head is None else head,
        foot="\n".join(paper.foot) if foot is None else foot,
        errors=errors or {},
        saved=saved,
    )


def _form(
    request: Request,
    who: Principal,
    school: School,
    template: Template,
    language: Language,
    words: Words,
    *,
    errors: dict[str, str] | None = None,
    unsaved: bool = False,
    status_code: int = 200,
) -> HTMLResponse:
    desk = desk_of(request)
    plain = Words() if errors else words
    return _page(
        request,
        who,
        "text.html",
        school,
        status_code=status_code,
        template=template,
        tongue=i18n.LANGUAGES[language],
        own=words,
        errors=errors or {},
        unsaved=unsaved,
        shown=preview(template, language, plain, school, desk.site_url, desk.now),
        most_subject=MOST_SUBJECT,
        most_part=MOST_PART,
    )


def _page(
    request: Request, who: Principal, name: str, school: School, status_code: int = 200, **context: Any
) -> HTMLResponse:
    return render(
        request, who, name, school, active=ACTIVE, status_code=status_code, words=labels_circulars, **context
    )


def named(template: str, language: str) -> tuple[Template, Language]:
    """What does not exist is not found."""
    if template not in set(Template) or language not in LANGUAGES:
        raise NotFound()
    return Template(template), next(tag for tag in LANGUAGES if tag == language)


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line for raw in text.splitlines() if (line := " ".join(raw.split())))


def _text(text: str) -> str | None:
    return text.replace("\r\n", "\n").replace("\r", "\n").strip() or None
