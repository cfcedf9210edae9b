"""A registry with years behind it: invented schools, through the one write path, for benchmarks that need a history.

A family is a pupil with two guardians and ten events over three school years; a school is a thousand families in
classes of 25. The first year of all schools stands before the second, as years do.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from itertools import chain, islice
from pathlib import Path

from services.registry.projections import project
from shared import migrations
from shared.contracts import registry as said
from shared.contracts.event import Context, Event, Personal
from shared.database import open_pool
from shared.eventstore.projection import Project, Projector
from shared.eventstore.rebuild import Rebuild, Rebuilt
from shared.eventstore.store import EventStore
from shared.eventstore.units import Append, Unit
from shared.keyring.keyring import KeyEncryptionKey, Keyring
from shared.runtime import KERNEL
from tests.benchmarks.figure import Bench
from tests.benchmarks.ground import new_database

KEK = KeyEncryptionKey(bytes(32))
YEARS = ("2024/2025", "2025/2026", "2026/2027")
FAMILIES, CLASS = 1000, 25
EVENTS_OF_A_FAMILY = 10
_PEOPLE = ("pupil", "mother", "father")
_COMMIT = 4000
_CONTEXT = Context(actor="system:import", correlation="import")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a registry of a benchmark lives: enough to open it again in another process."""

    runtime_url: str
    owner_url: str
    keyring_url: str


async def make_place(bench: Bench) -> Place:
    """An empty registry in a database of its own, beside the keyring that all share."""
    name = await new_database(bench)
    keyring = [("keyring", KERNEL / "keyring" / "migrations")]
    await migrations.migrate(bench.postgres.keyring_migration_url, keyring)
    place = Place(
        bench.postgres.role_url("registry", name),
        bench.postgres.role_url("registry_owner", name),
        bench.postgres.urls("registry").keyring,
    )
    components: list[tuple[str, Path]] = [
        ("eventstore", KERNEL / "eventstore" / "migrations"),
        ("registry", KERNEL.parent / "services" / "registry" / "migrations"),
    ]
    await migrations.migrate(place.owner_url, components, service_role="registry")
    return place


@asynccontextmanager
async def opened(place: Place, project: Project = project) -> AsyncIterator[EventStore]:
    pool = await open_pool(place.runtime_url, name="bench")
    keys = await open_pool(place.keyring_url, name="bench", most=4)
    try:
        yield EventStore("registry", pool, Keyring(keys, KEK), Projector(project))
    finally:
        await asyncio.gather(pool.close(), keys.close())


async def live(place: Place, schools: range, events_of_school: int) -> None:
    """Append what founds the schools, then their families. Projections are left to a rebuild."""
    number = events_of_school // EVENTS_OF_A_FAMILY
    families = [Family(school, n) for school in schools for n in range(number)]
    appends = chain(
        ((school_code(school), append) for school in schools for append in _founded(school)),
        ((family.school, append) for year in range(3) for family in families for append in family.year(year)),
    )
    async with opened(place, lambda _: ()) as store:
        while batch := list(islice(appends, _COMMIT)):
            await store.commit(list(units(batch)), atomic=True)


_LIVED: dict[str, tuple[Place, int]] = {}


async def lived(bench: Bench, name: str, schools: int) -> Place:
    """A registry with just so many schools, projections included; one of that name that has fewer grows."""
    place, there = _LIVED.get(name, (None, 0))
    if place is None or there > schools:
        place, there = await make_place(bench), 0
    if there < schools:
        await live(place, range(there, schools), FAMILIES * EVENTS_OF_A_FAMILY)
        await rebuilt(place)
        _LIVED[name] = place, schools
    return place


async def rebuilt(place: Place, *, switch: bool = True) -> Rebuilt:
    """All projections, made anew from history."""

    async def nobody(source: str, after: int, upto: int) -> AsyncIterator[Sequence[bytes]]:
        raise AssertionError(f"{source} was never read")
        yield []

    async with opened(place) as store:
        return await Rebuild(store, project, place.owner_url, place.keyring_url, nobody).run(
            service_role="registry", switch=switch
        )


def units(appends: Iterable[tuple[str, Append]]) -> Iterator[Unit]:
    """A unit for each school, of (school, append)."""
    by_school: dict[str, list[Append]] = {}
    for school, append in appends:
        by_school.setdefault(school, []).append(append)
    for school, its in by_school.items():
        yield Unit(school, _CONTEXT, tuple(its))


def school_code(number: int) -> str:
    return f"RMIC{number:05d}X"


def class_id(school: int, year: int, number: int) -> str:
    return _id(3 + year, school, number)


def _id(kind: int, school: int, number: int) -> str:
    """As long as any id, and following from what it stands for."""
    return f"0192a{kind:03x}-{school:04x}-7000-8000-{number:012x}"


def _founded(school: int) -> Iterator[Append]:
    code = school_code(school)
    registered = said.SchoolRegistered(school=code, name=f"Istituto {school}", customer_id=f"school-{school}")
    years = [
        said.SchoolYearOpened(school=code, year=year, starts=date(2024 + n, 9, 1), ends=date(2025 + n, 8, 31))
        for n, year in enumerate(YEARS)
    ]
    yield Append(f"school/{code}", 0, (registered, *years))
    for year, label in enumerate(YEARS):
        for number in range(FAMILIES // CLASS):
            formed = said.ClassFormed(
                class_id=class_id(school, year, number),
                year=label,
                title=f"{year + 1} {number}",
                grade=year + 1,
                section=str(number),
                curriculum=None,
                source="secretariat",
                external_id=f"{label}/{number}",
            )
            yield Append(f"class/{formed.class_id}", 0, (formed,))


@dataclass(frozen=True, slots=True)
class Family:
    """Family `number` of a school; every id follows from the two numbers."""

    school_number: int
    number: int

    @property
    def school(self) -> str:
        return school_code(self.school_number)

    @property
    def student(self) -> str:
        return self._id("pupil")

    @property
    def mother(self) -> str:
        return self._id("mother")

    def year(self, year: int) -> Iterator[Append]:
        """What is said of this family in the first, second or third school year."""
        return (self._first, self._second, self._third)[year]()

    def _first(self) -> Iterator[Append]:
        yield self._student(0, self._enrolled(0))
        for who in ("mother", "father"):
            linked = said.GuardianLinked(
                guardian=self._id(who),
                student=self.student,
                year=YEARS[0],
                relationship=said.Relationship(who),
                data_access=True,
                justifies_online=True,
                details=self._guardian(who, None),
            )
            yield Append(f"guardian/{self._id(who)}", 0, (linked,))

    def _second(self) -> Iterator[Append]:
        identifier = said.Identifier(source="oneroster", external_id=f"sis-{self.school}-{self.number}")
        identified = said.PersonIdentified(
            person=self.student,
            kind=said.PersonKind.pupil,
            identifier=Personal(person=self.student, value=identifier),
        )
        yield self._student(1, self._enrolled(1), identified)
        corrected = said.GuardianDetailsCorrected(
            guardian=self._id("mother"), details=self._guardian("mother", "+39 06 5550100")
        )
        yield Append(f"guardian/{self._id('mother')}", 1, (corrected,))

    def _third(self) -> Iterator[Append]:
        moved = said.StudentMovedClass(
            student=self.student, year=YEARS[2], from_class=self._class(2), to_class=self._class(2, 1)
        )
        details = said.StudentDetailsCorrected(student=self.student, details=self._pupil("it"))
        yield self._student(3, self._enrolled(2), moved, details)
        ended = said.GuardianshipCorrected(
            guardian=self._id("father"),
            student=self.student,
            relationship=said.Relationship.father,
            data_access=True,
            justifies_online=False,
        )
        yield Append(f"guardian/{self._id('father')}", 1, (ended,))

    def enrolled_and_corrected(self) -> Append:
        """The pupil's stream in short: one event of each kind that the peer's pupil has too."""
        details = said.StudentDetailsCorrected(student=self.student, details=self._pupil("it"))
        return self._student(0, self._enrolled(0), details)

    def _student(self, expected: int, *events: Event) -> Append:
        return Append(f"student/{self.student}", expected, events)

    def _enrolled(self, year: int) -> said.StudentEnrolled:
        first, last = said.EnrolmentKind.first_year, said.EnrolmentKind.continuing
        return said.StudentEnrolled(
            student=self.student,
            year=YEARS[year],
            class_id=self._class(year),
            kind=last if year else first,
            starts=date(2024 + year, 9, 12),
            details=self._pupil(),
        )

    def _pupil(self, domain: str = "example") -> Personal[said.PupilDetails]:
        details = said.PupilDetails(
            family_name=f"De Gasperi {self.number}",
            given_name="Maria Antonietta",
            birth_date=date(2012, 1 + self.number % 12, 1 + self.number % 28),
            codice_fiscale=f"DGSMNT12A01H{self.school_number:03d}{self.number:03d}Z"[:16],
            institutional_email=f"m.degasperi{self.number}@{self.school.lower()}.{domain}",
            source="secretariat",
            external_id=f"A{self.number}",
        )
        return Personal(person=self.student, value=details)

    def _guardian(self, who: str, phone: str | None) -> Personal[said.GuardianDetails]:
        details = said.GuardianDetails(
            family_name=f"De Gasperi {self.number}",
            given_name="Anna" if who == "mother" else "Alcide",
            codice_fiscale=f"DGS{who[0].upper()}NT80A01H{self.number:03d}Z",
            email=f"{who}.degasperi{self.number}@example.org",
            phone=phone,
            language="it",
            source="secretariat",
            external_id=f"{who[0].upper()}{self.number}",
        )
        return Personal(person=self._id(who), value=details)

    def _class(self, year: int, beside: int = 0) -> str:
        return class_id(self.school_number, year, (self.number // CLASS + beside) % (FAMILIES // CLASS))

    def _id(self, who: str) -> str:
        return _id(_PEOPLE.index(who), self.school_number, self.number)
