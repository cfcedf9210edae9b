"""Every link and form of the desk's page about a person leads to a page, and says so when it is opened (M3, E8, P8)."""

from html.parser import HTMLParser

import httpx
import pytest

from services.registry.operations import Registry
from shared.contracts.event import Context
from shared.contracts.registry import RestrictionGround
from tests.integration.registry_fixtures import SCHOOL, kek_file, registry, registry_settings
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


async def test_a_service_that_is_shut_has_no_button_to_take_it_away(
    site: httpx.AsyncClient, registry: Registry, signed: Signed
) -> None:
    known = await entered(registry)
    (carla, _), anna = known.guardians, known.student
    operator = Context(actor="operator", correlation="c")
    await registry.people.activate_justification(SCHOOL, carla, anna, context=operator)
    headers = session(signed.sign_in("s1", "secretary"))
    open_ = await site.get(f"{PEOPLE}/{carla}", headers=headers)
    assert "Togli la giustificazione online" in open_.text
    await registry.people.restrict(
        SCHOOL,
        carla,
        anna,
        on=registry.people.today,
        ground=RestrictionGround.court_order,
        reason="decreto",
        context=operator,
    )
    shut = await site.get(f"{PEOPLE}/{carla}", headers=headers)
    assert "Non giustifica online." in shut.text
    assert "Togli la giustificazione online" not in shut.text
    assert "chi gestisce l’impianto" in shut.text and "il personale della scuola" not in shut.text


async def test_what_is_missing_of_an_appointment_and_a_list_is_named(
    site: httpx.AsyncClient, signed: Signed
) -> None:
    headers = session(signed.sign_in("s1", "secretary"))
    empty = await site.post("/registro/sportello/incarichi", data={}, headers=headers)
    assert empty.status_code == 422
    assert all(text in empty.text for text in ("Manca il cognome.", "Manca il nome.", "Scelga il ruolo."))
    for page in ("incarichi/elenco", "caselle"):
        for files in ({"file": ("", b"")}, {"other": ("a.csv", b"a")}):
            sent = await site.post(f"/registro/sportello/{page}/anteprima", files=files, headers=headers)
            assert (sent.status_code, "Scelga un file." in sent.text) == (422, True), page
