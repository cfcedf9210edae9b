"""How a running installation is, seen from another process."""

import asyncio
import os
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from deploy.folder import RunFile
from deploy.units import ask


@dataclass(frozen=True)
class PartStatus:
    """One part. reason: why it is not ready, in words."""

    name: str
    pid: int | None
    ready: bool
    reason: str
    restarts: int
    log: str

    def as_json(self) -> dict[str, object]:
        return asdict(self)


async def look(found: RunFile) -> list[PartStatus]:
    """Ask every part of a run file whether it is ready."""
    async with httpx.AsyncClient(trust_env=False) as client:
        parts: dict[str, dict[str, Any]] = found["parts"]
        return list(await asyncio.gather(*(_look(client, name, part) for name, part in parts.items())))


async def _look(client: httpx.AsyncClient, name: str, part: dict[str, Any]) -> PartStatus:
    pid: int | None = part["pid"]
    if pid is None or not _exists(pid):
        ready, reason = False, "not running" if part["wanted"] else "stopped"
    else:
        answer = await ask(client, part["ready_url"], part["ports"])
        ready, reason = answer.ready, answer.reason
    return PartStatus(name, pid, ready, reason, part["restarts"], part["log"])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
