"""What the desk and holders write about a case: one paragraph that can be stored, shown and printed anywhere."""

from typing import Annotated

from pydantic import AfterValidator, Field

from shared.text import Unusable, tidy

LONGEST = 500


def written(text: str) -> str:
    """On one line, without what cannot stand in a text. Raises `ValueError`, which says which it is."""
    try:
        tidied, _ = tidy(" ".join(text.split()))
    except Unusable as bad:
        raise ValueError(bad.code) from None
    if not tidied:
        raise ValueError("empty")
    if len(tidied) > LONGEST:
        raise ValueError("too_long")
    return tidied


Written = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST,
        description="Kept with who wrote it and when; the holder's own data.",
    ),
    AfterValidator(written),
]
