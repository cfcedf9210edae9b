"""A key of a school's system may do what it was made for, and no more; one sees when it was last used (ASVS 5.0, 8.2)."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.registry.api_keys import Scope
from services.registry.operations import Registry
from tests.integration.registry_fixtures import SCHOOL, kek_file, registry, registry_settings
from tests.integration.test_registry_files import custode
from tests.integration.test_registry_http import Signed, body, csv, session, signed, site
from tests.integration.test_registry_uploads import MULTIPART, Watched, multipart

__all__ = ["custode", "kek_file", "registry", "registry_settings", "signed", "site"]
READ = f"/api/registry/schools/{SCHOOL}/classes"


async def statuses(site: httpx.AsyncClient, headers: dict[str, str]) -> dict[Scope, httpx.Response]:
    """What each thing that one may do is answered with."""
    return {
        Scope.enrol: await site.post("/api/registry/enrolments", json=body(), headers=headers),
        Scope.import_: await site.post(
            "/api/registry/imports?dry_run=true", files={"file": ("x.csv", csv({}))}, headers=headers
        ),
        Scope.read: await site.get(READ, headers=headers),
    }


@pytest.mark.parametrize(
    "scopes", [[Scope.enrol], [Scope.import_], [Scope.read], [Scope.enrol, Scope.read], list(Scope)]
)
async def test_a_key_does_what_it_was_made_for(
    site: httpx.AsyncClient, registry: Registry, scopes: Sequence[Scope]
) -> None:
    made = await registry.add_api_key(SCHOOL, "registro", scopes)
    for scope, answer in (await statuses(site, {"Authorization": f"Bearer {made.secret}"})).items():
        if scope in scopes:
            assert answer.status_code in (200, 201), answer.text
        else:
            assert answer.status_code == 403
            assert answer.json()["type"] == "urn:custode:problem:api-key-scope"
            assert scope.value in answer.json()["detail"]


async def test_a_usual_key_feeds_the_registry_and_reads_nothing(
    site: httpx.AsyncClient, registry: Registry
) -> None:
    made = await registry.add_api_key(SCHOOL, "registro")
    found = await statuses(site, {"Authorization": f"Bearer {made.secret}"})
    assert {scope.value: answer.status_code for scope, answer in found.items()} == {
        "enrol": 201,
        "import": 200,
        "read": 403,
    }
    pupils = await site.get(f"{READ}/x/pupils", headers={"Authorization": f"Bearer {made.secret}"})
    assert pupils.status_code == 403


async def test_a_secretary_may_do_it_all(site: httpx.AsyncClient, signed: Signed) -> None:
    found = await statuses(site, session(signed.sign_in("s1", "secretary")))
    assert [answer.status_code for answer in found.values()] == [201, 200, 200]


async def test_a_key_without_the_scope_is_refused_before_a_byte_is_read(
    site: httpx.AsyncClient, registry: Registry
) -> None:
    made = await registry.add_api_key(SCHOOL, "registro", [Scope.read])
    sent = Watched(multipart(csv({})))
    headers = {"Authorization": f"Bearer {made.secret}"} | MULTIPART
    answer = await site.post("/api/registry/imports", content=sent, headers=headers)
    assert answer.status_code == 403
    assert not sent.begun.is_set()


async def test_a_key_needs_a_scope(registry: Registry) -> None:
    with pytest.raises(ValueError, match="scope"):
        await registry.add_api_key(SCHOOL, "registro", [])


async def test_the_last_use_is_kept_once_a_minute(site: httpx.AsyncClient, registry: Registry) -> None:
    made = await registry.add_api_key(SCHOOL, "registro")
    headers = {"Authorization": f"Bearer {made.secret}"}
    assert (await registry.api_keys.of_school(SCHOOL))[0].last_used_at is None
    await site.get(READ, headers=headers)
    (key,) = await registry.api_keys.of_school(SCHOOL)
    first = key.last_used_at
    assert first is not None
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=1)
    await site.get(READ, headers=headers)
    assert (await registry.api_keys.of_school(SCHOOL))[0].last_used_at == first
    old = first - timedelta(minutes=2)
    await registry.runtime.pool.execute("update private.api_keys set last_used_at = $1", old)
    await site.get(READ, headers=headers)
    (key,) = await registry.api_keys.of_school(SCHOOL)
    assert key.last_used_at is not None
    assert key.last_used_at >= first
    assert await registry.revoke_api_key(SCHOOL, "registro")
    await registry.runtime.pool.execute("update private.api_keys set last_used_at = $1", old)
    assert (await site.get(READ, headers=headers)).status_code == 401
    assert (await registry.api_keys.of_school(SCHOOL))[0].last_used_at == old, "a revoked key is not used"


async def test_keys_on_the_command_line(custode: Callable[..., Any], registry: Registry) -> None:
    usual = await custode("school", "api-key", SCHOOL, "segreteria")
    reader = await custode("school", "api-key", SCHOOL, "mensa", "--scope", "read", "--scope", "enrol")
    assert (usual.exit_code, reader.exit_code) == (0, 0), usual.output + reader.output
    found = await registry.api_keys.find(reader.stdout.strip())
    assert found is not None
    assert found.scopes == {Scope.read, Scope.enrol}
    assert (await custode("school", "api-key", SCHOOL, "segreteria", "--revoke")).exit_code == 0
    assert (await custode("school", "api-key", SCHOOL)).exit_code == 2
    assert (await custode("school", "api-key", SCHOOL, "x", "--scope", "all")).exit_code == 2
    shown = await custode("school", "api-key", SCHOOL.lower(), "--list", "--json")
    rows = {row["name"]: row for row in json.loads(shown.stdout)}
    assert rows["segreteria"]["scopes"] == ["enrol", "import"]
    assert rows["segreteria"]["revoked_at"] is not None
    assert rows["mensa"]["scopes"] == ["enrol", "read"]
    assert rows["mensa"]["last_used_at"] is not None
    table = (await custode("school", "api-key", SCHOOL, "--list")).stdout
    assert "mensa" in table
    assert "last used" in table
    assert "revoked" in table
    assert reader.stdout.strip() not in shown.stdout + table
