"""What a file says of people, as the published language has it."""

from services.registry.imports.facts import GuardianFact, PupilFact
from shared.contracts.registry import GuardianDetails, PupilDetails


def pupil_details(fact: PupilFact) -> PupilDetails:
    return PupilDetails(
        family_name=fact.family_name,
        given_name=fact.given_name,
        birth_date=fact.birth_date,
        codice_fiscale=fact.codice_fiscale,
        institutional_email=fact.institutional_email,
        source=fact.source,
        external_id=fact.external_id,
    )


def guardian_details(fact: GuardianFact) -> GuardianDetails:
    return GuardianDetails(
        family_name=fact.family_name,
        given_name=fact.given_name,
        codice_fiscale=fact.codice_fiscale,
        email=fact.email,
        phone=fact.phone,
        language=fact.language,
        source=fact.source,
        external_id=fact.external_id,
    )
