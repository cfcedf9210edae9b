"""An entry in words: who did what, and why."""

from audit.history import Entry

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
    if actor in _SERVICES:
        return _SERVICES[actor]
    kind, _, rest = actor.partition(":")
    if not rest:
        return f"account {short(actor)}"
    return f"{kind} {short(rest)}"


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
        if isinstance(value, bool):
            if value:
                said.append(name.replace("_", " "))
            continue
        said.append(f"{name.replace('_', ' ')}: {short(str(value))}")
    return ", ".join(said)


def short(text: str) -> str:
    """Ids by their last eight characters: the first ones only tell the time."""
    return f"…{text[-8:]}" if len(text) == 36 and text.count("-") == 4 else text
