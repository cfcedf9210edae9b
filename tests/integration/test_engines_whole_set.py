"""The whole set in the background: engines, mailbox and three services, over crashes and back."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from deploy.engines import temporary_folder
from deploy.environment import SERVICES
from deploy.folder import read_run_file

PARTS = {"postgres", "nats", "mailbox", "registry", "identity", "notifications", "caddy"}


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder / "data"
        custode(folder / "data", "down")


def custode(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CUSTODE_")}
    return subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        env=kept | {"CUSTODE_DATA": str(data), "CUSTODE_BASE_PORT": "0"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def status(data: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(custode(data, "status", "--json").stdout)
    return told


def pids(told: dict[str, Any]) -> dict[str, int]:
    return {part["name"]: part["pid"] for part in told["parts"]}


def wait_for(holds: Any, seconds: float = 45.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_it_starts_in_the_background_and_every_part_is_ready(data: Path) -> None:
    up = custode(data, "up", "--detach")
    assert up.returncode == 0, up.stderr
    told = status(data)
    assert told["ready"], told
    assert set(pids(told)) == PARTS
    assert up.stdout.split() == ["site", told["site"], "mailbox", told["mailbox"]]
    page = httpx.get(f"{told['site']}/accesso/", trust_env=False)
    assert page.status_code == 200
    assert "text/html" in page.headers["content-type"]
    assert httpx.get(told["mailbox"], trust_env=False, follow_redirects=True).status_code == 200


def test_no_password_is_in_a_command_line_or_a_log(data: Path) -> None:
    secrets = [file.read_text() for file in (data / "postgres" / "passwords").iterdir()]
    secrets += [file.read_text() for file in (data / "nats" / "seeds").iterdir()]
    seen = [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids(status(data)).values()]
    seen += [log.read_text() for log in (data / "logs").iterdir()]
    assert len(seen) >= 2 * len(PARTS)
    assert not [True for text in seen for secret in secrets if secret in text]


def environment_of(pid: int) -> dict[str, str]:
    """What a running process was told."""
    entries = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(entry.split("=", 1) for entry in entries if entry)


def test_no_process_is_told_the_owner_of_a_database(data: Path) -> None:
    passwords = {file.name: file.read_text() for file in (data / "postgres" / "passwords").iterdir()}
    owners = {name: word for name, word in passwords.items() if name not in SERVICES}
    assert set(owners) == {"postgres", "keyring_owner", *(f"{service}_owner" for service in SERVICES)}
    for name, pid in pids(status(data)).items():
        told = environment_of(pid)
        assert len(told) > 3
        values = "\n".join(told.values())
        assert not [owner for owner, password in owners.items() if password in values], name
        assert not [True for other, word in passwords.items() if other != name and word in values], name
        assert (name in SERVICES) is (passwords.get(name, "none of its own") in values)


async def test_what_notifications_is_told_neither_empties_the_keyring_nor_rewrites_history(
    data: Path,
) -> None:
    told = environment_of(pids(status(data))["notifications"])
    keyring = await asyncpg.connect(told["CUSTODE_NOTIFICATIONS_KEYRING_URL"])
    own = await asyncpg.connect(told["CUSTODE_NOTIFICATIONS_DATABASE_URL"])
    await keyring.execute("select * from keyring.person_keys")
    for connection, statement in (
        (keyring, "delete from keyring.person_keys"),
        (keyring, "truncate keyring.person_keys"),
        (keyring, "update keyring.person_keys set wrapped = ''"),
        (keyring, "drop table keyring.person_keys"),
        (keyring, "drop schema keyring cascade"),
        (keyring, "set role keyring_owner"),
        (keyring, "set role registry"),
        (own, "delete from events.entries"),
        (own, "truncate events.entries"),
        (own, "drop trigger entries_are_forever on events.entries"),
        (own, "alter table events.entries disable trigger all"),
        (own, "drop schema events cascade"),
        (own, "set session_replication_role = replica"),
        (own, "set role notifications_owner"),
        (own, "drop database keyring"),
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    await keyring.close()
    await own.close()


def test_a_crashed_service_is_back_on_its_own(data: Path) -> None:
    before = pids(status(data))["identity"]
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: (told := status(data))["ready"] and pids(told)["identity"] != before)
    site = status(data)["site"]
    assert httpx.get(f"{site}/accesso/", trust_env=False).status_code == 200


def test_without_the_bus_services_say_so_and_recover(data: Path) -> None:
    told = status(data)
    before = pids(told)
    os.kill(before["nats"], signal.SIGKILL)
    wait_for(lambda: (now := status(data))["ready"] and pids(now)["nats"] != before["nats"])
    after = pids(status(data))
    assert {name for name in PARTS if after[name] != before[name]} == {"nats"}


def test_when_the_supervisor_is_killed_everything_ends_and_the_next_start_carries_on(data: Path) -> None:
    family = list(pids(status(data)).values())
    os.kill(int((data / "lock").read_text()), signal.SIGKILL)
    wait_for(lambda: all(ended(pid) for pid in family), 15)
    assert read_run_file(data) is None
    assert custode(data, "status").returncode == 3
    assert custode(data, "up", "--detach").returncode == 0
    assert status(data)["ready"]
    family = list(pids(status(data)).values())
    assert custode(data, "down").returncode == 0
    assert all(ended(pid) for pid in family)
