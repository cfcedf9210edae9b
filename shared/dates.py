"""Days and moments as people read them, the same on pages, mails and slips: day first, Western digits, Italian time."""

from datetime import date, datetime
from typing import Final

from babel.dates import format_date

from shared.policies import ROME

_LOCALES: Final = {"en": "en_GB"}
# Families read 30 سبتمبر 2026, not ٣٠ سبتمبر ٢٠٢٦: digits stay those of the register and of the clock.
_WESTERN_DIGITS: Final = str.maketrans("٠١٢٣٤٥٦٧٨٩", "0123456789")


def long_date(day: date, language: str) -> str:
    """`day` in words, as that language writes it within a sentence: 14 settembre 2026."""
    written = format_date(day, format="long", locale=_LOCALES.get(language, language))
    # Ukrainian ends with the word for "year", abbreviated: its full stop would meet the sentence's own.
    return (
        written.translate(_WESTERN_DIGITS)
        .removesuffix("\u202fр.")
        .removesuffix("\u00a0р.")
        .removesuffix(" р.")
    )


def short_date(day: date) -> str:
    """14/09/2026, in every language: where a month came first, 4/9 would be another day."""
    return f"{day:%d/%m/%Y}"


def long_moment(moment: datetime, language: str) -> str:
    """14 settembre 2026, 08:05."""
    local = moment.astimezone(ROME)
    return f"{long_date(local, language)}, {local:%H:%M}"


def short_moment(moment: datetime) -> str:
    """14/09/2026, 08:05."""
    return f"{moment.astimezone(ROME):%d/%m/%Y, %H:%M}"
