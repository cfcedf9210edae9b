"""One installation for all acceptance tests of a process: real PostgreSQL, NATS, Caddy, SMTP, three services.

They share its event loop: each file says so with `pytestmark`."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from deploy.engines import temporary_folder
from deploy.settings import Settings
from deploy.supervisor import Running
from tests.acceptance.installation import Installation


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def installation() -> AsyncIterator[Installation]:
    with temporary_folder() as folder, pytest.MonkeyPatch.context() as patch:
        for name in ("ARGON2_MEMORY", "ARGON2_PASSES"):
            patch.delenv(f"CUSTODE_IDENTITY_{name}")
        settings = Settings(data=folder / "data", base_port=0, instance="acceptance")
        async with Running(settings) as running, httpx.AsyncClient(trust_env=False, timeout=60) as http:
            yield Installation(running, http)
