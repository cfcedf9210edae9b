"""What is wrong with a file: a `Problem` is one row's, a `Refused` is the whole file's.

Both are a code and parameters; the sentence is made from the catalogue in `messages`. Parameters never hold a person's
data (a name, a date of birth, an address): file, line and column lead the secretary to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from services.registry.imports.messages import MESSAGES

Severity = Literal["error", "warning"]
Language = Literal["it", "en"]

KEPT: Final = 1_000
_SHOWN: Final = 60
_OURS: Final = frozenset({"columns"})
"""What a refusal says of our own columns: known to be harmless, and of use only as a whole."""


def shown(value: str) -> str:
    """A value of the file made safe to show: printable, on one line, 60 characters at most."""
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value[: _SHOWN + 1])
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def sentence(code: str, language: Language, params: Mapping[str, str]) -> str:
    """The catalogue's sentence for a code, in Italian or English."""
    italian, english = MESSAGES[code]
    return (italian if language == "it" else english).format_map(params)


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding. `error`: the row (or the part of it that `column` names) stays out. `warning`: it goes in."""

    file: str
    line: int | None
    column: str | None
    code: str
    severity: Severity
    params: Mapping[str, str] = field(default_factory=dict)

    def text(self, language: Language = "it") -> str:
        return sentence(self.code, language, self.params)

    @property
    def message(self) -> Mapping[Language, str]:
        return {"it": self.text("it"), "en": self.text("en")}

    def as_dict(self) -> dict[str, object]:
        """As the API and `--json` show it."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "code": self.code,
            "severity": self.severity,
            "message": dict(self.message),
        }


class Refused(Exception):
    """The file cannot be read at all, and nothing of it goes in. `str()` is the English sentence."""

    def __init__(self, code: str, *, file: str | None = None, **params: str) -> None:
        self.code: Final = code
        self.file: Final = file
        named = params if file is None else {"file": file, **params}
        self.params: Final[Mapping[str, str]] = {k: v if k in _OURS else shown(v) for k, v in named.items()}
        super().__init__(sentence(code, "en", self.params))

    @property
    def message(self) -> Mapping[Language, str]:
        return {"it": self.text("it"), "en": self.text("en")}

    def text(self, language: Language = "it") -> str:
        return sentence(self.code, language, self.params)


class Problems:
    """Collects findings, counts all and keeps the first thousand, so that a hopeless file costs no memory."""

    def __init__(self) -> None:
        self.found: list[Problem] = []
        self.errors = 0
        self.warnings = 0
        self._said: set[tuple[str, str]] = set()

    def error(self, file: str, line: int | None, column: str | None, code: str, /, **params: str) -> None:
        self.errors += 1
        self._keep("error", file, line, column, code, params)

    def warning(self, file: str, line: int | None, column: str | None, code: str, /, **params: str) -> None:
        self.warnings += 1
        self._keep("warning", file, line, column, code, params)

    def once(self, file: str, line: int | None, column: str | None, code: str, /, **params: str) -> None:
        """A warning that is said once a file, where the next rows would only repeat it."""
        if (file, code) not in self._said:
            self._said.add((file, code))
            self.warning(file, line, column, code, **params)

    def all(self) -> tuple[Problem, ...]:
        """The findings kept, with a closing note when there were more."""
        left = self.errors + self.warnings - len(self.found)
        if not left:
            return tuple(self.found)
        severity: Severity = (
            "error" if self.errors > sum(p.severity == "error" for p in self.found) else "warning"
        )
        note = Problem(self.found[-1].file, None, None, "more_problems", severity, {"count": str(left)})
        return (*self.found, note)

    def _keep(
        self,
        severity: Severity,
        file: str,
        line: int | None,
        column: str | None,
        code: str,
        params: dict[str, str],
    ) -> None:
        if len(self.found) < KEPT:
            safe = {k: shown(v) for k, v in params.items()}
            self.found.append(
                Problem(file, line, None if column is None else shown(column), code, severity, safe)
            )
