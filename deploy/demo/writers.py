"""Writes an invented school as a school system would: OneRoster 1.2 CSV in a ZIP, or the secretariat's CSV.

Bytes depend on the school alone: no clock, no compression (whose output varies between zlib versions).
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from deploy.demo.people import Person
from deploy.demo.school import School

_RACES: Final = (
    "americanIndianOrAlaskaNative asian blackOrAfricanAmerican nativeHawaiianOrOtherPacificIslander white "
    "demographicRaceTwoOrMoreRaces hispanicOrLatinoEthnicity"
)
_BASE: Final = "sourcedId status dateLastModified"
HEADERS: Final[Mapping[str, str]] = {
    "orgs": f"{_BASE} name type identifier parentSourcedId",
    "academicSessions": f"{_BASE} title type startDate endDate parentSourcedId schoolYear",
    "courses": f"{_BASE} schoolYearSourcedId title courseCode grades orgSourcedId subjects subjectCodes",
    "classes": f"{_BASE} title grades courseSourcedId classCode classType location schoolSourcedId termSourcedIds "
    "subjects subjectCodes periods",
    "users": f"{_BASE} enabledUser username userIds givenName familyName middleName identifier email sms phone "
    "agentSourcedIds grades password userMasterIdentifier resourceSourcedIds preferredGivenName preferredMiddleName "
    "preferredFamilyName primaryOrgSourcedId pronouns",
    "roles": f"{_BASE} userSourcedId roleType role beginDate endDate orgSourcedId userProfileSourcedId",
    "enrollments": f"{_BASE} classSourcedId schoolSourcedId userSourcedId role primary beginDate endDate",
    "demographics": f"{_BASE} birthDate sex {_RACES} countryOfBirthCode stateOfBirthAbbreviation cityOfBirth "
    "publicSchoolResidenceStatus",
}
_ABSENT: Final = (
    "categories classResources courseResources lineItemLearningObjectiveIds lineItems lineItemScoreScales resources "
    "resultLearningObjectiveIds results resultScoreScales scoreScales userProfiles userResources"
)
_ORG: Final = "org-1"


def oneroster(school: School) -> bytes:
    """The whole school as a OneRoster 1.2 bulk ZIP."""
    files = {"manifest": _manifest(school)}
    for name, rows in _tables(school).items():
        columns = HEADERS[name].split()
        files[name] = [columns, *([row.get(column, "") for column in columns] for row in rows)]
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, lines in files.items():
            member = zipfile.ZipInfo(f"{name}.csv", date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system = 3
            member.external_attr = 0o644 << 16
            archive.writestr(member, _csv(lines, ","))
    return content.getvalue()


def secretariat(rows: Iterable[Mapping[str, str]], columns: Sequence[str]) -> bytes:
    """Rows by column as the secretariat's programs write them: `;`, with a byte-order mark."""
    lines = [list(columns), *([row.get(column, "") for column in columns] for row in rows)]
    return b"\xef\xbb\xbf" + _csv(lines, ";")


def _csv(lines: Iterable[Sequence[str]], delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(lines)
    return text.getvalue().encode()


def _manifest(school: School) -> list[list[str]]:
    present = {f"file.{name}": "bulk" for name in HEADERS} | {
        f"file.{name}": "absent" for name in _ABSENT.split()
    }
    return [
        ["propertyName", "value"],
        ["manifest.version", "1.0"],
        ["oneroster.version", "1.2"],
        *([key, present[key]] for key in sorted(present)),
        ["source.systemName", "Registro inventato"],
        ["source.systemCode", school.profile.source_code],
    ]


def _tables(school: School) -> dict[str, list[dict[str, str]]]:
    profile, year = school.profile, school.ending_year
    session = f"as-{year}"
    period = {"startDate": f"{year - 1}-09-01", "endDate": f"{year}-08-31", "schoolYear": str(year)}
    classes = [_class(school, title, session) for title in school.classes]
    return {
        "orgs": [{"sourcedId": _ORG, "name": profile.name, "type": "school", "identifier": profile.codice}],
        "academicSessions": [
            {"sourcedId": session, "title": f"Anno scolastico {school.label}", "type": "schoolYear", **period}
        ],
        "courses": [
            {
                "sourcedId": "co-1",
                "schoolYearSourcedId": session,
                "title": "Gruppo classe",
                "orgSourcedId": _ORG,
            }
        ],
        "classes": classes,
        "users": _users(school),
        "roles": _roles(school),
        "enrollments": _enrollments(school),
        "demographics": [
            {
                "sourcedId": pupil.person.code,
                "birthDate": pupil.person.born.isoformat(),
                "sex": "female" if pupil.person.sex == "F" else "male",
            }
            for pupil in school.pupils()
        ],
    }


def _class_id(school: School, title: str) -> str:
    return f"cl-{school.ending_year}-{title}"


def _class(school: School, title: str, session: str) -> dict[str, str]:
    return {
        "sourcedId": _class_id(school, title),
        "title": title,
        "grades": f"{school.profile.school_level + int(title[0]) - 1:02d}",
        "courseSourcedId": "co-1",
        "classCode": title,
        "classType": "homeroom",
        "schoolSourcedId": _ORG,
        "termSourcedIds": session,
    }


def _user(person: Person) -> dict[str, str]:
    return {
        "sourcedId": person.code,
        "enabledUser": "true",
        "username": person.code.lower(),
        "userIds": f"{{CF:{person.codice_fiscale}}}" if person.codice_fiscale else "",
        "givenName": person.given,
        "familyName": person.family,
        "email": person.email,
        "sms": person.phone,
        "primaryOrgSourcedId": _ORG,
    }


def _users(school: School) -> list[dict[str, str]]:
    pupils = [
        _user(pupil.person) | {"agentSourcedIds": ",".join(guardian.code for guardian in pupil.guardians)}
        for pupil in school.pupils()
    ]
    guardians = school.guardians()
    parents = {guardian.code for guardian in guardians}
    teachers = [_user(teacher) for teacher in school.teachers.values() if teacher.code not in parents]
    return [*pupils, *map(_user, guardians), *teachers]


def _roles(school: School) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []

    def add(person: Person, role: str, kind: str = "primary") -> None:
        rows.append(
            {
                "sourcedId": f"ro-{role}-{person.code}",
                "userSourcedId": person.code,
                "roleType": kind,
                "role": role,
                "orgSourcedId": _ORG,
            }
        )

    for pupil in school.pupils():
        add(pupil.person, "student")
    teachers = {teacher.code for teacher in school.teachers.values()}
    for guardian in school.guardians():
        role = {"PADRE": "parent", "MADRE": "parent", "TUTORE": "guardian"}.get(
            guardian.relationship, "relative"
        )
        add(guardian, role, "secondary" if guardian.code in teachers else "primary")
    for teacher in school.teachers.values():
        add(teacher, "teacher")
    return rows


def _enrollments(school: School) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for title, pupils in school.classes.items():
        people = [(school.teachers[title], "teacher"), *((pupil.person, "student") for pupil in pupils)]
        rows.extend(
            {
                "sourcedId": f"en-{school.ending_year}-{title}-{person.code}",
                "classSourcedId": _class_id(school, title),
                "schoolSourcedId": _ORG,
                "userSourcedId": person.code,
                "role": role,
                "primary": "true" if role == "teacher" else "",
                "beginDate": f"{school.ending_year - 1}-09-01",
                "endDate": f"{school.ending_year}-08-31",
            }
            for person, role in people
        )
    return rows
