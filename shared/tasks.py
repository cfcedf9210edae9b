"""Ending a task for certain."""

import asyncio


async def end(task: "asyncio.Task[None] | None") -> None:
    """Cancel until it is over: a cancellation that meets a finishing `wait_for` is lost in Python 3.11."""
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=0.5)
