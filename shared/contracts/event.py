"""What an event is: a frozen model in the past tense, its personal parts marked as such (DESIGN 3, 6)."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Generic, Self, TypeVar, get_args, get_origin

import orjson
from pydantic import BaseModel, ConfigDict, Field

INSTANCE = "INSTANCE"
"""The `school` of facts that belong to the installation and to no school."""

SERVICES = ("registry", "identity", "notifications")


class PersonalData(BaseModel):
    """Data about a person. Outside memory it exists only sealed, under the key of (person, `purpose`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    purpose: ClassVar[str] = "identity"


P = TypeVar("P", bound=PersonalData)


class Personal(BaseModel, Generic[P]):
    """A personal part of an event. `value` is None once the person's key is destroyed (B4)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    person: str
    value: P | None

    def __repr__(self) -> str:
        return f"Personal(person={self.person!r}, …)"

    __str__ = __repr__


class Event(BaseModel):
    """A fact. Subclasses are named in the past tense; a class is one version of a contract.

    `awaited`: others act upon it, so it is published at once. What nobody waits for goes with what comes next, or
    with the relay's next look.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    service: ClassVar[str]
    awaited: ClassVar[bool] = True
    version: ClassVar[int] = 1
    wire_name: ClassVar[str | None] = None

    @classmethod
    def contract_name(cls) -> str:
        return cls.wire_name or cls.__name__

    @classmethod
    def type_name(cls) -> str:
        """The CloudEvents type, e.g. `custode.registry.StudentEnrolled.v1`."""
        return f"custode.{cls.service}.{cls.contract_name()}.v{cls.version}"


@cache
def personal_fields(event_class: type[Event]) -> tuple[tuple[str, type[PersonalData]], ...]:
    """The names of an event's personal parts with the type of their content. Only top-level fields may be."""
    found: list[tuple[str, type[PersonalData]]] = []
    for name, info in event_class.model_fields.items():
        for candidate in _alternatives(info.annotation):
            if isinstance(candidate, type) and issubclass(candidate, Personal):
                content = candidate.model_fields["value"].annotation
                inner = next(c for c in _alternatives(content) if c is not type(None))
                found.append((name, inner))
    return tuple(found)


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if isinstance(annotation, type):
        return (annotation,)
    return get_args(annotation) or (annotation,)


E_co = TypeVar("E_co", bound=Event, covariant=True)


class Recorded(Generic[E_co]):
    """An event with its place in history; `entry` is the very bytes of store, bus, log and bundle.

    Of one that was read, what else the entry says is taken from there when it is first asked for.
    """

    __slots__ = (
        "actor",
        "causation",
        "correlation",
        "entry",
        "event",
        "id",
        "position",
        "school",
        "school_position",
        "seen",
        "service",
        "stream",
        "stream_version",
        "time",
        "traceparent",
    )

    def __init__(
        self,
        event: E_co,
        entry: bytes,
        id: str,
        service: str,
        stream: str,
        stream_version: int,
        position: int,
        school: str,
        school_position: int,
        time: datetime,
        actor: str,
        correlation: str,
        causation: str | None,
        seen: Mapping[str, int],
        traceparent: str | None,
    ) -> None:
        self.event = event
        self.entry = entry
        self.id = id
        self.service = service
        self.stream = stream
        self.stream_version = stream_version
        self.position = position
        self.school = school
        self.school_position = school_position
        self.time = time
        self.actor = actor
        self.correlation = correlation
        self.causation = causation
        self.seen = seen
        self.traceparent = traceparent

    @classmethod
    def read(cls, event: E_co, entry: bytes) -> Self:  # type: ignore[misc]
        """`entry` as `encode` writes it."""
        recorded = cls.__new__(cls)
        recorded.event = event
        recorded.entry = entry
        return recorded

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in ("event", "entry") or name not in Recorded.__slots__:
                raise AttributeError(name)
            if name == "school" and self._read_school():
                return self.school
            self._read_envelope()
            return getattr(self, name)

    def _read_school(self) -> bool:
        """All that most projections ask of an envelope, without the rest; False where it has to be unescaped, or is
        not said."""
        start = self.entry.find(_SCHOOL, 0, self.entry.index(DATA)) + len(_SCHOOL)
        if start < len(_SCHOOL):
            return False
        said = self.entry[start : self.entry.index(b'"', start)]
        if b"\\" in said:
            return False
        self.school = said.decode()
        return True

    def _read_envelope(self) -> None:
        said = orjson.loads(self.entry[: self.entry.index(DATA)] + b"}")
        self.id = said["id"]
        self.service = said["source"][1:]
        self.stream = said["subject"]
        self.stream_version = int(said["streamversion"])
        self.position = int(said["sequence"])
        self.school = said["school"]
        self.school_position = int(said["schoolsequence"])
        self.time = datetime.fromisoformat(said["time"])
        self.actor = said["actor"]
        self.correlation = said["correlationid"]
        self.causation = said.get("causationid")
        self.seen = seen_said(said.get("seen", ""))
        self.traceparent = said.get("traceparent")

    @property
    def aggregate_id(self) -> str:
        return self.stream.split("/", 1)[1]

    def __repr__(self) -> str:
        return f"Recorded({self.event.contract_name()}, {self.service}:{self.position}, {self.stream})"


def parse_seen(text: str) -> dict[str, int]:
    """`registry:100,identity:7` as a mapping."""
    pairs = (part.split(":", 1) for part in text.split(",") if part)
    return {source: int(position) for source, position in pairs}


seen_said: Callable[[str], Mapping[str, int]] = lru_cache(maxsize=64)(parse_seen)
"""Neighbours have seen the same: parsed once, shared, never changed."""

DATA = b',"data":'
"""What ends the envelope in an entry: no JSON string holds a quotation mark as it is."""

_SCHOOL = b',"school":"'


class Context(BaseModel):
    """Who acts, and because of what. `actor` is opaque: an account id, `system:<key id>`, `service:identity`."""

    model_config = ConfigDict(frozen=True)
    actor: str
    correlation: str
    causation: str | None = None
    traceparent: str | None = None


def because_of(recorded: Recorded[Event], *, actor: str) -> Context:
    """The context of what a service does on its own account, because of an event that it has read."""
    return Context(
        actor=actor,
        correlation=recorded.correlation,
        causation=recorded.id,
        traceparent=recorded.traceparent,
    )


def utcnow() -> datetime:
    return datetime.now(UTC)


_REGISTERED: dict[str, type[Event]] = {}

V = TypeVar("V", bound=type[Event])


def contract(event_class: V) -> V:
    """Class decorator: makes the event part of the published language."""
    name = event_class.type_name()
    if name in _REGISTERED:
        raise ValueError(f"two contracts called {name}")
    _REGISTERED[name] = event_class
    return event_class


def contracts() -> dict[str, type[Event]]:
    """Every registered contract by its CloudEvents type, old versions included."""
    return dict(_REGISTERED)


def contract_of(type_name: str) -> type[Event]:
    try:
        return _REGISTERED[type_name]
    except KeyError:
        raise UnknownContract(type_name) from None


class UnknownContract(Exception):
    def __init__(self, type_name: str) -> None:
        super().__init__(f"no contract {type_name!r} is known here: is this release older than the event?")


NonEmpty = Annotated[str, Field(min_length=1, max_length=200)]
