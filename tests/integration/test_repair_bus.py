"""A foreign message in a stream: the relay stops and shouts, readers refuse it, `custode doctor --repair-bus` heals."""

import asyncio
import json
import os
import stat
import subprocess
import sys
from base64 import b64decode
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
import pytest_asyncio

from deploy.engines import nats_streams
from deploy.inspection import Invariant, Outcome, inspect
from deploy.inspection.repair import damages, repair
from deploy.rebuilding import rebuild
from shared.ids import new_id
from tests.acceptance.installation import Installation, School, until
from tests.integration.inspection_fixtures import at_rest, lived_in

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def installation() -> AsyncIterator[Installation]:
    async with lived_in() as installation:
        yield installation


async def custode(installation: Installation, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, over the installation's folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CUSTODE_")}
    told = kept | {"CUSTODE_DATA": str(installation.running.settings.data), "CUSTODE_BASE_PORT": "0"}
    return await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "deploy.cli", *arguments],
        env=told,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


async def put_in(installation: Installation, service: str, subject: str, message: bytes) -> None:
    """As an administrator of the stream may."""
    wiring = installation.running.parts.wiring
    assert wiring.bus is not None
    client = await nats_streams.connect(wiring.nats_url, wiring.bus.seeds, f"{service}_admin")
    answer = await client.request(subject, message, timeout=5)
    await client.close()
    assert "error" not in json.loads(answer.data)


async def last_entry(installation: Installation, service: str) -> dict[str, Any]:
    connection = await asyncpg.connect(installation.running.urls(service).runtime)
    entry = await connection.fetchval("select entry from events.entries order by position desc limit 1")
    await connection.close()
    told: dict[str, Any] = orjson.loads(entry)
    return told


def kept_in(file: Path) -> list[bytes]:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    return [b64decode(json.loads(line)["data"]) for line in file.read_text().splitlines()]


async def reason(installation: Installation, service: str) -> str:
    return (await installation.running.readiness(service)).reason


async def violated(installation: Installation) -> set[tuple[Invariant, str]]:
    findings = await inspect(installation.running.parts.wiring, patience=0.5)
    assert {f.outcome for f in findings} <= {Outcome.ok, Outcome.violated}, findings
    return {(f.invariant, f.service) for f in findings if f.outcome is Outcome.violated}


async def enrolled_and_issued(installation: Installation) -> School:
    """The whole way works: registry, identity, notifications."""
    school = await installation.school("email")
    mother = school.guardian()
    await school.enrol(school.pupil(), mother)
    await installation.letter(mother["email"])
    await school.happened("EmailAccepted", 1)
    await installation.settled()
    return school


async def forged_and_read(installation: Installation) -> None:
    entry = await last_entry(installation, "registry")
    forged = entry | {
        "id": new_id(),
        "sequence": str(int(entry["sequence"]) + 1),
        "type": "custode.registry.SchoolYearOpened.v2",
        "data": {
            "school": entry["school"],
            "year": "2099/2100",
            "starts": "2099-09-01",
            "ends": "2100-08-31",
        },
    }
    subject = f"registry.evt.{entry['school']}.school.SchoolYearOpened"
    await put_in(installation, "registry", subject, orjson.dumps(forged))

    async def read() -> bool:
        return (Invariant.cursors, "identity") in await violated(installation)

    await until(read, 20, "identity's reading of the forged entry")


async def test_a_foreign_message_stops_the_relay_and_nobody_digests_it(installation: Installation) -> None:
    """The relay is idle: nothing is written while the message comes and is found."""
    await put_in(installation, "registry", "registry.evt.X.y.Z", b"no entry at all")

    async def shouted() -> bool:
        relay = "ahead of the store" in await reason(installation, "registry")
        return relay and "stopped after position" in await reason(installation, "identity")

    await until(shouted, 20, "the relay's shout, and identity's refusal")
    assert await violated(installation) == {(Invariant.streams, "registry")}


async def test_doctor_says_so_and_what_to_do(installation: Installation) -> None:
    told = await custode(installation, "doctor", "--deep", "--json")
    assert told.returncode == 1, told.stderr
    document = json.loads(told.stdout)
    (wrong,) = [f for f in document["findings"] if f["outcome"] != "ok"]
    assert (wrong["invariant"], wrong["service"]) == ("streams", "registry")
    assert "--repair-bus" in wrong["advice"] and not document["ok"]


async def test_the_repair_is_not_made_before_somebody_agrees(installation: Installation) -> None:
    told = await custode(installation, "doctor", "--repair-bus")
    assert told.returncode == 2
    assert "REGISTRY differs from its database" in told.stderr and "--yes" in told.stderr
    assert await violated(installation) == {(Invariant.streams, "registry")}


async def test_the_repair_heals_and_everybody_goes_on(installation: Installation) -> None:
    told = await custode(installation, "doctor", "--repair-bus", "--yes", "--json")
    assert told.returncode == 0, told.stderr
    (repaired,) = json.loads(told.stdout)["repaired"]
    assert (repaired["stream"], repaired["set_back"]) == ("REGISTRY", [])
    assert kept_in(Path(repaired["kept"])) == [b"no entry at all"]
    await at_rest(installation)
    await enrolled_and_issued(installation)
    told = await custode(installation, "doctor", "--deep")
    assert told.returncode == 0, told.stdout


async def test_a_forged_entry_is_read_and_what_it_left_is_found_and_mended(
    installation: Installation,
) -> None:
    """It has the right number and no personal part, which without the keyring cannot be forged: no reader can know."""
    await forged_and_read(installation)
    found = await violated(installation)
    assert {(Invariant.streams, "registry"), (Invariant.cursors, "notifications")} <= found
    told = await custode(installation, "doctor", "--repair-bus", "--yes", "--json")
    assert told.returncode == 0, told.stderr
    (repaired,) = json.loads(told.stdout)["repaired"]
    assert repaired["set_back"] == ["identity", "notifications"]
    await at_rest(installation)
    await enrolled_and_issued(installation)  # the true entry of that number was heard
    assert await violated(installation) == {(Invariant.projections, "identity")}
    assert (await rebuild("identity", switch=True, wiring=installation.running.parts.wiring)).differences
    assert await violated(installation) == set()


async def test_who_reads_it_while_it_is_repaired_goes_back_too(installation: Installation) -> None:
    """Between the look at who had read it and the end of the stream."""
    await forged_and_read(installation)
    wiring = installation.running.parts.wiring
    (damage,) = await damages(wiring)
    assert set(damage.passed) == {"identity", "notifications"}
    repaired = await repair(wiring, replace(damage, passed={}), lambda _: None)
    assert repaired.set_back == ["identity", "notifications"]
    await at_rest(installation)
    await enrolled_and_issued(installation)
    assert (await rebuild("identity", switch=True, wiring=wiring)).differences
    assert await violated(installation) == set()
