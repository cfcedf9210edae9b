"""The desk's acts upon a guardianship, each with what it will do, what it asks and how it is carried out."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeVar

from services.registry.desk_words import END_GROUNDS, RESTRICTION_GROUNDS
from services.registry.imports.cells import BadCell, read_date
from services.registry.people import People
from services.registry.people_queries import Relation
from shared.contracts.event import Context
from shared.contracts.registry import EndGround, RestrictionGround
from shared.decider import Refused
from shared.web.actions import Action
from shared.web.i18n import N_

G = TypeVar("G", RestrictionGround, EndGround)
Form = Mapping[str, str]
Run = Callable[[People, str, Relation, Form, Context], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Act:
    """`slug` ends its address. Texts are filled with `guardian` and `student`. `grounds`: what must be chosen."""

    slug: str
    action: Action
    label: str
    title: str
    consequences: tuple[str, ...]
    done: str
    run: Run
    dated: bool = False
    grounds: Mapping[str, str] | None = None
    reason: bool = True


def day_of(form: Form) -> date:
    try:
        return read_date(form.get("dal", "").strip())
    except BadCell:
        raise Refused("date_unusable", "this is not a date") from None


async def _restrict(people: People, school: str, at: Relation, form: Form, context: Context) -> bool:
    return await people.restrict(
        school,
        at.guardian,
        at.student,
        on=day_of(form),
        ground=_chosen(RestrictionGround, form),
        reason=form["motivo"],
        context=context,
    )


async def _lift(people: People, school: str, at: Relation, form: Form, context: Context) -> bool:
    return await people.lift(school, at.guardian, at.student, reason=form["motivo"], context=context)


async def _end(people: People, school: str, at: Relation, form: Form, context: Context) -> bool:
    return await people.end(
        school,
        at.guardian,
        at.student,
        on=day_of(form),
        ground=_chosen(EndGround, form),
        reason=form["motivo"],
        context=context,
    )


async def _link_again(people: People, school: str, at: Relation, form: Form, context: Context) -> bool:
    return await people.link_again(school, at.guardian, at.student, context=context)


async def _activate(people: People, school: str, at: Relation, form: Form, context: Context) -> bool:
    return await people.activate_justification(school, at.guardian, at.student, context=context)


async def _end_service(people: People, school: str, at: Relation, form: Form, context: Context) -> bool:
    return await people.end_justification(
        school, at.guardian, at.student, reason=form["motivo"], context=context
    )


async def _is_theirs(people: People, school: str, at: Relation, form: Form, context: Context) -> bool:
    return await people.settle_wrong_child(
        school, at.guardian, at.student, is_theirs=True, reason=form["motivo"], context=context
    )


async def _is_not_theirs(people: People, school: str, at: Relation, form: Form, context: Context) -> bool:
    return await people.settle_wrong_child(
        school, at.guardian, at.student, is_theirs=False, reason=form["motivo"], context=context
    )


def _chosen(grounds: type[G], form: Form) -> G:
    try:
        return grounds(form.get("fondamento", ""))
    except ValueError:
        raise Refused("choice_unusable", "choose one of the grounds") from None


_KEEPS_REST: Final = N_("Le credenziali di %(guardian)s e gli altri suoi figli non sono toccati.")
ACTS: Final = (
    Act(
        "limita",
        Action.restrict_guardianship,
        N_("Limita l’accesso ai dati"),
        N_("Limitare l’accesso di %(guardian)s ai dati di %(student)s?"),
        (
            N_(
                "Dal giorno indicato %(guardian)s non vede più nulla di %(student)s e non può giustificare le sue assenze."
            ),
            N_("Un’importazione che lo indica ancora come genitore con accesso non riapre nulla."),
            _KEEPS_REST,
        ),
        N_("Accesso limitato."),
        _restrict,
        dated=True,
        grounds=RESTRICTION_GROUNDS,
    ),
    Act(
        "riapri",
        Action.restrict_guardianship,
        N_("Togli la limitazione"),
        N_("Riaprire a %(guardian)s l’accesso ai dati di %(student)s?"),
        (
            N_("%(guardian)s torna subito a vedere i dati di %(student)s."),
            N_("Se poteva giustificare online, può di nuovo."),
        ),
        N_("Limitazione tolta."),
        _lift,
    ),
    Act(
        "chiudi",
        Action.restrict_guardianship,
        N_("Chiudi il legame"),
        N_("Chiudere il legame fra %(guardian)s e %(student)s?"),
        (
            N_(
                "Dal giorno indicato %(guardian)s non risulta più genitore di %(student)s e non ne vede più nulla."
            ),
            N_("Nessuna importazione lo ricollega: può farlo solo lo sportello."),
            _KEEPS_REST,
        ),
        N_("Legame chiuso."),
        _end,
        dated=True,
        grounds=END_GROUNDS,
    ),
    Act(
        "ricollega",
        Action.restrict_guardianship,
        N_("Ricollega"),
        N_("Ricollegare %(guardian)s a %(student)s?"),
        (
            N_("%(guardian)s torna a risultare genitore di %(student)s."),
            N_("Una limitazione che era in vigore resta in vigore."),
        ),
        N_("Legame ripristinato."),
        _link_again,
        reason=False,
    ),
    Act(
        "giustifica",
        Action.activate_justification,
        N_("Attiva la giustificazione online"),
        N_("Attivare a %(guardian)s la giustificazione online per %(student)s?"),
        (
            N_("%(guardian)s può giustificare online le assenze di %(student)s, anche negli anni prossimi."),
            N_("%(student)s non può farlo con le proprie credenziali, finché è minorenne."),
        ),
        N_("Giustificazione online attivata."),
        _activate,
        reason=False,
    ),
    Act(
        "non-giustifica",
        Action.activate_justification,
        N_("Togli la giustificazione online"),
        N_("Togliere a %(guardian)s la giustificazione online per %(student)s?"),
        (
            N_("%(guardian)s non può più giustificare online le assenze di %(student)s."),
            N_("Una richiesta in attesa risulta non concessa; le giustificazioni già fatte restano valide."),
        ),
        N_("Giustificazione online tolta."),
        _end_service,
    ),
    Act(
        "legame-giusto",
        Action.settle_wrong_child,
        N_("Il legame è giusto"),
        N_("Confermare che %(student)s è figlio di %(guardian)s?"),
        (N_("%(guardian)s torna subito a vedere i dati di %(student)s."),),
        N_("Segnalazione respinta: il legame resta."),
        _is_theirs,
    ),
    Act(
        "legame-sbagliato",
        Action.settle_wrong_child,
        N_("Il legame è sbagliato"),
        N_("Chiudere il legame sbagliato fra %(guardian)s e %(student)s?"),
        (
            N_(
                "Da oggi %(guardian)s non risulta più genitore di %(student)s, e nessuna importazione lo ricollega."
            ),
            N_(
                "Verifichi nella segreteria da dove è arrivato l’errore, e a chi dovevano andare le credenziali."
            ),
            _KEEPS_REST,
        ),
        N_("Legame chiuso."),
        _is_not_theirs,
    ),
)


def acts_for(relation: Relation, *, sees: bool, justifies: bool) -> list[Act]:
    """Those that make sense as the link stands. `justifies`: this guardian can justify today."""
    known = relation.standing
    if known.ended_on is not None:
        return [_ACT["ricollega"]]
    wanted = ["riapri"] if known.restricted_on is not None else ["limita"]
    if known.reported:
        wanted = ["legame-giusto", "legame-sbagliato", *wanted]
    if relation.service == "requested":
        wanted += ["giustifica", "non-giustifica"]
    elif not known.justifies_online:
        wanted.append("giustifica")
    elif justifies:
        wanted.append("non-giustifica")
    if not known.reported:
        wanted.append("chiudi")
    return [_ACT[slug] for slug in wanted if sees or slug != "giustifica"]


_ACT: Final = {act.slug: act for act in ACTS}
