"""Files sent over HTTP: read only once it is known who sends them, and few at a time, for each is spooled to disk."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import Request
from starlette.datastructures import UploadFile

from shared.web.errors import TITLES, Problem
from shared.web.i18n import N_, gettext

AT_ONCE: Final = 2
_RETRY_SECONDS = 15
_FIELDS = 10

DESCRIBED: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "OneRoster 1.2 ZIP, or the secretariat's CSV.",
                        }
                    },
                }
            }
        },
    }
}
"""The request's body for the API's description: the route reads it by itself, after authorising."""


class Uploads:
    """The places of this process, each held from the first byte that is read until the file has been carried out."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = at_once

    @asynccontextmanager
    async def received(self, request: Request) -> AsyncIterator[UploadFile]:
        """The field `file` of a form. Problems: 503 when all places are taken, and nothing is read; 422 without it."""
        async with self.place(), request.form(max_files=1, max_fields=_FIELDS) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise Problem(
                    422,
                    "invalid-fields",
                    TITLES[422],
                    N_("Manca il file da importare."),
                    errors=[{"pointer": "#/body/file", "detail": gettext(N_("Manca il file da importare."))}],
                )
            yield file

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """One of the places, for as long as the block runs; problem 503 when all are taken."""
        if not self._free:
            raise Problem(
                503,
                "uploads-busy",
                N_("Altri file in arrivo"),
                N_("Altri file sono in corso di importazione: riprovi tra qualche secondo."),
                headers={"Retry-After": str(_RETRY_SECONDS)},
            )
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1
