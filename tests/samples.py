"""Events for kernel tests: invented people, as the contracts want them."""

from datetime import date

from shared.contracts.event import Context, Event, Personal
from shared.contracts.registry import (
    EnrolmentKind,
    PupilDetails,
    SchoolRegistered,
    StudentEnrolled,
    StudentMovedClass,
)
from shared.eventstore.units import Append, Unit
from shared.ids import new_id

SCHOOL = "RMIC00000X"
CONTEXT = Context(actor="system:test", correlation="c-1")


def enrolled(student: str | None = None, family: str = "Verdi", given: str = "Anna") -> StudentEnrolled:
    student = student or new_id()
    details = PupilDetails(
        family_name=family, given_name=given, birth_date=date(2014, 2, 3), source="test", external_id=student
    )
    return StudentEnrolled(
        student=student,
        year="2026/2027",
        class_id="1A",
        kind=EnrolmentKind.first_year,
        starts=date(2026, 9, 14),
        details=Personal(person=student, value=details),
    )


def moved(student: str, to: str = "1B") -> StudentMovedClass:
    return StudentMovedClass(student=student, year="2026/2027", from_class="1A", to_class=to)


def registered() -> SchoolRegistered:
    return SchoolRegistered(school=SCHOOL, name="Istituto di prova", customer_id="prova")


def unit(*events: Event, stream: str, expected: int = 0, school: str = SCHOOL) -> Unit:
    return Unit(school, CONTEXT, (Append(stream, expected, events),))
