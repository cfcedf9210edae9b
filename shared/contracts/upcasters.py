"""Older versions of a contract, brought up to the newest: pure functions over the event (DESIGN 3)."""

from collections.abc import Callable
from datetime import date
from typing import Any

from shared.contracts.event import Event
from shared.contracts.registry import SchoolYearOpened, SchoolYearOpenedV1


def _school_year_opened(old: Event) -> Event:
    """A label alone meant the Italian school year: 1 September to 31 August (d.lgs. 297/1994, art. 74)."""
    assert isinstance(old, SchoolYearOpenedV1)
    first, last = (int(part) for part in old.year.split("/"))
    return SchoolYearOpened(
        school=old.school, year=old.year, starts=date(first, 9, 1), ends=date(last, 8, 31)
    )


_STEPS: dict[type[Event], Callable[[Any], Event]] = {SchoolYearOpenedV1: _school_year_opened}


def upcast(event: Event) -> Event:
    """The event in its newest version. The recorded bytes stay what they are."""
    while (step := _STEPS.get(type(event))) is not None:
        event = step(event)
    return event


def superseded() -> frozenset[type[Event]]:
    """Contracts that are still read and never written."""
    return frozenset(_STEPS)
