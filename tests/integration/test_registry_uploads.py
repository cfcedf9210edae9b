"""What is uploaded is read only for those who may, two at a time (ASVS 5.0, 4.1 and 15.2)."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from services.registry.operations import Registry
from services.registry.web import build_web
from tests.integration.registry_fixtures import (
    kek_file,
    registry,
    registry_settings,
)
from tests.integration.test_registry_http import Signed, csv, key, session, signed, site

__all__ = ["kek_file", "key", "registry", "registry_settings", "signed", "site"]
IMPORTS, ENROLMENTS = "/api/registry/imports", "/api/registry/enrolments"
BOUNDARY = "confine"
MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def multipart(content: bytes, field: str = "file") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="iscritti.csv"\r\n\r\n'
    return head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()


class Watched:
    """A body that tells whether anybody began to read it, and can wait half way."""

    def __init__(self, content: bytes = b"", *, waits: bool = False) -> None:
        self.content = content
        self.begun = asyncio.Event()
        self.goes_on = asyncio.Event()
        if not waits:
            self.goes_on.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun.set()
        yield self.content[:100]
        await self.goes_on.wait()
        yield self.content[100:]


@pytest.mark.parametrize("path", [IMPORTS, ENROLMENTS])
@pytest.mark.parametrize(
    ("who", "status", "slug"),
    [
        ("nobody", 401, "api-key-missing"),
        ("a wrong key", 401, "api-key-unknown"),
        ("a guardian", 403, "role-required"),
    ],
)
async def test_strangers_are_refused_before_a_byte_is_read(
    site: httpx.AsyncClient, signed: Signed, path: str, who: str, status: int, slug: str
) -> None:
    headers = {
        "nobody": {},
        "a wrong key": {"Authorization": "Bearer custode_wrong"},
        "a guardian": session(signed.sign_in("g", "guardian")),
    }[who]
    sent = Watched(multipart(csv({})))
    kind = MULTIPART if path == IMPORTS else {"Content-Type": "application/json"}
    answer = await site.post(path, content=sent, headers=headers | kind)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:custode:problem:{slug}")
    assert not sent.begun.is_set()


async def test_a_third_upload_at_once_is_asked_to_come_back(
    site: httpx.AsyncClient, key: dict[str, str]
) -> None:
    sent = [Watched(multipart(csv({})), waits=True) for _ in range(2)]
    under_way = [
        asyncio.create_task(site.post(f"{IMPORTS}?dry_run=true", content=each, headers=key | MULTIPART))
        for each in sent
    ]
    for each in sent:
        await asyncio.wait_for(each.begun.wait(), 10)
    third = Watched(multipart(csv({})))
    answer = await site.post(IMPORTS, content=third, headers=key | MULTIPART)
    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:custode:problem:uploads-busy"
    assert int(answer.headers["Retry-After"]) > 0
    assert not third.begun.is_set()
    for each in sent:
        each.goes_on.set()
    assert [(await each).status_code for each in under_way] == [200, 200]
    later = await site.post(IMPORTS, content=Watched(multipart(csv({}))), headers=key | MULTIPART)
    assert later.status_code == 200, later.text


async def test_an_upload_that_breaks_off_leaves_its_place(
    site: httpx.AsyncClient, key: dict[str, str]
) -> None:
    for _ in range(3):
        broken = await site.post(IMPORTS, content=b"nonsense", headers=key | MULTIPART)
        assert broken.status_code == 400
    done = await site.post(IMPORTS, content=multipart(csv({})), headers=key | MULTIPART)
    assert done.status_code == 200, done.text


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (multipart(b"x", field="other"), MULTIPART),
        (b"file=x", {"Content-Type": "application/x-www-form-urlencoded"}),
        (b"x", {"Content-Type": "text/csv"}),
        (b"", {}),
    ],
)
async def test_an_upload_without_its_file_is_422(
    site: httpx.AsyncClient, key: dict[str, str], content: bytes, kind: dict[str, str]
) -> None:
    answer = await site.post(IMPORTS, content=content, headers=key | kind)
    assert answer.status_code == 422, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == ["#/body/file"]


async def test_the_description_names_the_file(registry: Registry, signed: Signed) -> None:
    described = build_web(registry, signed).openapi()["paths"][IMPORTS]["post"]["requestBody"]
    schema = described["content"]["multipart/form-data"]["schema"]
    assert (described["required"], schema["required"]) == (True, ["file"])
    assert schema["properties"]["file"]["format"] == "binary"
