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
    handed_over = "handed_over"
    queued = "queued"
    sending = "sending"
    sent = "sent"
    deferred = "deferred"
    bounced = "bounced"
    undelivered = "undelivered"
    no_address = "no_address"
    expired = "expired"
    activated = "activated"
    to_decide = "to_decide"
    locked = "locked"
    suspended = "suspended"
    revoked = "revoked"
    retired = "retired"


class Bar(StrEnum):
    """What keeps a holder out. `lost`: suspended because its holder, or the desk, said that it was lost."""

    locked = "locked"
    suspended = "suspended"
    lost = "lost"
    revoked = "revoked"
    retired = "retired"


class Step(StrEnum):
    """What the desk can do next."""

    nothing = "nothing"
    print = "print"
    reprint = "reprint"
    hand_over = "hand_over"
    issue = "issue"
    resend = "resend"
    correct_address = "correct_address"
    decide = "decide"
    unlock = "unlock"
    reinstate = "reinstate"


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
    `to_decide`: somebody asked for a regeneration, and nobody has decided yet.
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
    bars: frozenset[Bar] = frozenset()
    to_decide: bool = False

    @property
    def sealed(self) -> bool:
        """The initial secret has its sealed copy still: the same can be printed or sent again (M8)."""
        return self.issued and self.secret is None


@dataclass(frozen=True, slots=True)
class Standing:
    """`step`: the one thing to do next. `also`: what else is possible for whoever has a reason."""

    state: State
    step: Step
    also: frozenset[Step] = frozenset()

    def allows(self, step: Step) -> bool:
        return step is self.step or step in self.also


_BY_STATUS = {
    Status.requested: State.queued,
    Status.attempting: State.sending,
    Status.deferred: State.deferred,
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
    """Where a holder's credential stands at `now`. What keeps a holder out comes first, then whoever is in already;
    else nothing is done for those who may not see the data, whatever was begun."""
    barred = _barred(facts)
    if barred is not None:
        return barred
    found = _standing(facts, now)
    if not facts.data_access and found.state is not State.activated:
        return Standing(State.no_data_access, Step.nothing)
    return found


def _barred(facts: Facts) -> Standing | None:
    if Bar.revoked in facts.bars:
        return Standing(State.revoked, Step.nothing)
    if Bar.retired in facts.bars:
        return Standing(State.retired, Step.nothing)
    if facts.to_decide:
        return Standing(State.to_decide, Step.decide)
    if facts.bars & {Bar.suspended, Bar.lost}:
        return Standing(State.suspended, Step.reinstate)
    if Bar.locked in facts.bars:
        return Standing(State.locked, Step.unlock)
    return None


def _standing(facts: Facts, now: datetime) -> Standing:
    if not facts.issued:
        return _not_issued(facts)
    if facts.activated:
        return Standing(State.activated, Step.nothing)
    if facts.secret is ShredReason.expired or (facts.expires is not None and facts.expires <= now):
        return Standing(State.expired, Step.issue)
    if facts.channel in MAIL_CHANNELS:
        return _by_mail(facts)
    return _on_paper(facts, facts.delivery)


def _not_issued(facts: Facts) -> Standing:
    if facts.refusal in _NOT_FORESEEN:
        return Standing(State.not_foreseen, Step.nothing)
    # Where the data may be seen again, identity says anew what becomes of it: nothing is refused meanwhile.
    if facts.refusal not in (None, RefusalReason.no_data_access):
        return Standing(State.not_issued, Step.issue)
    if facts.kept:
        return Standing(State.activated, Step.nothing)
    return Standing(State.waiting, Step.nothing)


def _on_paper(facts: Facts, slip: Sent | None) -> Standing:
    if slip is None:
        return Standing(State.waiting, Step.nothing)
    if slip.status is Status.handed_over:
        return Standing(State.handed_over, Step.nothing)
    if slip.printings:
        return Standing(State.printed, Step.hand_over, _if_sealed(facts, Step.reprint))
    if slip.status is Status.refused:
        return Standing(State.undelivered, Step.nothing)
    return Standing(State.to_print, Step.print)


def _by_mail(facts: Facts) -> Standing:
    mail = facts.delivery
    if mail is None:
        return Standing(State.waiting, Step.nothing)
    if facts.slip_instead is not None and facts.slip_instead.printings:
        return _on_paper(facts, facts.slip_instead)
    if mail.status is Status.accepted:
        return Standing(State.sent, Step.nothing, _if_sealed(facts, Step.resend))
    if mail.status in _BY_STATUS:
        return Standing(_BY_STATUS[mail.status], Step.nothing)
    return _not_arrived(facts, mail)


def _not_arrived(facts: Facts, mail: Sent) -> Standing:
    if mail.status is Status.superseded:
        # It was this one's turn while the account was suspended: nothing is sent again, and nothing was sent.
        return Standing(State.undelivered, Step.issue)
    nowhere = mail.problem is DeliveryProblem.no_address
    bounced = mail.status is Status.bounced
    state = State.bounced if bounced else State.no_address if nowhere else State.undelivered
    again = _if_sealed(facts, Step.resend) if facts.has_address else frozenset()
    if not facts.exclusive and facts.channel is Channel.email:
        return Standing(state, Step.print, again)
    if nowhere and facts.has_address:
        return Standing(state, Step.issue)
    return Standing(state, Step.resend if mail.problem in _PASSING else Step.correct_address, again)


def _if_sealed(facts: Facts, step: Step) -> frozenset[Step]:
    return frozenset({step}) if facts.sealed else frozenset()
