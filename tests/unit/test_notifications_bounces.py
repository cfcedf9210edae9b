"""A delivery after its mail left: bounced once, sent again with the same secret (S4, E3, M8)."""

from datetime import UTC, datetime, timedelta

import pytest

from services.notifications.domain.delivery import DELIVERY, Status, may_fall_back
from services.notifications.domain.delivery_commands import (
    Attempt,
    RecordAccepted,
    RecordBounce,
    Resend,
)
from services.notifications.domain.states import Facts, Sent, Standing, State, Step, standing
from shared.contracts.event import Event
from shared.contracts.notifications import (
    BounceKind,
    DeliveryAttempted,
    DeliveryFailed,
    DeliveryProblem,
    DeliveryRefused,
    DeliveryRequested,
    DeliverySuperseded,
    EmailAccepted,
    EmailBounced,
    ResendingReason,
    ResendRequested,
)
from shared.contracts.policy import Channel
from shared.testing.bdd import given

NOW = datetime(2026, 9, 10, 8, 0, tzinfo=UTC)
EXPIRES = NOW + timedelta(days=14)
NO_SUCH = RecordBounce(1, BounceKind.permanent, "5.1.1")
FULL = RecordBounce(1, BounceKind.temporary, "4.2.2")
CORRECTED = Resend(ResendingReason.address_corrected, NOW)
NOT_RECEIVED = Resend(ResendingReason.not_received, NOW)
ATTEMPTED = DeliveryAttempted(delivery="d", attempt=1)
ACCEPTED = EmailAccepted(delivery="d", attempt=1, code=250)
BOUNCED = EmailBounced(delivery="d", attempt=1, kind=BounceKind.permanent, status="5.1.1")
FAILED = DeliveryFailed(delivery="d", attempt=1, code=550, problem=DeliveryProblem.mailbox_unknown)
REFUSED = DeliveryRefused(delivery="d", problem=DeliveryProblem.no_address)
AGAIN = ResendRequested(delivery="d", number=1, after=1, reason=ResendingReason.address_corrected)
SENT = (ATTEMPTED, ACCEPTED)


def requested(*, exclusive: bool = True, channel: Channel = Channel.email) -> DeliveryRequested:
    return DeliveryRequested(
        delivery="d",
        account="a",
        holder="h",
        credential="c",
        generation=1,
        channel=channel,
        exclusive=exclusive,
        expires=EXPIRES,
    )


@pytest.mark.requirement("S4", part="bounce")
def test_a_mail_that_was_taken_may_come_back() -> None:
    given(DELIVERY, requested(), *SENT).when(NO_SUCH).then(BOUNCED)
    temporary = EmailBounced(delivery="d", attempt=1, kind=BounceKind.temporary, status="4.2.2")
    given(DELIVERY, requested(), *SENT).when(FULL).then(temporary)


@pytest.mark.requirement("S4", part="bounce once")
def test_a_bounce_counts_once() -> None:
    given(DELIVERY, requested(), *SENT, BOUNCED).when(NO_SUCH, FULL).then_nothing()


def test_a_bounce_of_what_was_never_sent_says_nothing() -> None:
    given(DELIVERY).when(NO_SUCH).then_nothing()
    given(DELIVERY, requested()).when(NO_SUCH).then_nothing()
    given(DELIVERY, requested(), *SENT).when(RecordBounce(2, BounceKind.permanent, "5.1.1")).then_nothing()
    given(DELIVERY, requested(channel=Channel.slip)).when(NO_SUCH).then_nothing()


def test_a_bounce_may_be_faster_than_the_word_of_the_server() -> None:
    given(DELIVERY, requested(), ATTEMPTED).when(NO_SUCH).then(BOUNCED)
    given(DELIVERY, requested(), ATTEMPTED, BOUNCED).when(RecordAccepted(1, 250)).then_nothing()


@pytest.mark.requirement("E3", part="corrected address")
@pytest.mark.parametrize("before", [(*SENT, BOUNCED), (ATTEMPTED, FAILED), (REFUSED,)])
def test_after_a_correction_the_same_secret_goes_again(before: tuple[Event, ...]) -> None:
    tried = int(ATTEMPTED in before)
    again = AGAIN.model_copy(update={"after": tried})
    attempt = 1 + tried
    given(DELIVERY, requested(), *before).when(CORRECTED).then(again)
    given(DELIVERY, requested(), *before, again).when(Attempt(NOW)).then(
        DeliveryAttempted(delivery="d", attempt=attempt)
    )


def test_what_is_on_its_way_finds_the_new_address_by_itself() -> None:
    given(DELIVERY, requested()).when(CORRECTED).then_nothing()
    given(DELIVERY, requested(), *SENT, BOUNCED, AGAIN).when(CORRECTED).then_nothing()


def test_a_late_bounce_of_the_old_address_says_nothing_of_the_new_one() -> None:
    again = DeliveryAttempted(delivery="d", attempt=2)
    taken = EmailAccepted(delivery="d", attempt=2, code=250)
    given(DELIVERY, requested(), *SENT, BOUNCED, AGAIN, again, taken).when(NO_SUCH).then_nothing()
    second = EmailBounced(delivery="d", attempt=2, kind=BounceKind.permanent, status="5.1.1")
    given(DELIVERY, requested(), *SENT, BOUNCED, AGAIN, again, taken).when(
        RecordBounce(2, BounceKind.permanent, "5.1.1")
    ).then(second)


@pytest.mark.requirement("M8", part="resend")
def test_the_desk_sends_again_with_a_reason_while_the_secret_lives() -> None:
    not_received = ResendRequested(delivery="d", number=1, after=1, reason=ResendingReason.not_received)
    given(DELIVERY, requested(), *SENT).when(NOT_RECEIVED).then(not_received)
    late = Resend(ResendingReason.not_received, EXPIRES)
    given(DELIVERY, requested(), *SENT).when(late).then_refused("expired")
    given(DELIVERY, requested()).when(NOT_RECEIVED).then_refused("on_its_way")
    given(DELIVERY, requested(), DeliverySuperseded(delivery="d")).when(NOT_RECEIVED).then_refused(
        "superseded"
    )
    given(DELIVERY, requested(channel=Channel.slip)).when(NOT_RECEIVED).then_refused("not_a_mail")
    given(DELIVERY).when(NOT_RECEIVED).then_refused("not_requested")


@pytest.mark.requirement("E3", part="exclusive after a bounce")
def test_a_slip_stands_in_for_a_bounce_unless_the_policy_is_exclusive() -> None:
    for exclusive in (True, False):
        state = DELIVERY.fold([requested(exclusive=exclusive), *SENT, BOUNCED])
        assert may_fall_back(state) is not exclusive


@pytest.mark.requirement("E8", part="never another way than the mailbox")
def test_no_slip_stands_in_for_an_institutional_mailbox() -> None:
    by_mailbox = requested(exclusive=False, channel=Channel.institutional_mailbox)
    assert not may_fall_back(DELIVERY.fold([by_mailbox, *SENT, BOUNCED]))


def sent(status: Status, problem: DeliveryProblem | None) -> Sent:
    return Sent("d", status, problem, None, NOW, None, 0)


@pytest.mark.parametrize(
    ("exclusive", "problem", "step"),
    [
        (True, DeliveryProblem.mailbox_unknown, Step.correct_address),
        (True, DeliveryProblem.rejected, Step.correct_address),
        (True, DeliveryProblem.mailbox_full, Step.resend),
        (True, DeliveryProblem.gave_up, Step.resend),
        (False, DeliveryProblem.mailbox_unknown, Step.print),
        (False, DeliveryProblem.mailbox_full, Step.print),
    ],
)
def test_the_next_step_after_a_bounce(exclusive: bool, problem: DeliveryProblem, step: Step) -> None:
    delivery = sent(Status.bounced, problem)
    facts = Facts(channel=Channel.email, exclusive=exclusive, issued=True, expires=EXPIRES, delivery=delivery)
    found = standing(facts, NOW)
    assert (found.state, found.step) == (State.bounced, step)


@pytest.mark.parametrize("exclusive", [True, False])
def test_what_was_dropped_while_the_account_was_suspended_is_issued_anew(exclusive: bool) -> None:
    delivery = sent(Status.superseded, None)
    facts = Facts(channel=Channel.email, exclusive=exclusive, issued=True, expires=EXPIRES, delivery=delivery)
    assert standing(facts, NOW) == Standing(State.undelivered, Step.issue)
