"""An entry in words: who did what, and why."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from audit.history import Entry
from shared.text import legible

ROME = ZoneInfo("Europe/Rome")
_MOMENT = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d")

_SERVICES = {
    "service:registry": "the registry",
    "service:identity": "identity",
    "service:notifications": "notifications",
}
_SKIPPED = frozenset(
    {"account", "holder", "student", "guardian", "credential", "delivery", "school", "class_id"}
)


def who(entry: Entry) -> str:
    """The actor, for people; ids are shortened, names are never known here."""
    actor = entry.actor
    if actor == "operator":
        return "the operator"
    if actor in _SERVICES:
        return _SERVICES[actor]
    kind, _, rest = actor.partition(":")
    if not rest:
        return f"account {short(actor)}"
    return f"{legible(kind)} {short(rest)}"


def what(entry: Entry) -> str:
    """The facts of the entry that are neither ids nor personal."""
    said = []
    for name, value in entry.data.items():
        if name in _SKIPPED or value is None:
            continue
        if isinstance(value, dict):
            if "sealed" in value:
                said.append(f"{name}: sealed")
            continue
        if isinstance(value, list):
            said.append(f"{name.replace('_', ' ')}: {', '.join(short(str(item)) for item in value)}")
            continue
        if isinstance(value, bool):
            if value:
                said.append(name.replace("_", " "))
            continue
        said.append(f"{name.replace('_', ' ')}: {_in_words(str(value))}")
    return ", ".join(said)


def _in_words(text: str) -> str:
    """Moments in the school's own time, ids by their ends, all else as it is."""
    if _MOMENT.match(text):
        return f"{datetime.fromisoformat(text).astimezone(ROME):%d/%m/%Y %H:%M}"
    return short(text)


def short(text: str) -> str:
    """Ids by their last eight characters: the first ones only tell the time. Nothing acts on the terminal."""
    return f"…{text[-8:]}" if len(text) == 36 and text.count("-") == 4 else legible(text)
