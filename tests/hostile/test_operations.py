"""Every operation of the three JSON APIs does what its description says, whatever it is asked (M11)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from shared.ids import new_id
from tests.acceptance.installation import Installation, School
from tests.hostile import desk_asked, registry_asked
from tests.hostile.circulars_asked import provoke_circulars
from tests.hostile.desk_asked import (
    provoke_alerts,
    provoke_bounces,
    provoke_campaigns,
    provoke_ended,
    provoke_hand_overs,
    provoke_resending,
)
from tests.hostile.generic_asked import ENDING, provoke_strangers
from tests.hostile.lives_asked import provoke_lives
from tests.hostile.operations import NOT_TO_BE_ARRANGED, ONLY_UNDER_LOAD
from tests.hostile.own_asked import (
    provoke_last_passkey,
    provoke_own,
    provoke_passkeys,
    provoke_staff,
    wait_for_passkeys_to_be_asked,
)
from tests.hostile.registry_asked import (
    provoke_mailboxes,
    provoke_no_access,
    provoke_people,
    provoke_policy,
)
from tests.hostile.world import World, world_of

pytestmark = pytest.mark.asyncio(loop_scope="session")
FED = ("POST /api/registry/enrolments", "POST /api/registry/imports")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(installation: Installation, printing: School) -> AsyncIterator[World]:
    yield await world_of(installation, printing)


async def test_whatever_is_asked_is_answered_as_described(world: World) -> None:
    others = {
        "POST /api/identity/password": await world.session(world.another),
        "POST /api/identity/loss": await world.session(world.leaving),
        "POST /api/registry/policy": await world.session(world.ruler_key),
        "POST /api/notifications/bounces": {"Authorization": f"Bearer {_bounce_key(world)}"},
    }
    for service in world.services.values():
        for label in service.operations:
            if label in ENDING:
                continue  # they take nothing but the session, which the first request ends: see below
            who = others.get(label) or (world.feeder if label in FED else world.boss)
            if label not in others and not service.secured(label):
                who = {}
            await asyncio.to_thread(service.exercise, label, who, world.named(label))
        assert not service.wrong, service.told()


async def test_every_status_described_is_one_that_is_answered(world: World) -> None:
    must_change = await world.session(world.must_change)
    ending = [await world.session(world.ending) for _ in ENDING]
    await asyncio.to_thread(provoke_strangers, world, world.mailing.code, must_change, ending)
    signed_in = {
        "mailed": await world.session(world.mailed),
        "changing": await world.session(world.another),
        "keyed": await world.session(world.ending),
        "ruling": await world.session(world.ruler_key),
    }
    parents = [await world.session(each.keys[each.parent]) for each in world.families[1:3]]
    await asyncio.to_thread(_provoke, world, signed_in, parents)
    never = {
        label: sorted(unseen)
        for service in world.services.values()
        for label in service.operations
        if (unseen := service.unseen(label) - ONLY_UNDER_LOAD - NOT_TO_BE_ARRANGED.get(label, set()))
    }
    assert not never, f"described, and never answered: {never}"
    for service in world.services.values():
        assert not service.wrong, service.told()


def _provoke(world: World, signed_in: dict[str, dict[str, str]], parents: list[dict[str, str]]) -> None:
    registry, identity, desk = (world.services[n] for n in ("registry", "identity", "notifications"))
    boss, families, site = world.boss, world.families, world.installation.site
    provoke_circulars(desk, boss, world.school.code)
    provoke_campaigns(desk, boss)
    provoke_ended(desk, world.mailers, world.campaign)
    provoke_resending(desk, world.mailers)
    desk_asked.provoke_queries(desk, boss, world.known["class_id"])
    registry_asked.provoke_queries(registry, boss, world.school.code)
    provoke_hand_overs(desk, boss, world.known["class_id"], world.slips[families[3].guardian])
    provoke_alerts(desk, boss)
    provoke_bounces(desk, _bounce_key(world))
    registry.say("GET /api/registry/children", parents[1], 200)
    provoke_no_access(registry, boss, families[2])
    provoke_people(registry, boss, families[3], families[4])
    provoke_mailboxes(registry, boss, families[2])
    _provoke_entering(world)
    provoke_lives(identity, boss, families[1], parents[0])
    provoke_own(identity, signed_in["mailed"], world.mailed.password, world.pin, boss)
    _provoke_signing_in(world, signed_in["changing"])
    provoke_staff(identity, boss)
    ruling = signed_in["ruling"]
    strong = provoke_passkeys(identity, ruling, world.ruler_key.password, site)
    provoke_policy(registry, strong)
    wait_for_passkeys_to_be_asked(identity, ruling)
    provoke_last_passkey(identity, strong, 409)
    provoke_passkeys(identity, signed_in["keyed"], world.ending.password, site)
    provoke_last_passkey(identity, signed_in["keyed"], 204)


def _provoke_entering(world: World) -> None:
    registry, json = world.services["registry"], {"media_type": "application/json"}
    enrol = "POST /api/registry/enrolments"
    body: dict[str, Any] = world.school.enrolment(world.school.pupil(), world.school.guardian())
    for wanted, status in (
        (body, 201),
        (body, 200),
        (body | {"school": world.mailing.code}, 403),
        (body | {"school": "RMIS99999Z"}, 404),
        (body | {"school_year": "2024/2025"}, 409),
    ):
        assert registry.one(enrol, world.feeder, body=wanted, **json) == status
    header = "codice_meccanografico;anno_scolastico;classe;sezione;codice_alunno;cognome_alunno;nome_alunno\n"
    row = f"{world.school.code};2026/2027;1;A;X1;Rossi;Anna\n"
    for content, status in ((header + row, 200), ("codice_meccanografico;classe\n", 422)):
        file: dict[str, Any] = {"body": {"file": content}, "media_type": "multipart/form-data"}
        assert registry.one("POST /api/registry/imports", world.feeder, **file) == status


def _provoke_signing_in(world: World, changing: dict[str, str]) -> None:
    """`changing`: the session of `another`."""
    identity, key = world.services["identity"], world.boss_key
    signing_in = {"user_code": key.user_code, "password": key.password}
    identity.say("POST /api/identity/sessions", {}, 201, signing_in)
    identity.say("POST /api/identity/issuance", world.boss, 202, {"school": True})
    change, new = "POST /api/identity/password", f"una password lunga {new_id()[-12:]}"
    wrong = {"user_code": "ABCD2345", "old": "sbagliata", "new": new}
    identity.say(change, {}, 401, wrong)
    identity.say(change, changing, 204, {"old": world.another.password, "new": new})


def _bounce_key(world: World) -> str:
    return world.installation.running.parts.wiring.bounce_intake_key_file.read_text().strip()
