"""The embedded PostgreSQL: who may enter which database, and what survives."""

import stat
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.engines import EngineError, PostgresEngine, temporary_folder
from deploy.engines.postgres import ROLES, SERVICES


@pytest.fixture(scope="module")
def engine() -> Iterator[PostgresEngine]:
    with temporary_folder() as folder:
        engine = PostgresEngine(folder / "postgres", durable=False)
        try:
            engine.start()
            yield engine
        finally:
            engine.destroy()


async def refused(url: str, statement: str = "select 1") -> str:
    """What the server says when it refuses; fails when it does not."""
    with pytest.raises(asyncpg.PostgresError) as refusal:
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
    return refusal.value.sqlstate or ""


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_reads_its_own_database_and_the_keyring_only(
    engine: PostgresEngine, service: str
) -> None:
    for url in (engine.urls(service).runtime, engine.urls(service).keyring):
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("select current_user") == service
        await connection.close()
    for database in {*SERVICES, "postgres", "template1"} - {service}:
        assert await refused(engine.role_url(service, database)) == "42501"


@pytest.mark.parametrize("service", SERVICES)
async def test_only_the_owner_may_change_the_schema(engine: PostgresEngine, service: str) -> None:
    urls = engine.urls(service)
    for statement in ("create table x ()", "create schema x", "create temp table x ()"):
        assert await refused(urls.runtime, statement) == "42501"
    owner = await asyncpg.connect(urls.migration)
    await owner.execute("create schema probe; create table probe.x (); drop schema probe cascade")
    await owner.close()


async def test_the_keyring_has_an_owner_that_is_no_service(engine: PostgresEngine) -> None:
    owner = await asyncpg.connect(engine.keyring_migration_url)
    assert await owner.fetchval("select current_user || '/' || current_database()") == "keyring_owner/keyring"
    await owner.close()
    for service in SERVICES:
        assert await refused(engine.urls(service).keyring, "create table x ()") == "42501"


async def test_a_wrong_password_is_refused_on_the_socket_too(engine: PostgresEngine) -> None:
    url = engine.urls("registry").runtime
    password = url.split(":")[2].split("@")[0]
    assert await refused(url.replace(password, "guess")) == "28P01"


def test_passwords_are_strong_private_and_nowhere_in_the_command_line_or_the_log(
    engine: PostgresEngine,
) -> None:
    files = [engine.folder / "passwords" / role for role in ("postgres", *ROLES)]
    passwords = {file.read_text() for file in files}
    assert len(passwords) == len(files)
    assert all(len(password) >= 32 for password in passwords)
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    heard = (engine.folder / "postgres.log").read_text() + Path(f"/proc/{engine.pid}/cmdline").read_text()
    assert not any(password in heard for password in passwords)


async def test_the_server_is_set_up_as_the_configuration_says(engine: PostgresEngine) -> None:
    connection = await asyncpg.connect(engine.admin_url("registry"))
    expected = {
        "server_encoding": "UTF8",
        "data_checksums": "on",
        "listen_addresses": "",
        "max_connections": "200",
        "password_encryption": "scram-sha-256",
    }
    found = {name: await connection.fetchval("select current_setting($1)", name) for name in expected}
    assert found == expected
    assert await connection.fetchval("select lower('ÀÈÌ')") == "àèì"
    weak = await connection.fetchval(
        "select count(*) from pg_hba_file_rules where auth_method not in ('scram-sha-256', 'reject')"
    )
    assert weak == 0
    await connection.close()


async def test_what_was_committed_survives_a_crash_and_a_second_object(engine: PostgresEngine) -> None:
    owner = await asyncpg.connect(engine.urls("identity").migration)
    await owner.execute("create table kept (n int); insert into kept values (42)")
    engine.kill()
    engine.start()
    again = await asyncpg.connect(engine.urls("identity").migration)
    assert await again.fetchval("select n from kept") == 42
    await again.close()
    engine.stop()
    second = PostgresEngine(engine.folder, durable=False)
    assert second.urls("identity").migration.split("@")[0] == engine.urls("identity").migration.split("@")[0]
    second.start()
    try:
        assert "kept" in second.dump("identity")
    finally:
        second.stop()
        engine.start()


def test_a_second_server_on_the_same_folder_is_refused(
    engine: PostgresEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.engines.postgres.LEFTOVER_SECONDS", 0.3)
    with pytest.raises(EngineError, match="already serves"):
        PostgresEngine(engine.folder, durable=False).start()
    assert engine.alive


async def test_a_loopback_port_is_there_when_asked_for() -> None:
    with temporary_folder() as folder:
        engine = PostgresEngine(folder / "postgres", port=0, durable=False)
        try:
            engine.start()
            assert f"@127.0.0.1:{engine.port}/registry" in engine.urls("registry").runtime
            connection = await asyncpg.connect(engine.urls("registry").runtime)
            await connection.close()
        finally:
            engine.destroy()
        assert list(folder.iterdir()) == []
