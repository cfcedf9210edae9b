"""Whom a slip or a mail is from, and whom it concerns."""

from dataclasses import dataclass
from typing import NamedTuple


class Child(NamedTuple):
    """A pupil whom a guardian's credentials concern."""

    name: str
    class_name: str


@dataclass(frozen=True)
class SchoolHead:
    """The school as it signs. `office` says how to reach the secretary (telephone, mailbox), for people to read."""

    name: str
    code: str
    office: str = ""
