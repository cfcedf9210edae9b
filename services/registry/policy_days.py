"""Days of a policy as a page says them."""

from datetime import date, timedelta

from shared.dates import long_date
from shared.web.i18n import current_language


def last_day_text(until: date) -> str:
    """The day before the one from which something no longer holds, such as 31 agosto 2027."""
    last = until if until == date.min else until - timedelta(days=1)
    return long_date(last, current_language())
