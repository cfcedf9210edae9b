"""The school that sends credentials by e-mail only: the secretariat's CSV, one row for each pupil and guardian."""

import datetime as dt
from typing import Any, Final

from deploy.demo.paper_school import Built
from deploy.demo.people import Person, Pupil, codice_fiscale
from deploy.demo.school import Profile, School, generate_school
from deploy.demo.writers import secretariat

PROFILE: Final = Profile(
    codice="TOISDEMO02",
    name="Istituto d'istruzione superiore «Guado Sereno»",
    town="Guado Sereno",
    source_code="segreteria",
)
_HEADER: Final = (
    "codice_meccanografico,anno_scolastico,classe,sezione,indirizzo,codice_alunno,cognome_alunno,nome_alunno,"
    "data_nascita_alunno,codice_fiscale_alunno,email_istituzionale_alunno,tipo_iscrizione,data_inizio,data_fine,"
    "motivo_fine,codice_genitore,cognome_genitore,nome_genitore,codice_fiscale_genitore,ruolo_genitore,"
    "email_iscrizione_genitore,telefono_genitore,lingua_genitore,accesso_dati,giustifica_online"
)
COLUMNS: Final = _HEADER.split(",")
FILE: Final = "guado-sereno-2026-2027.csv"
CLASSES: Final = ["1A", "1B", "2A", "3A"]
COURSES: Final = {"1A": "Informatica", "1B": "Turismo", "2A": "Informatica", "3A": "Informatica"}
HEROINE: Final = ("Elena", "Marchetti", "elena.marchetti@posta.example")


def build() -> Built:
    school = generate_school(
        60, profile=PROFILE, ending_year=2027, class_size=15, titles=CLASSES, seed=2027, siblings=6, single=8
    )
    heroine, child = _heroine(school)
    stories = _stories(school) | {
        "heroine": heroine.code,
        "heroine_email": heroine.email,
        "heroine_child": child.person.code,
    }
    arrival = school.classes["3A"][-1]
    stories["new_arrival"] = arrival.person.code
    rows = [
        row
        for title, pupils in school.classes.items()
        for n, pupil in enumerate(pupils)
        for row in _rows(school, title, pupil, n, new=pupil is arrival)
    ]
    facts: dict[str, Any] = {
        "codice": PROFILE.codice,
        "name": PROFILE.name,
        "town": PROFILE.town,
        "customer_id": "guadosereno",
        "site": "https://www.guadosereno.example",
        "policy": "email",
        "entry_grade": 1,
        "imports": [
            {
                "file": FILE,
                "format": "secretariat",
                "school_year": school.label,
                "classes": len(school.classes),
                "pupils": len(school.pupils()),
                "guardians": len(school.guardians()),
            }
        ],
        "stories": stories,
    }
    return Built({FILE: secretariat(rows, COLUMNS)}, facts)


def _heroine(school: School) -> tuple[Person, Pupil]:
    """The parent whose steps the demo follows: a fixed name, a child in a first class."""
    child = next(p for p in school.classes["1A"] if len(p.guardians) == 2 and p.person.language == "it")
    mother = child.guardians[0]
    given, family, email = HEROINE
    mother.given, mother.family, mother.email = given, family, email
    mother.codice_fiscale = codice_fiscale(family, given, "F", mother.born, "X042")
    return mother, child


def _stories(school: School) -> dict[str, Any]:
    pairs = [p for p in school.classes["1B"] if len(p.guardians) == 2]
    pairs[0].guardians[1].email = pairs[0].guardians[0].email
    restricted = pairs[1]
    restricted.data_access[restricted.guardians[1].code] = False
    pairs[2].person.codice_fiscale = None
    return {
        "one_mailbox": [g.code for g in pairs[0].guardians],
        "no_data_access": restricted.guardians[1].code,
        "without_codice_fiscale": pairs[2].person.code,
    }


def _rows(school: School, title: str, pupil: Pupil, n: int, *, new: bool) -> list[dict[str, str]]:
    """A row for each guardian; dates in the three forms that secretariats mix."""
    person = pupil.person
    first_class = title[0] == "1"
    kind = "nuova" if new else "prima" if first_class else "prosegue"
    mailbox = "" if first_class or new else f"{person.code.lower()}@studenti.guadosereno.example"
    common = {
        "codice_meccanografico": PROFILE.codice,
        "anno_scolastico": school.label,
        "classe": title[0],
        "sezione": title[1:],
        "indirizzo": COURSES[title],
        "codice_alunno": person.code,
        "cognome_alunno": person.family,
        "nome_alunno": person.given,
        "data_nascita_alunno": _date(person.born, n),
        "codice_fiscale_alunno": person.codice_fiscale or "",
        "email_istituzionale_alunno": mailbox,
        "tipo_iscrizione": kind,
        "data_inizio": _date(dt.date(2026, 9, 14), n),
    }
    return [common | _guardian(pupil, guardian) for guardian in pupil.guardians]


def _guardian(pupil: Pupil, guardian: Person) -> dict[str, str]:
    access = pupil.data_access.get(guardian.code)
    return {
        "codice_genitore": guardian.code,
        "cognome_genitore": guardian.family,
        "nome_genitore": guardian.given,
        "codice_fiscale_genitore": guardian.codice_fiscale or "",
        "ruolo_genitore": guardian.relationship,
        "email_iscrizione_genitore": guardian.email,
        "telefono_genitore": guardian.phone,
        "lingua_genitore": guardian.language,
        "accesso_dati": "" if access is None else "si" if access else "no",
        "giustifica_online": "",
    }


def _date(day: dt.date, n: int) -> str:
    if n % 5 == 3:
        return f"{day.day}/{day.month}/{day.year}"
    return day.strftime("%d/%m/%Y") if n % 2 else day.isoformat()
