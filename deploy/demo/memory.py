"""What the demo remembers between two runs, in the data folder: which chapters are done, and its people's keys.

Only a demo may keep a password in a file: its people are invented, and the file is deleted by `make clean`.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE = "demo.json"


@dataclass
class Key:
    """How one of the demo's people signs in."""

    user_code: str
    password: str


@dataclass
class Memory:
    done: list[str] = field(default_factory=list)
    keys: dict[str, Key] = field(default_factory=dict)
    account: str | None = None
    notes: dict[str, str] = field(default_factory=dict)
    _path: Path | None = None

    @classmethod
    def of(cls, folder: Path) -> "Memory":
        path = folder / FILE
        memory = cls(_path=path)
        if path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))
            memory.done, memory.account = kept["done"], kept["account"]
            memory.notes = kept.get("notes", {})
            memory.keys = {name: Key(**key) for name, key in kept["keys"].items()}
        return memory

    def finished(self, chapter: str) -> None:
        self.done.append(chapter)
        self.save()

    def remember(self, name: str, what: str) -> None:
        self.notes[name] = what
        self.save()

    def save(self) -> None:
        assert self._path is not None
        content = {
            "done": self.done,
            "account": self.account,
            "notes": self.notes,
            "keys": {name: asdict(key) for name, key in self.keys.items()},
        }
        beside = self._path.with_suffix(".new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
        beside.replace(self._path)
