"""What somebody at the desk writes about a case: one paragraph that can be stored, shown and printed anywhere."""

from typing import Annotated

from pydantic import AfterValidator, Field

from shared.text import Unusable, tidy
from shared.web.i18n import N_, gettext

LONGEST = 500
_UNUSABLE = N_("Contiene caratteri che non si possono usare: lo riscriva senza incollarlo.")
_TOO_LONG = N_("È troppo lungo: bastano poche parole.")


def written(text: str) -> str:
    """On one line, without what cannot stand in a text. Raises `ValueError`: empty, too_long, or what cannot stand."""
    try:
        tidied, _ = tidy(" ".join(text.split()))
    except Unusable as bad:
        raise ValueError(bad.code) from None
    if not tidied:
        raise ValueError("empty")
    if len(tidied) > LONGEST:
        raise ValueError("too_long")
    return tidied


def filled(text: str, missing: str) -> tuple[str, str]:
    """From a form: the text, and what is wrong with it, in words; `missing` where there is none."""
    try:
        return written(text), ""
    except ValueError as wrong:
        told = {"empty": missing, "too_long": gettext(_TOO_LONG)}
        return "", told.get(str(wrong), gettext(_UNUSABLE))


Written = Annotated[str, Field(min_length=1, max_length=LONGEST), AfterValidator(written)]
