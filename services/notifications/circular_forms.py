"""What a secretary writes of a circular, read and checked: strings in, a content or what is wrong with it out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from services.notifications.domain.circular import (
    MOST_SUBJECT,
    MOST_TEXT,
    Content,
    faults,
)
from services.notifications.queries import SchoolClass
from shared.contracts.notifications import Audience, CircularAudience
from shared.web.i18n import N_, gettext

FIELDS: Final = {
    "number": "numero",
    "subject": "oggetto",
    "text": "testo",
    "signed_by": "firma",
    "audiences": "destinatari",
}
_TOLD: Final[Mapping[tuple[str, str], str]] = {
    ("number", "bad_number"): N_("Scriva un numero come 12, 12/2026 o 12 bis."),
    ("subject", "empty"): N_("Scriva l’oggetto della circolare."),
    ("subject", "too_long"): N_("Al massimo %(most)s caratteri."),
    ("text", "empty"): N_("Scriva il testo della circolare."),
    ("text", "too_long"): N_("Al massimo %(most)s caratteri."),
    ("signed_by", "empty"): N_("Indichi chi firma, per esempio: La dirigente scolastica, Anna Neri."),
    ("signed_by", "too_long"): N_("Al massimo %(most)s caratteri."),
    ("audiences", "empty"): N_("Scelga almeno un destinatario."),
}
_FARTHEST: Final = timedelta(days=366)
_FAR: Final = N_("Controlli la data: è lontana più di un anno da oggi.")
_UNREADABLE: Final = N_("Contiene caratteri che non si leggono: li cancelli e li riscriva.")
_MOST: Final = {"subject": MOST_SUBJECT, "text": MOST_TEXT, "signed_by": 120}


@dataclass(frozen=True, slots=True)
class Written:
    """As it came from the form; `errors`: field -> what to do, empty when `content` is there."""

    raw: dict[str, Any]
    content: Content | None
    errors: dict[str, str]


def written(
    *,
    numero: str,
    data: str,
    oggetto: str,
    testo: str,
    firma: str,
    destinatari: Sequence[str],
    classi: Sequence[str],
) -> dict[str, Any]:
    """The form's fields as a draft keeps them."""
    return {
        "numero": " ".join(numero.split()),
        "data": data.strip(),
        "oggetto": " ".join(oggetto.split()),
        "testo": testo.replace("\r\n", "\n").replace("\r", "\n").strip(),
        "firma": " ".join(firma.split()),
        "destinatari": list(dict.fromkeys(destinatari)),
        "classi": list(dict.fromkeys(classi)),
    }


def read(raw: Mapping[str, Any], classes: Sequence[SchoolClass], today: date) -> Written:
    """Checks what a draft holds; a date more than a year from `today` was mistyped. A class that is not of the school is left out, as if it had not been named."""
    errors: dict[str, str] = {}
    try:
        day = date.fromisoformat(raw["data"])
    except ValueError:
        day = date(2000, 1, 1)
        errors["data"] = gettext(N_("Indichi la data della circolare."))
    else:
        if abs(day - today) > _FARTHEST:
            errors["data"] = gettext(_FAR)
    named = set(raw["classi"])
    content = Content(
        number=raw["numero"],
        day=day,
        subject=raw["oggetto"],
        text=raw["testo"],
        signed_by=raw["firma"],
        audience=CircularAudience(
            audiences=tuple(a for a in Audience if a.value in raw["destinatari"]),
            classes=tuple(c.id for c in classes if c.id in named),
        ),
    )
    if named and not content.audience.classes:
        errors["classi"] = gettext(N_("Le classi scelte non ci sono più: le scelga di nuovo."))
    for name, slug in faults(content).items():
        told = _TOLD.get((name, slug), _UNREADABLE)
        errors[FIELDS[name]] = gettext(told) % {"most": _MOST.get(name, 0)}
    ordered = {name: errors[name] for name in (*raw, "") if name in errors}
    return Written(dict(raw), None if errors else content, ordered)
