"""A school's policy over HTTP and on the desk's page: previewed, adopted for a day, refused; by whom it may be."""

import html
import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.commands import school_policy
from services.registry import policy_forms
from services.registry.operations import Registry
from services.registry.web import build_web
from shared.contracts.event import Event, Personal, Recorded
from shared.contracts.identity import (
    CredentialsIssued,
    LocalCredentialsRetired,
    StaffAccountOpened,
    StaffDetails,
    StaffRole,
)
from shared.contracts.policy import EMAIL, PAPER, Channel, CredentialPolicy, HolderRole
from shared.contracts.registry import CredentialPolicyAdopted, StudentEnrolled
from shared.eventstore.units import Foreign
from shared.ids import new_id
from shared.policies import policy_in_force
from shared.web.sessions import Role
from tests.browser_harness import browser_page, free_port, look, page_errors, served
from tests.integration.registry_fixtures import (
    OTHER_SCHOOL,
    SCHOOL,
    YEAR,
    enrolment,
    events_of,
    guardian,
    kek_file,
    parsed,
    pupil,
    registry,
    registry_settings,
    with_school,
)
from tests.integration.test_registry_http import Signed, csv, key, session, signed, site
from tests.integration.test_registry_intake import OPERATOR, take

__all__ = ["kek_file", "key", "registry", "registry_settings", "signed", "site"]
COOKIE = "__Host-custode-session"
POLICY, PAGE = "/api/registry/policy", "/registro/sportello/regola"
NOW = datetime(2036, 9, 1, 10, tzinfo=UTC)
TODAY, OCTOBER = date(2036, 9, 1), date(2036, 10, 1)


@pytest.fixture
async def principal(registry: Registry, signed: Signed) -> AsyncIterator[dict[str, str]]:
    registry.store.clock = lambda: NOW
    yield session(signed.sign_in("p1", "principal"))


def at(registry: Registry, moment: datetime) -> None:
    registry.store.clock = lambda: moment


def as_json(policy: CredentialPolicy) -> dict[str, Any]:
    return policy.model_dump(mode="json")


async def policy_now(registry: Registry) -> CredentialPolicy | None:
    return await policy_in_force(registry.store.pool, SCHOOL, registry.store.clock())


async def test_a_planned_policy_comes_into_force_at_midnight_in_italy_without_an_event(
    site: httpx.AsyncClient, registry: Registry, principal: dict[str, str]
) -> None:
    body = {"preset": "email", "in_force_from": "2036-10-01", "reason": "circolare 40"}
    answer = await site.post(POLICY, json=body, headers=principal)
    assert answer.status_code == 200, answer.text
    assert answer.json()["changed"] is True
    head = await registry.store.head()
    for moment, expected in (
        (NOW, PAPER),
        (datetime(2036, 9, 30, 21, 59, tzinfo=UTC), PAPER),
        (datetime(2036, 9, 30, 22, 1, tzinfo=UTC), EMAIL),
    ):
        at(registry, moment)
        assert await policy_now(registry) == expected
        told = (await site.get(POLICY, headers=principal)).json()
        assert told["in_force"]["policy"] == as_json(expected)
    assert await registry.store.head() == head
    assert [v["standing"] for v in told["history"]] == ["past", "in_force"]


async def test_what_is_adopted_later_for_an_earlier_or_equal_day_replaces_what_was_planned(
    site: httpx.AsyncClient, registry: Registry, principal: dict[str, str]
) -> None:
    await registry.adopt_policy(SCHOOL, EMAIL, "circolare 40", OCTOBER)
    told: dict[str, Any] = {}
    for number, (day, replaces) in enumerate(
        (("2036-11-01", []), ("2036-10-01", ["2036-10-01", "2036-11-01"]), ("2036-09-15", ["2036-10-01"]))
    ):
        policy = as_json(PAPER.model_copy(update={"reminder_days": 20 + number}))
        asked = {"policy": policy, "in_force_from": day}
        preview = (await site.post(f"{POLICY}/preview", json=asked, headers=principal)).json()
        assert preview["replaces"] == replaces
        body = asked | {"reason": "circolare 41", "seen": preview["seen"]}
        told = (await site.post(POLICY, json=body, headers=principal)).json()["policy"]
    standings = [v["standing"] for v in told["history"]]
    assert standings == ["in_force", "replaced", "replaced", "replaced", "planned"]


async def test_a_preview_counts_whom_it_touches_and_adopts_nothing(
    site: httpx.AsyncClient, registry: Registry, principal: dict[str, str]
) -> None:
    await registry.open_year(SCHOOL, YEAR, date(2036, 9, 1), date(2037, 8, 31))
    adult = pupil("p2", given_name="Ugo", birth_date=date(2018, 9, 15), family_name="Neri")
    silent = guardian("g2", family_name="Neri", given_name="Ada", email=None)
    await take(
        registry,
        parsed(enrolment(pupil("p1", birth_date=date(2024, 2, 3)), guardian("g1")), enrolment(adult, silent)),
        OPERATOR,
    )
    head = await registry.store.head()

    async def touched(day: str) -> dict[str, int]:
        asked = {"preset": "email", "in_force_from": day}
        answer = await site.post(f"{POLICY}/preview", json=asked, headers=principal)
        assert answer.status_code == 200, answer.text
        found: dict[str, int] = answer.json()["touched"]
        return found

    expected = {
        "guardians": 2,
        "guardians_without_email": 1,
        "pupils_under_age": 2,
        "pupils_under_age_without_mailbox": 2,
        "guardians_out_of_reach": 1,
        "pupils_under_age_out_of_reach": 2,
    }
    assert {name: n for name, n in (await touched("2036-09-14")).items() if n} == expected
    birthday = await touched("2036-09-15")
    assert (birthday["pupils_under_age"], birthday["pupils_of_age"]) == (1, 1)
    told = (await site.post(f"{POLICY}/preview", json={"preset": "email"}, headers=principal)).json()
    assert {(d["role"], d["field"]) for d in told["differences"]} >= {
        ("guardian", "channel"),
        ("guardian", "pin"),
        (None, "justification"),
    }
    assert "1 genitore è senza indirizzo e-mail" in " ".join(told["consequences"])
    past = {"preset": "email", "in_force_from": "2036-08-31"}
    told = (await site.post(f"{POLICY}/preview", json=past, headers=principal)).json()
    assert told["wrong"] == ["Una regola entra in vigore oggi o più avanti, mai prima."]
    assert await registry.store.head() == head
    holder = next(e.student for e in await events_of(registry) if isinstance(e, StudentEnrolled))
    issued = CredentialsIssued(
        account="a1",
        holder=holder,
        credential="c1",
        generation=1,
        policy_role=HolderRole.pupil_under_age,
        channel=Channel.slip,
        exclusive=False,
        pin_issued=False,
        must_change=False,
        expires=NOW,
    )
    await identity_says(registry, issued)
    one_has = await touched("2036-09-14")
    assert (one_has["pupils_under_age_with_credentials"], one_has["pupils_under_age_out_of_reach"]) == (1, 1)
    await identity_says(registry, LocalCredentialsRetired(account="a1"))
    assert (await touched("2036-09-14"))["pupils_under_age_with_credentials"] == 0


def preset(**changes: Any) -> dict[str, Any]:
    return {"preset": "email", "reason": "circolare 40"} | changes


def with_rules(role: str, **rules: Any) -> dict[str, Any]:
    policy = as_json(PAPER)
    policy[role] |= rules
    return {"policy": policy, "reason": "circolare 40"}


REFUSED: list[tuple[dict[str, Any], int, str, str | None]] = [
    (preset(in_force_from="2036-08-31"), 422, "in-force-from-past", "#/in_force_from"),
    (preset(in_force_from="2206-09-01"), 422, "in-force-from-far", "#/in_force_from"),
    (preset(reason=" "), 422, "reason-unusable", "#/reason"),
    (preset(seen=0), 409, "policy-changed", None),
    (
        with_rules("pupil_under_age", pin="issued"),
        422,
        "policy-contradictory",
        "#/policy/pupil_under_age/pin",
    ),
    (
        with_rules("pupil_of_age", channel="email"),
        422,
        "policy-contradictory",
        "#/policy/pupil_of_age/channel",
    ),
    (preset(reason=""), 422, "invalid-fields", "#/body/reason"),
    (preset(preset="pigeon"), 422, "invalid-fields", "#/body/preset"),
    ({"reason": "nothing"}, 422, "invalid-fields", "#/body"),
]


async def test_what_cannot_be_is_refused_and_says_where(
    site: httpx.AsyncClient, registry: Registry, principal: dict[str, str]
) -> None:
    head = await registry.store.head()
    for body, status, slug, pointer in REFUSED:
        answer = await site.post(POLICY, json=body, headers=principal)
        found = (answer.status_code, answer.json()["type"])
        assert found == (status, f"urn:custode:problem:{slug}"), answer.text
        if pointer is not None:
            assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
            assert all(error["detail"] for error in answer.json()["errors"])
    assert await registry.store.head() == head


WHO: tuple[tuple[Role | None, bool, int, int], ...] = (
    ("principal", True, 200, 200),
    ("administrator", True, 200, 200),
    ("principal", False, 200, 403),
    ("secretary", True, 200, 403),
    ("teacher", True, 403, 403),
    ("guardian", True, 403, 403),
    (None, False, 401, 401),
)


async def test_who_may_see_and_who_may_change(site: httpx.AsyncClient, signed: Signed) -> None:
    for role, strong, see, change in WHO:
        headers = {} if role is None else session(signed.sign_in("x", role, strong=strong))
        assert (await site.get(POLICY, headers=headers)).status_code == see, role
        asked = await site.post(f"{POLICY}/preview", json={"preset": "email"}, headers=headers)
        assert asked.status_code == see, role
        assert (await site.post(POLICY, json=preset(), headers=headers)).status_code == change, role
        page = await site.get(PAGE, headers=headers | {"Accept": "text/html"}, follow_redirects=False)
        assert page.status_code == (303 if see == 401 else see), role
        for path in ("", "/modifica", "/anteprima"):
            posted = await site.post(f"{PAGE}{path}", headers=headers | {"Accept": "application/json"})
            assert posted.status_code in ((400, 422) if change == 200 else (change,)), (role, path)


async def test_another_school_has_its_own(
    site: httpx.AsyncClient, registry: Registry, signed: Signed, principal: dict[str, str]
) -> None:
    await with_school(registry, OTHER_SCHOOL, "altra")
    other = session(signed.sign_in("p2", "principal", school=OTHER_SCHOOL))
    assert (await site.post(POLICY, json=preset(), headers=other)).status_code == 200
    mine = (await site.get(POLICY, headers=principal)).json()
    assert (mine["school"], len(mine["history"])) == (SCHOOL, 1)
    assert mine["in_force"]["policy"] == as_json(PAPER)


async def test_said_twice_it_is_adopted_once_and_the_history_tells_by_whom(
    site: httpx.AsyncClient, registry: Registry, principal: dict[str, str]
) -> None:
    opened = StaffAccountOpened(
        account="account-p1",
        holder="p1",
        roles=(StaffRole.principal,),
        details=Personal(
            person="p1",
            value=StaffDetails(user_code="ABCDEFGH", given_name="Nora", family_name="Blu"),
        ),
    )
    await identity_says(registry, opened)
    for changed in (True, False):
        answer = await site.post(POLICY, json=preset(seen=1), headers=principal)
        assert answer.json()["changed"] is changed, answer.text
    adoptions = [e for e in await events_of(registry) if isinstance(e, CredentialPolicyAdopted)]
    assert len(adoptions) == 2
    last = answer.json()["policy"]["history"][-1]
    assert (last["adopted_by"], last["author"], last["reason"]) == ("account-p1", "Nora Blu", "circolare 40")


async def identity_says(registry: Registry, event: Event) -> None:
    """As its reader does: identity's own entry, projected together with the cursor."""
    position = (await registry.store.cursors()).get("identity", 0) + 1
    recorded = Recorded(
        event, b"", new_id(), "identity", "account/a1", position, position, SCHOOL, position,
        NOW, "system:test", new_id(), None, {}, None,
    )  # fmt: skip
    await registry.store.commit([], foreign=Foreign("identity", position - 1, [recorded]))


def fields(policy: CredentialPolicy, **changes: str) -> dict[str, str]:

    filled = {name: value for name, value in policy_forms.fields(policy).items() if value}
    return filled | {"dal": "2036-10-01"} | changes


@pytest.mark.browser
async def test_the_desk_changes_its_policy_and_imports_in_a_browser(
    registry: Registry, signed: Signed, tmp_path: Path
) -> None:
    port = free_port()
    registry.runtime.settings = registry.runtime.settings.model_copy(update={"listen": f"localhost:{port}"})
    file = tmp_path / "iscritti.csv"
    file.write_bytes(csv({}, {"id": "2", "name": "Bruno", "born": "31/02/2014"}))
    async with (
        browser_page(360, 800, javascript=False) as page,
        served(build_web(registry, signed), port) as at,
    ):
        token = signed.sign_in("p", "principal")
        await page.context.add_cookies(
            [{"name": COOKIE, "value": token, "domain": "localhost", "path": "/", "secure": True}]
        )
        await page.goto(f"{at}{PAGE}")
        await look(page, "registry-policy")
        await page.click("text=Parti dalla circolare per e-mail")
        await look(page, "registry-policy-edit")
        await page.click("text=Vedi chi ne è toccato")
        await look(page, "registry-policy-preview")
        await page.fill("#campo-motivo", "Circolare 40")
        await page.click("text=Adotta la regola")
        assert "La regola è stata adottata" in await page.inner_text("main")
        assert await policy_now(registry) == EMAIL
        await page.goto(f"{at}/registro/sportello/importa")
        await page.set_input_files("#campo-file", file)
        await page.click("text=Guarda che cosa succederebbe")
        await look(page, "registry-import-preview")
        await page.click("text=Importa adesso")
        assert "Importazione conclusa" in await page.inner_text("main")
        await look(page, "registry-import-done")
        assert not page_errors(page)


async def test_the_page_previews_and_then_adopts_what_was_previewed(
    site: httpx.AsyncClient, registry: Registry, principal: dict[str, str]
) -> None:
    shown = await site.get(PAGE, headers=principal)
    assert "Su un tagliando di carta" in shown.text and "PAPER" not in shown.text
    preview = await site.post(f"{PAGE}/anteprima", data=fields(EMAIL), headers=principal)
    assert preview.status_code == 200, preview.text
    assert "Dal 01/10/2036 vale per chi allora aspetta" in preview.text
    carried = {name: hidden(preview.text, name) for name in ("regola", "dal", "visto")}
    assert CredentialPolicy.model_validate_json(carried["regola"]) == EMAIL
    back = await site.post(f"{PAGE}/modifica", data=carried, headers=principal)
    assert back.status_code == 200 and 'value="2036-10-01"' in back.text
    without = await site.post(PAGE, data=carried | {"motivo": " "}, headers=principal)
    assert without.status_code == 422 and "Il motivo ha da 1 a 500 caratteri" in without.text
    done = await site.post(PAGE, data=carried | {"motivo": "circolare 40"}, headers=principal)
    assert (done.status_code, done.headers["location"]) == (303, f"{PAGE}?fatto=si")
    assert [e.in_force_from for e in await events_of(registry) if isinstance(e, CredentialPolicyAdopted)] == [
        None,
        OCTOBER,
    ]
    again = await site.post(PAGE, data=carried | {"motivo": "circolare 40"}, headers=principal)
    assert again.headers["location"] == f"{PAGE}?fatto=uguale"


async def test_the_page_says_what_to_correct_and_keeps_what_was_typed(
    site: httpx.AsyncClient, principal: dict[str, str]
) -> None:
    wrong = {
        "guardian_initial_secret_days": "500",
        "pupil_of_age_pin": "issued",
        "campaign_opens": "domani",
        "guardian_channel": "pigeon",
        "dal": "",
    }
    answer = await site.post(f"{PAGE}/anteprima", data=fields(PAPER, **wrong), headers=principal)
    assert answer.status_code == 422
    for text in ("Un numero di giorni da 1 a 90", "Una data come 14/09/2026", "Scelga una delle voci"):
        assert text in answer.text
    assert 'value="500"' in answer.text
    pin = await site.post(
        f"{PAGE}/anteprima", data=fields(PAPER, pupil_of_age_pin="issued"), headers=principal
    )
    assert pin.status_code == 422 and "Un PIN non va mai su un tagliando" in pin.text
    past = fields(EMAIL, dal=(TODAY - timedelta(days=1)).isoformat())
    answer = await site.post(f"{PAGE}/anteprima", data=past, headers=principal)
    assert answer.status_code == 422 and "mai prima" in answer.text


async def test_a_form_that_was_tampered_with_is_refused(
    site: httpx.AsyncClient, registry: Registry, principal: dict[str, str]
) -> None:
    head = await registry.store.head()
    sent = {"regola": '{"guardian": 1}', "dal": "2036-10-01", "visto": "1", "motivo": "x"}
    for changes in ({}, {"regola": EMAIL.model_dump_json(), "visto": "x"}, {"regola": "", "dal": "x"}):
        answer = await site.post(PAGE, data=sent | changes, headers=principal)
        assert answer.status_code == 400
    assert await registry.store.head() == head


def hidden(page: str, name: str) -> str:

    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, name
    return html.unescape(found[1])


async def test_starting_from_a_circular_leaves_until_when_staff_need_no_passkey(
    site: httpx.AsyncClient, registry: Registry, principal: dict[str, str]
) -> None:
    term = date(2037, 9, 1)
    adopted = PAPER.model_copy(update={"staff_password_only_until": term})
    assert await registry.adopt_policy(SCHOOL, adopted, "prova")
    for start in ("carta", "email"):
        form = await site.get(f"{PAGE}/modifica?da={start}", headers=principal)
        assert re.search(r'name="staff_password_only_until"[^>]*value="2037-09-01"', form.text), start
    answer = await site.post(POLICY, json={"preset": "email", "reason": "circolare 40"}, headers=principal)
    assert answer.status_code == 200, answer.text
    assert await policy_now(registry) == EMAIL.model_copy(update={"staff_password_only_until": term})
    change = school_policy.Change(SCHOOL, PAPER, None, None, preset=True)
    assert await school_policy.adopt(registry, change, "circolare 12")
    assert await policy_now(registry) == adopted
