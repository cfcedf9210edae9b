"""The delivery, given / when / then: requested once, one outcome, exclusive means exclusive."""

from datetime import UTC, datetime, timedelta

import pytest

from services.notifications.domain.delivery import (
    DELIVERY,
    MOST_ATTEMPTS,
    Delivery,
    delivery_id,
    fallback_id,
    may_fall_back,
)
from services.notifications.domain.delivery_commands import (
    Attempt,
    GiveUp,
    PrintSlip,
    RecordAccepted,
    RecordDeferred,
    RecordFailed,
    RequestDelivery,
    Supersede,
)
from shared.contracts.event import Event
from shared.contracts.notifications import (
    DeliveryAttempted,
    DeliveryFailed,
    DeliveryProblem,
    DeliveryRefused,
    DeliveryRequested,
    DeliverySuperseded,
    EmailAccepted,
    EmailDeferred,
    PrintingReason,
    SlipPrinted,
)
from shared.contracts.policy import Channel
from shared.testing.bdd import given

NOW = datetime(2026, 9, 14, 8, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
EXPIRES = NOW + timedelta(days=14)
BUSY = DeliveryProblem.server_busy


def request(
    channel: Channel = Channel.email, *, reachable: bool = True, exclusive: bool = True
) -> RequestDelivery:
    return RequestDelivery("d", "a", "h", "c", 1, channel, exclusive, EXPIRES, reachable)


def requested(channel: Channel = Channel.email, *, exclusive: bool = True) -> DeliveryRequested:
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


def attempted(attempt: int = 1) -> DeliveryAttempted:
    return DeliveryAttempted(delivery="d", attempt=attempt)


def deferred(attempt: int = 1) -> EmailDeferred:
    return EmailDeferred(delivery="d", attempt=attempt, code=450, problem=BUSY, retry_at=LATER)


def refused(problem: DeliveryProblem) -> DeliveryRefused:
    return DeliveryRefused(delivery="d", problem=problem)


ACCEPTED = EmailAccepted(delivery="d", attempt=1, code=250)
FAILED = DeliveryFailed(delivery="d", attempt=1, code=550, problem=DeliveryProblem.mailbox_unknown)
SUPERSEDED = DeliverySuperseded(delivery="d")
FIRST = SlipPrinted(delivery="d", printing=1, reason=PrintingReason.first_printing)


def test_it_is_requested() -> None:
    given(DELIVERY).when(request()).then(requested())


def test_it_is_requested_once() -> None:
    given(DELIVERY, requested()).when(request()).then_nothing()


@pytest.mark.requirement("E3", part="no address")
def test_without_an_address_a_mail_is_refused() -> None:
    given(DELIVERY).when(request(reachable=False)).then(requested(), refused(DeliveryProblem.no_address))


def test_a_slip_needs_no_address() -> None:
    given(DELIVERY).when(request(Channel.slip, reachable=False)).then(requested(Channel.slip))


def test_a_channel_that_cannot_be_served_is_refused() -> None:
    link = Channel.activation_link
    given(DELIVERY).when(request(link)).then(requested(link), refused(DeliveryProblem.channel_unavailable))


def test_an_attempt_is_written_first_then_its_outcome() -> None:
    given(DELIVERY, requested()).when(Attempt(NOW)).then(attempted())
    given(DELIVERY, requested(), attempted()).when(RecordAccepted(1, 250)).then(ACCEPTED)


def test_an_attempt_without_outcome_is_made_again() -> None:
    given(DELIVERY, requested(), attempted()).when(Attempt(NOW)).then(attempted(2))


def test_an_outcome_of_an_older_attempt_says_nothing() -> None:
    given(DELIVERY, requested(), attempted(), attempted(2)).when(RecordAccepted(1, 250)).then_nothing()


@pytest.mark.parametrize("settled", [ACCEPTED, FAILED, SUPERSEDED])
def test_after_an_outcome_nothing_is_sent_and_nothing_is_said(settled: Event) -> None:
    given(DELIVERY, requested(), attempted(), settled).when(Attempt(NOW)).then_refused("already_settled")
    given(DELIVERY, requested(), attempted(), settled).when(
        RecordFailed(1, 550, DeliveryProblem.rejected), Supersede(), Supersede(idle=True), GiveUp(BUSY)
    ).then_nothing()


def test_deferred_is_tried_again() -> None:
    given(DELIVERY, requested(), attempted()).when(RecordDeferred(1, 450, BUSY, LATER)).then(deferred())
    given(DELIVERY, requested(), attempted(), deferred()).when(Attempt(LATER)).then(attempted(2))


def test_5xx_is_final() -> None:
    given(DELIVERY, requested(), attempted()).when(
        RecordFailed(1, 550, DeliveryProblem.mailbox_unknown)
    ).then(FAILED)


def test_a_retry_beyond_the_secret_s_life_gives_up() -> None:
    gave_up = DeliveryFailed(delivery="d", attempt=1, code=450, problem=DeliveryProblem.gave_up)
    given(DELIVERY, requested(), attempted()).when(RecordDeferred(1, 450, BUSY, EXPIRES)).then(gave_up)


def test_too_many_attempts_give_up() -> None:
    history = [attempted(n) for n in range(1, MOST_ATTEMPTS + 1)]
    gave_up = DeliveryFailed(delivery="d", attempt=MOST_ATTEMPTS, code=None, problem=DeliveryProblem.gave_up)
    given(DELIVERY, requested(), *history).when(
        RecordDeferred(MOST_ATTEMPTS, None, DeliveryProblem.not_reached, LATER)
    ).then(gave_up)


def test_nothing_is_sent_after_the_secret_ended() -> None:
    given(DELIVERY, requested()).when(Attempt(EXPIRES)).then_refused("expired")


@pytest.mark.parametrize("history", [(), (attempted(), deferred())])
def test_what_was_used_or_replaced_is_superseded(history: tuple[Event, ...]) -> None:
    given(DELIVERY, requested(), *history).when(Supersede()).then(SUPERSEDED)


def test_a_message_on_its_way_keeps_its_own_outcome() -> None:
    given(DELIVERY, requested(), attempted()).when(Supersede()).then_nothing()
    given(DELIVERY, requested(), attempted()).when(Supersede(), RecordAccepted(1, 250)).then(ACCEPTED)


def test_the_postman_knows_that_nothing_is_on_its_way() -> None:
    given(DELIVERY, requested(), attempted()).when(Supersede(idle=True)).then(SUPERSEDED)


def test_a_slip_that_is_not_to_be_had_ends_in_a_failure() -> None:
    given(DELIVERY, requested()).when(GiveUp(DeliveryProblem.no_longer_available)).then(
        DeliveryFailed(delivery="d", attempt=0, code=None, problem=DeliveryProblem.no_longer_available)
    )


def test_what_was_never_requested_is_not_attempted() -> None:
    given(DELIVERY).when(Attempt(NOW)).then_refused("not_requested")
    given(DELIVERY).when(PrintSlip(NOW)).then_refused("not_requested")


def test_a_slip_is_printed_and_printed_again_with_a_reason() -> None:
    slip = requested(Channel.slip, exclusive=False)
    given(DELIVERY, slip).when(PrintSlip(NOW)).then(FIRST)
    given(DELIVERY, slip, FIRST).when(PrintSlip(NOW)).then_refused("reason_needed")
    given(DELIVERY, slip, FIRST).when(PrintSlip(NOW, PrintingReason.first_printing)).then_refused(
        "reason_needed"
    )
    given(DELIVERY, slip, FIRST).when(PrintSlip(NOW, PrintingReason.lost)).then(
        SlipPrinted(delivery="d", printing=2, reason=PrintingReason.lost)
    )


def test_a_slip_is_not_mailed_and_not_printed_when_ended() -> None:
    slip = requested(Channel.slip)
    given(DELIVERY, slip).when(Attempt(NOW)).then_refused("other_channel_forbidden")
    given(DELIVERY, slip).when(PrintSlip(EXPIRES)).then_refused("expired")
    given(DELIVERY, slip, SUPERSEDED).when(PrintSlip(NOW)).then_refused("superseded")


@pytest.mark.requirement("E3", part="no other channel")
def test_exclusive_by_mail_is_never_printed() -> None:
    for history in ((), (attempted(), FAILED), (refused(DeliveryProblem.no_address),)):
        given(DELIVERY, requested(), *history).when(PrintSlip(NOW)).then_refused("other_channel_forbidden")


def test_a_slip_may_stand_in_only_for_a_mail_that_reached_nobody() -> None:
    def state(*history: Event, exclusive: bool = False) -> Delivery:
        return DELIVERY.fold([requested(exclusive=exclusive), *history])

    assert may_fall_back(state(attempted(), FAILED))
    assert may_fall_back(state(refused(DeliveryProblem.no_address)))
    assert not may_fall_back(state(attempted()))
    assert not may_fall_back(state(attempted(), ACCEPTED))
    assert not may_fall_back(state(attempted(), FAILED, exclusive=True))


def test_ids_are_derived_from_opaque_ids_alone() -> None:
    assert delivery_id("c", 1) == delivery_id("c", 1)
    assert len({delivery_id("c", 1), delivery_id("c", 2), delivery_id("e", 1), fallback_id("c", 1)}) == 4
