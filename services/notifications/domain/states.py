"""The state of a credential at a glance (M7): one of these for each holder, and the one thing to do next."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.notifications.domain.delivery import MAIL_CHANNELS, Status
from shared.contracts.identity import RefusalReason, ShredReason
from shared.contracts.notifications import DeliveryProblem
from shared.contracts.policy import Channel


class State(StrEnum):
    waiting = "waiting"
    not_issued = "not_issued"
    not_foreseen = "not_foreseen"
    no_data_access = "no_data_access"
    to_print = "to_print"
    printed = "printed"
    queued = "queued"
    sending = "sending"
    sent = "sent"
    deferred = "deferred"
    bounced = "bounced"
    undelivered = "undelivered"
    no_address = "no_address"
    expired = "expired"
    activated = "activated"


class Step(StrEnum):
    """What the desk can do next."""

    nothing = "nothing"
    print = "print"
    reprint = "reprint"
    issue = "issue"
    resend = "resend"
    correct_address = "correct_address"


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery, as far as its state tells."""

    delivery: str
    status: Status
    problem: DeliveryProblem | None
    code: int | None
    changed_at: datetime
    retry_at: datetime | None
    printings: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What the three histories say of one holder: the newest credential, and what became of it.

    `has_address`: one for the channel is known now, which may be since after the delivery was refused.
    `data_access`: false for a guardian who may see the data of none of the pupils in question.
    """

    channel: Channel | None = None
    exclusive: bool = False
    issued: bool = False
    expires: datetime | None = None
    secret: ShredReason | None = None
    activated: bool = False
    kept: bool = False
    refusal: RefusalReason | None = None
    has_address: bool = False
    data_access: bool = True
    delivery: Sent | None = None
    slip_instead: Sent | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    state: State
    step: Step


_BY_STATUS = {
    Status.requested: State.queued,
    Status.attempting: State.sending,
    Status.deferred: State.deferred,
    Status.accepted: State.sent,
}
_PASSING = frozenset({DeliveryProblem.mailbox_full, DeliveryProblem.gave_up, DeliveryProblem.not_reached})
"""What the same address may be free of tomorrow: nothing is wrong with it."""
_NOT_FORESEEN = frozenset(
    {
        RefusalReason.role_without_credentials,
        RefusalReason.local_credentials_ended,
    }
)


def standing(facts: Facts, now: datetime) -> Standing:
    """Where a holder's credential stands at `now`. Whoever is in already stays in the list as such; else nothing is
    done for those who may not see the data, whatever was begun."""
    found = _standing(facts, now)
    if not facts.data_access and found.state is not State.activated:
        return Standing(State.no_data_access, Step.nothing)
    return found


def _standing(facts: Facts, now: datetime) -> Standing:
    if not facts.issued:
        return _not_issued(facts)
    if facts.activated:
        return Standing(State.activated, Step.nothing)
    if facts.secret is ShredReason.expired or (facts.expires is not None and facts.expires <= now):
        return Standing(State.expired, Step.issue)
    if facts.channel in MAIL_CHANNELS:
        return _by_mail(facts)
    return _on_paper(facts.delivery)


def _not_issued(facts: Facts) -> Standing:
    if facts.refusal in _NOT_FORESEEN:
        return Standing(State.not_foreseen, Step.nothing)
    # Where the data may be seen again, identity says anew what becomes of it: nothing is refused meanwhile.
    if facts.refusal not in (None, RefusalReason.no_data_access):
        return Standing(State.not_issued, Step.issue)
    if facts.kept:
        return Standing(State.activated, Step.nothing)
    return Standing(State.waiting, Step.nothing)


def _on_paper(slip: Sent | None) -> Standing:
    if slip is None:
        return Standing(State.waiting, Step.nothing)
    if slip.printings:
        return Standing(State.printed, Step.reprint)
    if slip.status is Status.refused:
        return Standing(State.undelivered, Step.nothing)
    return Standing(State.to_print, Step.print)


def _by_mail(facts: Facts) -> Standing:
    mail = facts.delivery
    if mail is None:
        return Standing(State.waiting, Step.nothing)
    if facts.slip_instead is not None and facts.slip_instead.printings:
        return Standing(State.printed, Step.reprint)
    if mail.status in _BY_STATUS:
        return Standing(_BY_STATUS[mail.status], Step.nothing)
    nowhere = mail.problem is DeliveryProblem.no_address
    bounced = mail.status is Status.bounced
    state = State.bounced if bounced else State.no_address if nowhere else State.undelivered
    if not facts.exclusive:
        return Standing(state, Step.print)
    if nowhere and facts.has_address:
        return Standing(state, Step.issue)
    return Standing(state, Step.resend if mail.problem in _PASSING else Step.correct_address)
