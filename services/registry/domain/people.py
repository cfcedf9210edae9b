"""What is the same about two descriptions of a person: pure comparisons, used by pupils and guardians alike."""

import unicodedata
from collections.abc import Callable, Mapping
from typing import TypeVar

from pydantic import BaseModel

from shared.contracts.registry import GuardianDetails, PupilDetails

Details = TypeVar("Details", PupilDetails, GuardianDetails)
M = TypeVar("M", bound=BaseModel)

PUPIL_OPTIONAL = ("birth_date", "codice_fiscale", "institutional_email")
GUARDIAN_OPTIONAL = ("codice_fiscale", "phone", "language")


def validated(model: type[M]) -> Callable[[Mapping[str, object]], M]:
    """The model from a mapping, its parts from mappings within: one call where keyword arguments take one for each."""
    return model.__pydantic_validator__.validate_python


def name_key(family_name: str, given_name: str) -> str:
    """Letters and digits alone, without accents and case, so that `D'Angelò` and `D’ANGELO` are alike."""
    text = (family_name + given_name).casefold()
    if text.isascii() and text.isalnum():
        return text
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text)
    return "".join(filter(str.isalnum, text))


def same_name(one: Details, other: Details) -> bool:
    return name_key(one.family_name, one.given_name) == name_key(other.family_name, other.given_name)


def contradicts(known: object | None, said: object | None) -> bool:
    """Both are given and they differ."""
    return known is not None and said is not None and known != said


def corrected(known: Details, said: Details, optional: tuple[str, ...]) -> Details:
    """`known` as the school's system has it now.

    The system that described the person first (or that enrolled them last) may change what it said; any other only
    fills in what was left empty, so that two systems that disagree do not undo each other forever. What is not
    said is not taken away.
    """
    own = said.source == known.source
    names = ("family_name", "given_name") if own else ()
    update = {name: getattr(said, name) for name in names}
    for name in optional:
        value = getattr(said, name)
        if value is not None and (own or getattr(known, name) is None):
            update[name] = value
    return known.model_copy(update=update)


def disagrees(known: Details, said: Details, optional: tuple[str, ...]) -> bool:
    """Another system says otherwise, and is not followed."""
    if said.source == known.source:
        return False
    return not same_name(known, said) or any(
        contradicts(getattr(known, name), getattr(said, name)) for name in optional
    )
