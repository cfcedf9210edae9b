"""One enrolment as a school's system sends it, over HTTP and on the bus alike (S3). Refusals never echo a value."""

from collections.abc import Callable
from datetime import date
from hashlib import sha256
from typing import Annotated, Literal

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from services.registry.codes import InvalidCode, check_codice_fiscale, check_codice_meccanografico
from services.registry.imports.cells import BadCell, Cells, read_email
from services.registry.imports.facts import ClassFact, EnrolmentFact, GuardianFact, PupilFact, Where
from services.registry.imports.labels import school_year_label
from services.registry.imports.problems import Problems
from services.registry.mailboxes import Wanted
from shared.contracts.registry import EnrolmentKind, Relationship

Read = Callable[[Cells, str], str | None]


def _read(read: Read) -> AfterValidator:
    """As a cell of a file is read, so that the same person is the same by every way in."""

    def validate(text: str) -> str | None:
        try:
            return read(Cells("", Problems()), text)
        except BadCell as bad:
            raise PydanticCustomError(bad.code, "is not in the expected form") from None
        except InvalidCode as wrong:
            raise PydanticCustomError(wrong.reason, "is not a valid code") from None

    return AfterValidator(validate)


def _seen(text: str) -> str:
    """An id is kept as it is, and told in errors: nothing in it may act instead of being seen."""
    if not text.isprintable():
        raise PydanticCustomError("control_character", "holds a control character")
    return text


def _nothing_if_empty(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


_Empty = BeforeValidator(_nothing_if_empty)
Text = Annotated[str, Field(max_length=1000)]
Name = Annotated[Text, _read(lambda cells, text: cells.name(text, ""))]
Words = Annotated[Text, _read(lambda cells, text: cells.words(text, "") or None)]
Id = Annotated[Text, _read(lambda cells, text: cells.identifier(text, ""))]
Source = Annotated[str, Field(max_length=64), _read(lambda cells, text: cells.identifier(text, ""))]
Phone = Annotated[Text, _read(lambda cells, text: cells.phone(text, ""))]
Language = Annotated[Text, _read(lambda cells, text: cells.language(text, ""))]
CodiceFiscale = Annotated[Text, _read(lambda cells, text: check_codice_fiscale(text))]
Email = Annotated[Text, _read(lambda cells, text: read_email(text.strip()))]
School = Annotated[Text, _read(lambda cells, text: check_codice_meccanografico(text))]
Year = Annotated[Text, _read(lambda cells, text: school_year_label(text))]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ClassRequest(_Model):
    """`id` is what the system calls the class; grade and section are what stands on its door."""

    id: Id
    grade: int | None = Field(default=None, ge=1, le=13)
    section: Annotated[Words | None, _Empty] = None
    curriculum: Annotated[Words | None, _Empty] = None
    title: Annotated[Words | None, _Empty] = None


class PupilRequest(_Model):
    id: Id
    family_name: Name
    given_name: Name
    birth_date: date | None = None
    codice_fiscale: Annotated[CodiceFiscale | None, _Empty] = None
    institutional_email: Annotated[Email | None, _Empty] = None


class GuardianRequest(_Model):
    """`data_access` and `justifies_online` left out: the school's policy decides."""

    id: Id
    family_name: Name
    given_name: Name
    relationship: Relationship = Relationship.other
    codice_fiscale: Annotated[CodiceFiscale | None, _Empty] = None
    email: Annotated[Email | None, _Empty] = None
    phone: Annotated[Phone | None, _Empty] = None
    language: Annotated[Language | None, _Empty] = None
    data_access: bool | None = None
    justifies_online: bool | None = None


class EnrolmentRequest(_Model):
    """A pupil in a class of a school year, with the guardians. `source` names the sending system."""

    school: School
    source: Source
    school_year: Year
    school_class: ClassRequest = Field(alias="class")
    pupil: PupilRequest
    kind: EnrolmentKind | None = None
    starts: date | None = None
    guardians: tuple[GuardianRequest, ...] = Field(default=(), max_length=10)

    def fingerprint(self) -> bytes:
        return fingerprint(self)

    def class_fact(self) -> ClassFact:
        said = self.school_class
        title = said.title or (f"{said.grade}{said.section}" if said.grade and said.section else said.id)
        section = (said.section or "").upper()
        return ClassFact(said.id, said.grade, section, said.curriculum, title, self.school, self.school_year)

    def fact(self) -> EnrolmentFact:
        return EnrolmentFact(
            pupil=PupilFact(
                source=self.source,
                external_id=self.pupil.id,
                family_name=self.pupil.family_name,
                given_name=self.pupil.given_name,
                birth_date=self.pupil.birth_date,
                codice_fiscale=self.pupil.codice_fiscale,
                institutional_email=self.pupil.institutional_email,
            ),
            school=self.school,
            school_year=self.school_year,
            class_external_id=self.school_class.id,
            kind=self.kind,
            starts=self.starts,
            ends=None,
            end_reason=None,
            guardians=tuple(self._guardian(guardian) for guardian in self.guardians),
            ended=False,
            at=Where("", 0),
        )

    def _guardian(self, guardian: GuardianRequest) -> GuardianFact:
        return GuardianFact(
            source=self.source,
            external_id=guardian.id,
            family_name=guardian.family_name,
            given_name=guardian.given_name,
            codice_fiscale=guardian.codice_fiscale,
            relationship=guardian.relationship,
            email=guardian.email,
            phone=guardian.phone,
            language=guardian.language,
            data_access=guardian.data_access,
            justifies_online=guardian.justifies_online,
        )


class MailboxRequest(_Model):
    """One pupil's mailbox, which is there and receives. The pupil is `student` (opaque id), or `pupil` (what `source`
    calls them), or `codice_fiscale`: exactly one of them."""

    address: Email
    student: Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_seen)] | None = None
    pupil: Id | None = None
    source: Source | None = None
    codice_fiscale: CodiceFiscale | None = None

    @model_validator(mode="after")
    def _one_pupil(self) -> "MailboxRequest":
        if sum(value is not None for value in (self.student, self.pupil, self.codice_fiscale)) != 1:
            raise PydanticCustomError("one_pupil", "name the pupil once: student, pupil or codice_fiscale")
        return self

    def wanted(self, at: int, source: str | None = None) -> Wanted:
        return Wanted(
            at,
            self.address,
            student=self.student,
            source=self.source or source,
            external_id=self.pupil,
            codice_fiscale=self.codice_fiscale,
        )


class MailboxesRequest(_Model):
    """`source` is whose ids `pupil` are, where a mailbox does not say its own; without any, all the school's systems'."""

    source: Source | None = None
    mailboxes: tuple[MailboxRequest, ...] = Field(min_length=1, max_length=5000)

    def wanted(self) -> list[Wanted]:
        return [one.wanted(at, self.source) for at, one in enumerate(self.mailboxes)]


def fingerprint(request: BaseModel) -> bytes:
    """Of what was said, however it was spelt: for idempotency keys."""
    return sha256(orjson.dumps(request.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)).digest()


class CommandEnvelope(_Model):
    """What a school system publishes on `ingress.<school>.cmd`: `data` is an enrolment as over HTTP (`Enrol`), in which
    `school` and `source` may be left out (they are the subject's and the envelope's), or a pupil's mailbox
    (`ActivateMailbox`). (school, id) is the idempotency key.
    """

    id: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_seen)]
    source: Source
    command: Literal["Enrol", "ActivateMailbox"]
    data: dict[str, object]
