"""What the people and systems of a scenario were promised, and what they hold in their hands."""

import re
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

_LINE = r"^\s*{}[^:\n]*:\s*(\S+)\s*$"


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as it lies in a mailbox; without a code it is no credential mail, but a bounce, say."""

    to: str
    message_id: str
    code: str = field(repr=False)
    password: str = field(repr=False)
    pin: str = field(repr=False)


@dataclass
class Book:
    """`enrolled`: pupils whose enrolment was acknowledged. `initial`, `chosen`: passwords by user code, as handed
    out and as set and acknowledged. `slips`: every password that was printed for a code."""

    enrolled: set[str] = field(default_factory=set)
    initial: dict[str, str] = field(default_factory=dict, repr=False)
    chosen: dict[str, str] = field(default_factory=dict, repr=False)
    slips: dict[str, set[str]] = field(default_factory=dict, repr=False)


class Mails:
    """The embedded mailbox's files, read as they come: it may be dead at this moment."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: set[str] = set()
        self.letters: dict[str, list[Letter]] = {}

    def new(self) -> list[Letter]:
        """The letters that came since the last look."""
        found = []
        for file in sorted(self._folder.glob("*.eml")):
            if file.name not in self._read:
                self._read.add(file.name)
                found.append(_letter(file.read_bytes()))
        for letter in found:
            if letter.code:
                self.letters.setdefault(letter.to, []).append(letter)
        return found


def _letter(raw: bytes) -> Letter:
    message = BytesParser(policy=default).parsebytes(raw)
    assert isinstance(message, EmailMessage)
    body = message.get_body(("plain",))
    text = str(body.get_content()) if body is not None else ""

    def says(label: str) -> str:
        match = re.search(_LINE.format(label), text, re.MULTILINE)
        return match[1] if match is not None else ""

    return Letter(
        str(message["Delivered-To"]),
        str(message["Message-ID"]),
        says("Codice utente"),
        says("Password"),
        says("PIN"),
    )


def password_on(slip: str) -> str | None:
    """The initial password as it stands on a slip: four groups, each with its spelling beside it."""
    groups = re.findall(r"^([a-z0-9]{4})-?\n[^\n]+ · ", slip, re.MULTILINE)
    return "-".join(groups) if len(groups) == 4 else None
