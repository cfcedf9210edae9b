"""Every invariant holds on a real history, and is found violated after a real corruption (`custode doctor --deep`)."""

import os
import signal
from collections.abc import AsyncIterator
from string import Template

import pytest
import pytest_asyncio

from deploy.engines import nats_streams
from deploy.inspection import Invariant, Outcome, ingress, inspect, snapshots
from tests.acceptance.installation import Installation, until
from tests.integration.inspection_fixtures import at_rest, lived_in, spoilt

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def installation() -> AsyncIterator[Installation]:
    async with lived_in() as installation:
        yield installation


KEEP = Template("create temp table kept as select * from $table where $where")
DELETE = Template("delete from $table where $key in (select $key from kept)")
CHANGE = Template("update $table set $change where $key in (select $key from kept)")
PUT_BACK = Template("insert into $table table kept")


def rows(table: str, where: str, key: str) -> tuple[str, ...]:
    """(delete these rows, bring them back)."""
    names = {"table": table, "where": where, "key": key}
    return f"{KEEP.substitute(names)}; {DELETE.substitute(names)}", PUT_BACK.substitute(names)


def changed(table: str, change: str, where: str, key: str) -> tuple[str, ...]:
    """(change one of these rows, bring it back)."""
    names = {"table": table, "where": f"{where} limit 1", "key": key, "change": change}
    damage = f"{KEEP.substitute(names)}; {CHANGE.substitute(names)}"
    return damage, DELETE.substitute(names), PUT_BACK.substitute(names)


def rewritten(name: str, pattern: str, by: str) -> tuple[str, ...]:
    """Other bytes in one entry of this event."""
    text = f"regexp_replace(convert_from(entry, 'UTF8'), '{pattern}', '{by}')"
    where = f"convert_from(entry, 'UTF8') ~ '\\.{name}\\.v.*{pattern}'"
    return changed("events.entries", f"entry = convert_to({text}, 'UTF8')", where, "position")


SLIP_OF_THE_CHOSEN = """
    insert into private.sealed_slips
    select 'stale', account, school, 1, 'key', '\\x00', now() + interval '1 day'
    from private.verifiers where kind = 'chosen' limit 1
"""
VERIFIER_OF_NOBODY = """
    insert into private.verifiers (account, school, kind, password, pepper, must_change, accessed)
    values ('nobody', 'X', 'chosen', '', '', false, true)
"""
CASES: list[tuple[Invariant, str, tuple[str, ...]]] = [
    (Invariant.positions, "registry", rows("events.entries", "position = 3", "position")),
    (
        Invariant.positions,
        "notifications",
        ("update events.head set position = position + 1", "update events.head set position = position - 1"),
    ),
    (Invariant.school_positions, "identity", rows("events.entries", "position = 3", "position")),
    (
        Invariant.school_positions,
        "registry",
        changed("events.school_heads", "position = position + 1", "true", "school"),
    ),
    (
        Invariant.stream_versions,
        "notifications",
        changed("events.entries", "stream_version = 9", "true", "position"),
    ),
    (Invariant.entries, "identity", rewritten("AccountOpened", '"streamversion":"1"', '"streamversion":"7"')),
    (Invariant.entries, "registry", changed("events.entries", "entry = '\\x7b'", "true", "position")),
    (Invariant.seen, "identity", rewritten("CredentialsIssued", '"seen":"[^"]*"', '"seen":"registry:99999"')),
    (Invariant.seen, "notifications", rewritten("SlipPrinted", '"seen":"[^"]*",', "")),
    (
        Invariant.causes,
        "notifications",
        rewritten("DeliveryRequested", '"causationid":"[^"]*"', '"causationid":"0"'),
    ),
    (Invariant.streams, "registry", rewritten("ClassFormed", '"title":"', '"title":"X')),
    (
        Invariant.cursors,
        "identity",
        (
            "update events.cursors set position = position + 100 where source = 'registry'",
            "update events.cursors set position = position - 100 where source = 'registry'",
        ),
    ),
    (Invariant.credentials, "identity", rewritten("CredentialsIssued", '"generation":1', '"generation":3')),
    (Invariant.credentials, "identity", rewritten("AccountOpened", '"role":"guardian"', '"role":"pupil"')),
    (Invariant.passwords, "identity", rows("private.verifiers", "kind = 'initial'", "account")),
    (
        Invariant.passwords,
        "identity",
        changed("private.verifiers", "kind = 'chosen', expires = null", "kind = 'initial'", "account"),
    ),
    (
        Invariant.passwords,
        "identity",
        changed("private.verifiers", "pin = null, pin_pepper = null", "pin is not null", "account"),
    ),
    (
        Invariant.passwords,
        "identity",
        (VERIFIER_OF_NOBODY, "delete from private.verifiers where account = 'nobody'"),
    ),
    (Invariant.slips, "identity", rows("private.sealed_slips", "true", "credential")),
    (
        Invariant.slips,
        "identity",
        (SLIP_OF_THE_CHOSEN, "delete from private.sealed_slips where credential = 'stale'"),
    ),
    (Invariant.holders, "identity", rows("projections.refusals_v1", "reason = 'no_account'", "account")),
    (
        Invariant.requests,
        "notifications",
        rows("events.entries", "stream like 'delivery/%' and stream_version = 1", "position"),
    ),
    (Invariant.deliveries, "notifications", rewritten("EmailAccepted", '"attempt":1', '"attempt":2')),
    (
        Invariant.deliveries,
        "notifications",
        rewritten("DeliveryRequested", '"credential":"', '"credential":"0'),
    ),
    (
        Invariant.projections,
        "identity",
        changed("projections.people_v1", "given_name = 'Altra'", "given_name is not null", "person"),
    ),
]


async def outcomes(installation: Installation, invariant: Invariant) -> dict[str, Outcome]:
    findings = await inspect(installation.running.parts.wiring, {invariant}, patience=0)
    return {finding.service: finding.outcome for finding in findings}


async def test_everything_holds_where_nobody_meddled(installation: Installation) -> None:
    findings = await inspect(installation.running.parts.wiring)
    assert [f for f in findings if f.outcome is not Outcome.ok] == []
    assert {f.invariant for f in findings} == set(Invariant)
    counted = {(f.invariant, f.service): f.counts for f in findings}
    assert counted[Invariant.deliveries, "notifications"]["deliveries"] == 4
    assert counted[Invariant.passwords, "identity"]["verifiers"] >= 4
    assert counted[Invariant.holders, "identity"]["holders"] == 6
    assert counted[Invariant.keys, "registry"]["parts"] >= 6


@pytest.mark.parametrize(("invariant", "service", "statements"), CASES)
async def test_a_corruption_is_found(
    installation: Installation, invariant: Invariant, service: str, statements: tuple[str, ...]
) -> None:
    async with spoilt(installation, service, *statements):
        assert (await outcomes(installation, invariant))[service] is Outcome.violated
    assert (await outcomes(installation, invariant))[service] is Outcome.ok


async def test_a_key_that_is_gone_is_missed(installation: Installation) -> None:
    statements = rows("keyring.person_keys", "true", "key_id")
    async with spoilt(installation, "keyring", *statements):
        assert (await outcomes(installation, Invariant.keys))["registry"] is Outcome.violated
    assert (await outcomes(installation, Invariant.keys))["registry"] is Outcome.ok


async def test_commands_that_nobody_takes_are_found(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingress, "PATIENCE", 0.5)
    wiring, registry = installation.running.parts.wiring, installation.running.pid("registry")
    assert wiring.bus is not None and registry is not None
    os.kill(registry, signal.SIGSTOP)
    try:
        client = await nats_streams.connect(wiring.nats_url, wiring.bus.seeds, "registry_admin")
        await client.request("ingress._.cmd", b"nobody's", timeout=5)
        await client.close()
        assert await outcomes(installation, Invariant.ingress) == {"registry": Outcome.violated}
    finally:
        os.kill(registry, signal.SIGCONT)

    async def taken() -> bool:
        (finding,) = await inspect(wiring, {Invariant.ingress}, patience=0)
        return finding.outcome is Outcome.ok and finding.counts["quarantined"] == 1

    await until(taken, 15, "the command's quarantine")


async def test_what_does_not_answer_is_said_and_not_called_a_violation(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "PATIENCE", 1)
    nats = installation.running.pid("nats")
    assert nats is not None
    os.kill(nats, signal.SIGSTOP)
    try:
        found = await outcomes(installation, Invariant.cursors)
    finally:
        os.kill(nats, signal.SIGCONT)
    assert set(found.values()) == {Outcome.could_not_look}
    await at_rest(installation)
