"""A sealing key: announced once, and only after its private half lies safely in the file (DESIGN 5)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.contracts.event import Event
from shared.contracts.notifications import SealingKeyPublished
from shared.decider import Decider


@dataclass(frozen=True, slots=True)
class SealingKey:
    published: bool = False


@dataclass(frozen=True, slots=True)
class PublishKey:
    key: str
    public_key: str
    retires: datetime


def decide(state: SealingKey, command: PublishKey) -> Sequence[Event]:
    if state.published:
        return ()
    return (SealingKeyPublished(key=command.key, public_key=command.public_key, retires=command.retires),)


def evolve(state: SealingKey, event: Event) -> SealingKey:
    return SealingKey(published=True) if isinstance(event, SealingKeyPublished) else state


SEALING_KEY: Decider[SealingKey, PublishKey] = Decider("sealing-key", SealingKey, decide, evolve)
