"""The facts of the registry: who belongs to the school (S2)."""

from datetime import date
from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from shared.contracts.event import Event, Personal, PersonalData, contract
from shared.contracts.policy import CredentialPolicy


class EnrolmentKind(StrEnum):
    first_year = "first_year"
    new_to_the_school = "new_to_the_school"
    continuing = "continuing"


class Relationship(StrEnum):
    father = "father"
    mother = "mother"
    legal_guardian = "legal_guardian"
    foster = "foster"
    grandfather = "grandfather"
    grandmother = "grandmother"
    uncle = "uncle"
    aunt = "aunt"
    brother = "brother"
    sister = "sister"
    other = "other"


class EndReason(StrEnum):
    transfer = "transfer"
    withdrawal = "withdrawal"
    diploma = "diploma"
    other = "other"


class PupilDetails(PersonalData):
    family_name: str
    given_name: str
    birth_date: date | None = None
    codice_fiscale: str | None = None
    institutional_email: str | None = None
    source: str
    external_id: str


class GuardianDetails(PersonalData):
    family_name: str
    given_name: str
    codice_fiscale: str | None = None
    email: str | None = None
    phone: str | None = None
    language: str | None = None
    source: str
    external_id: str


class PersonKind(StrEnum):
    pupil = "pupil"
    guardian = "guardian"


class Identifier(PersonalData):
    """What a school's system calls a person."""

    source: str
    external_id: str


class _RegistryEvent(Event):
    service: ClassVar[str] = "registry"


@contract
class SchoolRegistered(_RegistryEvent):
    """`school` is the codice meccanografico, `customer_id` the stable part of the school's own address."""

    school: str
    name: str
    customer_id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{1,39}$")
    entry_grade: int = 1


@contract
class CredentialPolicyAdopted(_RegistryEvent):
    school: str
    policy: CredentialPolicy
    reason: str


@contract
class SchoolYearOpenedV1(_RegistryEvent):
    """The first version knew a year by its label only; see the upcaster."""

    wire_name: ClassVar[str | None] = "SchoolYearOpened"
    school: str
    year: str = Field(pattern=r"^\d{4}/\d{4}$")


@contract
class SchoolYearOpened(_RegistryEvent):
    version: ClassVar[int] = 2
    school: str
    year: str = Field(pattern=r"^\d{4}/\d{4}$")
    starts: date
    ends: date


@contract
class ClassFormed(_RegistryEvent):
    class_id: str
    year: str
    title: str
    grade: int | None
    section: str | None
    curriculum: str | None
    source: str
    external_id: str


@contract
class ClassIdentified(_RegistryEvent):
    """Another of the school's systems calls the class by an id of its own."""

    class_id: str
    year: str
    source: str
    external_id: str


@contract
class StudentEnrolled(_RegistryEvent):
    """A pupil belongs to a class of a school year. Said once a year, and again after a return (M5)."""

    student: str
    year: str
    class_id: str
    kind: EnrolmentKind
    starts: date | None
    details: Personal[PupilDetails]


@contract
class StudentDetailsCorrected(_RegistryEvent):
    student: str
    details: Personal[PupilDetails]


@contract
class StudentMovedClass(_RegistryEvent):
    student: str
    year: str
    from_class: str
    to_class: str


@contract
class StudentWithdrawn(_RegistryEvent):
    student: str
    year: str
    on: date | None
    reason: EndReason


@contract
class GuardianLinked(_RegistryEvent):
    """A guardianship: one guardian, one child. A second child is a second link, never a second guardian (M1).

    It holds from year to year: `year` is the one in which it was made, and no later year repeats it. The details
    carry the address that was given first (E3).
    """

    guardian: str
    student: str
    year: str
    relationship: Relationship
    data_access: bool
    justifies_online: bool
    details: Personal[GuardianDetails]


@contract
class GuardianshipCorrected(_RegistryEvent):
    """The same guardianship, with another relationship or other rights than were said before."""

    guardian: str
    student: str
    relationship: Relationship
    data_access: bool
    justifies_online: bool


@contract
class GuardianDetailsCorrected(_RegistryEvent):
    """Names, phone and language as the school's system now has them. An address is filled in where none was given,
    and never replaced: that is the desk's, with an identity check (E3)."""

    guardian: str
    details: Personal[GuardianDetails]


@contract
class PersonIdentified(_RegistryEvent):
    """The same person under a further id: another of the school's systems knows them too. Stands in their stream."""

    person: str
    kind: PersonKind
    identifier: Personal[Identifier]
