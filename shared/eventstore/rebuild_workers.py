"""Processes that a rebuild has beside it: they open entries and say in rows what these mean, on every core.

Forked: they know what this process knows (the key-encryption key, projection, columns) without being told, and nothing
is written down. Each ends as soon as its pipe does, however the process at the other end came to its own end.
"""

import asyncio
import gc
import multiprocessing
import os
import pickle
import signal
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle, repeat
from multiprocessing.context import ForkProcess
from types import TracebackType
from typing import Any, BinaryIO, Self

from shared.contracts import decoding
from shared.database import open_pool
from shared.eventstore.reading import prepare
from shared.eventstore.shadow import Filling, Prepared
from shared.keyring.keyring import KeyEncryptionKey, Keyring

_MOST = 4
_LENGTH = struct.Struct("!Q")
_FORK = multiprocessing.get_context("fork")


def workers_here() -> int:
    """As many as there are cores for us, four at most."""
    return min(_MOST, len(os.sched_getaffinity(0)))


class WorkerEnded(Exception):
    """A worker is gone without a word: somebody ended it, or there was no memory left."""


@dataclass(slots=True)
class _Worker:
    process: ForkProcess
    pipe: socket.socket
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Workers:
    """`async with`: all have ended when the block is left."""

    def __init__(self, filling: Filling, keyring_url: str, kek: KeyEncryptionKey) -> None:
        self._opening = keyring_url, kek
        self._filling = filling
        self._workers: list[_Worker] = []

    async def __aenter__(self) -> Self:
        try:
            for _ in range(workers_here()):
                self._workers.append(self._forked())
        except BaseException:
            self._end()
            raise
        self._next = cycle(self._workers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def at_once(self) -> int:
        """How many batches keep all of them at work: one under way, one that waits."""
        return 2 * len(self._workers)

    async def prepare(self, entries: Sequence[bytes], repeating: frozenset[str]) -> list[Prepared]:
        """What these entries say, as `Filling.prepare`. Not to be cancelled: the answer would be the next one's.

        Raises what opening or projecting raised there, or `WorkerEnded`.
        """
        worker = next(self._next)
        async with worker.turn:
            try:
                answer = await _asked(worker.pipe, pickle.dumps((entries, repeating), protocol=5))
            except ConnectionError:
                raise WorkerEnded("a worker of the rebuild has ended: was it out of memory?") from None
        if isinstance(answer, _Fault):
            raise answer.error()
        prepared: list[Prepared] = answer
        return prepared

    def _forked(self) -> _Worker:
        ours, theirs = socket.socketpair()
        with theirs:
            process = _FORK.Process(target=_work, args=(theirs, self._filling, *self._opening), daemon=True)
            process.start()
            ours.setblocking(False)
            return _Worker(process, ours)

    def _end(self) -> None:
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()


async def _asked(pipe: socket.socket, question: bytes) -> Any:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(pipe, _LENGTH.pack(len(question)))
    await loop.sock_sendall(pipe, question)
    (length,) = _LENGTH.unpack(await _received(pipe, _LENGTH.size))
    return pickle.loads(await _received(pipe, length))  # noqa: S301  (from a process of ours)


async def _received(pipe: socket.socket, length: int) -> bytearray:
    buffer = bytearray(length)
    rest = memoryview(buffer)
    while rest:
        count = await asyncio.get_running_loop().sock_recv_into(pipe, rest)
        if not count:
            raise ConnectionResetError
        rest = rest[count:]
    return buffer


@dataclass(frozen=True, slots=True)
class _Fault:
    """What went wrong in a worker. Of an error that cannot be made again elsewhere, only its name."""

    kind: type[BaseException]
    arguments: tuple[Any, ...]

    @classmethod
    def of(cls, error: Exception) -> Self:
        fault = cls(type(error), error.args)
        try:
            pickle.loads(pickle.dumps(fault)).error()  # noqa: S301
        except Exception:
            return cls(RuntimeError, (f"{type(error).__name__} in a worker of the rebuild",))
        return fault

    def error(self) -> BaseException:
        error = self.kind.__new__(self.kind, *self.arguments)
        error.args = self.arguments
        return error


def _work(
    pipe: socket.socket,
    filling: Filling,
    keyring_url: str,
    kek: KeyEncryptionKey,
) -> None:
    """All that happens in a worker."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Who ends the rebuild from a terminal means it: the pipe's end says so here, in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What was inherited must not be cleaned up here. And what a batch leaves behind are trees, which end without the
    # collector.
    gc.disable()
    # Its connections are somebody else's: they must end when that one does, locks and all.
    for first, end in ((3, pipe.fileno()), (pipe.fileno() + 1, os.sysconf("SC_OPEN_MAX"))):
        os.closerange(first, end)
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(_answer(pipe, filling, keyring_url, kek))


async def _answer(pipe: socket.socket, filling: Filling, keyring_url: str, kek: KeyEncryptionKey) -> None:
    keyring: Keyring | None = None
    # Who asked may be gone in the middle of a question, and before an answer.
    with suppress(ConnectionError), pipe.makefile("rb") as questions:
        while (question := _question(questions)) is not None:
            entries, repeating = question
            answer: list[Prepared] | _Fault
            try:
                if keyring is None:
                    keyring = Keyring(await open_pool(keyring_url, name="rebuild", most=1), kek)
                page = await prepare(keyring, entries)
                # One by one: an event is gone when it is said, and the next finds its memory still at hand.
                events = map(decoding.opened, page.entries, repeat(page.keys))
                answer = filling.prepare(events, repeating)
            except Exception as error:
                answer = _Fault.of(error)
            said = pickle.dumps(answer, protocol=5)
            pipe.sendall(_LENGTH.pack(len(said)))
            pipe.sendall(said)


def _question(questions: BinaryIO) -> tuple[list[bytes], frozenset[str]] | None:
    """None when there is nobody any more who asks."""
    head = questions.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    asked = questions.read(length)
    if len(asked) < length:
        return None
    question: tuple[list[bytes], frozenset[str]] = pickle.loads(asked)  # noqa: S301  (from our parent)
    return question
