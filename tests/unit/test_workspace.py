"""Aggregates under work: what is decided on one is seen by the next decision, and taken for a commit once."""

from typing import cast

from services.registry.domain.school import SCHOOL, OpenYear, RegisterSchool, School
from services.registry.imports.labels import italian_school_year
from shared.contracts.registry import SchoolRegistered
from shared.eventstore.commands import Workspace
from shared.eventstore.store import EventStore

CODE = "RMPSDEMO01"
REGISTERED = SchoolRegistered(school=CODE, name="Liceo", customer_id="liceo")


def test_what_was_decided_outside_is_folded_into_the_state() -> None:
    workspace = Workspace(cast(EventStore, None))
    workspace.new(SCHOOL, CODE, [REGISTERED])
    assert workspace.state(SCHOOL, CODE).registered == REGISTERED
    assert not workspace.decide(SCHOOL, CODE, RegisterSchool(CODE, "Liceo", "liceo"))


def test_what_was_seen_is_decided_upon_at_the_version_it_was_seen_at() -> None:
    workspace = Workspace(cast(EventStore, None))
    workspace.hold(SCHOOL, CODE, 7, School(registered=REGISTERED))
    year = italian_school_year("2026/2027")
    opened = workspace.decide(SCHOOL, CODE, OpenYear(year.label, year.starts, year.ends))
    (append,) = workspace.appends()
    assert (workspace.version(SCHOOL, CODE), append.expected, append.events) == (7, 7, tuple(opened))


def test_each_event_is_taken_once_with_the_version_before_it() -> None:
    workspace = Workspace(cast(EventStore, None))
    workspace.new(SCHOOL, CODE, [REGISTERED])
    (first,) = workspace.appends()
    year = italian_school_year("2026/2027")
    opened = workspace.decide(SCHOOL, CODE, OpenYear(year.label, year.starts, year.ends))
    (second,) = workspace.appends()
    assert (first.expected, first.events) == (0, (REGISTERED,))
    assert (second.expected, second.events) == (1, tuple(opened))
    assert not workspace.appends()
