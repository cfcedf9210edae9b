"""An invented school: its classes, its pupils with their families, and how it moves from one year to the next."""

from dataclasses import dataclass, field

from deploy.demo.names import ORIGINS, Origin
from deploy.demo.people import Draw, Person, Pupil, Sex

OLDEST_FIRST_GRADE = 14  # age in the year in which a first class starts


@dataclass(frozen=True, slots=True)
class Profile:
    """What stays the same over the years. `grades` counts those of the school, `school_level` is OneRoster's grade of
    the first of them (`9` for an upper secondary school)."""

    codice: str
    name: str
    town: str
    source_code: str
    grades: int = 5
    school_level: int = 9


@dataclass(slots=True)
class School:
    """A school in one year. `ending_year` 2026 is 2025/2026. `classes` maps `1A` to its pupils."""

    profile: Profile
    ending_year: int
    classes: dict[str, list[Pupil]]
    teachers: dict[str, Person]
    draw: Draw
    # Teachers who are also somebody's parent, by the code of the person.
    teaching_parents: set[str] = field(default_factory=set)

    @property
    def label(self) -> str:
        return f"{self.ending_year - 1}/{self.ending_year}"

    def pupils(self) -> list[Pupil]:
        return [pupil for pupils in self.classes.values() for pupil in pupils]

    def guardians(self) -> list[Person]:
        """Each guardian once, in order of appearance."""
        return list({g.code: g for pupil in self.pupils() for g in pupil.guardians}.values())


def generate_school(
    pupils: int,
    *,
    profile: Profile,
    ending_year: int = 2026,
    class_size: int = 25,
    titles: list[str] | None = None,
    seed: int = 1,
    siblings: int = 4,
    single: int = 7,
) -> School:
    """A school of `pupils` pupils in classes of `class_size`, always the same for the same arguments.

    `titles` names the classes; without it there are as many sections as needed. `siblings` is the chance in a hundred
    that a pupil has a brother or sister among those drawn before, `single` that a family has one parent.
    """
    draw = Draw(seed)
    count = -(-pupils // class_size)
    names = titles or [class_title(n, profile.grades) for n in range(count)]
    school = School(profile, ending_year, {}, {}, draw)
    left = pupils
    for title in names[:count]:
        room = school.classes.setdefault(title, [])
        for _ in range(min(class_size, left)):
            room.append(new_pupil(school, title, siblings=siblings, single=single))
        left -= len(room)
        school.teachers[title] = new_teacher(school)
    return school


def class_title(index: int, grades: int) -> str:
    """`1A`, `2A` ... `5A`, `1B` ...; after the 26th section `1AA`."""
    section, grade = divmod(index, grades)
    first, second = divmod(section, 26)
    letters = (chr(64 + first) if first else "") + chr(65 + second)
    return f"{grade + 1}{letters}"


def new_pupil(school: School, title: str, *, siblings: int = 0, single: int = 0) -> Pupil:
    """A pupil of the right age for the class, in a family of their own or as a sibling."""
    draw = school.draw
    born_in = school.ending_year - 1 - OLDEST_FIRST_GRADE - int(title[0]) + 1
    elder = _elder(school, title) if draw.chance(siblings) else None
    sex: Sex = "F" if draw.chance(50) else "M"
    if elder is not None:
        origin, family = _origin_of(elder), elder.guardians[-1].family
        return Pupil(draw.person("AL", origin, family, sex, born_in), list(elder.guardians))
    origin = draw.origin()
    family = draw.one_of(origin.families)
    pupil = Pupil(draw.person("AL", origin, family, sex, born_in, script=40))
    mother = _parent(draw, origin, draw.one_of(origin.families), "F", born_in)
    father = _parent(draw, origin, family, "M", born_in)
    pupil.guardians = [mother, father]
    if draw.chance(single):
        pupil.guardians = [mother if draw.chance(80) else father]
    return pupil


def new_teacher(school: School) -> Person:
    draw = school.draw
    origin = draw.origin()
    sex: Sex = "F" if draw.chance(70) else "M"
    teacher = draw.person("DO", origin, draw.one_of(origin.families), sex, 1962 + draw.below(35))
    teacher.email = f"docente.{teacher.code.lower()}@scuola.example"
    return teacher


def next_year(school: School, intake: int) -> School:
    """The school a year later: classes move up, the last year leaves, `intake` first classes of 25 come in."""
    last = str(school.profile.grades)
    moved = {
        f"{int(title[0]) + 1}{title[1:]}": list(pupils)
        for title, pupils in school.classes.items()
        if title[0] != last
    }
    later = School(school.profile, school.ending_year + 1, moved, {}, school.draw)
    for section in "ABCDEFGH"[:intake]:
        room = later.classes.setdefault(f"1{section}", [])
        for _ in range(25):
            room.append(new_pupil(later, f"1{section}", siblings=8, single=7))
    later.classes = dict(sorted(later.classes.items(), key=lambda item: (item[0][1:], item[0][0])))
    staff = list(school.teachers.values())
    later.teachers = {
        title: staff[n] if n < len(staff) else new_teacher(later) for n, title in enumerate(later.classes)
    }
    later.teaching_parents = school.teaching_parents
    return later


def _elder(school: School, title: str) -> Pupil | None:
    """A pupil of another class with two parents, whose family has room for one more child."""
    others = [p for t, pupils in school.classes.items() if t[0] != title[0] for p in pupils[:5]]
    pupil = school.draw.one_of(tuple(others)) if others else None
    return pupil if pupil and len(pupil.guardians) == 2 else None


def _origin_of(pupil: Pupil) -> Origin:
    return next(origin for origin, _ in ORIGINS if origin.language == pupil.person.language)


def _parent(draw: Draw, origin: Origin, family: str, sex: Sex, child_born: int) -> Person:
    parent = draw.person("GE", origin, family, sex, child_born - 24 - draw.below(18))
    parent.relationship = "MADRE" if sex == "F" else "PADRE"
    parent.email = draw.email(parent.given, parent.family)
    parent.phone = draw.phone()
    return parent
