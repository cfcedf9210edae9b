"""An auditor replays what happened, from the command line and from an exported folder (S5)."""

import asyncio
import json
import os
import sys
from pathlib import Path

import jsonschema
import pytest

from shared.contracts.published import PUBLISHED
from tests.acceptance.installation import Installation

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def custode(installation: Installation, *arguments: str) -> tuple[int, str, str]:
    """The command line, over the running installation."""
    environment = os.environ | {"CUSTODE_DATA": str(installation.running.settings.data)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "deploy.cli",
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


@pytest.mark.requirement("S5", part="by command line, from the bus and offline")
async def test_the_story_of_a_credential_from_enrolment_to_delivery(
    installation: Installation, tmp_path: Path
) -> None:
    school = await installation.school("email")
    mother = school.guardian()
    await school.enrol(school.pupil(), mother)
    await school.happened("EmailAccepted", 1)
    issued = next(e for e in await school.events() if e.name == "CredentialsIssued")
    account = issued.data["account"]
    code, out, err = await custode(installation, "audit", "replay", account, "--json")
    assert code == 0, err
    names = [entry["type"].split(".")[2] for entry in json.loads(out)]
    assert sorted(names) == [
        "AccountOpened",
        "CredentialsIssued",
        "DeliveryAttempted",
        "DeliveryRequested",
        "EmailAccepted",
        "GuardianLinked",
        "SlipClaimed",
    ]
    assert names.index("GuardianLinked") < names.index("CredentialsIssued") < names.index("DeliveryRequested")
    assert "Genitore" not in out
    bundle = tmp_path / "bundle"
    assert (await custode(installation, "audit", "export", str(bundle)))[0] == 0
    assert (await custode(installation, "audit", "verify", str(bundle)))[0] == 0
    code, offline, _ = await custode(
        installation, "audit", "replay", account, "--json", "--bundle", str(bundle)
    )
    assert code == 0 and json.loads(offline) == json.loads(out)
    code, nothing, err = await custode(
        installation, "audit", "replay", account, "--until", "2020-01-01", "--bundle", str(bundle)
    )
    assert code == 1 and "no event" in err and not nothing


@pytest.mark.requirement("B3", part="rebuilt equals live")
@pytest.mark.parametrize("service", ["registry", "identity", "notifications"])
async def test_projections_rebuilt_from_history_equal_the_live_ones(
    installation: Installation, service: str
) -> None:
    school = await installation.school("email")
    mother = school.guardian()
    await school.enrol(school.pupil(), mother)
    await installation.letter(mother["email"])
    code, out, err = await custode(installation, "rebuild", service, "--compare", "--json")
    assert code == 0, out + err
    report = json.loads(out)
    assert report["differences"] == {} and report["events"] > 10


@pytest.mark.requirement("S2", part="what is on the bus is what the published schemas say")
async def test_every_event_on_the_bus_fits_its_published_contract(installation: Installation) -> None:
    school = await installation.school("paper")
    await school.enrol(school.pupil(), school.guardian())
    await school.happened("DeliveryRequested", 2)
    await school.print_class()
    asyncapi = json.loads((PUBLISHED / "asyncapi.json").read_text())
    messages = asyncapi["components"]["messages"]
    events = await school.events()
    assert {e.service for e in events} == {"registry", "identity", "notifications"}
    for entry in events:
        payload = messages[entry.envelope["type"]]["payload"]
        jsonschema.validate(json.loads(entry.raw), payload, cls=jsonschema.Draft202012Validator)
