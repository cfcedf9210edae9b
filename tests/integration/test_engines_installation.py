"""An installation as its operator sees it: up, down, status, doctor, clean; parts that crash come back."""

import asyncio
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import nats
import pytest

from deploy.engines import EngineError, temporary_folder
from deploy.engines.ports import free_port
from deploy.environment import OWNERS, SERVICES, names
from deploy.folder import AlreadyRunning, read_run_file, remove_folder
from deploy.settings import Settings
from deploy.supervisor import Running
from deploy.units import OneShot, ServiceProcess, Unit

# The command line over the engines alone: the services have their own tests.
ENGINES_ONLY = """
import functools, deploy.commands.run as run
from deploy.supervisor import Running
run.Running = functools.partial(Running, services=(), mailbox=False)
from deploy.cli import main
main()
"""

# A school on the command line, and the tables that its service would have made.
SCHOOL_REGISTERED = """
import asyncio
from deploy.attach import told_as
from services.registry.operations import open_registry
from services.registry.settings import RegistrySettings
from shared.settings import CommonSettings

async def register():
    with told_as("registry", owner=True):
        async with open_registry(CommonSettings(), RegistrySettings()) as registry:
            await registry.register_school("MIIS00100A", "Liceo", "liceo")

asyncio.run(register())
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


def engines_only(settings: Settings) -> Running:
    return Running(settings, services=(), mailbox=False)


def command(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command line over `folder` and return what came of it."""
    return subprocess.run(
        [sys.executable, "-c", ENGINES_ONLY, *arguments],
        env=environment(folder, **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def is_private(file: str) -> bool:
    return stat.S_IMODE(Path(file).stat().st_mode) == 0o600


def environment(folder: Path, **settings: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CUSTODE_")}
    return kept | {"CUSTODE_DATA": str(folder / "data"), "CUSTODE_BASE_PORT": "0"} | settings


async def test_a_part_that_crashes_comes_back_and_one_that_is_stopped_does_not(folder: Path) -> None:
    settings = Settings(data=folder / "data", base_port=0)
    async with engines_only(settings) as running:
        before = running.pid("nats")
        await running.kill("nats")
        await running.wait_ready("nats", seconds=20)
        assert running.pid("nats") not in (None, before)
        await running.stop("postgres")
        await asyncio.sleep(1)
        assert not (await running.readiness("postgres")).ready
        await running.start("postgres")
        connection = await asyncpg.connect(running.urls("registry").runtime)
        await connection.close()
        found = read_run_file(settings.data)
        assert found is not None
        assert found["parts"]["nats"]["restarts"] == 1
        with pytest.raises(EngineError, match="no part 'payroll'"):
            await running.stop("payroll")
    assert read_run_file(settings.data) is None


async def test_a_service_that_ends_at_every_start_is_told_with_its_last_words(folder: Path) -> None:
    settings = Settings(data=folder / "data", base_port=0)
    async with engines_only(settings) as running:
        log = running.logs / "broken.log"
        process = ServiceProcess(
            "broken", "no_such_module", lambda: {"PATH": os.environ["PATH"]}, log, folder
        )
        running._units["broken"] = Unit("broken", process, log, ready_url="http://127.0.0.1:9/readyz")
        with pytest.raises(EngineError, match=r"(?s)broken ends at every start.*No module named"):
            await running.start("broken", seconds=20)


async def test_a_step_that_fails_is_told_with_its_last_words(folder: Path) -> None:
    step = OneShot("step", "no_such_module", lambda: {"PATH": os.environ["PATH"]}, folder / "log", folder)
    step.start()
    with pytest.raises(EngineError, match=r"(?s)step failed \(1\).*No module named"):
        await step.finished(20)


async def test_two_installations_live_beside_each_other(folder: Path) -> None:
    one, two = (Settings(data=folder / name, base_port=0, instance=name) for name in ("one", "two"))
    async with engines_only(one) as first, engines_only(two) as second:
        assert first.site_url != second.site_url
        for running in (first, second):
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.get(f"{running.site_url}/")
            assert answer.headers["location"] == "/accesso/"
        with pytest.raises(AlreadyRunning):
            async with engines_only(one):
                pytest.fail("it runs twice over one folder")
        assert (await first.readiness("postgres")).ready
    for settings in (one, two):
        remove_folder(settings.data)
    assert not (folder / "one").exists()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_is_told_all_of_its_contract_and_nothing_of_the_others(
    folder: Path, service: str
) -> None:
    bounces = "ritorni@posta.example"
    settings = Settings(data=folder / "data", base_port=0, bounce_address=bounces)
    async with Running(settings, services=(), mailbox=False, site=False) as running:
        told = running.service_environment(service)
    assert {name for name in told if name.startswith("CUSTODE_")} >= names(service)
    assert all(told[name] for name in names(service))
    foreign = tuple(f"CUSTODE_{other.upper()}_" for other in SERVICES if other != service)
    assert not [name for name in told if name.startswith(foreign)]
    for name in ("CUSTODE_KEYRING_KEK_FILE", f"CUSTODE_{service.upper()}_NATS_SEED_FILE"):
        assert is_private(told[name])


async def test_given_servers_take_the_place_of_the_embedded_ones(folder: Path) -> None:
    real = Settings(data=folder / "real", base_port=0)
    async with Running(real, services=(), mailbox=False, site=False) as servers:
        assert servers.bus is not None
        given: dict[str, Any] = {"nats_url": servers.nats_url}
        for service in SERVICES:
            urls = servers.urls(service)
            given |= {
                f"{service}_database_url": urls.runtime,
                f"{service}_migration_url": urls.migration,
                f"{service}_keyring_url": urls.keyring,
                f"{service}_nats_seed_file": servers.bus.seed_file(service),
            }
        settings = Settings(data=folder / "data", base_port=0, **given)
        async with engines_only(settings) as running:
            assert running.postgres is None
            assert running.bus is None
            assert running.nats_url == servers.nats_url
            for service in SERVICES:
                told = running.service_environment(service)
                assert told[f"CUSTODE_{service.upper()}_DATABASE_URL"] == servers.urls(service).runtime
                assert not set(OWNERS) & set(told)


async def handed_in(admitted: dict[str, str]) -> dict[str, object]:
    """Hand in a command with what `custode bus admit` told, as a school's system would."""
    client = await nats.connect(
        admitted["url"],
        nkeys_seed=admitted["seed_file"],
        inbox_prefix=admitted["inbox_prefix"].encode(),
        allow_reconnect=False,
    )
    answer = await client.request(admitted["subject"], b"{}", timeout=5)
    await client.close()
    told: dict[str, object] = json.loads(answer.data)
    return told


def test_up_status_down_and_clean(folder: Path) -> None:
    assert command(folder, "status").returncode == 3
    assert command(folder, "bus", "admit", "MIIS00100A").returncode == 3
    assert command(folder, "bus", "admit", "MI-1").returncode == 2
    assert command(folder, "down").returncode == 3
    argv = [sys.executable, "-c", ENGINES_ONLY, "up"]
    with subprocess.Popen(
        argv, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as up:
        assert up.stdout is not None
        site = up.stdout.readline().split()[1]
        status = command(folder, "status", "--json")
        assert status.returncode == 0
        told = json.loads(status.stdout)
        assert (told["site"], told["state"], told["ready"]) == (site, "running", True)
        assert {part["name"] for part in told["parts"]} == {"postgres", "nats", "caddy"}
        subprocess.run(
            [sys.executable, "-c", SCHOOL_REGISTERED], env=environment(folder), timeout=60, check=True
        )
        unknown = command(folder, "bus", "admit", "FIIS00100B")
        assert (unknown.returncode, unknown.stdout) == (1, "") and "not registered" in unknown.stderr
        admitted = json.loads(command(folder, "bus", "admit", "miis00100a", "--json").stdout)
        assert asyncio.run(handed_in(admitted))["stream"] == "INGRESS"
        again = command(folder, "up")
        assert (again.returncode, str(up.pid) in again.stderr) == (1, True)
        assert command(folder, "down").returncode == 0
        assert up.wait(20) == 0
    assert command(folder, "clean").returncode == 0
    assert list(folder.iterdir()) == []
    assert command(folder, "clean").returncode == 0


def test_clean_stops_what_runs_and_asks_before_it_deletes_production(folder: Path) -> None:
    production = {"CUSTODE_ENVIRONMENT": "production", "CUSTODE_SMTP_URL": "smtp://mail.example"}
    argv = [sys.executable, "-c", ENGINES_ONLY, "up"]
    with subprocess.Popen(
        argv, env=environment(folder, **production), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as up:
        assert up.stdout is not None
        assert up.stdout.readline().startswith(b"site")
        refused = command(folder, "clean")
        assert refused.returncode == 2
        assert "--yes" in refused.stderr
        assert up.poll() is None
        assert command(folder, "clean", "--yes").returncode == 0
        assert up.wait(20) == 0
    assert list(folder.iterdir()) == []


def test_wrong_settings_are_told_without_a_traceback(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "thesis.txt").write_text("years of work")
    for settings in ({"CUSTODE_BASE_PORT": "many"}, {"CUSTODE_INSTANCE": "A B"}, {}):
        told = command(folder, "up", **settings)
        assert told.returncode == 2
        assert told.stderr.startswith("error: ")
        assert "Traceback" not in told.stderr
    assert command(folder, "clean").returncode == 1
    assert (folder / "data" / "thesis.txt").exists()


def test_a_taken_port_is_told_before_and_at_start(folder: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        told = command(folder, "up", CUSTODE_NATS_PORT=port)
        assert told.returncode == 1
        assert f"port {port}" in told.stderr
        assert "CUSTODE_NATS_PORT" in told.stderr
        base = {"CUSTODE_BASE_PORT": str(free_port()), "CUSTODE_NATS_PORT": port}
        doctor = command(folder, "doctor", "--json", **base)
    assert doctor.returncode == 1
    failed = [check for check in json.loads(doctor.stdout)["checks"] if check["outcome"] == "failed"]
    assert any(port in check["found"] for check in failed)


def test_doctor_is_content_with_a_machine_that_can_run_it(folder: Path) -> None:
    doctor = command(folder, "doctor", "--json")
    assert doctor.returncode == 0, doctor.stdout
    checks = {check["subject"]: check for check in json.loads(doctor.stdout)["checks"]}
    assert {"PostgreSQL", "NATS", "Caddy", "data folder"} <= set(checks)
    assert "(PostgreSQL) 18" in checks["PostgreSQL"]["found"]
    assert not (folder / "data").exists()


def test_doctor_sees_what_a_vanished_installation_left(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root's engines have homes elsewhere")
    for name, was in (("gone", folder / "never"), ("there", folder)):
        (folder / "engines" / name).mkdir(parents=True)
        (folder / "engines" / name / "origin").write_text(f"{was}\n")
    doctor = command(folder, "doctor", CUSTODE_ENGINE_FOLDER=str(folder / "engines"))
    assert doctor.returncode == 0
    assert f"rm -r {folder / 'engines' / 'gone'}" in doctor.stdout
    assert "there" not in doctor.stdout.replace("not there", "")


def test_doctor_sees_a_server_that_does_not_answer_and_a_key_that_others_may_read(folder: Path) -> None:
    key = folder / "kek"
    key.write_bytes(bytes(32))
    key.chmod(0o644)
    settings = {"CUSTODE_NATS_URL": f"nats://127.0.0.1:{free_port()}", "CUSTODE_KEYRING_KEK_FILE": str(key)}
    doctor = command(folder, "doctor", **settings)
    assert doctor.returncode == 1
    assert "CUSTODE_NATS_URL: 127.0.0.1" in doctor.stdout
    assert f"chmod 600 {key}" in doctor.stdout
