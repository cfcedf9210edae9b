"""What a benchmark measures: a figure beside its floor and its peer, all taken in the same run, in turn.

Absolute figures move with the machine; what counts are the ratios. Works take turns, round by round, so that a busy
moment meets all of them; the ratio is the median of the rounds' ratios.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Literal

from deploy.engines import NatsEngine, PostgresEngine

ROUNDS = 5
Work = Callable[[], Awaitable[float]]
"""One measurement; returns the figure itself (seconds, or so many a second)."""
Measure = Literal["value", "floor", "peer"]


@dataclass(frozen=True, slots=True)
class Bar:
    """`least`: ours is to be at least `factor` times the other's (rates). `most`: at most (seconds, bytes)."""

    against: Literal["floor", "peer"]
    sense: Literal["least", "most"]
    factor: float

    def met(self, ratio: float) -> bool:
        return ratio >= self.factor if self.sense == "least" else ratio <= self.factor

    def __str__(self) -> str:
        word = "at least" if self.sense == "least" else "within"
        return f"{word} {self.factor:g} of the {self.against}"


@dataclass(frozen=True, slots=True)
class Figure:
    """`rounds`: of each measure, one value a round. `work`: what was done, with its amounts."""

    name: str
    unit: str
    work: str
    rounds: Mapping[Measure, tuple[float, ...]]
    bars: tuple[Bar, ...] = field(default=())

    def value_of(self, measure: Measure) -> float | None:
        values = self.rounds.get(measure)
        return median(values) if values else None

    def ratio(self, against: Literal["floor", "peer"]) -> float | None:
        others = self.rounds.get(against)
        if not others:
            return None
        return median(ours / other for ours, other in zip(self.rounds["value"], others, strict=True))

    @property
    def met(self) -> bool:
        found = [(bar, self.ratio(bar.against)) for bar in self.bars]
        return all(ratio is not None and bar.met(ratio) for bar, ratio in found)

    def as_json(self) -> dict[str, object]:
        """name, unit, work, value, floor, peer, ratios, bar, met."""
        return {
            "name": self.name,
            "unit": self.unit,
            "work": self.work,
            "value": self.value_of("value"),
            "floor": self.value_of("floor"),
            "peer": self.value_of("peer"),
            "ratios": {
                against: self.ratio(against) for against in ("floor", "peer") if against in self.rounds
            },
            "bar": [str(bar) for bar in self.bars],
            "met": self.met,
        }


@dataclass(frozen=True, slots=True)
class Bench:
    """What benchmarks stand on: engines that sync as in production, started for the run."""

    folder: Path
    postgres: PostgresEngine
    bus: NatsEngine
    rounds: int = ROUNDS
    long: bool = True
    """False for a quick look: smaller amounts, which prove nothing."""

    async def compare(
        self,
        name: str,
        unit: str,
        work: str,
        *bars: Bar,
        value: Work,
        floor: Work | None = None,
        peer: Work | None = None,
        warm_up: bool = True,
    ) -> Figure:
        """Measure the works in turn, after one round that does not count."""
        given: dict[Measure, Work | None] = {"value": value, "floor": floor, "peer": peer}
        works = {measure: one for measure, one in given.items() if one is not None}
        taken: dict[Measure, list[float]] = {measure: [] for measure in works}
        for turn in range(self.rounds + warm_up):
            for measure, one in works.items():
                figure = await one()
                if turn >= warm_up:
                    taken[measure].append(figure)
        return Figure(name, unit, work, {m: tuple(values) for m, values in taken.items()}, bars)


Benchmark = Callable[[Bench], Awaitable[list[Figure]]]
BENCHMARKS: dict[str, Benchmark] = {}


def benchmark(name: str) -> Callable[[Benchmark], Benchmark]:
    """Registers a coroutine function that answers one or more figures."""

    def register(function: Benchmark) -> Benchmark:
        if name in BENCHMARKS:
            raise ValueError(f"there are two benchmarks {name!r}")
        BENCHMARKS[name] = function
        return function

    return register
