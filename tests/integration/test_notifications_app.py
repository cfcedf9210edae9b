"""The process itself: starts from its environment alone, works without the bus, leaves at SIGTERM."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx

from deploy.engines import NatsEngine, PostgresEngine
from deploy.engines.ports import free_port
from tests import databases

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def process(
    postgres: PostgresEngine, nats_url: str, seed: Path, folder: Path, database: str
) -> AsyncIterator[tuple[str, Path, "asyncio.subprocess.Process"]]:
    (folder / "kek").write_bytes(os.urandom(32))
    port = free_port()
    log = folder / "log"
    told = {
        "PATH": os.environ["PATH"],
        "CUSTODE_SITE_URL": f"http://localhost:{port}",
        "CUSTODE_NATS_URL": nats_url,
        "CUSTODE_KEYRING_KEK_FILE": str(folder / "kek"),
        "CUSTODE_KEYRING_MIGRATION_URL": postgres.keyring_migration_url,
        "CUSTODE_NOTIFICATIONS_DATABASE_URL": postgres.role_url("notifications", database),
        "CUSTODE_NOTIFICATIONS_MIGRATION_URL": postgres.role_url("notifications_owner", database),
        "CUSTODE_NOTIFICATIONS_KEYRING_URL": postgres.urls("notifications").keyring,
        "CUSTODE_NOTIFICATIONS_NATS_SEED_FILE": str(seed),
        "CUSTODE_NOTIFICATIONS_LISTEN": f"127.0.0.1:{port}",
        "CUSTODE_NOTIFICATIONS_EPOCH_KEYS_FILE": str(folder / "epoch-keys"),
        "CUSTODE_NOTIFICATIONS_SMTP_URL": "smtp://127.0.0.1:1",
        "CUSTODE_NOTIFICATIONS_MAIL_FROM": "Custode <custode@scuole.example>",
    }
    with log.open("wb") as file:
        running = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.notifications.app", cwd=ROOT, env=told, stderr=file, stdout=file
        )
        try:
            yield f"http://localhost:{port}", log, running
        finally:
            if running.returncode is None:
                running.kill()
                await running.wait()


async def ready(site: str, log: Path, wanted: int) -> dict[str, object]:
    async with httpx.AsyncClient(base_url=site) as client:
        for _ in range(200):
            try:
                answer = await client.get("/readyz")
                if answer.status_code == wanted:
                    return dict(answer.json())
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise AssertionError("not ready in 20 seconds; its log is beside its files")


async def test_the_process_starts_announces_its_key_and_leaves(
    postgres: PostgresEngine, nats_server: NatsEngine, tmp_path: Path
) -> None:
    await nats_server.wipe()
    seed = nats_server.seed_file("notifications")
    async with (
        databases.fresh(postgres, "notifications") as database,
        process(postgres, nats_server.url, seed, tmp_path, database) as (site, log, running),
    ):
        body = await ready(site, log, 200)
        assert set(body["checks"]) >= {"database", "bus", "relay", "epoch-keys", "reader:identity"}  # type: ignore[call-overload]
        connection = await asyncpg.connect(postgres.role_url("notifications", database))
        for _ in range(100):
            head = await connection.fetchval("select position from events.head")
            if head:
                break
            await asyncio.sleep(0.05)
        await connection.close()
        assert head == 1, "the sealing key is published"
        assert (tmp_path / "epoch-keys").stat().st_mode & 0o777 == 0o600
        async with httpx.AsyncClient(base_url=site) as client:
            assert (await client.get("/consegne/")).status_code in (303, 307, 302, 401)
            assert (await client.get("/api/notifications/openapi.json")).status_code == 200
        running.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(running.wait(), 15) in (0, -signal.SIGTERM)
    assert "private" not in log.read_text()


async def test_it_starts_without_the_bus(
    postgres: PostgresEngine, nats_server: NatsEngine, tmp_path: Path
) -> None:
    seed = nats_server.seed_file("notifications")
    async with (
        databases.fresh(postgres, "notifications") as database,
        process(postgres, "nats://127.0.0.1:1", seed, tmp_path, database) as (site, log, running),
    ):
        body = await ready(site, log, 503)
        checks = body["checks"]
        assert isinstance(checks, dict)
        assert not checks["bus"]["ok"]
        assert checks["database"]["ok"]
        async with httpx.AsyncClient(base_url=site) as client:
            assert (await client.get("/healthz")).status_code == 200
        assert running.returncode is None
