"""Start an installation in the background and wait until it runs."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from deploy.engines.process import open_log
from deploy.folder import RunFile, claim_folder, read_run_file
from deploy.settings import Settings

START_SECONDS = 180.0


@dataclass(frozen=True)
class DetachedStart:
    """A start in the background that failed, and what it said."""

    said: str


def start_detached(settings: Settings, say: Callable[[str], None]) -> RunFile | DetachedStart:
    """Run `custode up` as a process of its own, in a session of its own; returns when all is ready.

    What it has to say goes to `logs/supervisor.log`, and to `say` meanwhile.
    """
    log = claim_folder(settings) / "logs" / "supervisor.log"
    log.parent.mkdir(mode=0o700, exist_ok=True)
    descriptor = open_log(log)
    position = os.fstat(descriptor).st_size
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "deploy.cli", "up"],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
            env=dict(os.environ) | {"CUSTODE_DATA": str(settings.data)},
        )
    finally:
        os.close(descriptor)
    deadline = time.monotonic() + START_SECONDS
    said = ""
    with log.open() as stream:
        stream.seek(position)
        while time.monotonic() < deadline:
            ended = child.poll() is not None
            for line in stream:
                said += line
                say(line.rstrip())
            if ended:
                return DetachedStart(said.strip()[-2000:])
            found = read_run_file(settings.data)
            if found is not None and found["state"] == "running":
                return found
            time.sleep(0.1)
    child.terminate()
    return DetachedStart(f"not ready after {START_SECONDS:.0f} seconds\n{said.strip()[-2000:]}")
