"""The signed-in home in a real Chromium: a phone for families, a wide screen for the desk, checked with axe (E7)."""

from pathlib import Path

import pytest

from services.registry.enrolments import Entered, Wanted
from services.registry.operations import Registry
from services.registry.requests import EnrolmentRequest
from services.registry.settings import RegistrySettings
from services.registry.web import build_web
from shared.contracts.event import Context
from shared.web.sessions import Role
from tests.browser_harness import browser_page, free_port, look, page_errors, served
from tests.integration.registry_fixtures import kek_file, opened, registry_settings, with_school
from tests.integration.test_registry_http import Signed, body

__all__ = ["kek_file", "registry_settings"]
COOKIE = "__Host-custode-session"


async def entered(registry: Registry) -> Entered:
    guardians = [
        {"id": "9", "family_name": "Verdi", "given_name": "Carla", "relationship": "mother"},
        {"id": "8", "family_name": "Verdi", "given_name": "Dario", "data_access": False},
    ]
    request = EnrolmentRequest.model_validate(body(guardians=guardians))
    answer = await registry.enrolments.enter(Wanted(request, Context(actor="system:k", correlation="c")))
    assert isinstance(answer, Entered)
    return answer


@pytest.mark.browser
@pytest.mark.parametrize("javascript", [True, False], ids=["js", "no-js"])
async def test_home(registry_settings: RegistrySettings, kek_file: Path, javascript: bool) -> None:
    port = free_port()
    settings = registry_settings.model_copy(update={"listen": f"localhost:{port}"})
    async with opened(settings, kek_file) as registry, browser_page(360, 800, javascript) as page:
        await with_school(registry)
        known = await entered(registry)
        signed = Signed()
        async with served(build_web(registry, signed), port) as site:
            for name, (person, role, said) in people(known).items():
                token = signed.sign_in(person, role)
                await page.context.add_cookies(
                    [{"name": COOKIE, "value": token, "domain": "localhost", "path": "/", "secure": True}]
                )
                await page.set_viewport_size({"width": 1280 if name == "secretary" else 360, "height": 800})
                for language, text in zip(("it", "en"), said, strict=True):
                    await page.goto(f"{site}/registro/?lang={language}")
                    assert text in await page.inner_text("main")
                await look(page, f"registry-home-{name}-{'js' if javascript else 'no-js'}")
        assert not page_errors(page)


def people(known: Entered) -> dict[str, tuple[str, Role, tuple[str, str]]]:
    return {
        "guardian": (known.guardians[0], "guardian", ("Gli alunni che segue", "Your children at school")),
        "restricted": (
            known.guardians[1],
            "guardian",
            ("Accesso ai dati non consentito", "Access to data not allowed"),
        ),
        "pupil": (known.student, "pupil", ("La mia classe", "My class")),
        "secretary": ("s1", "secretary", ("Sportello delle credenziali", "Credentials desk")),
    }
