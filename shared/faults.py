"""Named fault points: where a test may end a process, as a power cut would (DESIGN 4, the table of crashes).

Off, as always but in such tests, a point is one call of an empty function. On (`CUSTODE_FAULTS_FOLDER`, refused in
production), a process that reaches a point whose file `<service>.<point>` lies in the folder takes the file
away and ends itself with SIGKILL: no handler runs, nothing is flushed. One file ends one process, once.
"""

import os
import signal
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path


class Point(StrEnum):
    """Each crash of DESIGN's table that lies within a process of ours, and the steps on either side of an effect."""

    key_made = "key-made"
    """A person's key stands in the keyring; nothing that it seals is committed yet."""
    before_commit = "before-commit"
    """Everything is written, nothing committed."""
    after_commit = "after-commit"
    """Committed; nobody has been told."""
    before_publish = "before-publish"
    """The relay has read what the stream lacks, and sent none of it."""
    published = "published"
    """The stream has acknowledged; the relay does not know it yet."""
    reaction_prepared = "reaction-prepared"
    """A reader has decided what follows from a batch, and committed none of it."""
    reaction_committed = "reaction-committed"
    """Cursor and consequences are committed; the reader has not gone on."""
    command_carried_out = "command-carried-out"
    """A school system's command is committed and not acknowledged."""
    slip_claimed = "slip-claimed"
    """The claim of a sealed slip is committed and not answered."""
    mail_attempted = "mail-attempted"
    """The attempt is written; no mail has left."""
    mail_accepted = "mail-accepted"
    """The mail server has accepted; the outcome is not written."""
    slips_rendered = "slips-rendered"
    """The sheet is made; that it was printed is not written."""
    epoch_key_written = "epoch-key-written"
    """The private half is on disk; the public one is not announced."""


def _nothing(_: Point) -> None:
    """No fault is wanted: the usual case."""


reach: Callable[[Point], None] = _nothing
"""`faults.reach(Point.before_commit)`: looked up at each call, so that arming reaches every place."""


def arm(folder: Path, service: str) -> None:
    """From now on this process ends at the points whose files lie in `folder`."""

    def reach_and_die(point: Point) -> None:
        wanted = folder / wanted_name(service, point)
        try:
            wanted.rename(wanted.with_suffix(".reached"))
        except FileNotFoundError:
            return
        os.kill(os.getpid(), signal.SIGKILL)

    global reach  # noqa: PLW0603
    reach = reach_and_die


def wanted_name(service: str, point: Point) -> str:
    """The name of the file that wants `service` to end at `point`; `.reached` instead of `.wanted` when it has."""
    return f"{service}.{point}.wanted"
