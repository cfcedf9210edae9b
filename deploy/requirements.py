"""Which row of the requirements is proved by which tests, as the last test run recorded it."""

import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROWS = ROOT / "docs" / "requirements.md"
RECORD = ROOT / "build" / "requirements.json"
_ROW = re.compile(r"^\| ([A-Z]\d+) \| (.+?) \|(?: (.+?) \|)?$")


class Standing(StrEnum):
    """`proved` only where a passing test proves the whole row and none that names it fails."""

    proved = "proved"
    in_part = "in part"
    failing = "failing"
    open = "open"


@dataclass(frozen=True, slots=True)
class Proof:
    test: str
    part: str | None
    outcome: str


@dataclass(slots=True)
class Row:
    id: str
    text: str
    proofs: list[Proof] = field(default_factory=list)

    @property
    def standing(self) -> Standing:
        if any(p.outcome == "failed" for p in self.proofs):
            return Standing.failing
        passed = [p for p in self.proofs if p.outcome == "passed"]
        if any(p.part is None for p in passed):
            return Standing.proved
        return Standing.in_part if passed else Standing.open


def read_rows(rows: Path = ROWS, record: Path = RECORD) -> tuple[list[Row], str | None]:
    """Every row in the order of the page, and when the tests last ran (None: never, here)."""
    found = {
        match[1]: Row(match[1], match[2])
        for line in rows.read_text(encoding="utf-8").splitlines()
        if (match := _ROW.match(line)) is not None
    }
    if not record.exists():
        return list(found.values()), None
    document = json.loads(record.read_text(encoding="utf-8"))
    for entry in document["tests"]:
        if entry["row"] in found:
            found[entry["row"]].proofs.append(Proof(entry["test"], entry["part"], entry["outcome"]))
    return list(found.values()), document["recorded"]
