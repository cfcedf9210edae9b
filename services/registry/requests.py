"""One enrolment as a school's system sends it, over HTTP and on the bus alike (S3). Refusals never echo a value."""

import unicodedata
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from typing import Annotated, Literal

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from services.registry.codes import InvalidCode, check_codice_fiscale, check_codice_meccanografico
from services.registry.imports.cells import BadCell, read_email
from services.registry.imports.facts import ClassFact, EnrolmentFact, GuardianFact, PupilFact, Where
from services.registry.imports.labels import school_year_label
from shared.contracts.registry import EnrolmentKind, Relationship

_FORBIDDEN = {"Cc", "Cs", "Co", "Cn", "Zl", "Zp"}


def _clean(text: str) -> str:
    """NFC, one space between words; no control characters, no half characters."""
    if any(unicodedata.category(c) in _FORBIDDEN and not c.isspace() for c in text):
        raise PydanticCustomError("unusable_character", "holds a character that cannot be here")
    return " ".join(unicodedata.normalize("NFC", text).split())


def _nothing_if_empty(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _checked(check: Callable[[str], str]) -> AfterValidator:
    def validate(text: str) -> str:
        try:
            return check(text)
        except InvalidCode as wrong:
            raise PydanticCustomError(wrong.reason, "is not a valid code") from None
        except BadCell as bad:
            raise PydanticCustomError(bad.code, "is not in the expected form") from None

    return AfterValidator(validate)


def _unescaped(text: str) -> str:
    if any(unicodedata.category(c)[0] in "CZ" for c in text):
        raise PydanticCustomError("unusable_character", "holds a character that cannot be here")
    return text


_Empty = BeforeValidator(_nothing_if_empty)
Name = Annotated[str, Field(max_length=200), AfterValidator(_clean), Field(min_length=1)]
Id = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_clean), Field(min_length=1)]
Source = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_unescaped)]
CodiceFiscale = Annotated[str, _checked(check_codice_fiscale)]
Email = Annotated[str, _checked(read_email)]
School = Annotated[str, _checked(check_codice_meccanografico)]
Year = Annotated[str, _checked(school_year_label)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ClassRequest(_Model):
    """`id` is what the system calls the class; grade and section are what stands on its door."""

    id: Id
    grade: int | None = Field(default=None, ge=1, le=13)
    section: Annotated[str | None, Field(max_length=20), _Empty] = None
    curriculum: Annotated[str | None, Field(max_length=200), _Empty] = None
    title: Annotated[str | None, Field(max_length=200), _Empty] = None


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
    phone: Annotated[str | None, Field(max_length=30, pattern=r"^\+?[0-9 ./()-]{4,}$"), _Empty] = None
    language: Annotated[str | None, Field(pattern=r"^[a-z]{2,3}$"), _Empty] = None
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
        """Of what was said, however it was spelt: for idempotency keys."""
        return sha256(orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)).digest()

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


class CommandEnvelope(_Model):
    """What a school system publishes on `ingress.<school>.cmd`. `data` is an enrolment as over HTTP, in which
    `school` and `source` may be left out: they are the subject's and the envelope's. (school, id) is the
    idempotency key.
    """

    id: Annotated[str, Field(min_length=1, max_length=200)]
    source: Source
    command: Literal["Enrol"]
    data: dict[str, object]
