"""Ending a task for certain; fetching ahead."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

T = TypeVar("T")


async def end(task: "asyncio.Task[None] | None") -> None:
    """Cancel until it is over: a cancellation that meets a finishing `wait_for` is lost in Python 3.11."""
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=0.5)


async def one_ahead(items: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """The same items (None ends them); the next is being fetched while the one before is worked on.

    Close it (`contextlib.aclosing`): what was fetched in vain is cancelled.
    """

    async def fetch() -> T | None:
        return await anext(items, None)

    upcoming = asyncio.create_task(fetch())
    try:
        while (item := await upcoming) is not None:
            upcoming = asyncio.create_task(fetch())
            yield item
    finally:
        upcoming.cancel()
        await asyncio.gather(upcoming, return_exceptions=True)
