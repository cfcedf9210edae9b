"""The facts of the registry: who belongs to the school (S2)."""

from datetime import date
from enum import StrEnum
from typing import ClassVar

from pydantic import ConfigDict, Field

from shared.contracts import earlier
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


class IdentityCheck(StrEnum):
    """How whoever sat at the desk knew who stood before it."""

    identity_document = "identity_document"
    known_in_person = "known_in_person"
    called_back = "called_back"
    delegate_with_document = "delegate_with_document"


class RestrictionGround(StrEnum):
    court_order = "court_order"
    parental_responsibility = "parental_responsibility"
    pupil_of_age = "pupil_of_age"
    other = "other"


class EndGround(StrEnum):
    court_order = "court_order"
    wrong_link = "wrong_link"
    merged = "merged"
    other = "other"


class StaffKind(StrEnum):
    teacher = "teacher"
    ata = "ata"
    secretary = "secretary"
    principal = "principal"


class Note(PersonalData):
    """What the desk, or a holder, wrote about a case."""

    text: str


class ContactAddress(PersonalData):
    email: str


class StaffContact(PersonalData):
    family_name: str
    given_name: str
    email: str | None = None


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
class CredentialPolicyAdoptedV1(_RegistryEvent):
    # In force from the moment of its adoption. No docstring: it would be in the published schema.
    model_config = ConfigDict(title="CredentialPolicyAdopted")
    wire_name: ClassVar[str | None] = "CredentialPolicyAdopted"
    school: str
    policy: earlier.CredentialPolicy
    reason: str


@contract
class CredentialPolicyAdopted(_RegistryEvent):
    """Who adopted it is the event's actor. `in_force_from` (local date) is never before the day of the adoption, but
    None is: from this moment on. It never changes what was decided before it."""

    version: ClassVar[int] = 2
    school: str
    policy: CredentialPolicy
    reason: str
    in_force_from: date | None = None


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


@contract
class GuardianshipRestricted(_RegistryEvent):
    """From `on` (local date; today or later) this guardian sees nothing of this child, whatever an import says (M3)."""

    guardian: str
    student: str
    on: date
    ground: RestrictionGround
    note: Personal[Note]


@contract
class GuardianshipRestrictionLifted(_RegistryEvent):
    guardian: str
    student: str
    note: Personal[Note]


@contract
class GuardianshipEnded(_RegistryEvent):
    """From `on` this guardianship is no more. Said again by a system, it comes back only by the desk (M3)."""

    guardian: str
    student: str
    on: date
    ground: EndGround
    note: Personal[Note]


@contract
class WrongChildReported(_RegistryEvent):
    """*This is not my child*: what the guardian sees of the child is closed until the desk has decided (M9)."""

    guardian: str
    student: str
    note: Personal[Note]


@contract
class WrongChildRejected(_RegistryEvent):
    """The link was right after all. Where it was wrong, `GuardianshipEnded` says so."""

    guardian: str
    student: str
    note: Personal[Note]


@contract
class GuardiansMerged(_RegistryEvent):
    """`merged` was a second record of `guardian`: their links were made `guardian`'s before. Stands in the stream of
    `merged` (M1)."""

    guardian: str
    merged: str
    note: Personal[Note]


@contract
class ContactAddressCorrected(_RegistryEvent):
    """The address for credentials, put right at the desk after an identity check (E3)."""

    guardian: str
    address: Personal[ContactAddress]
    identity_check: IdentityCheck
    reason: Personal[Note]


@contract
class InstitutionalMailboxActivated(_RegistryEvent):
    """The pupil's mailbox exists and receives: only now may credentials go there (E8)."""

    student: str
    mailbox: Personal[ContactAddress]


@contract
class JustificationServiceRequested(_RegistryEvent):
    """A parent asked for online justification of this child, having confirmed it with PIN or password (P8)."""

    guardian: str
    student: str


@contract
class JustificationServiceActivated(_RegistryEvent):
    """From now on, and from year to year, this guardian may justify this child's absences online (P8)."""

    guardian: str
    student: str


@contract
class JustificationServiceEnded(_RegistryEvent):
    """Ended, or a request for it refused: `note` says why."""

    guardian: str
    student: str
    note: Personal[Note]


@contract
class ParentalAccessConsented(_RegistryEvent):
    """A pupil of age lets (or no longer lets) this guardian see their data, where the policy asks (M4)."""

    student: str
    guardian: str
    consents: bool


@contract
class StaffMemberAppointed(_RegistryEvent):
    """Somebody works at the school: whom circulars reach. `person` is that of their account, where they have one."""

    person: str
    kind: StaffKind
    details: Personal[StaffContact]


@contract
class StaffMemberLeft(_RegistryEvent):
    person: str


@contract
class TeacherAssigned(_RegistryEvent):
    """This person teaches in this class, and may record what is handed over there (P5)."""

    teacher: str
    class_id: str


@contract
class TeacherUnassigned(_RegistryEvent):
    teacher: str
    class_id: str
