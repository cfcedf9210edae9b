"""The invented school of the fault scenarios: pupils with guardians, each entered by one of three ways."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

YEAR = "2026/2027"
SOURCE = "sistema-di-prova"
CLASS_SIZE = 25
_COLUMNS = (
    "codice_meccanografico;anno_scolastico;classe;sezione;codice_alunno;cognome_alunno;nome_alunno;"
    "tipo_iscrizione;codice_genitore;cognome_genitore;nome_genitore;ruolo_genitore;email_iscrizione_genitore"
)


class Way(StrEnum):
    """How an enrolment comes in."""

    http = "http"
    bus = "bus"
    file = "file"


@dataclass(frozen=True, slots=True)
class Guardian:
    id: str
    relationship: str
    email: str


@dataclass(frozen=True, slots=True)
class Pupil:
    """`section` makes the class: first years all."""

    id: str
    section: str
    way: Way
    guardians: tuple[Guardian, ...]


@dataclass
class SchoolUnderFire:
    """One school: `policy` is a preset's name. `unreachable`: guardians whose mailbox says never. `api_key` and
    `seed_file` are what its systems were given."""

    code: str
    policy: str
    pupils: list[Pupil]
    unreachable: frozenset[str] = frozenset()
    api_key: str = field(default="", repr=False)
    seed_file: str = ""

    @property
    def guardians(self) -> dict[str, Guardian]:
        return {g.id: g for pupil in self.pupils for g in pupil.guardians}

    def enrolment(self, pupil: Pupil) -> dict[str, Any]:
        """As `POST /api/registry/enrolments` and the bus take it."""
        return {
            "school": self.code,
            "source": SOURCE,
            "school_year": YEAR,
            "class": {"id": f"1{pupil.section}", "grade": 1, "section": pupil.section},
            "pupil": {"id": pupil.id, "family_name": "Prova", "given_name": f"Alunno {pupil.id}"},
            "guardians": [
                {
                    "id": g.id,
                    "family_name": "Prova",
                    "given_name": f"Genitore {g.id}",
                    "relationship": g.relationship,
                    "email": g.email,
                }
                for g in pupil.guardians
            ],
        }

    def file(self, pupils: list[Pupil]) -> bytes:
        """The secretariat's file of some pupils."""
        rows = [_COLUMNS]
        for pupil in pupils:
            for g in pupil.guardians:
                role = "MADRE" if g.relationship == "mother" else "PADRE"
                rows.append(
                    f"{self.code};{YEAR};1;{pupil.section};{pupil.id};Prova;Alunno {pupil.id};prima;"
                    f"{g.id};Prova;Genitore {g.id};{role};{g.email}"
                )
        return "\n".join([*rows, ""]).encode()


def school(
    code: str,
    policy: str,
    pupils: int,
    *,
    ways: tuple[Way, ...] = tuple(Way),
    mailboxes: tuple[str, ...] = ("",),
) -> SchoolUnderFire:
    """`pupils` first years: each with a mother, every third with a father too, every tenth a sibling of the last.

    `mailboxes`: what their addresses ask of the embedded mailbox, in turn (`+reply452x2`).
    """
    made: list[Pupil] = []
    never = set()
    for number in range(1, pupils + 1):
        tag = f"{code[4:9]}-{number:04}"
        asks = mailboxes[number % len(mailboxes)]
        guardians = [Guardian(f"M{tag}", "mother", f"m{tag}{asks}@famiglia.example")]
        if number % 3 == 0:
            guardians.append(Guardian(f"P{tag}", "father", f"p{tag}{asks}@famiglia.example"))
        if number % 10 == 0:
            guardians = list(made[-1].guardians)
        elif asks.startswith("+reply5") and "x" not in asks:
            never |= {guardian.id for guardian in guardians}
        section = chr(ord("A") + (number - 1) // CLASS_SIZE)
        made.append(Pupil(f"A{tag}", section, ways[number % len(ways)], tuple(guardians)))
    return SchoolUnderFire(code, policy, made, frozenset(never))
