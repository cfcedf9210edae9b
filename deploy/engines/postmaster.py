"""What PostgreSQL's own lock file says of the server over a cluster."""

import time
from pathlib import Path

from deploy.engines.errors import EngineError

STATUS_LINE = 7


def _lines(data: Path) -> list[str]:
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def is_ready(data: Path, pid: int | None) -> bool:
    """Whether the server with this process id says that it takes connections."""
    lines = _lines(data)
    return len(lines) > STATUS_LINE and lines[0] == str(pid) and lines[STATUS_LINE].strip() == "ready"


def wait_for_leftover(data: Path, seconds: float) -> None:
    """Wait for a server whose parent died to go; remove a lock file whose process is another's by now.

    Errors: EngineError when a server still serves the cluster after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while lines := _lines(data):
        if not _serves(int(lines[0]), data):
            (data / "postmaster.pid").unlink(missing_ok=True)
            return
        if time.monotonic() > deadline:
            raise EngineError(f"another PostgreSQL (process {lines[0]}) already serves {data}")
        time.sleep(0.1)


def _serves(pid: int, data: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == data
    except FileNotFoundError:
        return False
    except OSError:
        return True
