"""Writes the demo's files anew: `python -m deploy.demo.generate`. The same bytes every time; everybody is invented.

The stories in them (who repeats a class, which two parents share a mailbox...) are listed in `data/schools.json`, so
that the demo and the tests can point at them.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.demo import dirty, mail_school, paper_school

DATA: Final = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class DemoFile:
    name: str
    content: bytes


def files() -> list[DemoFile]:
    """Every file of the demo, in memory."""
    paper, mail = paper_school.build(), mail_school.build()
    facts = {"schools": [paper.facts, mail.facts], "bad_input": dirty.FACTS}
    return [
        *(DemoFile(name, content) for name, content in paper.files.items()),
        *(DemoFile(name, content) for name, content in mail.files.items()),
        DemoFile(dirty.NAME, dirty.content()),
        DemoFile("schools.json", (json.dumps(facts, ensure_ascii=False, indent=2) + "\n").encode()),
    ]


def write(folder: Path = DATA) -> None:
    """Writes every file into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files():
        (folder / file.name).write_bytes(file.content)


if __name__ == "__main__":
    write()
