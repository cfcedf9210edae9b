"""The school that hands out paper slips: twelve classes, two school years, OneRoster."""

from dataclasses import dataclass
from typing import Any, Final

from deploy.demo.names import ITALIAN
from deploy.demo.people import Person, Pupil, with_omocodia
from deploy.demo.school import Profile, School, generate_school, new_pupil, next_year
from deploy.demo.writers import oneroster

PROFILE: Final = Profile(
    codice="RMPSDEMO01",
    name="Liceo scientifico «Aurora Serrandi»",
    town="Borgo Valdarno",
    source_code="registro-inventato",
)
CLASSES: Final = ["1A", "2A", "3A", "4A", "5A", "1B", "2B", "3B", "4B", "5B", "1C", "2C"]


@dataclass(frozen=True, slots=True)
class Built:
    """The files of a school by name, and what `schools.json` says of it."""

    files: dict[str, bytes]
    facts: dict[str, Any]


def build() -> Built:
    first = generate_school(300, profile=PROFILE, titles=CLASSES, seed=2025, siblings=4, single=6)
    stories = _first_year_stories(first)
    first_zip = oneroster(first)
    second = next_year(first, intake=2)
    stories |= _second_year_stories(first, second)
    names = {2026: "serrandi-2025-2026.zip", 2027: "serrandi-2026-2027.zip"}
    facts = {
        "codice": PROFILE.codice,
        "name": PROFILE.name,
        "town": PROFILE.town,
        "customer_id": "serrandi",
        "site": "https://www.liceoserrandi.example",
        "policy": "paper",
        "entry_grade": 1,
        "imports": [
            {
                "file": names[school.ending_year],
                "format": "oneroster",
                "school_year": school.label,
                **_counts(school),
            }
            for school in (first, second)
        ],
        "stories": stories,
    }
    return Built({names[2026]: first_zip, names[2027]: oneroster(second)}, facts)


def _first_year_stories(school: School) -> dict[str, Any]:
    """Bends a few of the people drawn into what every school has."""
    first_class = school.classes["1A"]
    couple = next(p for p in first_class[5:] if len(p.guardians) == 2)
    couple.guardians[1].email = couple.guardians[0].email
    without_code = next(
        p for p in school.classes["2B"][3:] if p.person.language == "zh" or p is school.classes["2B"][-1]
    )
    without_code.person.codice_fiscale = None
    without_code.guardians[0].codice_fiscale = None
    substituted = school.classes["3B"][0].guardians[0]
    substituted.codice_fiscale = with_omocodia(substituted.codice_fiscale or "")
    without_mail = school.classes["4A"][2].guardians[0]
    without_mail.email = ""
    teacher = _teaching_parent(school)
    alone = [pupil for pupil in school.pupils() if len(pupil.guardians) == 1]
    guardian = alone[0].guardians[0]
    guardian.relationship = "TUTORE"
    grandmother = _grandmother(school, alone[1])
    return {
        "one_mailbox": [g.code for g in couple.guardians],
        "without_codice_fiscale": without_code.person.code,
        "omocodia": substituted.code,
        "without_email": without_mail.code,
        "teacher_and_parent": teacher.code,
        "legal_guardian": guardian.code,
        "grandmother": grandmother.code,
        "siblings": _siblings(school),
    }


def _second_year_stories(first: School, second: School) -> dict[str, Any]:
    repeater = next(p for p in first.classes["1A"] if p in second.classes["2A"] and len(p.guardians) == 2)
    second.classes["2A"].remove(repeater)
    second.classes["1B"][-1] = repeater
    arrival = new_pupil(second, "3A")
    second.classes["3A"].append(arrival)
    continuing = {pupil.person.code for pupil in first.pupils()}
    known = {guardian.code for guardian in first.guardians()}
    younger = [
        pupil.person.code
        for pupil in second.pupils()
        if pupil.person.code not in continuing and any(g.code in known for g in pupil.guardians)
    ]
    return {"repeater": repeater.person.code, "new_arrival": arrival.person.code, "younger_siblings": younger}


def _teaching_parent(school: School) -> Person:
    """A teacher of 2A who is also a parent of a pupil of 4B: one person, one code, two roles (M6)."""
    parent = next(p for p in school.classes["4B"] if len(p.guardians) == 2).guardians[0]
    school.teachers["2A"] = parent
    school.teaching_parents.add(parent.code)
    return parent


def _grandmother(school: School, pupil: Pupil) -> Person:
    """A grandmother beside the only parent."""
    draw = school.draw
    grandmother = draw.person("GE", ITALIAN, pupil.guardians[0].family, "F", 1948 + draw.below(8))
    grandmother.relationship = "NONNA"
    grandmother.phone = draw.phone()
    grandmother.email = draw.email(grandmother.given, grandmother.family)
    pupil.guardians.append(grandmother)
    return grandmother


def _siblings(school: School) -> list[list[str]]:
    families: dict[str, list[str]] = {}
    for pupil in school.pupils():
        families.setdefault(pupil.guardians[0].code, []).append(pupil.person.code)
    return [codes for codes in families.values() if len(codes) > 1]


def _counts(school: School) -> dict[str, int]:
    return {
        "classes": len(school.classes),
        "pupils": len(school.pupils()),
        "guardians": len(school.guardians()),
    }
