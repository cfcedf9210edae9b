"""One state for each credential, one thing to do next (M7)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.notifications import labels
from services.notifications.domain.delivery import Status
from services.notifications.domain.states import Bar, Facts, Sent, State, Step, standing
from services.notifications.operations import WhyNot
from services.notifications.remarks import REFUSALS
from shared.contracts.identity import RefusalReason, ShredReason
from shared.contracts.notifications import DeliveryProblem, PrintingReason
from shared.contracts.policy import Channel
from shared.contracts.registry import Relationship

NOW = datetime(2026, 9, 14, 8, 0, tzinfo=UTC)


def sent(status: Status, problem: DeliveryProblem | None = None, printings: int = 0) -> Sent:
    return Sent("d", status, problem, None, NOW, None, printings)


MAIL = Facts(channel=Channel.email, exclusive=True, issued=True, expires=NOW + timedelta(days=14))
SLIP = Facts(channel=Channel.slip, issued=True, expires=NOW + timedelta(days=30))
IN = replace(SLIP, activated=True, secret=ShredReason.first_access)
NOWHERE = sent(Status.refused, DeliveryProblem.no_address)
UNKNOWN = sent(Status.failed, DeliveryProblem.mailbox_unknown)

CASES = {
    "nobody has heard of them": (Facts(), State.waiting, Step.nothing),
    "refused, can be issued": (Facts(refusal=RefusalReason.no_account), State.not_issued, Step.issue),
    "no credentials for the role": (
        Facts(refusal=RefusalReason.role_without_credentials), State.not_foreseen, Step.nothing),
    "refused for want of access": (
        Facts(refusal=RefusalReason.no_data_access, data_access=False), State.no_data_access, Step.nothing),
    "may see the data now": (Facts(refusal=RefusalReason.no_data_access), State.waiting, Step.nothing),
    "slip ready, no access to data": (
        replace(SLIP, delivery=sent(Status.requested), data_access=False), State.no_data_access, Step.nothing),
    "in already, access to data ended": (
        replace(SLIP, activated=True, data_access=False), State.activated, Step.nothing),
    "kept from before our time": (Facts(kept=True), State.activated, Step.nothing),
    "slip to print": (replace(SLIP, delivery=sent(Status.requested)), State.to_print, Step.print),
    "slip printed": (replace(SLIP, delivery=sent(Status.printed, None, 1)), State.printed, Step.hand_over),
    "slip handed over": (
        replace(SLIP, delivery=sent(Status.handed_over, None, 1), secret=ShredReason.handed_over),
        State.handed_over, Step.nothing),
    "slip handed over, and not used in time": (
        replace(SLIP, delivery=sent(Status.handed_over, None, 1), secret=ShredReason.handed_over, expires=NOW),
        State.expired, Step.issue),
    "hand-over undone": (
        replace(SLIP, delivery=sent(Status.printed, None, 1), secret=ShredReason.handed_over),
        State.printed, Step.hand_over),
    "slip used": (
        replace(SLIP, delivery=sent(Status.printed, None, 1), activated=True, secret=ShredReason.first_access),
        State.activated, Step.nothing),
    "slip expired": (
        replace(SLIP, delivery=sent(Status.printed, None, 1), secret=ShredReason.expired),
        State.expired, Step.issue),
    "end of life, not yet shredded": (replace(SLIP, expires=NOW), State.expired, Step.issue),
    "mail queued": (replace(MAIL, delivery=sent(Status.requested)), State.queued, Step.nothing),
    "mail under way": (replace(MAIL, delivery=sent(Status.attempting)), State.sending, Step.nothing),
    "mail deferred": (replace(MAIL, delivery=sent(Status.deferred)), State.deferred, Step.nothing),
    "mail accepted": (replace(MAIL, delivery=sent(Status.accepted)), State.sent, Step.nothing),
    "mail refused": (replace(MAIL, delivery=UNKNOWN), State.undelivered, Step.correct_address),
    "mail refused, slip allowed": (
        replace(MAIL, delivery=UNKNOWN, exclusive=False), State.undelivered, Step.print),
    "no address": (replace(MAIL, delivery=NOWHERE), State.no_address, Step.correct_address),
    "no address then, one now": (
        replace(MAIL, delivery=NOWHERE, has_address=True), State.no_address, Step.issue),
    "no address, slip allowed": (
        replace(MAIL, delivery=NOWHERE, exclusive=False), State.no_address, Step.print),
    "slip instead of the mail": (
        replace(MAIL, delivery=UNKNOWN, exclusive=False, slip_instead=sent(Status.printed, None, 1)),
        State.printed, Step.hand_over),
    "slip instead of the mail, handed over": (
        replace(MAIL, delivery=UNKNOWN, exclusive=False, slip_instead=sent(Status.handed_over, None, 1)),
        State.handed_over, Step.nothing),
    "asked for a regeneration": (replace(IN, to_decide=True), State.to_decide, Step.decide),
    "asked for one, after a loss": (
        replace(IN, to_decide=True, bars=frozenset({Bar.lost})), State.to_decide, Step.decide),
    "said to be lost": (replace(IN, bars=frozenset({Bar.lost})), State.suspended, Step.reinstate),
    "suspended and locked": (
        replace(IN, bars=frozenset({Bar.locked, Bar.suspended})), State.suspended, Step.reinstate),
    "locked": (replace(IN, bars=frozenset({Bar.locked})), State.locked, Step.unlock),
    "revoked, whatever was asked": (
        replace(IN, to_decide=True, bars=frozenset({Bar.revoked})), State.revoked, Step.nothing),
    "retired": (replace(IN, bars=frozenset({Bar.retired})), State.retired, Step.nothing),
    "issued a moment ago": (MAIL, State.waiting, Step.nothing),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_standing(name: str) -> None:
    facts, state, step = CASES[name]
    found = standing(facts, NOW)
    assert (found.state, found.step) == (state, step)


def test_the_same_sheet_is_printed_again_while_its_copy_exists() -> None:
    printed = replace(SLIP, delivery=sent(Status.printed, None, 1))
    assert standing(printed, NOW).allows(Step.reprint)
    assert not standing(replace(printed, secret=ShredReason.handed_over), NOW).allows(Step.reprint)


def test_a_mail_goes_again_while_its_copy_exists() -> None:
    taken = replace(MAIL, delivery=sent(Status.accepted))
    assert standing(taken, NOW).allows(Step.resend)
    assert not standing(replace(taken, secret=ShredReason.first_access), NOW).allows(Step.resend)


def test_everything_has_a_name() -> None:
    assert set(labels.STATES) == set(State)
    assert set(labels.PROBLEMS) == set(DeliveryProblem)
    assert set(labels.REASONS) == set(PrintingReason)
    assert set(labels.WHY_NOT) == set(WhyNot)
    assert set(REFUSALS) == set(RefusalReason)
    assert set(labels.CHANNELS) == {c.value for c in Channel}
    assert set(labels.RELATIONSHIPS) == {r.value for r in Relationship}
    assert set(labels.STATUSES) == {s.value for s in Status} - {"unknown"}


def test_no_state_is_told_by_colour_alone() -> None:
    words = [label.word for label in labels.STATES.values()]
    assert len(set(words)) == len(words)
