"""The claim of a sealed slip, over real NATS and without it; its limit and its end (DESIGN 5, M8, B1)."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client

from deploy.engines import NatsEngine, PostgresEngine
from shared.contracts.identity import ShredReason, SlipClaimed, SlipShredded
from shared.contracts.policy import PAPER
from shared.contracts.registry import EnrolmentKind
from shared.ids import new_id
from shared.sealing import (
    CLAIM_SUBJECT,
    ClaimedSlip,
    ClaimReason,
    ClaimReply,
    ClaimRequest,
    RefusedClaim,
    open_secret,
)
from tests.integration.identity_fixtures import NEXT_YEAR, World, enrolled, identity_world


@pytest.fixture
async def world(postgres: PostgresEngine, folder: Path) -> AsyncIterator[World]:
    async with identity_world(postgres, folder) as made:
        yield made


async def claim(world: World, *credentials: str, reason: ClaimReason = ClaimReason.send) -> ClaimReply:
    request = ClaimRequest(credentials=credentials, reason=reason, delivery="d-1")
    return await world.parts.slips.claim(request)


async def refusal(world: World, credential: str) -> str:
    slip = (await claim(world, credential)).slips[credential]
    assert isinstance(slip, RefusedClaim)
    return slip.refused.value


@pytest.mark.requirement("M8", part="the same secret again, each time an event")
async def test_a_claimed_slip_opens_and_is_the_same_each_time(world: World) -> None:
    account, _, secret = await world.a_guardian()
    credential = (await world.issued(account)).credential
    copies = set()
    for reason in (ClaimReason.print, ClaimReason.reprint):
        slip = (await claim(world, credential, reason=reason)).slips[credential]
        assert isinstance(slip, ClaimedSlip)
        assert open_secret(world.keys[slip.key], slip.ciphertext(), slip.binding(credential)) == secret
        copies.add(slip.sealed)
    assert len(copies) == 1
    claims = [r for r in await world.all_events() if isinstance(r.event, SlipClaimed)]
    assert [(r.event.claims, r.event.reason) for r in claims if isinstance(r.event, SlipClaimed)] == [
        (1, "print"),
        (2, "reprint"),
    ]
    assert {r.actor for r in claims} == {"service:notifications"} and claims[0].correlation == "d-1"


async def test_a_hundred_claims_are_one_commit(world: World) -> None:
    await world.school(PAPER)
    await world.hear("registry", *[enrolled(new_id()) for _ in range(100)])
    credentials = [row["credential"] for row in await world.pool.fetch("select * from private.sealed_slips")]
    reply = await claim(world, *credentials)
    assert all(isinstance(slip, ClaimedSlip) for slip in reply.slips.values()) and len(reply.slips) == 100
    claims = [r for r in await world.all_events() if isinstance(r.event, SlipClaimed)]
    assert len(claims) == 100 and len({r.time for r in claims}) == 1


async def test_claims_at_once_are_all_counted(world: World) -> None:
    account, *_ = await world.a_guardian()
    credential = (await world.issued(account)).credential
    await asyncio.gather(*(claim(world, credential) for _ in range(4)))
    assert [e.claims for e in await world.events(SlipClaimed)] == [1, 2, 3, 4]


async def test_above_five_an_alert_and_at_twenty_a_refusal(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    account, *_ = await world.a_guardian()
    credential = (await world.issued(account)).credential
    for _ in range(20):
        assert isinstance((await claim(world, credential)).slips[credential], ClaimedSlip)
    assert await refusal(world, credential) == "too_many_claims"
    assert [e.claims for e in await world.events(SlipClaimed)] == list(range(1, 21))
    assert world.parts.metrics.get_sample_value("custode_slips_claimed_often_total") == 15
    assert capsys.readouterr().out.count("slip.claimed_often") == 15


async def test_what_is_gone_expired_or_never_was_says_so(world: World) -> None:
    account, code, secret = await world.a_guardian()
    used = (await world.issued(account)).credential
    await world.parts.front.signing_in.sign_in(code, secret.password)
    assert await refusal(world, used) == "gone"
    assert await refusal(world, "nobody") == "unknown"
    pupil = new_id()
    await world.hear("registry", enrolled(pupil))
    row = await world.pool.fetchrow("select * from private.sealed_slips order by credential desc")
    assert row is not None
    unused = row["credential"]
    world.ahead = timedelta(days=31)
    assert await refusal(world, unused) == "expired", "before the worker has run"
    await world.parts.slips.expire()
    assert await refusal(world, unused) == "expired"
    assert await world.pool.fetchval("select count(*) from private.sealed_slips") == 0


async def test_a_new_generation_shreds_the_copy_before_it(world: World) -> None:
    await world.school(PAPER)
    pupil = new_id()
    await world.hear("registry", enrolled(pupil))
    old = await world.pool.fetchval("select credential from private.sealed_slips")
    assert (await world.issue_at_the_desk(holders=[pupil])).accepted == 1
    assert await world.parts.issuer.issue_ready() == 1
    assert await refusal(world, old) == "gone"
    new = await world.pool.fetchrow("select * from private.sealed_slips")
    assert new is not None and new["credential"] != old and new["generation"] == 2
    assert [e.because for e in await world.events(SlipShredded)] == [ShredReason.superseded]
    await claim(world, new["credential"])
    assert (await world.issue_at_the_desk(holders=[pupil])).in_use == 1, (
        "what was claimed and stands is left alone"
    )
    await world.hear("registry", enrolled(pupil, EnrolmentKind.continuing, NEXT_YEAR))


@pytest.fixture
async def on_the_bus(
    postgres: PostgresEngine, folder: Path, nats_server: NatsEngine
) -> AsyncIterator[tuple[World, Client]]:
    await nats_server.wipe("IDENTITY")
    seed = nats_server.seed_file("identity")
    async with identity_world(postgres, folder, nats_url=nats_server.url, seed=seed) as made:
        await made.parts.slips.serve(made.parts.runtime.bus)
        await made.parts.runtime.bus.connected()
        client = await nats.connect(
            nats_server.url,
            nkeys_seed=str(nats_server.seed_file("notifications")),
            inbox_prefix=b"_INBOX_notifications",
        )
        await client.flush()
        yield made, client
        await client.close()


@pytest.mark.requirement("S1", part="notifications claims over the bus")
async def test_notifications_claims_over_the_bus(on_the_bus: tuple[World, Client]) -> None:
    world, client = on_the_bus
    account, _, secret = await world.a_guardian()
    credential = (await world.issued(account)).credential
    request = ClaimRequest(credentials=(credential, "nobody"), reason=ClaimReason.send)
    reply = await client.request(CLAIM_SUBJECT, request.model_dump_json().encode(), timeout=5)
    assert secret.password.encode() not in reply.data
    slips = ClaimReply.model_validate_json(reply.data).slips
    slip = slips[credential]
    assert isinstance(slip, ClaimedSlip) and isinstance(slips["nobody"], RefusedClaim)
    assert open_secret(world.keys[slip.key], slip.ciphertext(), slip.binding(credential)) == secret


async def test_garbage_is_answered_with_an_error_and_the_next_claim_works(
    on_the_bus: tuple[World, Client],
) -> None:
    world, client = on_the_bus
    account, *_ = await world.a_guardian()
    credential = (await world.issued(account)).credential
    garbage = [
        b"",
        b"\xff\xfe\x00",
        b"null",
        b"[]",
        b"{}",
        b'{"stream":"REGISTRY","seq":7}',
        b'{"credentials": "x", "reason": "send"}',
        json.dumps({"credentials": ["x"] * 101, "reason": "send"}).encode(),
        json.dumps({"credentials": ["x' or 1=1 --"], "reason": "send"}).encode(),
        b"{" * 50_000,
    ]
    for payload in garbage:
        reply = ClaimReply.model_validate_json((await client.request(CLAIM_SUBJECT, payload, timeout=5)).data)
        assert reply.error is not None and not reply.slips
    request = ClaimRequest(credentials=(credential,), reason=ClaimReason.send).model_dump_json().encode()
    await client.publish(CLAIM_SUBJECT, request)
    reply = ClaimReply.model_validate_json((await client.request(CLAIM_SUBJECT, request, timeout=5)).data)
    assert isinstance(reply.slips[credential], ClaimedSlip)
    assert len(await world.events(SlipClaimed)) == 1, "a claim that nobody can be answered is none"


async def test_a_claim_without_the_database_is_an_error_too(on_the_bus: tuple[World, Client]) -> None:
    world, client = on_the_bus
    world.pool.terminate()
    request = ClaimRequest(credentials=("c",), reason=ClaimReason.send).model_dump_json().encode()
    reply = ClaimReply.model_validate_json((await client.request(CLAIM_SUBJECT, request, timeout=5)).data)
    assert reply.error is not None and not reply.slips
