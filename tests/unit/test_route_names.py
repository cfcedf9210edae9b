"""Each name by which a template links to a route means one place in the whole service: a link leads where it says."""

import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from services.identity.app import Parts
from services.notifications.web import build_web as notifications_web
from services.registry.web import build_web as registry_web
from shared.web.settings import WebSettings
from shared.web.templating import Pages
from tests.attacker.routes import doors

ROOT = Path(__file__).parents[2]
SITE = "http://localhost:8480"
LINK = re.compile(r"""\burl\(\s*["'](\w+)["']""")


def registry() -> FastAPI:
    known = MagicMock()
    known.runtime.checks.return_value = {}
    known.runtime.settings.listen = "localhost:8481"
    known.runtime.common.site_url, known.runtime.common.instance = SITE, "prova"
    return registry_web(known, MagicMock())


def identity() -> FastAPI:
    runtime, front = MagicMock(), MagicMock()
    runtime.checks.return_value = {}
    front.settings, front.pages = WebSettings(site_url=SITE), Pages("Prova")
    others: dict[str, Any] = {name: MagicMock() for name in Parts.__dataclass_fields__}
    others |= {"runtime": runtime, "front": front, "metrics": CollectorRegistry()}
    return Parts(**others).web()


def notifications() -> FastAPI:
    common, runtime = MagicMock(), MagicMock()
    common.site_url, common.instance = SITE, "prova"
    runtime.checks.return_value, runtime.settings.listen = {}, "localhost:8482"
    return notifications_web(common, runtime, MagicMock(), MagicMock(), {})


@pytest.mark.parametrize("app", [identity, registry, notifications], ids=lambda made: made.__name__)
def test_a_name_in_a_template_is_one_page_and_no_api(app: Callable[[], FastAPI]) -> None:
    service = ROOT / "services" / app.__name__
    linked = {
        name
        for page in service.rglob("templates/**/*.html")
        for name in LINK.findall(page.read_text("utf-8"))
    }
    assert linked
    places = defaultdict(set)
    for door in doors(app()):
        places[door.route.name].add(door.path)
    wrong = {name: sorted(places[name]) for name in linked if len(places[name]) != 1}
    assert not wrong
    assert not [name for name in linked if any("/api/" in path for path in places[name])]
