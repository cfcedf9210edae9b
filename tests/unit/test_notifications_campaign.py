"""A campaign, given / when / then: planned, opened by its date, paused, resumed, completed or cancelled (E1)."""

from datetime import UTC, datetime, timedelta

import pytest

from services.notifications.domain.campaign import (
    CAMPAIGN,
    CampaignState,
    CancelCampaign,
    CompleteCampaign,
    OpenCampaign,
    PauseCampaign,
    PlanCampaign,
    ResumeCampaign,
    bounces_too_often,
)
from shared.contracts.event import Event
from shared.contracts.notifications import (
    CampaignCancelled,
    CampaignCompleted,
    CampaignOpened,
    CampaignPaused,
    CampaignPlanned,
    CampaignResumed,
)
from shared.contracts.policy import HolderRole
from shared.testing.bdd import given

OPENS = datetime(2026, 9, 14, 6, 0, tzinfo=UTC)
PLAN = PlanCampaign("k", " Prime  classi ", (HolderRole.guardian,), ("c1", "c2", "c1"), OPENS, 100)
PLANNED = CampaignPlanned(
    campaign="k",
    title="Prime classi",
    roles=(HolderRole.guardian,),
    classes=("c1", "c2"),
    opens=OPENS,
    per_domain_a_minute=100,
)
OPENED = CampaignOpened(campaign="k")
PAUSED = CampaignPaused(campaign="k", reason="indirizzi sbagliati")
RESUMED = CampaignResumed(campaign="k")
COMPLETED = CampaignCompleted(campaign="k", sent=298, failed=14)
CANCELLED = CampaignCancelled(campaign="k", reason="si ricomincia")
PAUSE, CANCEL = PauseCampaign("indirizzi sbagliati"), CancelCampaign("si ricomincia")


@pytest.mark.requirement("E1", part="plan")
def test_it_is_planned_once() -> None:
    given(CAMPAIGN).when(PLAN).then(PLANNED)
    given(CAMPAIGN, PLANNED).when(PLAN).then_nothing()


def test_another_with_the_same_id_is_refused() -> None:
    other = PlanCampaign("k", "Altro", (HolderRole.guardian,), (), OPENS)
    given(CAMPAIGN, PLANNED).when(other).then_refused("already_planned")


@pytest.mark.parametrize(
    ("plan", "why"),
    [
        (PlanCampaign("k", "  ", (HolderRole.guardian,), (), OPENS), "title_needed"),
        (PlanCampaign("k", "T", (), (), OPENS), "nobody_covered"),
        (PlanCampaign("k", "T", (HolderRole.staff,), (), OPENS), "nobody_covered"),
    ],
)
def test_a_plan_says_for_whom_it_is(plan: PlanCampaign, why: str) -> None:
    given(CAMPAIGN).when(plan).then_refused(why)


@pytest.mark.requirement("E1", part="opens on its date")
def test_it_opens_on_its_date_and_not_before() -> None:
    given(CAMPAIGN, PLANNED).when(OpenCampaign(OPENS - timedelta(seconds=1))).then_nothing()
    given(CAMPAIGN, PLANNED).when(OpenCampaign(OPENS)).then(OPENED)
    given(CAMPAIGN, PLANNED, OPENED).when(OpenCampaign(OPENS)).then_nothing()


@pytest.mark.requirement("E1", part="pause")
def test_it_is_paused_and_resumed() -> None:
    given(CAMPAIGN, PLANNED, OPENED).when(PAUSE).then(PAUSED)
    given(CAMPAIGN, PLANNED, OPENED, PAUSED).when(PAUSE).then_nothing()
    given(CAMPAIGN, PLANNED, OPENED, PAUSED).when(ResumeCampaign()).then(RESUMED)
    given(CAMPAIGN, PLANNED, OPENED).when(ResumeCampaign()).then_nothing()
    given(CAMPAIGN, PLANNED, OPENED).when(PauseCampaign(" ")).then_refused("reason_needed")


def test_paused_before_its_date_it_does_not_open_and_resumed_it_waits_for_it() -> None:
    given(CAMPAIGN, PLANNED, PAUSED).when(OpenCampaign(OPENS)).then_nothing()
    assert CAMPAIGN.fold([PLANNED, PAUSED, RESUMED]).state is CampaignState.planned
    given(CAMPAIGN, PLANNED, PAUSED, RESUMED).when(OpenCampaign(OPENS)).then(OPENED)


def test_only_an_open_one_completes() -> None:
    complete = CompleteCampaign(298, 14)
    given(CAMPAIGN, PLANNED, OPENED).when(complete).then(COMPLETED)
    for before in ((PLANNED,), (PLANNED, OPENED, PAUSED), (PLANNED, OPENED, COMPLETED)):
        given(CAMPAIGN, *before).when(complete).then_nothing()


def test_it_is_cancelled_with_a_reason() -> None:
    for before in ((PLANNED,), (PLANNED, OPENED), (PLANNED, OPENED, PAUSED)):
        given(CAMPAIGN, *before).when(CANCEL).then(CANCELLED)
    given(CAMPAIGN, PLANNED, CANCELLED).when(CANCEL).then_nothing()
    given(CAMPAIGN, PLANNED).when(CancelCampaign("")).then_refused("reason_needed")


@pytest.mark.parametrize("ended", [COMPLETED, CANCELLED])
def test_what_has_ended_stays_as_it_is(ended: Event) -> None:
    before = (PLANNED, OPENED, ended)
    given(CAMPAIGN, *before).when(PAUSE).then_refused("ended")
    given(CAMPAIGN, *before).when(ResumeCampaign()).then_refused("ended")
    given(CAMPAIGN, *before).when(OpenCampaign(OPENS)).then_nothing()


def test_a_campaign_that_was_never_planned_does_not_exist() -> None:
    given(CAMPAIGN).when(PAUSE).then_refused("not_planned")


@pytest.mark.parametrize(
    ("sent", "bounced", "too_often"), [(19, 19, False), (20, 1, False), (20, 2, True), (100, 5, False)]
)
def test_more_than_five_in_a_hundred_of_at_least_twenty(sent: int, bounced: int, too_often: bool) -> None:
    assert bounces_too_often(sent, bounced) is too_often
