"""What a step of the event store machine is to try: drawn by hypothesis, meant against the model of that moment."""

from dataclasses import dataclass

from hypothesis import strategies as st

COPIES = 2
STREAMS = tuple(f"student/p{n}" for n in range(4))
SCHOOLS = ("RMIC00000X", "RMIC00001X", "INSTANCE")
KINDS = ("enrol", "move", "correct", "leave")
FAULTS = ("refused", "undigestible", "large")
TAKEN = "taken"


@dataclass(frozen=True)
class Part:
    """Events for one stream, whose version is right when `off` is 0."""

    stream: str
    off: int
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Intent:
    """`key`: an idempotency key's number, and which of two bodies it is used for. `alone`: not through the batcher.
    `write`: a row beside, or one whose name is taken."""

    copy: int
    school: str
    parts: tuple[Part, ...]
    key: tuple[int, int] | None
    write: str | None
    alone: bool


@dataclass(frozen=True)
class Execution:
    """One command through `Commands.execute`."""

    copy: int
    aggregate: str
    refuse: bool
    key: tuple[int, int] | None


def _seldom(strategy: st.SearchStrategy[str], usual: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.integers(0, 19).flatmap(lambda n: strategy if n == 0 else usual)


_kinds = st.lists(_seldom(st.sampled_from(FAULTS), st.sampled_from(KINDS)), min_size=1, max_size=4).map(tuple)
_off = st.sampled_from((0,) * 8 + (-1, 1, 3))
_parts = st.lists(st.builds(Part, st.sampled_from(STREAMS), _off, _kinds), max_size=3).map(tuple)
_keys = st.one_of(st.none(), st.tuples(st.integers(0, 5), st.integers(0, 3).map(lambda n: int(n == 0))))
_copies = st.integers(0, COPIES - 1)
_writes = st.sampled_from((None, None, None, "row", "row", TAKEN))
_intent = st.builds(Intent, _copies, st.sampled_from(SCHOOLS), _parts, _keys, _writes, st.booleans())
_execution = st.builds(
    Execution, _copies, st.sampled_from(("c0", "c1")), st.integers(0, 9).map(lambda n: n == 0), _keys
)


def intents(least: int = 1, most: int = 6) -> st.SearchStrategy[list[Intent]]:
    return st.lists(_intent, min_size=least, max_size=most)


def executions() -> st.SearchStrategy[list[Execution]]:
    return st.lists(_execution, min_size=1, max_size=4)
