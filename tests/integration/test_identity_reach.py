"""What changes at identity is so for another service within five seconds, over real NATS (DESIGN 7)."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date

import pytest

from services.identity.operations import NewStaffMember, open_staff
from shared.contracts.identity import StaffRole
from shared.contracts.policy import PAPER
from shared.contracts.registry import CredentialPolicyAdopted
from shared.web.sessions import Principal, hash_token
from tests.integration.identity_fixtures import SCHOOL, World
from tests.integration.test_identity_introspection import Seat, seat

__all__ = ["seat"]
CHOSEN, NEXT = "tre gatti verdi sul tetto", "quattro cani gialli in cortile"
WITHIN = 5.0


@pytest.fixture
async def told(seat: Seat) -> AsyncIterator[Seat]:
    """Identity tells of changes as it does when it runs."""
    work = asyncio.create_task(seat.world.parts.sessions.tell_changes(seat.world.parts.runtime.bus))
    yield seat
    work.cancel()


async def a_colleague(world: World, role: StaffRole) -> tuple[str, str]:
    member = NewStaffMember(SCHOOL, (role,), "Ada", "Neri", CHOSEN, True)
    opened = await open_staff(world.parts.runtime.commands, world.parts.hasher, member, actor="system:test")
    return opened.account, opened.user_code


async def within_five_seconds(seat: Seat, token: bytes, so: Callable[[Principal | None], bool]) -> None:
    began = time.monotonic()
    while not so(await seat.introspector.introspect(token)):
        assert time.monotonic() - began < WITHIN, "the other service still goes by the old answer"
        await asyncio.sleep(0.1)


@pytest.mark.requirement("M10", part="a stolen cookie")
async def test_a_change_reaches_the_other_services_in_time(told: Seat) -> None:
    world, front = told.world, told.world.parts.front
    await world.school(PAPER)
    boss, _ = await a_colleague(world, StaffRole.administrator)
    account, code = await a_colleague(world, StaffRole.secretary)

    async def entered() -> tuple[bytes, Principal]:
        signed = await front.signing_in.sign_in(code, CHOSEN)
        assert signed is not None
        token = hash_token(signed.session.token)
        known = await told.introspector.introspect(token)
        assert known is not None
        return token, known

    stolen, who = await entered()
    assert not who.strong and who.password_only_until is None
    policy = PAPER.model_copy(update={"staff_password_only_until": date(2999, 1, 1)})
    adopted = CredentialPolicyAdopted(school=SCHOOL, policy=policy, reason="delibera 7")
    await world.hear("registry", (f"school/{SCHOOL}", adopted))
    await within_five_seconds(told, stolen, lambda p: p is not None and p.strong)

    await front.staff.change_roles(SCHOOL, account, [StaffRole.teacher], actor=boss)
    await within_five_seconds(told, stolen, lambda p: p is not None and p.roles == {"teacher"})

    changes: list[Callable[[], Awaitable[object]]] = [
        lambda: front.signing_in.change_password(code, CHOSEN, NEXT, principal=who),
        lambda: front.staff.reset(SCHOOL, account, actor=boss, remove_passkeys=False),
        lambda: front.staff.close(SCHOOL, account, "in pensione", actor=boss),
    ]
    await changes[0]()
    await within_five_seconds(told, stolen, lambda p: p is None)
    signed = await front.signing_in.sign_in(code, NEXT)
    assert signed is not None
    for change in changes[1:]:
        token = hash_token(signed.session.token)
        assert await told.introspector.introspect(token) is not None
        await change()
        await within_five_seconds(told, token, lambda p: p is None)
        if change is changes[1]:
            given = await front.staff.reset(SCHOOL, account, actor=boss, remove_passkeys=False)
            signed = await front.signing_in.sign_in(code, given.password)
            assert signed is not None and signed.session.must_change
