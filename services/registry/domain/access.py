"""What a guardian may see and do of a child, and a pupil alone: one pure function over what is known on a day.

The home page, the API and the desk all ask here (M3, M4, M9, P8). Days are local dates.
"""

from datetime import date
from enum import StrEnum
from typing import NamedTuple

from shared.contracts.policy import CredentialPolicy, GuardiansOfAge

OF_AGE = 18


class Closed(StrEnum):
    """Why a guardian sees nothing of a child, the gravest first."""

    not_linked = "not_linked"
    ended = "ended"
    reported = "reported"
    restricted = "restricted"
    no_data_access = "no_data_access"
    consent_missing = "consent_missing"


class Standing(NamedTuple):
    """All that a guardian's access to one child rests on. `consents`: what the pupil of age last said, if anything."""

    linked: bool = True
    data_access: bool = True
    justifies_online: bool = False
    restricted_on: date | None = None
    ended_on: date | None = None
    reported: bool = False
    birth_date: date | None = None
    consents: bool | None = None


def age(born: date, on: date) -> int:
    """In whole years: of 29 February on 1 March."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def of_age(born: date | None, on: date) -> bool:
    """Derived from the date, never stored; an unknown birth date means under age (M4)."""
    return born is not None and age(born, on) >= OF_AGE


def closed(standing: Standing, policy: CredentialPolicy | None, on: date) -> Closed | None:
    """None where the guardian may see the child's data on this day, else why not."""
    waits = asks_consent(standing.birth_date, policy, on) and not standing.consents
    reasons = (
        (Closed.not_linked, not standing.linked),
        (Closed.ended, begun(standing.ended_on, on)),
        (Closed.reported, standing.reported),
        (Closed.restricted, begun(standing.restricted_on, on)),
        (Closed.no_data_access, not standing.data_access),
        (Closed.consent_missing, waits),
    )
    return next((reason for reason, holds in reasons if holds), None)


def begun(first: date | None, on: date) -> bool:
    """Whether what holds from `first` holds on this day; None: it never does."""
    return first is not None and first <= on


def asks_consent(born: date | None, policy: CredentialPolicy | None, on: date) -> bool:
    """Whether the pupil is of age and the school lets parents see no more than the pupil allows (M4)."""
    by_consent = policy is not None and policy.guardians_of_age is GuardiansOfAge.by_consent
    return by_consent and of_age(born, on)


def may_justify(standing: Standing, policy: CredentialPolicy | None, on: date) -> bool:
    """Whether this guardian justifies this child's absences online: who may not see may not justify (P8)."""
    return standing.justifies_online and closed(standing, policy, on) is None


def pupil_may_justify(born: date | None, policy: CredentialPolicy | None, on: date) -> bool:
    """Never a pupil under age, whatever the policy says (P8, M4)."""
    return policy is not None and policy.pupils_of_age_justify_alone and of_age(born, on)
