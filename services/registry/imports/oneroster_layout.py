"""The tables of OneRoster 1.2 CSV, with what 1.1 had instead: which columns are read, known, and never read.

Source: 1EdTech OneRoster 1.2.1 CSV binding. Only what the registry needs is read.
"""

from typing import Final

from services.registry.imports.table import Layout

_BASE: Final = frozenset({"sourcedId", "status", "dateLastModified"})
_ALIASES: Final = {"prefferedGivenName": "preferredGivenName", "dataLastModified": "dateLastModified"}


def _layout(read: str, required: str, known: str = "", never: str = "") -> Layout:
    def names(text: str) -> tuple[str, ...]:
        return tuple(text.split())

    aliases = {wrong: right for wrong, right in _ALIASES.items() if right in names(read)}
    other = _BASE | frozenset(names(known)) | frozenset(_ALIASES)
    return Layout(names(read), frozenset(names(required)), other, frozenset(names(never)), aliases)


MANIFEST: Final = _layout("propertyName value", "propertyName value")

ORGS: Final = _layout(
    "sourcedId status name type identifier",
    "sourcedId type",
    "parentSourcedId",
)
SESSIONS: Final = _layout(
    "sourcedId status title type startDate endDate parentSourcedId schoolYear",
    "sourcedId startDate endDate",
)
CLASSES: Final = _layout(
    "sourcedId status title grades classCode classType schoolSourcedId termSourcedIds",
    "sourcedId title classType schoolSourcedId termSourcedIds",
    "courseSourcedId location subjects subjectCodes periods resources",
)
ENROLLMENTS: Final = _layout(
    "sourcedId status classSourcedId userSourcedId role beginDate endDate",
    "classSourcedId userSourcedId role",
    "schoolSourcedId primary",
)
ROLES: Final = _layout(
    "userSourcedId status role",
    "userSourcedId role",
    "roleType beginDate endDate orgSourcedId userProfileSourcedId",
)
DEMOGRAPHICS: Final = _layout(
    "sourcedId status birthDate sex",
    "sourcedId birthDate",
    "countryOfBirthCode stateOfBirthAbbreviation cityOfBirth publicSchoolResidenceStatus",
    never="americanIndianOrAlaskaNative asian blackOrAfricanAmerican nativeHawaiianOrOtherPacificIslander white "
    "demographicRaceTwoOrMoreRaces hispanicOrLatinoEthnicity",
)
USERS: Final = _layout(
    "sourcedId status userIds givenName familyName email sms phone agentSourcedIds role",
    "sourcedId givenName familyName",
    "preferredGivenName enabledUser username middleName identifier grades userMasterIdentifier resourceSourcedIds preferredMiddleName "
    "preferredFamilyName primaryOrgSourcedId pronouns orgSourcedIds",
    never="password",
)

REQUIRED_FILES: Final = ("orgs", "academicSessions", "classes", "users", "enrollments")
GUARDIAN_ROLES: Final = frozenset({"guardian", "parent", "relative"})
