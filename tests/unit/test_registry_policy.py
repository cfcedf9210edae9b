"""A school's policy: adopted for a day, never backwards, never against itself; and what another would change."""

from datetime import date, timedelta
from typing import Any

import pytest

from services.registry.domain.credential_rules import contradictions
from services.registry.domain.school import SCHOOL, AdoptPolicy, School
from services.registry.policy_book import Standing, standing
from services.registry.policy_terms import Difference, Numbers, Preview, differences
from services.registry.policy_words import consequences, of_role, of_school
from shared.contracts.policy import (
    EMAIL,
    PAPER,
    Channel,
    CredentialPolicy,
    FirstChange,
    HolderRole,
    PinRule,
    RolePolicy,
)
from shared.contracts.registry import CredentialPolicyAdopted, SchoolRegistered
from shared.testing.bdd import given

CODE = "RMIC8AB00X"
REGISTERED = SchoolRegistered(school=CODE, name="IC Verdi", customer_id="verdi")
TODAY, TOMORROW = date(2026, 9, 1), date(2026, 9, 2)
OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)
THIRD = PAPER.model_copy(update={"reminder_days": None})


def adopted(policy: CredentialPolicy, day: date | None = None) -> CredentialPolicyAdopted:
    return CredentialPolicyAdopted(school=CODE, policy=policy, reason="r", in_force_from=day)


def adopt(policy: CredentialPolicy, day: date | None = None, **more: Any) -> AdoptPolicy:
    return AdoptPolicy(policy, "r", TODAY, day, **more)


def after(*events: CredentialPolicyAdopted) -> School:
    return SCHOOL.fold([REGISTERED, *events])


@pytest.mark.parametrize("day", [None, TODAY, OCTOBER])
def test_a_policy_is_adopted_for_today_or_later(day: date | None) -> None:
    given(SCHOOL, REGISTERED).when(adopt(EMAIL, day)).then(adopted(EMAIL, day))


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (TODAY - timedelta(days=1), "in_force_from_past"),
        (date(2206, 9, 1), "in_force_from_far"),
    ],
)
def test_a_day_that_cannot_be_is_refused(day: date, reason: str) -> None:
    given(SCHOOL, REGISTERED).when(adopt(EMAIL, day)).then_refused(reason)


def test_the_day_brings_a_planned_policy_into_force() -> None:
    school = after(adopted(PAPER), adopted(EMAIL, OCTOBER))
    days = (TODAY, OCTOBER - timedelta(days=1), OCTOBER, date(2027, 6, 1))
    assert [school.policy_on(day) for day in days] == [PAPER, PAPER, EMAIL, EMAIL]
    assert [planned.policy for planned in school.planned(TODAY)] == [EMAIL]
    assert after(adopted(EMAIL, OCTOBER)).policy_on(TODAY) is None


@pytest.mark.parametrize("day", [TODAY, TOMORROW, OCTOBER])
def test_a_later_adoption_for_an_earlier_or_equal_day_replaces_the_planned_one(day: date) -> None:
    school = after(adopted(PAPER), adopted(EMAIL, OCTOBER), adopted(THIRD, day))
    assert school.policy_on(OCTOBER) == school.policy_on(NOVEMBER) == THIRD
    assert school.policy_on(day - timedelta(days=1)) == PAPER


def test_a_later_adoption_for_a_later_day_leaves_it() -> None:
    school = after(adopted(PAPER), adopted(EMAIL, OCTOBER), adopted(THIRD, NOVEMBER))
    assert [school.policy_on(day) for day in (TODAY, OCTOBER, NOVEMBER)] == [PAPER, EMAIL, THIRD]


def test_what_is_to_hold_anyway_is_nothing() -> None:
    given(SCHOOL, REGISTERED, adopted(PAPER)).when(adopt(PAPER, OCTOBER)).then_nothing()
    planned = adopted(EMAIL, OCTOBER)
    given(SCHOOL, REGISTERED, adopted(PAPER), planned).when(adopt(EMAIL, OCTOBER)).then_nothing()
    given(SCHOOL, REGISTERED, adopted(PAPER), planned).when(adopt(EMAIL, NOVEMBER)).then_nothing()


def test_the_present_one_again_from_today_takes_a_plan_back() -> None:
    planned = adopted(EMAIL, OCTOBER)
    given(SCHOOL, REGISTERED, adopted(PAPER), planned).when(adopt(PAPER)).then(adopted(PAPER))
    assert after(adopted(PAPER), planned, adopted(PAPER)).policy_on(NOVEMBER) == PAPER


def test_whoever_decides_has_seen_what_stands() -> None:
    given(SCHOOL, REGISTERED, adopted(PAPER)).when(adopt(EMAIL, seen=1)).then(adopted(EMAIL))
    given(SCHOOL, REGISTERED, adopted(PAPER)).when(adopt(EMAIL, seen=0)).then_refused("policy_changed")
    given(SCHOOL, REGISTERED, adopted(EMAIL)).when(adopt(EMAIL, seen=0)).then_nothing()


def with_(role: str, **rules: Any) -> CredentialPolicy:
    return PAPER.model_copy(update={role: RolePolicy(**rules)})


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        (with_("pupil_under_age", channel=Channel.slip, pin=PinRule.issued), "pin_on_slip"),
        (with_("guardian", channel=Channel.slip, pin=PinRule.issued), "pin_on_slip"),
        (with_("guardian", channel=Channel.none, exclusive=True), "exclusive_of_nothing"),
        (with_("pupil_of_age", channel=Channel.none, pin=PinRule.chosen), "pin_of_nothing"),
        (with_("pupil_under_age", channel=Channel.email), "email_of_pupil"),
        (with_("pupil_of_age", channel=Channel.email), "email_of_pupil"),
        (with_("guardian", channel=Channel.institutional_mailbox), "mailbox_of_guardian"),
        (with_("staff", channel=Channel.slip), "staff_in_person"),
        (
            PAPER.model_copy(update={"campaign_opens": NOVEMBER, "local_credentials_until": OCTOBER}),
            "campaign_after_end",
        ),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused(policy: CredentialPolicy, code: str) -> None:
    assert [wrong.code for wrong in contradictions(policy)] == [code]
    given(SCHOOL, REGISTERED).when(adopt(policy)).then_refused("policy_contradictory")


@pytest.mark.parametrize(
    "policy", [PAPER, EMAIL, with_("guardian", channel=Channel.slip, pin=PinRule.chosen)]
)
def test_the_circulars_contradict_nothing(policy: CredentialPolicy) -> None:
    assert not contradictions(policy)


@pytest.mark.parametrize(
    ("days", "today", "expected"),
    [
        ([TODAY], TODAY, ["in_force"]),
        ([TODAY, OCTOBER], TODAY, ["in_force", "planned"]),
        ([TODAY, OCTOBER], OCTOBER, ["past", "in_force"]),
        ([TODAY, OCTOBER, OCTOBER], TODAY, ["in_force", "replaced", "planned"]),
        ([TODAY, OCTOBER, TODAY], TODAY, ["past", "replaced", "in_force"]),
        ([TODAY, OCTOBER, NOVEMBER], OCTOBER, ["past", "in_force", "planned"]),
    ],
)
def test_how_each_adoption_stands(days: list[date], today: date, expected: list[str]) -> None:
    made_on = [TODAY] * len(days)
    assert [standing(at, days, made_on, today) for at in range(len(days))] == [Standing(e) for e in expected]


def test_one_that_came_into_force_in_the_morning_is_past_not_replaced() -> None:
    days, made_on = [OCTOBER, OCTOBER], [TODAY, OCTOBER]
    assert standing(0, days, made_on, OCTOBER) is Standing.past


def test_differences_name_role_field_and_both_values() -> None:
    changed = PAPER.model_copy(
        update={
            "guardian": PAPER.guardian.model_copy(update={"first_change": FirstChange.forced}),
            "reminder_days": 10,
        }
    )
    assert differences(PAPER, changed) == [
        Difference(HolderRole.guardian, "first_change", FirstChange.recommended, FirstChange.forced),
        Difference(None, "reminder_days", 7, 10),
    ]
    assert not differences(PAPER, PAPER)
    assert {each.before for each in differences(None, PAPER)} == {None}


def preview(old: CredentialPolicy | None, new: CredentialPolicy, **more: Any) -> Preview:
    numbers = Numbers(
        guardians=20,
        guardians_without_email=5,
        guardians_out_of_reach=3,
        pupils_under_age=14,
        pupils_under_age_without_mailbox=13,
        pupils_under_age_out_of_reach=12,
    )
    usual: dict[str, Any] = {
        "day": TODAY,
        "today": True,
        "differences": differences(old, new),
        "numbers": numbers,
        "replaces": [],
        "changes_nothing": False,
        "contradictions": [],
        "wrong_day": "",
        "seen": 1,
    }
    return Preview(old=old, new=new, **(usual | more))


def test_a_preview_says_whom_nothing_can_reach_and_that_nothing_is_taken_back() -> None:
    first, *rest = consequences(preview(PAPER, EMAIL))
    assert "quelle già date non cambiano" in first
    assert rest == [
        "3 genitori sono senza indirizzo e-mail: aspetteranno finché lo sportello non ne registra uno.",
        "Alunni minorenni: 12 sono senza casella istituzionale attiva, e aspetteranno che lo sia.",
    ]


def test_a_preview_of_a_later_day_names_it_and_what_it_replaces() -> None:
    planned = SCHOOL.fold([REGISTERED, adopted(EMAIL, NOVEMBER)]).adoptions
    said = consequences(preview(PAPER, THIRD, day=OCTOBER, today=False, replaces=planned))
    assert said[0].startswith("Dal 01/10/2026")
    assert said[1] == "La regola prevista dal 01/11/2026 non entrerà più in vigore."


def test_every_rule_of_both_circulars_has_words() -> None:
    for policy in (PAPER, EMAIL, with_("guardian", channel=Channel.slip, pin=PinRule.chosen)):
        for role in HolderRole:
            assert all(title and text for title, text in of_role(role, policy.of(role)))
        assert all(title and text for title, text in of_school(policy))
    assert ("Consegna", "Su un tagliando di carta, in classe o allo sportello.") in of_role(
        HolderRole.guardian, PAPER.guardian
    )
