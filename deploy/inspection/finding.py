"""What an inspection says: one finding for each invariant and service."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    ok = "ok"
    violated = "violated"
    could_not_look = "could-not-look"


class Invariant(StrEnum):
    """Their names never change their meaning: programs compare them."""

    positions = "positions"
    school_positions = "school-positions"
    stream_versions = "stream-versions"
    entries = "entries"
    seen = "seen"
    causes = "causes"
    keys = "keys"
    streams = "streams"
    cursors = "cursors"
    credentials = "credentials"
    passwords = "passwords"
    slips = "slips"
    holders = "holders"
    requests = "requests"
    deliveries = "deliveries"
    projections = "projections"
    ingress = "ingress"


MEANING: Mapping[Invariant, tuple[str, str]] = {
    Invariant.positions: (
        "positions 1 to N without gaps; the head is the last",
        "the database was changed by hand, or restored in part: restore it from a backup as a whole",
    ),
    Invariant.school_positions: (
        "each school's numbers without gaps; each school's head is its last",
        "the database was changed by hand, or restored in part: restore it from a backup as a whole",
    ),
    Invariant.stream_versions: (
        "each aggregate's versions without gaps",
        "the database was changed by hand, or restored in part: restore it from a backup as a whole",
    ),
    Invariant.entries: (
        "what an entry says of itself is what its columns say",
        "an entry was altered by hand: find out by whom, and restore the database from a backup",
    ),
    Invariant.seen: (
        "no event had seen what did not exist, or less than an earlier one",
        "a database is older than what was derived from it, or a cursor was set back: see the operator's manual",
    ),
    Invariant.causes: (
        "every event that another caused names one that exists",
        "something was derived from an entry that is in no history: see *A foreign message* in the operator's manual",
    ),
    Invariant.keys: (
        "every key that an entry names is in the keyring",
        "the keyring is older than the history: restore it from its own backup",
    ),
    Invariant.streams: (
        "stream equal to store, byte for byte; not ahead, not left behind",
        "behind: is the service running? Different or ahead: `custode doctor --repair-bus`",
    ),
    Invariant.cursors: (
        "every cursor at or behind its stream",
        "a database or stream was rolled back, or a foreign message was read: `custode doctor --repair-bus`",
    ),
    Invariant.credentials: (
        "one account for each holder and role; credentials are renewed one after the other",
        "identity wrote what it should have refused: please report it, with the history (`custode audit export`)",
    ),
    Invariant.passwords: (
        "one valid password (and PIN) for each live credential, none for others",
        "issue anew to the accounts concerned; if nobody changed the database by hand, please report it",
    ),
    Invariant.slips: (
        "a sealed slip for each unused credential, none past its life or use",
        "past its life: is identity running? Otherwise issue anew to the accounts concerned",
    ),
    Invariant.holders: (
        "every enrolled holder has credentials, waits for them, or was refused them",
        "issue to them at the desk; if nobody changed the database by hand, please report it",
    ),
    Invariant.requests: (
        "every issued credential has exactly one delivery",
        "is notifications running? If it is, please report it, with the history (`custode audit export`)",
    ),
    Invariant.deliveries: (
        "every delivery has exactly one outcome, or is on its way",
        "past its life: is notifications running? Otherwise please report it, with the history",
    ),
    Invariant.projections: (
        "projections equal to a rebuild from the histories",
        "`custode rebuild SERVICE` makes them anew; the service goes on working meanwhile",
    ),
    Invariant.ingress: (
        "what school systems handed in is taken; what could not be carried out is in quarantine",
        "is registry running? Its `/readyz` says why it does not take commands",
    ),
}
"""Of each invariant: what holds, and what to do where it does not."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`service` is whose data were looked at. `text` and `counts` hold ids and numbers, nothing personal."""

    invariant: Invariant
    service: str
    outcome: Outcome
    text: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def advice(self) -> str:
        """What to do; empty where there is nothing to do."""
        return MEANING[self.invariant][1] if self.outcome is Outcome.violated else ""

    def as_json(self) -> dict[str, object]:
        return {
            "invariant": self.invariant.value,
            "service": self.service,
            "outcome": self.outcome.value,
            "text": self.text,
            "counts": dict(self.counts),
            "advice": self.advice,
        }


def found(
    invariant: Invariant, service: str, wrong: "Wrong", counts: Mapping[str, int] | None = None
) -> Finding:
    """`ok` where nothing is wrong."""
    outcome = Outcome.violated if wrong.count else Outcome.ok
    return Finding(invariant, service, outcome, str(wrong), counts or {})


class Wrong:
    """What is wrong, as it is met: all of it is counted, the first few are named."""

    _NAMED = 3

    def __init__(self, *first: str) -> None:
        self.count = 0
        self._named: list[str] = []
        for text in first:
            self.add(text)

    def add(self, text: str) -> None:
        self.count += 1
        if len(self._named) < self._NAMED:
            self._named.append(text)

    def __str__(self) -> str:
        more = self.count - len(self._named)
        return "; ".join(self._named) + (f"; and {more} more" if more else "")
