"""An entry in words: ids shortened, moments in the school's time, nothing personal (S5)."""

import orjson

from audit.history import Entry
from audit.replay import causes
from audit.telling import what, who


def entry(actor: str, position: int = 1, cause: str | None = None, **data: object) -> Entry:
    envelope = {
        "id": f"e{position}",
        "type": "custode.identity.StaffAccountOpened.v1",
        "actor": actor,
        "data": data,
        "time": "2026-09-14T06:00:00Z",
    }
    if cause is not None:
        envelope["causationid"] = cause
    return Entry("identity", position, orjson.dumps(envelope), envelope)


def test_who_acted_is_said_without_a_name() -> None:
    assert who(entry("operator")) == "the operator"
    assert who(entry("service:identity")) == "identity"
    assert who(entry("0190aaaa-0000-7000-8000-00000000abcd")) == "account …0000abcd"
    assert who(entry("system:bus:RMIC8AB00X")) == "system bus:RMIC8AB00X"


def test_what_happened_is_said_in_words() -> None:
    told = entry(
        "operator",
        account="0190aaaa-0000-7000-8000-00000000abcd",
        roles=["secretary", "principal"],
        must_change=True,
        exclusive=False,
        expires="2026-12-05T20:50:15.810907Z",
        details={"person": "p", "sealed": "x"},
        reason=None,
    )
    assert (
        what(told) == "roles: secretary, principal, must change, expires: 05/12/2026 21:50, details: sealed"
    )


def test_a_cause_is_named_by_its_place() -> None:
    first, second = entry("operator"), entry("operator", 2, cause="e1")
    assert causes([first, second]) == {"e2": "StaffAccountOpened (identity:1)"}
    assert causes([second]) == {"e2": "an earlier event"}
