"""How Italian schools write and order names: family name first, accents and apostrophes without weight."""

import unicodedata


def full_name(family_name: str | None, given_name: str | None) -> str:
    """`Verdi Anna`; empty for a person who was erased."""
    return " ".join(part.strip() for part in (family_name, given_name) if part and part.strip())


def spoken_name(family_name: str | None, given_name: str | None) -> str:
    """`Anna Verdi`, as one writes to a person; lists put the family name first."""
    return full_name(given_name, family_name)


def collation_key(*parts: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Sorts as an Italian class list: case, accents, apostrophes and spaces count only between equals.

    `D'Amico` stands with `Damico`, `Nicolò` with `Nicolo`; PostgreSQL's C collation would put them last.
    """
    plain = tuple(part or "" for part in parts)
    return tuple(_base(part) for part in plain), plain


def _base(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if c.isalnum())
