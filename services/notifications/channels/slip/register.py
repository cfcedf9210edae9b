"""The class list that is signed when slips are handed over; it holds no secret."""

from collections.abc import Sequence
from datetime import date

from services.notifications.channels.languages import texts
from services.notifications.channels.people import SchoolHead
from services.notifications.channels.slip.compiler import compile_pdf
from services.notifications.channels.slip.coverage import breakable, printable
from services.notifications.channels.slip.model import RegisterLine
from shared.dates import long_date


def render_register(
    lines: Sequence[RegisterLine], *, class_name: str, school: SchoolHead, today: date
) -> bytes:
    """The PDF of the list, in Italian, in the order of `lines`; as many pages as they need, header on each."""
    labels = texts("it").labels
    roles = {"guardian": "Genitore o tutore di", "pupil": labels["pupil"], "staff": labels["staff"]}
    name = printable(school.name)[0]
    heading = f"Consegna delle credenziali · {labels['class_name'].format(name=printable(class_name)[0])}"
    data = {
        "title": f"{heading} · {name}",
        "school": name,
        "code": printable(school.code)[0],
        "heading": heading,
        "statement": (
            f"Fogli da consegnare al {long_date(today, 'it')}. Ogni foglio si consegna piegato e chiuso; chi lo ritira "
            "firma accanto al nome dell'intestatario, e se è un delegato scrive anche il proprio nome. Chi è assente "
            "resta senza firma."
        ),
        "columns": [
            "N.",
            "Intestatario e riferimento",
            "Ruolo",
            labels["receipt_date"],
            "Nome del delegato",
            "Firma di chi ritira",
        ],
        "lines": [
            {
                "name": breakable(printable(line.holder_name)[0]),
                "reference": printable(line.reference)[0],
                "role": roles[line.role],
                "whose": ", ".join(
                    f"{breakable(printable(child.name)[0])} ({printable(child.class_name)[0]})"
                    for child in line.concerning
                ),
            }
            for line in lines
        ],
        "signatures": ["Docente che consegna (nome e firma)", "Data"],
    }
    return compile_pdf("register.typ", "register", data, today)
