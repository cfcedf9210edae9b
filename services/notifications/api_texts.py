"""JSON under /api/notifications/letterhead and /texts: a school's own words (P10, E11, E4)."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from services.notifications import queries_circulars as circulars
from services.notifications.channels.circular.render import Letterhead
from services.notifications.channels.languages import Language
from services.notifications.circular_views import board_of, context_of
from services.notifications.desk import desk_of
from services.notifications.domain.school_texts import Template, Words, letterhead_fault, word_faults
from services.notifications.labels_circulars import LETTERHEAD_FAULTS, WORD_FAULTS
from services.notifications.pages_texts import Adapter, named
from services.notifications.views import school_of
from shared.web.description import SESSION, problems, secured
from shared.web.errors import Problem
from shared.web.i18n import N_, gettext

router = APIRouter(prefix="/api/notifications", tags=["circulars"], responses=problems(401, 403, 503))
_SIGNED_IN = secured(SESSION)


class LetterheadBody(BaseModel):
    model_config = ConfigDict(extra="forbid")
    head: list[str] = Field(max_length=6)
    foot: list[str] = Field(default=[], max_length=6)


class WordsBody(BaseModel):
    """None: the part stays as it comes. Placeholders: {nome}, {scuola}, {indirizzo}."""

    model_config = ConfigDict(extra="forbid")
    subject: str | None = None
    opening: str | None = None
    closing: str | None = None


class WordsOut(WordsBody):
    template: Template
    language: Language


@router.get("/letterhead", name="api_letterhead", openapi_extra=_SIGNED_IN)
async def letterhead(request: Request, who: Adapter) -> LetterheadBody:
    """The lines at the head and at the foot of the school's circulars."""
    school = await school_of(desk_of(request), who)
    paper = await circulars.letterhead(desk_of(request).commands.store.pool, school)
    return LetterheadBody(head=list(paper.head), foot=list(paper.foot))


@router.put("/letterhead", openapi_extra=_SIGNED_IN, responses=problems(422), status_code=204)
async def adopt_letterhead(request: Request, who: Adapter, body: LetterheadBody) -> None:
    head, foot = tuple(body.head), tuple(body.foot)
    if (fault := letterhead_fault(head, foot)) is not None:
        raise not_accepted({"head": gettext(LETTERHEAD_FAULTS[fault])})
    await board_of(request).adopt_letterhead(who.school, Letterhead(head, foot), context_of(request, who))


@router.get("/texts", name="api_texts", openapi_extra=_SIGNED_IN)
async def texts(request: Request, who: Adapter) -> list[WordsOut]:
    """What the school says in its own words, by message and language."""
    found = await circulars.words(desk_of(request).commands.store.pool, who.school)
    return [
        WordsOut.model_validate(
            {
                "template": template,
                "language": language,
                "subject": words.subject,
                "opening": words.opening,
                "closing": words.closing,
            }
        )
        for (template, language), words in sorted(found.items())
        if words != Words()
    ]


@router.put(
    "/texts/{template}/{language}", openapi_extra=_SIGNED_IN, responses=problems(422), status_code=204
)
async def adapt(request: Request, who: Adapter, template: str, language: str, body: WordsBody) -> None:
    """The school's words for one message (credentials, reminder, circular) in one of the nine languages."""
    which, tongue = named(template, language)
    words = Words(body.subject, body.opening, body.closing)
    if wrong := word_faults(words):
        raise not_accepted({name: gettext(WORD_FAULTS[slug]) for name, slug in wrong.items()})
    await board_of(request).adapt(who.school, which, tongue, words, context_of(request, who))


def not_accepted(wrong: dict[str, str]) -> Problem:
    return Problem(
        422,
        "not-accepted",
        N_("Dati da correggere"),
        N_("Niente è stato cambiato."),
        errors=[{"pointer": f"#/{name}", "detail": text} for name, text in wrong.items()],
    )
