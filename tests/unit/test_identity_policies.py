"""Another's event -> a command of ours, without any I/O (P2 P3 M4 M12 E1)."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.identity.domain.account import Account, Credential
from services.identity.domain.commands import Keep, Refuse
from services.identity.policies import Admit, Case, SealingKey, access, campaign_open, issue, policy_role
from shared.contracts.identity import AccountRole, RefusalReason
from shared.contracts.policy import (
    EMAIL,
    PAPER,
    Channel,
    CredentialPolicy,
    FirstChange,
    HolderRole,
    PinRule,
    RolePolicy,
)
from shared.contracts.registry import EnrolmentKind

NOW = datetime(2026, 9, 14, 8, tzinfo=UTC)
KEY = SealingKey("k", "public", NOW + timedelta(days=1))
YEAR = "2026/2027"
FIRST, NEW, CONTINUING = EnrolmentKind.first_year, EnrolmentKind.new_to_the_school, EnrolmentKind.continuing


def case(
    role: AccountRole = AccountRole.guardian,
    policy: CredentialPolicy | None = PAPER,
    kind: EnrolmentKind | None = FIRST,
    born: date | None = None,
    *,
    data_access: bool = True,
) -> Case:
    return Case("h", role, "S", YEAR, policy, born, kind, data_access)


def account(*, opened: bool = True, live: bool = False) -> Account:
    credential = Credential("c", 1, False, NOW + timedelta(days=1)) if live else None
    return Account("a", "h", AccountRole.guardian if opened else None, credential)


@pytest.mark.parametrize("kind", list(EnrolmentKind))
def test_who_has_a_live_account_keeps_it_whatever_the_enrolment(kind: EnrolmentKind) -> None:
    assert access(account(live=True), case(kind=kind), NOW) == Keep(YEAR, NOW)


@pytest.mark.parametrize("kind", [FIRST, NEW])
def test_first_year_and_new_arrivals_are_admitted(kind: EnrolmentKind) -> None:
    assert access(account(opened=False), case(kind=kind), NOW) == Admit()


def test_a_continuing_one_without_account_is_refused_and_what_was_begun_goes_on() -> None:
    refused = access(account(opened=False), case(kind=CONTINUING), NOW)
    assert isinstance(refused, Refuse) and refused.reason is RefusalReason.no_account
    assert access(account(), case(kind=CONTINUING), NOW) == Admit()


def test_local_credentials_end_on_the_schools_date() -> None:
    policy = PAPER.model_copy(update={"local_credentials_until": date(2026, 9, 15)})
    assert access(account(opened=False), case(policy=policy), NOW) == Admit()
    refused = access(account(opened=False), case(policy=policy), NOW + timedelta(days=1))
    assert isinstance(refused, Refuse) and refused.reason is RefusalReason.local_credentials_ended


def test_the_campaign_opens_at_midnight_in_rome() -> None:
    policy = PAPER.model_copy(update={"campaign_opens": date(2026, 9, 15)})
    before_midnight = datetime(2026, 9, 14, 21, 59, tzinfo=UTC)
    assert not campaign_open(policy, before_midnight)
    assert campaign_open(policy, before_midnight + timedelta(minutes=1))
    assert issue(case(policy=policy), "c", KEY, before_midnight) is None


@pytest.mark.parametrize(
    ("born", "role"),
    [
        (date(2008, 9, 14), HolderRole.pupil_of_age),
        (date(2008, 9, 15), HolderRole.pupil_under_age),
        (date(2008, 2, 29), HolderRole.pupil_of_age),
        (None, HolderRole.pupil_under_age),
    ],
)
def test_a_pupil_comes_of_age_on_the_birthday(born: date | None, role: HolderRole) -> None:
    assert policy_role(case(AccountRole.pupil, born=born), NOW) is role


def test_the_terms_are_those_of_the_policy() -> None:
    terms = issue(case(policy=EMAIL), "c", KEY, NOW)
    assert terms is not None
    assert (terms.channel, terms.exclusive, terms.pin_issued, terms.must_change) == (
        Channel.email, True, True, True,
    )  # fmt: skip
    assert terms.expires == NOW + timedelta(days=14) and terms.year == YEAR
    paper = issue(case(), "c", KEY, NOW)
    assert paper is not None and not paper.must_change and paper.expires == NOW + timedelta(days=30)


def test_no_slip_carries_a_pin() -> None:
    slip = RolePolicy(channel=Channel.slip, pin=PinRule.issued, first_change=FirstChange.forced)
    for role in (AccountRole.guardian, AccountRole.pupil):
        policy = PAPER.model_copy(update={"guardian": slip, "pupil_under_age": slip})
        terms = issue(case(role, policy), "c", KEY, NOW)
        assert terms is not None and not terms.pin_issued


@pytest.mark.parametrize(
    ("policy", "key"),
    [(None, KEY), (PAPER, None), (PAPER, SealingKey("k", "public", NOW))],
)
def test_without_policy_or_key_one_waits(policy: CredentialPolicy | None, key: SealingKey | None) -> None:
    assert issue(case(policy=policy), "c", key, NOW) is None


def test_an_institutional_mailbox_that_is_not_active_is_waited_for() -> None:
    assert issue(case(AccountRole.pupil, EMAIL), "c", KEY, NOW) is None
