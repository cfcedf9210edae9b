"""What the desk's page of a credential says of it."""

import pytest

from services.identity.desk import Card, State
from services.identity.desk_words import about, told
from shared.contracts.identity import AccountRole, ShredReason, SlipShredded


@pytest.mark.requirement("M8", part="what can be printed again, and what cannot")
@pytest.mark.parametrize(("copy", "words"), [(True, "Si possono stampare"), (False, "non si può ristampare")])
def test_nothing_is_offered_again_whose_copy_is_gone(copy: bool, words: str) -> None:
    card = Card(
        account="account",
        holder="holder",
        role=AccountRole.guardian,
        state=State.issued,
        user_code="ABCD2345",
        family_name=None,
        given_name=None,
        birth_date=None,
        suspended=None,
        since=None,
        ended_because=None,
        into=None,
        refused=None,
        lost_at=None,
        lost_by=None,
        generation=1,
        channel="slip",
        expires=None,
        slip=copy,
        waiting=False,
    )
    assert words in about(card)


@pytest.mark.parametrize("because", ShredReason)
def test_a_copy_of_credentials_by_mail_is_not_called_a_slip(because: ShredReason) -> None:
    said = told(SlipShredded(account="account", credential="credential", because=because))
    assert said is not None and ("tagliando" in said) == (because is ShredReason.handed_over)
