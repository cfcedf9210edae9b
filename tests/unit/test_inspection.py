"""What doctor --deep reads out of histories that no service would write, told in plain facts."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deploy.inspection import accounts, deliveries
from deploy.inspection.aggregates import Aggregate, Fact
from deploy.inspection.bloom import Bloom
from deploy.inspection.credentials import judge_password, judge_slips
from services.identity.domain.account import account_id
from services.notifications.domain.delivery import delivery_id
from shared.contracts.identity import AccountRole

NOW = datetime(2026, 9, 20, 12, tzinfo=UTC)
ENDS = NOW + timedelta(days=3)
ACCOUNT = account_id(AccountRole.guardian, "mother")
DELIVERY = delivery_id("c1", 1)
OPENED = ("AccountOpened", {"account": ACCOUNT, "holder": "mother", "role": "guardian"})
SHREDDED = ("SlipShredded", {"account": ACCOUNT, "credential": "c1", "because": "superseded"})
HANDED = ("SlipShredded", {"account": ACCOUNT, "credential": "c1", "because": "handed_over"})
RETURNED = ("SlipReturned", {"account": ACCOUNT, "credential": "c1"})
ACCESSED = ("FirstAccessCompleted", {"account": ACCOUNT, "credential": "c1"})
CHANGED = ("PasswordChanged", {"account": ACCOUNT, "first": True})
ACCEPTED = ("EmailAccepted", {"delivery": DELIVERY, "attempt": 1, "code": 250})
REGENERATED = (
    "CredentialsRegenerated",
    {"account": ACCOUNT, "credential": "c1", "generation": 2, "request": "r"},
)
SUSPENDED = ("AccountSuspended", {"account": ACCOUNT, "because": "barred"})
REINSTATED = ("AccountReinstated", {"account": ACCOUNT})
REVOKED = ("AccountRevoked", {"account": ACCOUNT, "because": "other"})
RETIRED = ("LocalCredentialsRetired", {"account": ACCOUNT})
SIGNED_IN = ("SignInSucceeded", {"account": ACCOUNT})
PIN_CHANGED = ("PinChanged", {"account": ACCOUNT, "first": True})
PIN_DISABLED = ("PinDisabled", {"account": ACCOUNT, "failures": 10})
SUPERSEDED = ("DeliverySuperseded", {"delivery": DELIVERY})
Told = tuple[str, dict[str, Any]]


def issued(number: int = 1, ends: datetime = ENDS, **other: Any) -> Told:
    terms = {"channel": "email", "pin_issued": False, "must_change": True, "expires": ends.isoformat()}
    who = {"account": ACCOUNT, "holder": "mother", "credential": f"c{number}", "generation": number}
    return "CredentialsIssued", who | terms | other


USED = [OPENED, issued(), ACCESSED, SHREDDED, CHANGED]


def claimed(number: int) -> Told:
    return "SlipClaimed", {"account": ACCOUNT, "credential": "c1", "claims": number}


def asked(ends: datetime = ENDS, **other: Any) -> Told:
    what = {"account": ACCOUNT, "credential": "c1", "generation": 1, "channel": "email"}
    return "DeliveryRequested", what | {"expires": ends.isoformat()} | other


def attempted(number: int) -> Told:
    return "DeliveryAttempted", {"delivery": DELIVERY, "attempt": number}


def deferred(number: int) -> Told:
    return "EmailDeferred", {"delivery": DELIVERY, "attempt": number}


def printed(number: int) -> Told:
    return "SlipPrinted", {"delivery": DELIVERY, "printing": number}


def history(of: str, *told: Told) -> Aggregate:
    facts = [Fact(name, n, "TOIS00001X", NOW, data) for n, (name, data) in enumerate(told, 1)]
    return Aggregate(of, facts)


@pytest.mark.parametrize(
    "told",
    [
        [OPENED],
        [OPENED, issued(), claimed(1), claimed(2), ACCESSED, SHREDDED, CHANGED],
        [OPENED, issued(), SHREDDED, issued(2)],
        [OPENED, issued(ends=NOW - timedelta(days=1)), ACCESSED, SHREDDED, issued(2)],
        [*USED, REGENERATED, issued(2)],
        [*USED, SUSPENDED, REINSTATED, SIGNED_IN],
        [*USED, REVOKED, issued(2), SIGNED_IN],
        [*USED, RETIRED, issued(2), SIGNED_IN],
        [OPENED, issued(), HANDED, RETURNED, HANDED, ACCESSED],
        [OPENED, issued(), HANDED, RETURNED, HANDED, RETURNED, issued(2)],
    ],
)
def test_what_identity_may_write(told: list[Told]) -> None:
    assert accounts.told(history(ACCOUNT, *told)).wrong == []


@pytest.mark.parametrize(
    "told",
    [
        [OPENED, OPENED],
        [issued()],
        [OPENED, issued(2)],
        [OPENED, issued(), issued(2)],
        [OPENED, issued(), SHREDDED, issued(3)],
        [OPENED, issued(), SHREDDED, CHANGED, issued(2)],
        [OPENED, issued(), ACCESSED, SHREDDED, issued(2)],
        [OPENED, issued(), SHREDDED, SHREDDED],
        [OPENED, issued(), HANDED, RETURNED, HANDED, HANDED],
        [OPENED, issued(), HANDED, RETURNED, SHREDDED],
        [*USED, RETURNED],
        [OPENED, issued(), ACCESSED, ACCESSED],
        [OPENED, issued(), claimed(2)],
        [OPENED, issued(), SHREDDED, claimed(1)],
        [OPENED, claimed(1)],
        [OPENED, issued(account="another")],
        [("AccountOpened", {"account": ACCOUNT, "holder": "father", "role": "guardian"})],
        [OPENED, ("StaffPasswordReset", {"account": ACCOUNT, "expires": ENDS.isoformat()})],
        [OPENED, ("CredentialsIssued", {"account": ACCOUNT})],
        [OPENED, issued(), REGENERATED],
        [OPENED, issued(), REVOKED],
        [*USED, SUSPENDED, SIGNED_IN],
        [*USED, REVOKED, SIGNED_IN],
        [*USED, RETIRED, REINSTATED, SIGNED_IN],
    ],
)
def test_what_identity_should_have_refused(told: list[Told]) -> None:
    assert accounts.told(history(ACCOUNT, *told)).wrong


def test_a_colleague_may_leave_and_come_back() -> None:
    account = account_id(AccountRole.staff, "ada")
    opened = ("StaffAccountOpened", {"account": account, "holder": "ada", "roles": ["secretary"]})
    revoked = ("AccountRevoked", {"account": account, "because": "staff_left"})
    changed: Told = ("PasswordChanged", {"account": account, "first": True})
    in_: Told = ("SignInSucceeded", {"account": account})
    back = accounts.told(history(account, opened, changed, in_, revoked, opened, in_))
    assert back.wrong == []
    assert not back.closed
    assert not back.chosen, "the password of before is gone"
    assert accounts.told(history(account, opened, opened)).wrong


def verifier(**other: Any) -> dict[str, Any]:
    row = {"school": "TOIS00001X", "kind": "initial", "must_change": True, "accessed": False, "expires": ENDS}
    return row | {"pin": False, "hashed": True} | other


@pytest.mark.parametrize(
    ("told", "row", "fine"),
    [
        ([OPENED], None, True),
        ([OPENED], verifier(), False),
        ([OPENED, issued()], verifier(), True),
        ([OPENED, issued()], None, False),
        ([OPENED, issued()], verifier(expires=ENDS + timedelta(days=1)), False),
        ([OPENED, issued()], verifier(must_change=False), False),
        ([OPENED, issued()], verifier(pin=True), False),
        ([OPENED, issued()], verifier(hashed=False), False),
        ([OPENED, issued(), ACCESSED], verifier(accessed=True), True),
        ([OPENED, issued(), ACCESSED, CHANGED], verifier(kind="chosen", expires=None), True),
        ([OPENED, issued(), ACCESSED, CHANGED], verifier(), False),
        ([OPENED, issued(), ACCESSED, CHANGED], None, False),
        ([OPENED, issued(ends=NOW - timedelta(hours=1))], None, True),
        ([OPENED, issued(ends=NOW - timedelta(hours=1))], verifier(expires=NOW - timedelta(hours=1)), False),
        (
            [OPENED, issued(ends=NOW - timedelta(minutes=1))],
            verifier(expires=NOW - timedelta(minutes=1)),
            True,
        ),
        ([*USED, REGENERATED], None, True),
        ([*USED, REGENERATED], verifier(kind="chosen", expires=None), False),
        ([*USED, SUSPENDED], verifier(kind="chosen", expires=None), True),
        ([*USED, REVOKED], None, True),
        ([*USED, RETIRED], verifier(kind="chosen", expires=None), False),
        ([*USED, PIN_CHANGED], verifier(kind="chosen", expires=None, pin=True), True),
        ([*USED, PIN_CHANGED], verifier(kind="chosen", expires=None), False),
        ([*USED, PIN_CHANGED, PIN_DISABLED], verifier(kind="chosen", expires=None), True),
    ],
)
def test_one_valid_password(told: list[Told], row: dict[str, Any] | None, fine: bool) -> None:
    account = accounts.told(history(ACCOUNT, *told))
    assert (judge_password(account, row, NOW) == []) is fine


def slip(credential: str = "c1", ends: datetime = ENDS) -> dict[str, Any]:
    return {"credential": credential, "generation": 1, "expires": ends, "school": "TOIS00001X"}


LATE = NOW - timedelta(hours=1)


@pytest.mark.parametrize(
    ("told", "rows", "fine"),
    [
        ([OPENED, issued()], [slip()], True),
        ([OPENED, issued()], [], False),
        ([OPENED, issued(), SHREDDED], [], True),
        ([OPENED, issued(), SHREDDED], [slip()], False),
        ([OPENED, issued()], [slip(), slip("c0")], False),
        ([OPENED], [slip()], False),
        ([OPENED, issued(ends=LATE)], [slip(ends=LATE)], False),
        ([OPENED, issued()], [slip(ends=LATE)], False),
    ],
)
def test_one_sealed_slip_and_none_past_its_life(
    told: list[Told], rows: list[dict[str, Any]], fine: bool
) -> None:
    account = accounts.told(history(ACCOUNT, *told))
    assert (judge_slips(account, rows, NOW) == []) is fine


@pytest.mark.parametrize(
    "told",
    [
        [asked()],
        [asked(), attempted(1), attempted(2), deferred(2), attempted(3), ("EmailAccepted", {"attempt": 3})],
        [asked(), attempted(1), ("DeliveryFailed", {"attempt": 1})],
        [asked(), ("DeliveryFailed", {"attempt": 0})],
        [asked(), ("DeliveryRefused", {})],
        [asked(), attempted(1), deferred(1), SUPERSEDED],
        [asked(), printed(1), printed(2)],
        [asked(ends=LATE), SUPERSEDED],
        [asked(ends=LATE), attempted(1), ACCEPTED],
    ],
)
def test_what_notifications_may_write(told: list[Told]) -> None:
    delivery = deliveries.told(history(DELIVERY, *told))
    deliveries.judge(delivery, None, NOW)
    assert delivery.wrong == []


@pytest.mark.parametrize(
    "told",
    [
        [attempted(1)],
        [asked(), asked()],
        [asked(credential="c2")],
        [asked(), ACCEPTED],
        [asked(), attempted(2)],
        [asked(), attempted(1), ACCEPTED, ACCEPTED],
        [asked(), attempted(1), ACCEPTED, attempted(2)],
        [asked(), attempted(1), ACCEPTED, SUPERSEDED],
        [asked(), attempted(1), attempted(2), ("EmailAccepted", {"attempt": 1})],
        [asked(), attempted(1), ("DeliveryFailed", {"attempt": 1}), ACCEPTED],
        [asked(), SUPERSEDED, printed(1)],
        [asked(), printed(2)],
        [asked(ends=LATE)],
        [asked(ends=LATE), attempted(1)],
        [("DeliveryRequested", {"delivery": DELIVERY})],
        [asked(expires="tomorrow")],
    ],
)
def test_what_is_no_single_outcome(told: list[Told]) -> None:
    delivery = deliveries.told(history(DELIVERY, *told))
    deliveries.judge(delivery, None, NOW)
    assert delivery.wrong


def test_a_set_of_ids_forgets_none_and_knows_hardly_any_other() -> None:
    ids = Bloom()
    for number in range(20_000):
        ids.add(f"id-{number}")
    assert all(f"id-{number}" in ids for number in range(20_000))
    assert sum(f"other-{number}" in ids for number in range(20_000)) < 10
