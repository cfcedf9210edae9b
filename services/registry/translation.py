"""What a file says of people, as the published language has it."""

from typing import Final

from services.registry.domain.people import validated
from services.registry.imports.facts import GuardianFact, PupilFact
from shared.contracts.registry import GuardianDetails, PupilDetails

_pupil: Final = validated(PupilDetails)
_guardian: Final = validated(GuardianDetails)


def pupil_details(fact: PupilFact) -> PupilDetails:
    return _pupil(
        {
            "family_name": fact.family_name,
            "given_name": fact.given_name,
            "birth_date": fact.birth_date,
            "codice_fiscale": fact.codice_fiscale,
            "institutional_email": fact.institutional_email,
            "source": fact.source,
            "external_id": fact.external_id,
        }
    )


def guardian_details(fact: GuardianFact) -> GuardianDetails:
    return _guardian(
        {
            "family_name": fact.family_name,
            "given_name": fact.given_name,
            "codice_fiscale": fact.codice_fiscale,
            "email": fact.email,
            "phone": fact.phone,
            "language": fact.language,
            "source": fact.source,
            "external_id": fact.external_id,
        }
    )
