"""An alert: something that a person should look at. Raised once for one thing, settled with a note (P11)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared.contracts.event import Event, Personal
from shared.contracts.notifications import AlertKind, AlertRaised, AlertSettled
from shared.contracts.registry import Note
from shared.decider import Decider, Refused
from shared.ids import derived_id


def alert_id(kind: AlertKind, about: str) -> str:
    """The same thing is told once, however often we hear of it."""
    return derived_id("alert", kind.value, about)


@dataclass(frozen=True, slots=True)
class Alert:
    raised: AlertRaised | None = None
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Raise:
    """`about`: the credential or the campaign concerned. `holder`: of the credential."""

    kind: AlertKind
    about: str
    holder: str | None = None


@dataclass(frozen=True, slots=True)
class Settle:
    """`note`: what was done. `person`: whose personal data the note is, the holder's or the writer's own."""

    note: str
    person: str


Command = Raise | Settle


def decide(state: Alert, command: Command) -> Sequence[Event]:
    """Raises `Refused`: not_raised, note_needed."""
    match command:
        case Raise(kind, about, holder):
            if state.raised is not None:
                return ()
            return (AlertRaised(alert=alert_id(kind, about), kind=kind, about=about, holder=holder),)
        case Settle(note, person):
            return _settle(state, note.strip(), person)


def _settle(state: Alert, note: str, person: str) -> Sequence[Event]:
    if state.raised is None:
        raise Refused("not_raised", "There is no such alert.")
    if not note:
        raise Refused("note_needed", "Say what was done about it.")
    if state.settled:
        return ()
    told = Personal[Note](person=person, value=Note(text=note))
    return (AlertSettled(alert=state.raised.alert, note=told),)


def evolve(state: Alert, event: Event) -> Alert:
    match event:
        case AlertRaised():
            return replace(state, raised=event)
        case AlertSettled():
            return replace(state, settled=True)
    return state


ALERT: Decider[Alert, Command] = Decider("alert", Alert, decide, evolve)
