"""The two schools of the demo, as `data/schools.json` describes them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class DemoSchool:
    codice: str
    name: str
    customer_id: str
    policy: str
    entry_grade: int
    files: tuple[Path, ...]
    stories: dict[str, Any]


def demo_schools() -> tuple[DemoSchool, DemoSchool]:
    """The paper school and the e-mail school."""
    document = json.loads((DATA / "schools.json").read_text(encoding="utf-8"))
    by_policy = {
        s["policy"]: DemoSchool(
            codice=s["codice"],
            name=s["name"],
            customer_id=s["customer_id"],
            policy=s["policy"],
            entry_grade=s["entry_grade"],
            files=tuple(DATA / i["file"] for i in s["imports"]),
            stories=s["stories"],
        )
        for s in document["schools"]
    }
    return by_policy["paper"], by_policy["email"]


def bad_file() -> Path:
    """A list with the mistakes that real lists have."""
    document = json.loads((DATA / "schools.json").read_text(encoding="utf-8"))
    return DATA / str(document["bad_input"]["file"])
