"""Handing what comes back to notifications, as a mail server of the school's would with a pipe or a hook."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import structlog

log = structlog.get_logger("custode.mailbox")
_DELAY: Final = 1.0  # seconds: a real report never comes before the answer to the message
_TRIES: Final = 30


@dataclass
class Returning:
    """Posts reports to `url` with the key in `key_file`, for a minute if nobody answers. A report that is still waiting
    when the process ends is lost, as it may be with any mail server; it is in the mailbox all the same."""

    url: str
    key_file: Path
    _tasks: set["asyncio.Task[None]"] = field(default_factory=set)

    def hand_over(self, report: bytes) -> None:
        """Soon, and in the background."""
        task = asyncio.create_task(self._post(report))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _post(self, report: bytes) -> None:
        for _ in range(_TRIES):
            await asyncio.sleep(_DELAY)
            try:
                key = self.key_file.read_text(encoding="ascii").strip()
                async with httpx.AsyncClient(timeout=5) as client:
                    headers = {"Authorization": f"Bearer {key}", "Content-Type": "message/rfc822"}
                    answer = await client.post(self.url, content=report, headers=headers)
            except (OSError, httpx.HTTPError):
                continue
            if answer.status_code == httpx.codes.OK:
                return
        log.warning("a report was not taken", url=self.url)
