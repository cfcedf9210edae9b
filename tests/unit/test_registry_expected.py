"""What a dry run says of credentials: mailed, printed, waiting or the desk's to decide, as the policy has it."""

from datetime import date
from typing import Any

import pytest

from services.registry.expected import Expected, Newcomers
from services.registry.steps import Planned
from shared.contracts.event import Personal
from shared.contracts.policy import EMAIL, PAPER, Channel, CredentialPolicy, RolePolicy
from shared.contracts.registry import (
    EnrolmentKind,
    GuardianDetails,
    GuardianLinked,
    PupilDetails,
    Relationship,
    StudentEnrolled,
)

TODAY = date(2026, 9, 1)
ADULT, CHILD = date(2008, 9, 1), date(2008, 9, 2)
NOTHING = RolePolicy(channel=Channel.none)


def enrolled(pupil: str, born: date | None = CHILD, **changes: Any) -> StudentEnrolled:
    details = PupilDetails(
        family_name="Verdi", given_name="Anna", birth_date=born, source="s", external_id=pupil
    )
    usual: dict[str, Any] = {"year": "2026/2027", "class_id": "c", "kind": EnrolmentKind.first_year}
    return StudentEnrolled(
        student=pupil,
        starts=None,
        details=Personal(person=pupil, value=details),
        **(usual | changes),
    )


def linked(guardian: str, pupil: str, email: str | None = "a@example.org", **changes: Any) -> GuardianLinked:
    details = GuardianDetails(
        family_name="Verdi", given_name="Carla", email=email, source="s", external_id=guardian
    )
    usual: dict[str, Any] = {"data_access": True, "justifies_online": False}
    return GuardianLinked(
        guardian=guardian,
        student=pupil,
        year="2026/2027",
        relationship=Relationship.mother,
        details=Personal(person=guardian, value=details),
        **(usual | changes),
    )


def planned(*events: StudentEnrolled | GuardianLinked, new: str) -> Planned:
    return Planned(events=list(events), newcomers=set(new.split()))


FILE = (
    planned(enrolled("p1"), linked("g1", "p1"), linked("g2", "p1", email=None), new="p1 g1 g2"),
    planned(enrolled("p2", ADULT), linked("g1", "p2"), new="p2"),  # a second child, the same guardian
    planned(enrolled("p3", kind=EnrolmentKind.continuing), linked("g3", "p3"), new="p3 g3"),
    planned(enrolled("p4", kind=EnrolmentKind.continuing), linked("g4", "p4"), new="g4"),  # known here
    planned(enrolled("p5", None), linked("g5", "p5", data_access=False), new="p5 g5"),
)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (PAPER, Expected(on_slips=5, for_the_desk=3)),
        (EMAIL, Expected(by_mail=1, wait_for_address=1, wait_for_mailbox=3, for_the_desk=3)),
        (None, Expected(wait_for_policy=5, for_the_desk=3)),
        (
            EMAIL.model_copy(update={"campaign_opens": date(2026, 9, 2)}),
            Expected(
                wait_for_campaign=1,
                wait_for_address=1,
                wait_for_mailbox=3,
                for_the_desk=3,
                campaign_opens=date(2026, 9, 2),
            ),
        ),
        (
            EMAIL.model_copy(update={"campaign_opens": TODAY, "pupil_under_age": NOTHING}),
            Expected(by_mail=1, wait_for_address=1, wait_for_mailbox=1, not_foreseen=2, for_the_desk=3),
        ),
        (
            PAPER.model_copy(update={"local_credentials_until": TODAY}),
            Expected(not_foreseen=5, for_the_desk=3),
        ),
        (
            PAPER.model_copy(update={"pupil_of_age": NOTHING}),
            Expected(on_slips=4, not_foreseen=1, for_the_desk=3),
        ),
    ],
)
def test_newcomers_under_a_policy(policy: CredentialPolicy | None, expected: Expected) -> None:
    newcomers = Newcomers(TODAY)
    newcomers.take(FILE)
    assert newcomers.under(policy) == expected


def test_a_guardian_of_a_newcomer_is_issued_though_another_child_continues() -> None:
    newcomers = Newcomers(TODAY)
    newcomers.take(
        [
            planned(enrolled("p1", kind=EnrolmentKind.continuing), linked("g1", "p1"), new="p1 g1"),
            planned(enrolled("p2"), linked("g1", "p2"), new="p2"),
        ]
    )
    assert newcomers.under(PAPER) == Expected(on_slips=2, for_the_desk=1)


def test_schools_of_one_file_are_added_up() -> None:
    total = Expected(by_mail=1, wait_for_mailbox=2)
    total.add(Expected(by_mail=3, for_the_desk=1, campaign_opens=TODAY))
    assert total == Expected(by_mail=4, wait_for_mailbox=2, for_the_desk=1, campaign_opens=TODAY)
