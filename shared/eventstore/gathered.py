"""Questions of one kind that come at the same time are answered together."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


class Gathered(Generic[Q, A]):
    """What is asked while an answer is under way waits for the next, at most `most` a time.

    `answer` gives one answer a question, in order; its exception goes to all who asked.
    """

    def __init__(self, answer: Callable[[Sequence[Q]], Awaitable[Sequence[A]]], most: int = 256) -> None:
        self._answer = answer
        self._most = most
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._alone = False
        self._worker: asyncio.Task[None] | None = None

    async def ask(self, question: Q) -> A:
        if not self._under_way:
            # Those who come in the same turn are answered together; who is alone needs no worker.
            self._alone = True
            try:
                await asyncio.sleep(0)
                if not self._waiting:
                    (answer,) = await self._answer([question])
                    return answer
            finally:
                self._alone = False
                if self._waiting:
                    self._worker = asyncio.create_task(self._work())
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if not self._under_way:
            self._worker = asyncio.create_task(self._work())
        return await future

    @property
    def _under_way(self) -> bool:
        return self._alone or not (self._worker is None or self._worker.done())

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            batch = [(question, future) for question, future in batch if not future.done()]
            try:
                answers = await self._answer([question for question, _ in batch])
            except Exception as failure:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(failure)
                continue
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
