"""What a fault scenario is, and what it reports."""

import shutil
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

KEPT_LOGS = Path(__file__).parents[2] / "build" / "faults"


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that did not hold; `text` carries nothing of a person."""

    invariant: str
    text: str


@dataclass
class Report:
    """One scenario's outcome. `long`: whether its long form runs. `kills`: processes ended with SIGKILL. `seed`: of
    its random moments."""

    name: str
    long: bool
    kills: int = 0
    seed: int = 0
    seconds: float = 0.0
    phases: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    _phase: str = field(default="", repr=False)
    _since: float = field(default=0.0, repr=False)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def phase(self, name: str) -> None:
        """What follows is this part of the scenario: its seconds are reported."""
        now = time.monotonic()
        if self._phase:
            self.phases[self._phase] = round(self.phases.get(self._phase, 0.0) + now - self._since, 1)
        self._phase, self._since = name, now

    def violation(self, invariant: str, text: str) -> None:
        self.violations.append(Violation(invariant, text))

    def keep_logs(self, logs: Path) -> Path:
        """What the processes said, for whoever looks for the cause of a violation; where it is kept."""
        kept = KEPT_LOGS / self.name
        shutil.rmtree(kept, ignore_errors=True)
        return Path(shutil.copytree(logs, kept))

    def as_json(self) -> dict[str, object]:
        return {name: value for name, value in asdict(self).items() if not name.startswith("_")}


Scenario = Callable[[Report], Awaitable[None]]
SCENARIOS: dict[str, Scenario] = {}


def scenario(name: str) -> Callable[[Scenario], Scenario]:
    """Registers an async function as a scenario of `make faults`. Errors: ValueError for a name that is taken."""

    def register(function: Scenario) -> Scenario:
        if name in SCENARIOS:
            raise ValueError(f"there are two scenarios {name!r}")
        SCENARIOS[name] = function
        return function

    return register
