"""A notice: one message without a secret, for one recipient, to exactly one outcome (P10, E11)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.notifications.domain.delivery import MOST_ATTEMPTS, OPEN, Status
from services.notifications.domain.delivery_commands import RecordAccepted, RecordDeferred, RecordFailed
from shared.contracts.event import Event
from shared.contracts.notifications import (
    BounceKind,
    DeliveryProblem,
    NoticeAccepted,
    NoticeAttempted,
    NoticeBounced,
    NoticeDeferred,
    NoticeFailed,
    NoticeKind,
    NoticeRequested,
    ReminderSent,
)
from shared.decider import Decider, Refused
from shared.ids import derived_id

MOST_REMINDERS = 2


def circular_notice_id(circular: str, holder: str) -> str:
    """One message a recipient, however often the same circular is asked for."""
    return derived_id("notice", NoticeKind.circular, circular, holder)


def reminder_id(credential: str, number: int) -> str:
    """The n-th reminder of these credentials: two that ask for it at once ask for the same."""
    return derived_id("notice", NoticeKind.reminder, credential, str(number))


@dataclass(frozen=True, slots=True)
class Notice:
    status: Status = Status.unknown
    requested: NoticeRequested | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class RequestNotice:
    """`account` and `number`: of a reminder."""

    notice: str
    kind: NoticeKind
    holder: str
    about: str
    account: str | None = None
    number: int = 1


@dataclass(frozen=True, slots=True)
class AttemptNotice:
    pass


@dataclass(frozen=True, slots=True)
class DropNotice:
    """Nothing is left to say, or nobody to say it to; nothing is on its way at this moment."""

    problem: DeliveryProblem


@dataclass(frozen=True, slots=True)
class RecordNoticeBounce:
    """`status` is the enhanced code, such as `5.1.1`."""

    attempt: int
    kind: BounceKind
    status: str


Outcome = RecordAccepted | RecordDeferred | RecordFailed
Command = RequestNotice | AttemptNotice | DropNotice | Outcome | RecordNoticeBounce


def decide(state: Notice, command: Command) -> Sequence[Event]:
    """Raises `Refused`: not_requested, already_settled, too_many_reminders."""
    match command:
        case RequestNotice():
            return _request(state, command)
        case AttemptNotice():
            return _attempt(state)
        case DropNotice(problem):
            return _drop(state, problem)
        case RecordAccepted() | RecordDeferred() | RecordFailed():
            return _outcome(state, command)
        case RecordNoticeBounce():
            return _bounce(state, command)


def _request(state: Notice, command: RequestNotice) -> Sequence[Event]:
    if state.requested is not None:
        return ()
    if command.kind is NoticeKind.reminder and command.number > MOST_REMINDERS:
        raise Refused("too_many_reminders", "These credentials were reminded of often enough.")
    requested = NoticeRequested(
        notice=command.notice,
        kind=command.kind,
        holder=command.holder,
        about=command.about,
        account=command.account,
        number=command.number,
    )
    return (requested,)


def _attempt(state: Notice) -> Sequence[Event]:
    requested = _known(state)
    if state.status not in OPEN:
        raise Refused("already_settled", f"This notice is {state.status}.")
    return (NoticeAttempted(notice=requested.notice, attempt=state.attempts + 1),)


def _drop(state: Notice, problem: DeliveryProblem) -> Sequence[Event]:
    if state.requested is None or state.status not in OPEN:
        return ()
    notice = state.requested.notice
    return (NoticeFailed(notice=notice, attempt=state.attempts, code=None, problem=problem),)


def _outcome(state: Notice, command: Outcome) -> Sequence[Event]:
    requested = _known(state)
    if state.status is not Status.attempting or command.attempt != state.attempts:
        return ()
    notice, attempt = requested.notice, command.attempt
    match command:
        case RecordAccepted(_, code):
            accepted = NoticeAccepted(notice=notice, attempt=attempt, code=code)
            return (accepted, *_reminded(requested))
        case RecordDeferred(_, code, problem, retry_at):
            if attempt >= MOST_ATTEMPTS:
                gave_up = DeliveryProblem.gave_up
                return (NoticeFailed(notice=notice, attempt=attempt, code=code, problem=gave_up),)
            return (
                NoticeDeferred(notice=notice, attempt=attempt, code=code, problem=problem, retry_at=retry_at),
            )
        case RecordFailed(_, code, problem):
            return (NoticeFailed(notice=notice, attempt=attempt, code=code, problem=problem),)


def _reminded(requested: NoticeRequested) -> Sequence[Event]:
    if requested.kind is not NoticeKind.reminder or requested.account is None:
        return ()
    return (
        ReminderSent(
            notice=requested.notice,
            account=requested.account,
            holder=requested.holder,
            credential=requested.about,
            number=requested.number,
        ),
    )


def _bounce(state: Notice, command: RecordNoticeBounce) -> Sequence[Event]:
    """Counted once, however often it comes."""
    if state.requested is None or not 0 < command.attempt <= state.attempts:
        return ()
    if state.status not in (Status.accepted, Status.attempting, Status.deferred):
        return ()
    notice = state.requested.notice
    return (NoticeBounced(notice=notice, attempt=command.attempt, kind=command.kind, status=command.status),)


def _known(state: Notice) -> NoticeRequested:
    if state.requested is None:
        raise Refused("not_requested", "No such notice was asked for.")
    return state.requested


_BECOMES: dict[type[Event], Status] = {
    NoticeAccepted: Status.accepted,
    NoticeDeferred: Status.deferred,
    NoticeFailed: Status.failed,
    NoticeBounced: Status.bounced,
}


def evolve(state: Notice, event: Event) -> Notice:
    match event:
        case NoticeRequested():
            return replace(state, status=Status.requested, requested=event)
        case NoticeAttempted(attempt=attempt):
            return replace(state, status=Status.attempting, attempts=attempt)
        case _:
            return replace(state, status=_BECOMES.get(type(event), state.status))


NOTICE: Decider[Notice, Command] = Decider("notice", Notice, decide, evolve)
