"""How many mails go to one mail domain a minute, where a campaign says so (E1). Counted in the database: a restart does
not begin a new minute."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from services.notifications.letters import Letter
from shared.database import Pool
from shared.eventstore.units import Write
from shared.sql import Statements

SQL = Statements(__file__)
WINDOW = timedelta(minutes=1)


async def in_pace(pool: Pool, letters: Sequence[Letter], now: datetime) -> dict[str, datetime]:
    """By delivery: until when those of these letters wait that are too many for this minute."""
    by_domain: dict[tuple[str, str], list[Letter]] = defaultdict(list)
    for letter in letters:
        if letter.pace is not None and letter.domain:
            by_domain[letter.school, letter.domain].append(letter)
    if not by_domain:
        return {}
    await pool.execute(SQL("forget_paced_mails"), now - WINDOW)
    rows = await pool.fetch(SQL("paced_mails"), [school for school, _ in by_domain], now - WINDOW)
    sent = {(row["school"], row["domain"]): (row["mails"], row["first"]) for row in rows}
    waits: dict[str, datetime] = {}
    for domain, some in by_domain.items():
        mails, first = sent.get(domain, (0, now))
        for place, letter in enumerate(some, start=mails):
            assert letter.pace is not None
            if place >= letter.pace:
                later = max(place - max(mails, letter.pace), 0) // letter.pace
                waits[letter.delivery] = first + WINDOW * (1 + later)
    return waits


def paced(letter: Letter, now: datetime) -> tuple[Write, ...]:
    """With the attempt: that one more goes to this domain."""
    if letter.pace is None:
        return ()
    return (Write(SQL("put_paced_mail"), ((letter.school, letter.domain, now),)),)
