"""The hand-over of a slip and the alerts about it, given / when / then (P5, P11)."""

from datetime import UTC, datetime, timedelta

import pytest

from services.notifications.domain.alert import ALERT, Raise, Settle, alert_id
from services.notifications.domain.delivery import DELIVERY
from services.notifications.domain.delivery_commands import PrintSlip, Supersede
from services.notifications.domain.hand_over import HAND_OVER, HandOver, UndoHandOver
from shared.contracts.event import Personal
from shared.contracts.notifications import (
    AlertKind,
    AlertRaised,
    AlertSettled,
    Delegate,
    DeliveryRequested,
    DeliverySuperseded,
    HandedTo,
    HandOverBy,
    PrintingReason,
    SlipHandedOver,
    SlipHandOverUndone,
    SlipPrinted,
)
from shared.contracts.policy import Channel
from shared.contracts.registry import Note
from shared.testing.bdd import given

pytestmark = pytest.mark.requirement("P5", part="the decision")
NOW = datetime(2026, 9, 14, 8, 0, tzinfo=UTC)
EXPIRES = NOW + timedelta(days=30)
PRINTED = SlipPrinted(delivery="d", printing=1, reason=PrintingReason.first_printing)
IN_CLASS = HandOver(NOW, "1A", HandedTo.pupil, HandOverBy.tick)
AT_THE_DESK = HandOver(NOW, None, HandedTo.holder, HandOverBy.scan)
TO_AN_AUNT = HandOver(NOW, None, HandedTo.delegate, HandOverBy.tick, delegate=" Rosa Neri ")


def requested(channel: Channel = Channel.slip) -> DeliveryRequested:
    return DeliveryRequested(
        delivery="d",
        account="a",
        holder="h",
        credential="c",
        generation=1,
        channel=channel,
        exclusive=False,
        expires=EXPIRES,
    )


def handed_over(
    to: HandedTo = HandedTo.pupil,
    class_id: str | None = "1A",
    by: HandOverBy = HandOverBy.tick,
    delegate: str | None = None,
) -> SlipHandedOver:
    return SlipHandedOver(
        delivery="d",
        account="a",
        holder="h",
        credential="c",
        class_id=class_id,
        to=to,
        by=by,
        delegate=Personal(person="h", value=Delegate(name=delegate)) if delegate else None,
    )


UNDONE = SlipHandOverUndone(
    delivery="d",
    account="a",
    holder="h",
    credential="c",
    reason=Personal(person="h", value=Note(text="la riga sbagliata")),
)


def test_a_printed_slip_is_handed_over_in_class() -> None:
    given(HAND_OVER, requested(), PRINTED).when(IN_CLASS).then(handed_over())


def test_or_at_the_desk_to_its_holder() -> None:
    at_the_desk = handed_over(HandedTo.holder, None, HandOverBy.scan)
    given(HAND_OVER, requested(), PRINTED).when(AT_THE_DESK).then(at_the_desk)


def test_or_to_somebody_who_is_named() -> None:
    to_an_aunt = handed_over(HandedTo.delegate, None, delegate="Rosa Neri")
    given(HAND_OVER, requested(), PRINTED).when(TO_AN_AUNT).then(to_an_aunt)
    nobody = HandOver(NOW, None, HandedTo.delegate, HandOverBy.tick, delegate="  ")
    given(HAND_OVER, requested(), PRINTED).when(nobody).then_refused("delegate_unnamed")


def test_only_what_is_on_paper_is_handed_over() -> None:
    given(HAND_OVER).when(IN_CLASS).then_refused("not_requested")
    given(HAND_OVER, requested()).when(IN_CLASS).then_refused("not_printed")
    given(HAND_OVER, requested(Channel.email)).when(IN_CLASS).then_refused("not_a_slip")


def test_once() -> None:
    stands = (requested(), PRINTED, handed_over())
    given(HAND_OVER, *stands).when(IN_CLASS).then_nothing()
    scanned = HandOver(NOW, "1A", HandedTo.pupil, HandOverBy.scan)
    given(HAND_OVER, *stands).when(scanned).then_nothing()
    given(HAND_OVER, *stands).when(AT_THE_DESK).then_refused("already_handed_over")
    given(HAND_OVER, *stands).when(TO_AN_AUNT).then_refused("already_handed_over")


def test_a_sheet_that_serves_no_more_stays_where_it_is() -> None:
    replaced = HandOver(NOW, "1A", HandedTo.pupil, HandOverBy.tick, current=False)
    given(HAND_OVER, requested(), PRINTED).when(replaced).then_refused("superseded")
    superseded = DeliverySuperseded(delivery="d")
    given(HAND_OVER, requested(), PRINTED, superseded).when(IN_CLASS).then_refused("superseded")
    too_late = HandOver(EXPIRES, "1A", HandedTo.pupil, HandOverBy.tick)
    given(HAND_OVER, requested(), PRINTED).when(too_late).then_refused("expired")
    written_up = HandOver(EXPIRES, "1A", HandedTo.pupil, HandOverBy.list)
    given(HAND_OVER, requested(), PRINTED).when(written_up).then(handed_over(by=HandOverBy.list))


def test_undone_with_a_reason_and_done_again() -> None:
    stands = (requested(), PRINTED, handed_over())
    given(HAND_OVER, *stands).when(UndoHandOver("la riga sbagliata ")).then(UNDONE)
    given(HAND_OVER, *stands).when(UndoHandOver(" ")).then_refused("reason_needed")
    given(HAND_OVER, *stands, UNDONE).when(UndoHandOver("ancora")).then_refused("not_handed_over")
    given(HAND_OVER, *stands, UNDONE).when(IN_CLASS).then(handed_over())


def test_once_handed_over_it_is_never_printed_again() -> None:
    again = PrintSlip(NOW, PrintingReason.lost)
    stands = (requested(), PRINTED, handed_over())
    given(DELIVERY, *stands).when(again).then_refused("handed_over")
    given(DELIVERY, *stands, UNDONE).when(again).then_refused("handed_over")
    given(DELIVERY, *stands).when(Supersede()).then_nothing()


def test_an_alert_is_raised_once_and_settled_with_a_note() -> None:
    kind = AlertKind.access_before_hand_over
    alert = alert_id(kind, "c")
    raised = AlertRaised(alert=alert, kind=kind, about="c", holder="h")
    settled = AlertSettled(alert=alert, note=Personal(person="h", value=Note(text="parlato con la madre")))
    given(ALERT).when(Raise(kind, "c", "h")).then(raised)
    given(ALERT, raised).when(Raise(kind, "c", "h")).then_nothing()
    given(ALERT, raised, settled).when(Raise(kind, "c", "h")).then_nothing()
    given(ALERT, raised).when(Settle(" parlato con la madre ", "h")).then(settled)
    given(ALERT, raised, settled).when(Settle("due volte", "h")).then_nothing()
    given(ALERT, raised).when(Settle(" ", "h")).then_refused("note_needed")
    given(ALERT).when(Settle("che cosa?", "h")).then_refused("not_raised")
    assert alert_id(kind, "c") != alert_id(AlertKind.claims_over_limit, "c")
