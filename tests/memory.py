"""Tests keep their temporary files in memory where the machine has it: most of a test's time was its disk's.

Set TMPDIR to have them elsewhere.
"""

import os
import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108 -- every folder in it is made by mkdtemp
_ENOUGH = 4 * 2**30
"""Bytes: what a run on all cores takes at its most, twice over."""


def work_in_it() -> None:
    """Let `tempfile`, pytest and all child processes put their files into memory."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK | os.X_OK):
        return
    if shutil.disk_usage(_MEMORY).free >= _ENOUGH:
        os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)
