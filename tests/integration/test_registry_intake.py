"""Files to facts in the history, on a real PostgreSQL (S3, P2, P3, M1, M2, M5, M6)."""

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import TypeVar

import pytest

from services.registry.enrolments import Entered, Wanted
from services.registry.imports import ClassFact, EndingFact, Parsed, SchoolFact, Where
from services.registry.intake import Options, new_report
from services.registry.operations import Registry
from services.registry.report import Outcome, Report
from services.registry.requests import EnrolmentRequest
from shared.contracts.event import Context
from shared.contracts.registry import (
    ClassFormed,
    EnrolmentKind,
    GuardianDetailsCorrected,
    GuardianLinked,
    PersonIdentified,
    PupilDetails,
    StudentDetailsCorrected,
    StudentEnrolled,
    StudentMovedClass,
    StudentWithdrawn,
)
from tests.integration.registry_fixtures import (
    NEXT_YEAR,
    OTHER_SCHOOL,
    SCHOOL,
    YEAR,
    enrolment,
    events_of,
    guardian,
    kek_file,
    parsed,
    pupil,
    registry,
    registry_settings,
)

__all__ = ["kek_file", "registry", "registry_settings"]

CF = "VRDNNA14B43H501Y"
OPERATOR = Options(actor="operator")
E = TypeVar("E")
DRY = Options(actor="operator", dry_run=True)


async def take(registry: Registry, file: Parsed, options: Options = OPERATOR) -> Report:
    return await registry.intake.take(file, new_report("file.csv", dry_run=options.dry_run), options)


def of(kind: type[E], events: Sequence[object]) -> list[E]:
    return [event for event in events if isinstance(event, kind)]


def said(event: StudentEnrolled) -> PupilDetails:
    assert event.details.value is not None
    return event.details.value


async def test_siblings_share_a_guardian(registry: Registry) -> None:
    mother = guardian("g1")
    file = parsed(
        enrolment(pupil("p1"), mother, guardian("g2", given_name="Dario", relationship="father")),
        enrolment(pupil("p2", given_name="Bruno"), mother, klass="3B", line=3),
    )
    report = await take(registry, file)
    assert report.outcome is Outcome.complete
    assert (report.counts.new_pupils, report.counts.new_guardians) == (2, 2)
    assert report.counts.new_guardianships == 3
    events = await events_of(registry)
    links = of(GuardianLinked, events)
    assert len({link.guardian for link in links}) == 2
    kinds = {said(e).given_name: e.kind for e in of(StudentEnrolled, events)}
    assert kinds == {"Anna": EnrolmentKind.first_year, "Bruno": EnrolmentKind.new_to_the_school}


async def test_one_mailbox_two_guardians(registry: Registry) -> None:
    file = parsed(
        enrolment(
            None,
            guardian("g1", email="casa@example.org"),
            guardian("g2", given_name="Dario", email="casa@example.org"),
        )
    )
    await take(registry, file)
    links = of(GuardianLinked, await events_of(registry))
    assert len({link.guardian for link in links}) == 2
    assert {link.details.value and link.details.value.email for link in links} == {"casa@example.org"}


async def test_the_same_file_again_is_nothing(registry: Registry) -> None:
    file = parsed(enrolment(None, guardian()), enrolment(pupil("p2", given_name="Bruno"), line=3))
    await take(registry, file)
    head = await registry.store.head()
    report = await take(registry, file)
    assert await registry.store.head() == head
    assert report.counts.unchanged == 2
    assert report.counts.events == 0


async def test_a_dry_run_counts_alike_and_writes_nothing(registry: Registry) -> None:
    mother = guardian()
    people = [enrolment(pupil(f"p{n}", given_name=f"Anna{'a' * n}"), mother, line=n) for n in range(2, 12)]
    file = parsed(*people)
    head = await registry.store.head()
    would = await take(registry, file, DRY)
    assert await registry.store.head() == head
    did = await take(registry, file)
    assert would.counts == did.counts
    assert would.outcome is did.outcome is Outcome.complete
    assert did.counts.new_guardians == 1


async def test_the_second_year_keeps_ids_and_knows_the_repeater(registry: Registry) -> None:
    first = parsed(enrolment(pupil("p1"), guardian()), enrolment(pupil("p2", given_name="Bruno"), klass="1B"))
    await take(registry, first)
    before = {said(e).external_id: e.student for e in of(StudentEnrolled, await events_of(registry))}
    head = await registry.store.head()
    second = parsed(
        enrolment(pupil("p1"), guardian(), year=NEXT_YEAR, klass="2A"),
        enrolment(pupil("p2", given_name="Bruno"), year=NEXT_YEAR, klass="1B", kind=EnrolmentKind.first_year),
        enrolment(pupil("p3", given_name="Carlo"), year=NEXT_YEAR, klass="3A"),
    )
    report = await take(registry, second)
    assert (report.counts.kept, report.counts.new_pupils) == (2, 1)
    events = await events_of(registry, head)
    after = {said(e).external_id: (e.student, e.kind) for e in of(StudentEnrolled, events)}
    assert after["p1"] == (before["p1"], EnrolmentKind.continuing)
    assert after["p2"] == (before["p2"], EnrolmentKind.continuing)
    assert after["p3"][1] is EnrolmentKind.new_to_the_school
    assert not of(GuardianLinked, events)


async def test_a_second_system_is_recognised_by_codice_fiscale(registry: Registry) -> None:
    await take(registry, parsed(enrolment(pupil("p1", codice_fiscale=CF))))
    head = await registry.store.head()
    other = parsed(
        enrolment(pupil("77", source="register", codice_fiscale=CF, family_name="VERDI"), klass="1A"),
        source="register",
    )
    report = await take(registry, other)
    events = await events_of(registry, head)
    assert [type(e).__name__ for e in events] == ["ClassIdentified", "PersonIdentified"]
    assert report.counts.new_pupils == 0
    head = await registry.store.head()
    again = parsed(enrolment(pupil("77", source="register", family_name="VERDI")), source="register")
    await take(registry, again)
    assert await registry.store.head() == head


async def test_without_codice_fiscale_nobody_is_merged(registry: Registry) -> None:
    await take(registry, parsed(enrolment(pupil("p1"), guardian())))
    other = parsed(enrolment(pupil("77", source="register"), klass="1B"), source="register")
    report = await take(registry, other)
    assert report.counts.new_pupils == 1
    assert report.counts.proposals == 1
    assert [p.code for p in report.problems] == ["pupil_maybe_known"]
    rows = await registry.runtime.pool.fetch("select kind, external_id from private.proposals")
    assert [tuple(row) for row in rows] == [("pupil", "77")]


async def test_a_guardian_of_the_same_name_from_another_system_waits_at_the_desk(registry: Registry) -> None:
    await take(registry, parsed(enrolment(pupil("p1", codice_fiscale=CF), guardian())))
    head = await registry.store.head()
    mother = guardian("9", source="register", family_name="VERDI", email="altra@example.org")
    other = parsed(enrolment(pupil("77", source="register", codice_fiscale=CF), mother), source="register")
    report = await take(registry, other)
    assert not of(GuardianLinked, await events_of(registry, head))
    assert [p.code for p in report.problems] == ["guardian_maybe_known"]


@pytest.mark.requirement("E3", part="an import never replaces an address")
async def test_an_address_is_never_replaced_by_an_import(registry: Registry) -> None:
    await take(registry, parsed(enrolment(None, guardian(email="prima@example.org"))))
    head = await registry.store.head()
    mother = guardian(email="dopo@example.org", phone="055 123456")
    report = await take(registry, parsed(enrolment(None, mother)))
    assert [(p.code, p.line, p.column) for p in report.problems] == [
        ("address_differs", 2, "email_iscrizione_genitore")
    ]
    (event,) = await events_of(registry, head)
    assert isinstance(event, GuardianDetailsCorrected)
    assert event.details.value is not None
    assert (event.details.value.email, event.details.value.phone) == ("prima@example.org", "055 123456")


async def test_moves_corrections_and_withdrawals(registry: Registry) -> None:
    await take(registry, parsed(enrolment(), enrolment(pupil("p2", given_name="Bruno"))))
    head = await registry.store.head()
    report = await take(
        registry,
        parsed(
            enrolment(pupil(given_name="Annamaria"), klass="1B"),
            enrolment(pupil("p2", given_name="Bruno"), ended=True, ends=date(2026, 1, 31)),
            enrolment(pupil("p3", given_name="Carlo"), ended=True),
        ),
    )
    events = await events_of(registry, head)
    assert [type(e) for e in events] == [
        ClassFormed,
        StudentDetailsCorrected,
        StudentMovedClass,
        StudentWithdrawn,
    ]
    assert (report.counts.moved, report.counts.withdrawn, report.counts.corrected) == (1, 1, 1)
    assert [p.code for p in report.problems] == ["already_over"]
    head = await registry.store.head()
    await take(
        registry, parsed(enrolment(pupil("p2", given_name="Bruno"), ended=True, ends=date(2026, 1, 31)))
    )
    assert await registry.store.head() == head


async def test_a_delta_ends_by_id_alone(registry: Registry) -> None:
    await take(registry, parsed(enrolment(None, guardian())))
    head = await registry.store.head()
    at = Where("users.csv", 3)
    endings = (
        EndingFact("person", "secretariat", "p1", None, date(2026, 3, 1), at),
        EndingFact("person", "secretariat", "g1", None, None, at),
        EndingFact("person", "secretariat", "nobody", None, None, at),
    )
    file = parsed(endings=endings, schools=(SchoolFact(SCHOOL),))
    report = await take(registry, file)
    (event,) = await events_of(registry, head)
    assert isinstance(event, StudentWithdrawn)
    assert event.on == date(2026, 3, 1)
    assert [p.code for p in report.problems] == ["guardian_ending", "ending_unknown"]
    await take(registry, file)
    assert await registry.store.head() == head + 1


async def test_all_or_nothing_lets_nothing_in(registry: Registry) -> None:
    await take(
        registry, parsed(enrolment(pupil("p1", codice_fiscale=CF)), enrolment(pupil("p2", given_name="B")))
    )
    head = await registry.store.head()
    wrong = parsed(
        enrolment(pupil("p9", given_name="Nuovo")),
        enrolment(pupil("p2", given_name="B", codice_fiscale=CF), line=3),
    )
    strict = await take(registry, wrong, Options(actor="operator", all_or_nothing=True))
    assert strict.outcome is Outcome.nothing
    assert await registry.store.head() == head
    report = await take(registry, wrong)
    assert report.outcome is Outcome.partial
    assert [(p.code, p.line, p.severity) for p in report.problems] == [("identifiers_disagree", 3, "error")]
    assert len(of(StudentEnrolled, await events_of(registry, head))) == 1


async def test_a_foreign_and_an_unknown_school_stay_out(registry: Registry) -> None:
    file = parsed(enrolment(), enrolment(pupil("x"), school=OTHER_SCHOOL, line=9))
    report = await take(registry, file, Options(actor="system:k", only_school=SCHOOL))
    assert [(p.code, p.line) for p in report.problems] == [("school_foreign", 9)]
    report = await take(registry, file)
    assert [(p.code, p.line) for p in report.problems] == [("school_unknown", 9)]
    schools = await registry.runtime.pool.fetch("select distinct school from events.entries")
    assert [row["school"] for row in schools] == [SCHOOL]


def request(source: str, ids: str, guardian_id: str) -> EnrolmentRequest:
    return EnrolmentRequest.model_validate(
        {
            "school": SCHOOL,
            "source": source,
            "school_year": YEAR,
            "class": {"id": "cls-1a", "grade": 1, "section": "A"},
            "pupil": {
                "id": ids,
                "family_name": "Verdi",
                "given_name": "Anna",
                "birth_date": "2014-02-03",
                "codice_fiscale": CF,
            },
            "guardians": [
                {
                    "id": guardian_id,
                    "family_name": "Verdi",
                    "given_name": "Carla",
                    "codice_fiscale": "VRDCRL80A41H501V",
                    "relationship": "mother",
                    "email": "carla@example.org",
                }
            ],
        }
    )


async def test_the_same_enrolment_by_two_ways_at_once_is_one(registry: Registry) -> None:
    mother = guardian(codice_fiscale="VRDCRL80A41H501V")
    file = parsed(enrolment(pupil("p1", codice_fiscale=CF), mother))
    context = Context(actor="system:k", correlation="c")
    wanted = [Wanted(request("register", "77", "9"), context) for _ in range(5)]
    answers = await asyncio.gather(
        take(registry, file), *(registry.enrolments.enter(one) for one in wanted), take(registry, file)
    )
    entered = [answer for answer in answers if isinstance(answer, Entered)]
    assert len(entered) == 5
    assert len({answer.student for answer in entered}) == 1
    events = await events_of(registry)
    assert len(of(StudentEnrolled, events)) == 1
    assert len(of(GuardianLinked, events)) == 1
    assert len(of(ClassFormed, events)) == 1
    assert len(of(PersonIdentified, events)) == 2


async def test_a_complete_file_reports_who_is_missing(registry: Registry) -> None:
    await take(registry, parsed(enrolment(), enrolment(pupil("p2", given_name="Bruno"))))
    head = await registry.store.head()
    report = await take(registry, parsed(enrolment(), bulk=True))
    assert report.counts.missing == 1
    assert [p.code for p in report.problems] == ["missing_from_bulk"]
    assert await registry.store.head() == head


@pytest.mark.parametrize("pupils", [3000])
async def test_thousands_go_in_fast(registry: Registry, pupils: int) -> None:
    file = parsed(
        *(
            enrolment(
                pupil(f"p{n}", family_name=f"Cognome{n}"), guardian(f"g{n}"), guardian(f"h{n}"),
                klass=f"{n % 5 + 1}{chr(65 + n % 4)}", line=n,
            )
            for n in range(pupils)
        )
    )  # fmt: skip
    seen: list[tuple[int, int]] = []
    start = asyncio.get_running_loop().time()
    report = await take(registry, file, Options("operator", progress=lambda *at: seen.append(at)))
    seconds = asyncio.get_running_loop().time() - start
    assert report.counts.new_pupils == pupils
    assert seen[-1] == (pupils, pupils)
    assert seconds < 30, f"{seconds:.1f} s"


async def test_a_file_of_another_school_alone_is_told_so(registry: Registry) -> None:
    file = parsed(enrolment(pupil("x"), school=OTHER_SCHOOL, line=9))
    report = await take(registry, file, Options(actor="system:k", only_school=SCHOOL, dry_run=True))
    assert [(p.code, p.line) for p in report.problems] == [("school_anothers", 9)]
    assert f"parla della scuola {OTHER_SCHOOL}, non della sua ({SCHOOL})" in report.problems[0].message["it"]


async def test_a_second_class_of_the_same_door_is_told_before_it_is_there(registry: Registry) -> None:
    twins = (
        ClassFact("1A", 1, "A", None, "1A", SCHOOL, YEAR),
        ClassFact("1x", 1, "A", None, "1A", SCHOOL, YEAR),
    )
    both = parsed(enrolment(pupil("p1")), enrolment(pupil("p2", given_name="B"), klass="1x"), classes=twins)
    dry = Options(actor="operator", dry_run=True)
    assert [p.code for p in (await take(registry, both, dry)).problems] == ["class_of_another_door"]
    await take(registry, parsed(enrolment(pupil("p1"))))
    more = [enrolment(pupil(f"q{n}", given_name=name), klass="1x") for n, name in enumerate("CD")]
    report = await take(registry, parsed(*more, classes=twins[1:]), dry)
    assert [(p.code, p.severity) for p in report.problems] == [("class_second", "warning")]
    assert "una seconda classe 1A" in report.problems[0].message["it"]
