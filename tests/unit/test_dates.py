"""One way to write a day and a moment, wherever people read it."""

from datetime import UTC, date, datetime

import pytest

from shared.dates import long_date, long_moment, short_date, short_moment

DAY, MOMENT = date(2026, 9, 4), datetime(2026, 9, 3, 22, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("it", "4 settembre 2026"),
        ("en", "4 September 2026"),
        ("ar", "4 سبتمبر 2026"),
        ("uk", "4 вересня 2026"),
        ("zh", "2026年9月4日"),
    ],
)
def test_in_words_with_western_digits(language: str, written: str) -> None:
    assert long_date(DAY, language) == written
    assert long_moment(MOMENT, language) == f"{written}, 00:05", "a moment is Italy's"


def test_in_figures_the_day_comes_first() -> None:
    assert short_date(DAY) == "04/09/2026"
    assert short_moment(MOMENT) == "04/09/2026, 00:05"
