"""The PIN's decisions, what it may be, and what whoever lost their credentials is told (E2 E6)."""

from datetime import UTC, date, datetime

import pytest

from services.identity.domain.language import LANGUAGE, ChooseLanguage
from services.identity.domain.pin import PIN, ChangePin, ConfirmAction, DisablePin
from services.identity.lost import UNKNOWN, advice
from services.identity.pin_rules import (
    BIRTH_DATE,
    COMMON,
    NOT_SIX,
    REPEATED,
    SEQUENCE,
    canonical_pin,
    is_pin,
    pin_objection,
)
from shared.contracts.event import Event, Personal
from shared.contracts.identity import (
    AccountCode,
    AccountOpened,
    AccountReinstated,
    AccountRevoked,
    AccountRole,
    AccountSuspended,
    ActionConfirmed,
    ConfirmedBy,
    CredentialsIssued,
    CredentialsRegenerated,
    LanguageChosen,
    LocalCredentialsRetired,
    PinChanged,
    PinDisabled,
    RevocationReason,
    SuspensionReason,
)
from shared.contracts.policy import EMAIL, PAPER, Channel, CredentialPolicy, HolderRole
from shared.testing.bdd import given

A, H = "account-1", "holder-1"
TODAY = date(2026, 9, 14)


def opened() -> Event:
    code = Personal[AccountCode](person=H, value=AccountCode(user_code="BCDF2345"))
    return AccountOpened(account=A, holder=H, role=AccountRole.guardian, code=code)


def issued(*, pin: bool, generation: int = 1) -> Event:
    return CredentialsIssued(
        account=A,
        holder=H,
        credential=f"credential-{generation}",
        generation=generation,
        policy_role=HolderRole.guardian,
        channel=Channel.email,
        exclusive=True,
        pin_issued=pin,
        must_change=True,
        expires=datetime(2026, 9, 28, tzinfo=UTC),
        year="2026/2027",
    )


CHANGED, FIRST = PinChanged(account=A, first=False), PinChanged(account=A, first=True)
DISABLED = PinDisabled(account=A, failures=10)
JUSTIFY = "justify"


def confirm(by: ConfirmedBy) -> ConfirmAction:
    return ConfirmAction(JUSTIFY, "absence-1", by)


def confirmed(by: ConfirmedBy) -> Event:
    return ActionConfirmed(account=A, purpose=JUSTIFY, subject="absence-1", by=by)


@pytest.mark.requirement("E2", part="the PIN confirms what has consequences and can be changed by its holder")
def test_a_pin_is_chosen_changed_and_confirms() -> None:
    given(PIN).when(ChangePin()).then_refused("no_account")
    given(PIN, opened(), issued(pin=False)).when(ChangePin()).then(FIRST)
    given(PIN, opened(), issued(pin=True)).when(ChangePin()).then(CHANGED)
    given(PIN, opened(), issued(pin=True)).when(confirm(ConfirmedBy.pin)).then(confirmed(ConfirmedBy.pin))
    given(PIN, opened(), FIRST).when(confirm(ConfirmedBy.pin)).then(confirmed(ConfirmedBy.pin))


def test_the_password_confirms_only_where_there_is_no_pin() -> None:
    by_password = confirm(ConfirmedBy.password)
    given(PIN, opened(), issued(pin=False)).when(by_password).then(confirmed(ConfirmedBy.password))
    given(PIN, opened(), issued(pin=True)).when(by_password).then_refused("pin_required")
    given(PIN, opened(), issued(pin=False)).when(confirm(ConfirmedBy.pin)).then_refused("no_pin")
    passkey = confirm(ConfirmedBy.passkey)
    given(PIN, opened(), issued(pin=True)).when(passkey).then(confirmed(ConfirmedBy.passkey))


def test_a_disabled_pin_confirms_nothing_until_one_is_chosen_anew() -> None:
    story = (opened(), issued(pin=True))
    given(PIN, *story).when(DisablePin(10)).then(DISABLED)
    given(PIN, *story, DISABLED).when(DisablePin(10)).then_nothing()
    given(PIN, *story, DISABLED).when(confirm(ConfirmedBy.pin)).then_refused("pin_disabled")
    given(PIN, *story, DISABLED).when(confirm(ConfirmedBy.password)).then_refused("pin_disabled")
    given(PIN, *story, DISABLED).when(ChangePin()).then(CHANGED)
    anew = (*story, DISABLED, CHANGED)
    given(PIN, *anew).when(confirm(ConfirmedBy.pin)).then(confirmed(ConfirmedBy.pin))


@pytest.mark.requirement("E6", part="with the old password the old PIN dies")
def test_a_regeneration_and_a_revocation_end_the_pin() -> None:
    story = (opened(), issued(pin=True))
    regenerated = CredentialsRegenerated(request="r", account=A, credential="credential-1", generation=2)
    given(PIN, *story, regenerated).when(confirm(ConfirmedBy.pin)).then_refused("no_pin")
    given(PIN, *story, regenerated, issued(pin=True, generation=2)).when(confirm(ConfirmedBy.pin)).then(
        confirmed(ConfirmedBy.pin)
    )
    for end in (
        AccountRevoked(account=A, because=RevocationReason.withdrawn),
        LocalCredentialsRetired(account=A),
        AccountSuspended(account=A, because=SuspensionReason.loss),
    ):
        given(PIN, *story, end).when(confirm(ConfirmedBy.pin)).then_refused("account_closed")
        given(PIN, *story, end).when(ChangePin()).then_refused("account_closed")
    suspended = AccountSuspended(account=A, because=SuspensionReason.other)
    back = (*story, suspended, AccountReinstated(account=A))
    given(PIN, *back).when(confirm(ConfirmedBy.pin)).then(confirmed(ConfirmedBy.pin))


@pytest.mark.requirement("M14", part="a holder chooses their language")
def test_a_language_is_chosen_once() -> None:
    romanian = LanguageChosen(account=A, holder=H, language="ro")
    given(LANGUAGE).when(ChooseLanguage("ro")).then_refused("no_account")
    given(LANGUAGE, opened()).when(ChooseLanguage("ro")).then(romanian)
    given(LANGUAGE, opened(), romanian).when(ChooseLanguage("ro")).then_nothing()
    arabic = LanguageChosen(account=A, holder=H, language="ar")
    given(LANGUAGE, opened(), romanian).when(ChooseLanguage("ar")).then(arabic)


BORN = [date(2012, 3, 4), date(1979, 11, 30)]


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("", NOT_SIX),
        ("12345", NOT_SIX),
        ("1234567", NOT_SIX),
        ("12a456", NOT_SIX),
        ("000000", REPEATED),
        ("515155", REPEATED),
        ("121212", REPEATED),
        ("258258", REPEATED),
        ("123456", SEQUENCE),
        ("654321", SEQUENCE),
        ("789012", SEQUENCE),
        ("345678", SEQUENCE),
        ("112233", COMMON),
        ("778899", COMMON),
        ("159753", COMMON),
        ("040312", BIRTH_DATE),
        ("301179", BIRTH_DATE),
        ("197911", BIRTH_DATE),
        ("120304", BIRTH_DATE),
        ("482916", None),
        ("48 29-16", None),
        ("\u0664\u0668\u0662\u0669\u0661\u0666", None),
    ],
)
def test_trivial_pins_are_refused_with_the_reason(typed: str, reason: str | None) -> None:
    assert pin_objection(typed, BORN) == reason
    assert is_pin(typed) is (reason != NOT_SIX)


def test_few_of_all_pins_are_refused() -> None:
    """Or guessing would become easier, not harder."""
    refused = sum(pin_objection(f"{pin:06d}", BORN) is not None for pin in range(0, 10**6, 7))
    assert 0 < refused < 10**6 / 7 * 0.01
    assert canonical_pin("48 29-16") == "482916"


@pytest.mark.requirement("E6", part="whoever lost credentials reads what the school's policy says")
def test_what_the_lost_are_told_is_the_policys() -> None:
    paper, mail = advice(PAPER, TODAY), advice(EMAIL, TODAY)
    assert [each.whom for each in paper] == ["Genitori", "Studenti", "Personale della scuola"]
    assert "ristampare" in paper[0].sentences[0] and "Riceverà nuove credenziali" in paper[0].sentences[1]
    assert "inviare di nuovo" in mail[0].sentences[0] and "eccezionali" in mail[0].sentences[1]
    assert "solo all’indirizzo e-mail" in mail[0].sentences[2]
    assert "alla casella data dalla scuola" in mail[1].sentences[2]
    assert [each.whom for each in advice(EMAIL, TODAY, HolderRole.pupil_of_age)] == ["Studenti"]
    assert advice(None, TODAY)[0].sentences == (UNKNOWN,)
    assert "amministra" in advice(None, TODAY, HolderRole.staff)[0].sentences[0]


def test_every_policy_names_somebody_who_can_help() -> None:
    ended = PAPER.model_copy(update={"local_credentials_until": TODAY})
    for policy in (*(replace_channel(PAPER, channel) for channel in Channel), ended):
        for told in advice(policy, TODAY):
            assert any("segreteria" in s or "amministra" in s for s in told.sentences), (policy, told)
    assert "SPID" in advice(ended, TODAY)[0].sentences[0]
    assert "SPID" not in advice(ended, date(2026, 9, 13))[0].sentences[0]


def replace_channel(policy: CredentialPolicy, channel: Channel) -> CredentialPolicy:
    changed = {
        role: policy.of(HolderRole(role)).model_copy(update={"channel": channel})
        for role in ("guardian", "pupil_under_age", "pupil_of_age")
    }
    return policy.model_copy(update=changed)
