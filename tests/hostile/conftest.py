"""One installation for the hostile tests of a process, and two schools on it: one mails, one prints."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio

from deploy.engines import temporary_folder
from deploy.settings import Settings
from deploy.supervisor import Running
from tests.acceptance.installation import Installation, School


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def installation() -> AsyncIterator[Installation]:
    with temporary_folder() as folder:
        settings = Settings(data=folder / "data", base_port=0, instance="hostile")
        async with Running(settings) as running, httpx.AsyncClient(trust_env=False, timeout=60) as http:
            yield Installation(running, http)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def mailing(installation: Installation) -> School:
    return await installation.school("email")


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def printing(installation: Installation) -> School:
    return await installation.school("paper")
