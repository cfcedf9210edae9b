"""Clients that do as they are told: what was not answered, or answered *later*, is asked again."""

import asyncio
import random
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Self, TypeVar

import httpx

T = TypeVar("T")
_NO_TLS = ssl.create_default_context()
AGAIN = frozenset((429, 500, 502, 503, 504))
PAUSE = 0.3
LONGEST = 240.0
Ask = Callable[[], Awaitable[httpx.Response]]


class GaveUp(Exception):
    """Nobody answered for minutes: the text says what was asked and how the last answer was."""


class Patient:
    """An HTTP client. `urls`: asked in turn when one does not answer. `address`: where it comes from, so that
    families are not all of one household. `answers`: how often each status, and each failure, was met. `obedient`:
    comes back when it is told to, not sooner."""

    def __init__(
        self,
        *urls: str,
        host: str | None = None,
        address: str | None = None,
        answers: Counter[str] | None = None,
        obedient: bool = False,
    ) -> None:
        self._urls = urls
        self._turn = 0
        self._obedient = obedient
        self.answers = answers if answers is not None else Counter()
        self.client = httpx.AsyncClient(
            headers={"Host": host} if host else None,
            transport=httpx.AsyncHTTPTransport(verify=_NO_TLS, local_address=address),
            timeout=120 if obedient else 30,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        files: Any = None,
        params: Mapping[str, str] | None = None,
        seconds: float = LONGEST,
    ) -> httpx.Response:
        """The answer, once there is one. Errors: GaveUp after `seconds`."""

        async def once() -> httpx.Response:
            url = self._urls[self._turn % len(self._urls)]
            return await self.client.request(
                method, f"{url}{path}", headers=headers, json=json, files=files, params=params
            )

        return await self.patiently(once, f"{method} {path.partition('?')[0]}", seconds)

    async def patiently(self, once: Ask, what: str, seconds: float = LONGEST) -> httpx.Response:
        """Repeat `once` until it is answered, and not with *later*."""
        deadline = time.monotonic() + seconds
        while True:
            pause = PAUSE
            try:
                answer = await once()
            except httpx.TransportError as fault:
                said = type(fault).__name__
            else:
                said = str(answer.status_code)
                self.answers[said] += 1
                told = answer.headers.get("Retry-After") if self._obedient else None
                if told is None and answer.status_code not in AGAIN:
                    return answer
                if told is not None:
                    self.answers[f"{said} with Retry-After"] += 1
                    pause = float(told) + random.uniform(0, 1)
            if not said.isdigit():
                self.answers[said] += 1
            if time.monotonic() > deadline:
                raise GaveUp(f"{what} was not answered within {seconds:.0f} s: at last {said}")
            self._turn += 1
            await asyncio.sleep(pause)


async def until(
    true: Callable[[], Awaitable[bool]], what: str, seconds: float = LONGEST, step: float = 0.25
) -> None:
    """Wait for something to hold. Errors: GaveUp."""
    deadline = time.monotonic() + seconds
    while not await true():
        if time.monotonic() > deadline:
            raise GaveUp(f"{what} did not happen within {seconds:.0f} s")
        await asyncio.sleep(step)
