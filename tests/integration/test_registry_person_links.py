"""Every link and form of the desk's page about a person leads to a page, and says so when it is opened (M3, E8, P8)."""

from html.parser import HTMLParser

import httpx
import pytest

from services.registry.operations import Registry
from tests.integration.registry_fixtures import kek_file, registry, registry_settings
from tests.integration.test_registry_browser import entered
from tests.integration.test_registry_http import Signed, session, signed, site

__all__ = ["kek_file", "registry", "registry_settings", "signed", "site"]
PEOPLE = "/registro/sportello/persone"
OTHERS = ("/accesso/", "/consegne/", "/circolari/", "/static/", "#")
"""Pages of the other services, and places of the page itself."""


class Links(HTMLParser):
    """What can be followed or sent, inside `main`."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside |= tag == "main"
        where = dict(attrs).get({"a": "href", "form": "action"}.get(tag, ""))
        if self._inside and where:
            self.found.append(where)

    def handle_endtag(self, tag: str) -> None:
        self._inside &= tag != "main"


@pytest.mark.requirement("E8", part="the buttons of a person's page lead to pages")
async def test_each_link_of_a_persons_page_leads_to_a_page(
    site: httpx.AsyncClient, registry: Registry, signed: Signed
) -> None:
    known = await entered(registry)
    headers = session(signed.sign_in("s1", "secretary")) | {"Accept": "text/html"}
    carla, dario = known.guardians
    pages = [f"{PEOPLE}/{carla}", f"{PEOPLE}/{known.student}", f"{PEOPLE}/{carla}/unisci"]
    pages.append(f"{PEOPLE}/{carla}/unisci?con={dario}")
    wanted = {f"{PEOPLE}/{carla}/indirizzo", f"{PEOPLE}/{carla}/unisci", f"{PEOPLE}/{known.student}/casella"}
    followed = set[str]()
    for page in pages:
        told = await site.get(page, headers=headers)
        assert told.status_code == 200, page
        for link in Links(told.text).found:
            if link.startswith(OTHERS):
                continue
            assert link.startswith("/registro/"), (page, link)
            if link not in followed:
                answer = await site.get(link, headers=headers)
                assert answer.status_code < 400, (page, link)
                followed.add(link)
    assert wanted <= followed
