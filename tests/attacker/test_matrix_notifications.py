"""Every role against every object, own and foreign: notifications."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.engines import NatsEngine, PostgresEngine
from shared.contracts.identity import AccountRole
from shared.contracts.policy import PAPER, Channel
from shared.web.actions import TABLE, Action
from shared.web.sessions import ROLES, Role
from tests.attacker import matrix
from tests.attacker.matrix import Cast, Ground
from tests.integration.notifications_fixtures import SCHOOL, SITE, House, open_house
from tests.integration.notifications_web import front

OTHER = "RMIC00000X"
# A slip's QR leads a family, and whoever hands nothing over, to their own area.
IN_STRIDE: dict[str, frozenset[Role]] = {
    "/consegne/consegna/{slip_id}": ROLES - TABLE[Action.hand_over_in_class].roles
}
UNFURNISHED = frozenset(
    {
        "/api/notifications/campaigns/{campaign}",
        "/api/notifications/circulars/{circular}",
        "/api/notifications/circulars/{circular}/unread",
        "/api/notifications/deliveries/{delivery}/hand-over",
        "/consegne/campagne/{campaign}",
        "/consegne/campagne/{campaign}/{atto}",
        "/consegne/circolari/bozze/{draft}",
        "/consegne/circolari/bozze/{draft}/anteprima",
        "/consegne/circolari/bozze/{draft}/pdf",
        "/consegne/circolari/{circular}",
        "/consegne/circolari/{circular}/ritiro",
        "/consegne/consegna/{slip_id}/annulla",
        "/consegne/testi/{template}/{language}",
    }
)
PUBLIC = frozenset(
    {
        ("GET", "/api/notifications/"),  # the reference of the API
        ("GET", "/consegne/prova-ingresso"),  # of the tests' own front
        ("POST", "/api/notifications/bounces"),  # the mail server, with its own secret
        ("GET", "/circolari/{customer_id}/"),  # published circulars are public
        ("GET", "/circolari/{customer_id}/{circular}"),
        ("GET", "/circolari/{customer_id}/{circular}/pdf"),
    }
)


async def furnish(house: House, school: str) -> None:
    """A class with a slip for a pupil and one for a parent."""
    await house.school(PAPER, school)
    class_id = await house.form_class(school=school)
    pupil = await house.pupil(class_id, "Verdi", "Anna", school=school)
    guardian = await house.guardian(pupil, "Verdi", "Carla", "c@example.org", school=school)
    for holder, role in ((pupil, AccountRole.pupil), (guardian, AccountRole.guardian)):
        await house.account(holder, role, school=school)
        await house.issue(holder, Channel.slip, role=role, exclusive=False, school=school)


@pytest.fixture
async def ground(postgres: PostgresEngine, nats_server: NatsEngine, folder: Path) -> AsyncIterator[Ground]:
    async with open_house(postgres, nats_server, folder) as house:
        for school in (SCHOOL, OTHER):
            await furnish(house, school)
        cast = Cast()
        app = front(house, cast)  # type: ignore[arg-type]
        yield Ground(
            app,
            house.runtime.pool,
            SITE,
            SCHOOL,
            OTHER,
            cast,
            PUBLIC,
            in_stride=IN_STRIDE,
            unfurnished=UNFURNISHED,
        )


@pytest.mark.requirement("M10", part="what nobody else may, nobody else gets")
async def test_nobody_gets_what_the_table_does_not_give_them(ground: Ground) -> None:
    assert await matrix.everything(ground) == ""
