"""JSON over HTTP: what a school's systems say, and what they may ask. Described at /api/registry/openapi.json."""

from pathlib import PurePath
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel

from services.registry.authority import (
    AuthorisedFirst,
    Enrolling,
    Importing,
    Reading,
    Speaker,
    must_speak_for,
    registry_of,
)
from services.registry.enrolments import Answer, Entered, KeyReused, NotEntered, SchoolUnknown, Wanted
from services.registry.findings import Finding
from services.registry.intake import Options
from services.registry.operations import Registry
from services.registry.queries import today
from services.registry.report import Report
from services.registry.requests import EnrolmentRequest
from services.registry.uploads import DESCRIBED, Uploads
from shared.contracts.event import Context
from shared.eventstore.units import IdempotencyKey
from shared.ids import new_id
from shared.web.description import API_KEY, SESSION, problems, secured
from shared.web.errors import TITLES, Problem
from shared.web.i18n import N_, current_language

router = APIRouter(prefix="/api/registry", tags=["registry"], route_class=AuthorisedFirst)
_BY_EITHER = secured(API_KEY, SESSION)


class Warned(BaseModel):
    code: str
    pointer: str
    detail: str


class EnrolmentAnswer(BaseModel):
    """Opaque ids of pupil, class and guardians. `new` is false where the same had been said before."""

    student: str
    class_id: str | None
    guardians: list[str]
    new: bool
    warnings: list[Warned]


class ClassAnswer(BaseModel):
    class_id: str
    title: str
    grade: int | None
    section: str | None
    curriculum: str | None
    pupils: int


class ClassesAnswer(BaseModel):
    """`year` is the one asked for, else the latest; `years` are all that are open."""

    school: str
    year: str | None
    years: list[str]
    classes: list[ClassAnswer]


class PupilAnswer(BaseModel):
    student: str
    family_name: str | None
    given_name: str | None
    kind: str | None


@router.post(
    "/enrolments",
    status_code=201,
    responses={200: {"model": EnrolmentAnswer}, **problems(401, 403, 404, 409, 503)},
    openapi_extra=_BY_EITHER,
)
async def enrol(
    request: Request,
    response: Response,
    who: Enrolling,
    enrolment: EnrolmentRequest,
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=200)] = None,
) -> EnrolmentAnswer:
    """Enter one enrolment. 201 when something came of it, 200 when the same had been said before."""
    registry = registry_of(request)
    await must_speak_for(registry, who, enrolment.school)
    key = None
    if idempotency_key is not None:
        key = IdempotencyKey(f"enrolment/{who.school}", idempotency_key, enrolment.fingerprint())
    answer = await registry.enrolments.enter(Wanted(enrolment, _context(request, who), key))
    entered = _entered(answer)
    if not entered.new:
        response.status_code = 200
    return EnrolmentAnswer(
        student=entered.student,
        class_id=entered.class_id,
        guardians=list(entered.guardians),
        new=entered.new,
        warnings=[
            Warned(code=found.code, pointer=_pointer(found), detail=_text(found))
            for found in entered.warnings
        ],
    )


@router.post("/imports", responses=problems(401, 403, 422, 503), openapi_extra=DESCRIBED | _BY_EITHER)
async def import_file(
    request: Request,
    who: Importing,
    dry_run: Annotated[bool, Query(description="Only say what would happen.")] = False,
    all_or_nothing: Annotated[bool, Query(description="One error, and nothing goes in.")] = False,
    source: Annotated[
        str | None, Query(max_length=64, description="Whose ids these are, if not the file's own.")
    ] = None,
) -> Report:
    """Enter what a file says of the caller's school. The report tells file, line, column and reason of what is wrong."""
    registry = registry_of(request)
    options = Options(actor=who.actor, only_school=who.school, dry_run=dry_run, all_or_nothing=all_or_nothing)
    uploads: Uploads = request.app.state.uploads
    async with uploads.received(request) as file:
        name = PurePath(file.filename or "file").name
        report = await registry.import_file(name, file.file, options, source=source or None)
    if report.unreadable:
        raise Problem(
            422,
            "file-unreadable",
            N_("File non leggibile"),
            "",
            errors=[
                {"pointer": "#/file", "code": p.code, "detail": p.message[_language()]}
                for p in report.problems
            ],
        )
    return report


@router.get("/schools/{code}/classes", responses=problems(401, 403, 404, 503), openapi_extra=_BY_EITHER)
async def classes(
    request: Request, who: Reading, code: str, year: Annotated[str | None, Query(max_length=9)] = None
) -> ClassesAnswer:
    """The classes of a school year, with how many pupils are enrolled today."""
    registry = registry_of(request)
    await must_speak_for(registry, who, code)
    years = await registry.queries.years(code)
    chosen = year or (years[0] if years else None)
    found = (
        [] if chosen is None else await registry.queries.classes(code, chosen, today(registry.store.clock()))
    )
    return ClassesAnswer(
        school=code,
        year=chosen,
        years=years,
        classes=[
            ClassAnswer(
                class_id=row.class_id,
                title=row.title,
                grade=row.grade,
                section=row.section,
                curriculum=row.curriculum,
                pupils=row.pupils,
            )
            for row in found
        ],
    )


@router.get(
    "/schools/{code}/classes/{class_id}/pupils",
    responses=problems(401, 403, 404, 503),
    openapi_extra=_BY_EITHER,
)
async def pupils(request: Request, who: Reading, code: str, class_id: str) -> list[PupilAnswer]:
    """Who is enrolled in a class today."""
    registry: Registry = registry_of(request)
    await must_speak_for(registry, who, code)
    rows = await registry.queries.class_pupils(code, class_id, today(registry.store.clock()))
    return [
        PupilAnswer(
            student=row.student, family_name=row.family_name, given_name=row.given_name, kind=row.kind
        )
        for row in rows
    ]


def _context(request: Request, who: Speaker) -> Context:
    return Context(
        actor=who.actor, correlation=new_id(), traceparent=getattr(request.state, "traceparent", None)
    )


def _entered(answer: Answer) -> Entered:
    match answer:
        case Entered():
            return answer
        case SchoolUnknown():
            raise Problem(404, "school-unknown", N_("Scuola non registrata"))
        case KeyReused():
            raise Problem(
                422,
                "idempotency-key-reused",
                N_("Chiave di idempotenza già usata"),
                N_("Questa Idempotency-Key è già servita per una richiesta con altro contenuto."),
            )
        case NotEntered(findings):
            raise Problem(
                409,
                "enrolment-refused",
                TITLES[409],
                N_("L’iscrizione contraddice ciò che è già noto: nulla è stato registrato."),
                errors=[
                    {"pointer": _pointer(found), "code": found.code, "detail": _text(found)}
                    for found in findings
                ],
            )


def _pointer(finding: Finding) -> str:
    """Where in the request, as RFC 6901 has it."""
    parts = (finding.field or "").split(".")
    if parts[0] == "guardian" and finding.index is not None:
        parts[:1] = ["guardians", str(finding.index)]
    return "#/" + "/".join(part for part in parts if part)


def _text(finding: Finding) -> str:
    return finding.message[_language()]


def _language() -> str:
    return "it" if current_language() == "it" else "en"
