"""What the secretary is told before credentials go out, once a file, in the dry run as in the run itself (M11)."""

from datetime import date
from typing import Any

import httpx
import pytest

from services.registry.intake import Options
from services.registry.operations import Registry
from services.registry.report import Report
from shared.contracts.policy import EMAIL
from shared.contracts.registry import EnrolmentKind
from tests.integration.registry_fixtures import (
    NEXT_YEAR,
    SCHOOL,
    enrolment,
    guardian,
    kek_file,
    parsed,
    pupil,
    registry,
    registry_settings,
)
from tests.integration.test_registry_http import body, key, signed, site
from tests.integration.test_registry_intake import DRY, OPERATOR, take

__all__ = ["kek_file", "key", "registry", "registry_settings", "signed", "site"]


def told(report: Report, code: str) -> list[dict[str, str]]:
    found = [problem for problem in report.problems if problem.code == code]
    assert all((problem.severity, problem.line) == ("warning", None) for problem in found)
    return [problem.message for problem in found]


@pytest.mark.parametrize("options", [DRY, OPERATOR])
async def test_pupils_taken_as_new_are_told_once_with_their_number(
    registry: Registry, options: Options
) -> None:
    await take(registry, parsed(enrolment(pupil("known"), klass="1A")))
    file = parsed(
        enrolment(pupil("known", given_name="Anna"), klass="2A", year=NEXT_YEAR),
        enrolment(pupil("p2", given_name="Ugo"), klass="2A", year=NEXT_YEAR),
        enrolment(pupil("p3", given_name="Ida"), klass="3A", year=NEXT_YEAR),
        enrolment(pupil("p4", given_name="Eva"), klass="1A", year=NEXT_YEAR),
        enrolment(pupil("p5", given_name="Leo"), klass="2A", year=NEXT_YEAR, kind=EnrolmentKind.continuing),
    )
    report = await take(registry, file, options)
    assert (report.counts.kind_assumed, report.counts.warnings) == (2, 1)
    (message,) = told(report, "kind_assumed")
    assert message["en"].startswith("2 pupils beyond the entry grade have no enrolment kind")
    assert message["it"].startswith("2 alunni oltre il primo anno")


@pytest.mark.parametrize("options", [DRY, OPERATOR])
@pytest.mark.parametrize("exclusive", [True, False])
async def test_guardians_without_an_address_are_counted_and_told_where_mail_is_the_only_way(
    registry: Registry, options: Options, exclusive: bool
) -> None:
    if exclusive:
        await registry.adopt_policy(SCHOOL, EMAIL, "circolare 3")
    silent = guardian("g2", given_name="Ugo", email=None)
    file = parsed(
        enrolment(pupil("p1"), guardian("g1"), silent),
        enrolment(pupil("p2", given_name="Ida"), guardian("g1", email=None), silent),
    )
    report = await take(registry, file, options)
    assert report.counts.without_email == 1
    assert report.counts.warnings == exclusive
    messages = [message["en"] for message in told(report, "guardians_without_email")]
    said = "1 guardians have no e-mail address: the school's policy sends credentials only there."
    assert messages == [said] * exclusive


async def test_an_address_that_differs_is_not_promised_a_desk(registry: Registry) -> None:
    await take(registry, parsed(enrolment(pupil(), guardian("g1"))))
    report = await take(registry, parsed(enrolment(pupil(), guardian("g1", email="new@example.org"))))
    (problem,) = report.problems
    assert problem.code == "address_differs"
    assert "an address is never changed by a file" in problem.message["en"]
    assert "sportello" not in problem.message["it"] and "new@example.org" not in str(problem)


async def test_a_birth_date_that_changes_is_told(registry: Registry) -> None:
    await take(registry, parsed(enrolment(pupil("p1", birth_date=None), klass="1A")))
    first = await take(registry, parsed(enrolment(pupil("p1"), klass="1A")))
    assert first.problems == []
    report = await take(registry, parsed(enrolment(pupil("p1", birth_date=date(2013, 2, 3)), klass="1A")))
    (problem,) = report.problems
    assert (problem.code, problem.column) == ("birth_date_changed", "data_nascita_alunno")
    assert "2013" not in str(problem.message)
    again = await take(registry, parsed(enrolment(pupil("p1", birth_date=date(2013, 2, 3)), klass="1A")))
    assert again.problems == []


async def enrolled(site: httpx.AsyncClient, key: dict[str, str], **changes: Any) -> list[tuple[str, str]]:
    answer = await site.post("/api/registry/enrolments", json=body(**changes), headers=key)
    assert answer.status_code in (200, 201), answer.text
    return [(warning["pointer"], warning["code"]) for warning in answer.json()["warnings"]]


async def test_single_enrolments_are_answered_with_these_warnings(
    site: httpx.AsyncClient, key: dict[str, str]
) -> None:
    assert await enrolled(site, key) == []
    changed = body()["pupil"] | {"birth_date": "2013-02-03"}
    assert await enrolled(site, key, pupil=changed) == [("#/pupil/birth_date", "birth_date_changed")]
    second = {"id": "c2", "grade": 1, "section": "B"}
    other = {"id": "78", "family_name": "Neri", "given_name": "Ugo"}
    assert await enrolled(site, key, pupil=other, guardians=[], **{"class": second}) == []
    for wrong, told in (
        ({"id": "c2", "grade": 1, "section": "a"}, "class_of_another_door"),
        ({"id": "c3", "grade": 1, "section": "A"}, "class_second"),
    ):
        third = {"id": f"{wrong['id']}x", "family_name": "Blu", "given_name": "Ida"}
        found = await enrolled(site, key, pupil=third, guardians=[], **{"class": wrong})
        assert found == [("#/class", told)]
    curricula = {"id": "c4", "grade": 1, "section": "B", "curriculum": "classico"}
    assert ("#/class", "class_of_another_door") in await enrolled(site, key, **{"class": curricula})
