"""Pages, languages, static files, probes."""

import asyncio
import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
from httpx import ASGITransport, AsyncClient
from jinja2 import UndefinedError

from shared.web.i18n import Catalogues, from_accept_language
from shared.web.messages import extract, faulty, missing, update
from shared.web.reference import describe_type
from shared.web.statics import STATIC, static_url, vendor_url
from shared.web.templating import Pages
from tests.gallery.app import SITE, gallery

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "shared" / "web"


@pytest.fixture
def client() -> AsyncClient:
    return AsyncClient(transport=ASGITransport(gallery()), base_url=SITE)


@pytest.mark.parametrize("root", [STATIC, ROOT / "tests" / "assets"])
def test_what_is_vendored_is_what_was_vendored(root: Path) -> None:
    entries = json.loads((root / "VENDORED.json").read_text("utf-8"))
    listed: dict[str, str] = {}
    for entry in entries:
        assert entry["version"] in entry["folder"]
        assert "LICENSE" in entry["sha256"]
        listed |= {f"{entry['folder']}/{name}": digest for name, digest in entry["sha256"].items()}
    found = {p.relative_to(root).as_posix(): p for p in (root / "vendor").rglob("*") if p.is_file()}
    assert found.keys() == listed.keys()
    for name, path in found.items():
        assert sha256(path.read_bytes()).hexdigest() == listed[name], name


def test_vendored_versions_are_those_of_package_json() -> None:
    package = json.loads((ROOT / "package.json").read_text("utf-8"))
    wanted = package["dependencies"] | package["devDependencies"]
    entries = [
        e for r in (STATIC, ROOT / "tests" / "assets") for e in json.loads((r / "VENDORED.json").read_text())
    ]
    assert {e["package"]: e["version"] for e in entries} == wanted
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text("utf-8")


def test_our_stylesheets_find_their_fonts() -> None:
    css = STATIC / "css" / "fonts.css"
    urls = re.findall(r'url\("([^"]+)"\)', css.read_text("utf-8"))
    assert len(urls) == 5
    for url in urls:
        assert (css.parent / url).resolve().is_file(), url


async def test_static_files_are_kept_for_ever_under_the_address_of_their_content(client: AsyncClient) -> None:
    for address in (static_url("css/custode.css"), vendor_url("htmx.org", "htmx.min.js")):
        answer = await client.get(address)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    for address in ("/static/css/custode.css", "/static/css/custode.css?v=0000000000000000"):
        assert (await client.get(address)).headers["cache-control"] == "no-cache"
    missing_file = await client.get("/static/vendor/none.js")
    assert (missing_file.status_code, missing_file.headers["cache-control"]) == (404, "no-store")
    assert (await client.get("/static/..%2fapp.py")).status_code == 404


async def test_static_files_have_the_type_that_browsers_insist_on(client: AsyncClient) -> None:
    for address, kind in (
        (vendor_url("bootstrap-italia", "fonts/titillium-web-600.woff2"), "font/woff2"),
        (vendor_url("bootstrap-italia", "sprites.svg"), "image/svg+xml"),
        (static_url("js/custode.js"), "text/javascript"),
        (static_url("css/custode.css"), "text/css"),
    ):
        answer = await client.get(address)
        assert answer.headers["content-type"].startswith(kind)


async def test_pages_hold_no_inline_script_or_style(client: AsyncClient) -> None:
    for path in ("/galleria", "/galleria/modulo", "/galleria/conferma", "/galleria/vuota"):
        page = (await client.get(path)).text
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page), path
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", page))
        assert not re.search(r"(?:src|href)=\"https?://(?!www\.icdeledda\.example)", page)


async def test_text_is_escaped(client: AsyncClient) -> None:
    pages = Pages("Registro")
    template = pages.environment.from_string("{{ name }}{{ _('Errore %(status)s', status=name) }}")
    assert template.render(name="<b>") == "&lt;b&gt;Errore &lt;b&gt;"
    with pytest.raises(UndefinedError):
        pages.environment.from_string("{{ nome }}").render()


async def test_language_by_choice_cookie_browser_and_italian_first(client: AsyncClient) -> None:
    assert '<html lang="it" dir="ltr">' in (await client.get("/galleria/vuota")).text
    english = await client.get("/galleria/vuota", headers={"Accept-Language": "de, en;q=0.8, it;q=0.5"})
    assert "Skip to content" in english.text
    assert english.headers["content-language"] == "en"
    chosen = await client.get("/galleria/vuota?lang=en&x=1")
    assert "__Host-galleria-lang=en" in chosen.headers["set-cookie"]
    assert 'href="/galleria/vuota?x=1&amp;lang=it"' in chosen.text, "the switcher keeps the page's own query"
    kept = await client.get(
        "/galleria/vuota", headers={"Cookie": "__Host-galleria-lang=en", "Accept-Language": "it"}
    )
    assert '<html lang="en"' in kept.text
    odd = await client.get("/galleria/vuota?lang=xx")
    assert '<html lang="it"' in odd.text
    assert "set-cookie" not in odd.headers


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", None),
        ("en-US,en;q=0.9", "en"),
        ("fr, it;q=0.3, en;q=0.7", "en"),
        ("en;q=0, it;q=0.1", "it"),
        ("en;q=x", None),
        ("*", None),
        (",;q=1,,", None),
    ],
)
def test_accept_language(header: str, language: str | None) -> None:
    assert from_accept_language(header, ("it", "en")) == language


def test_arabic_runs_from_right_to_left(tmp_path: Path) -> None:
    (tmp_path / "ar.po").write_text(
        'msgid ""\nmsgstr "Language: ar\\n"\n\nmsgid "Esci"\nmsgstr "خروج"\n', "utf-8"
    )
    catalogues = Catalogues([tmp_path])
    assert [x.tag for x in catalogues.languages if x.direction == "rtl"] == ["ar"]
    assert catalogues.of("ar").gettext("Esci") == "خروج"
    assert catalogues.of("ar").gettext("Annulla") == "إلغاء"
    assert catalogues.of("ar").gettext("Nessuno lo ha tradotto") == "Nessuno lo ha tradotto"


def test_everything_shared_is_in_english() -> None:
    assert len(list(extract(WEB))) > 80
    assert missing(WEB) == []
    assert faulty(WEB / "locales" / "en.po") == []


def test_a_message_without_english_is_found_and_added(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    template = tmp_path / "templates" / "x.html"
    template.write_text(
        "{{ _('Tagliandi') }} {{ ngettext('%(num)s alunno', '%(num)s alunni', 3) }} {{ _('Esci') }}"
    )
    (tmp_path / "pages.py").write_text('TITLE = N_("Ripostigli")\n')
    assert [m.id for m in missing(tmp_path)] == [
        "Ripostigli",
        "Tagliandi",
        ("%(num)s alunno", "%(num)s alunni"),
    ]
    assert update(tmp_path) == 3
    assert len(missing(tmp_path)) == 3, "an empty translation is none"
    catalogue = tmp_path / "locales" / "en.po"
    done = catalogue.read_text("utf-8").replace(
        'msgid "Ripostigli"\nmsgstr ""', 'msgid "Ripostigli"\nmsgstr "Cupboards"'
    )
    catalogue.write_text(done, "utf-8")
    assert [m.id for m in missing(tmp_path)] == ["Tagliandi", ("%(num)s alunno", "%(num)s alunni")]


async def test_probes() -> None:
    async def fine() -> str | None:
        return None

    async def behind() -> str | None:
        return "relay is 12 events behind"

    async def broken() -> str | None:
        raise RuntimeError("password=hunter2")

    async def stuck() -> str | None:
        await asyncio.sleep(60)
        return None

    async def ask(**checks: object) -> tuple[int, str]:
        app = gallery(checks=checks)  # type: ignore[arg-type]
        async with AsyncClient(transport=ASGITransport(app), base_url=SITE) as client:
            assert (await client.get("/healthz")).json() == {"status": "alive"}
            answer = await client.get("/readyz")
            return answer.status_code, answer.text

    assert await ask(database=fine) == (
        200,
        '{"status":"ready","checks":{"database":{"ok":true,"reason":null}}}',
    )
    status, body = await ask(database=fine, relay=behind, bus=broken)
    assert status == 503
    assert "relay is 12 events behind" in body
    assert "hunter2" not in body
    status, body = await ask(database=stuck)
    assert (status, "no answer within 3 seconds" in body) == (503, True)


async def test_metrics_count_routes_not_addresses(client: AsyncClient) -> None:
    await client.get("/galleria/rotta/mario-rossi")
    body = (await client.get("/metrics")).text
    route = "/galleria/rotta/{name}"
    assert f'custode_http_requests_total{{method="GET",route="{route}",status="500"}} 1.0' in body
    assert "mario-rossi" not in body


async def test_the_api_describes_itself_to_people(client: AsyncClient) -> None:
    assert (await client.get("/galleria/api/openapi.json")).json()["openapi"].startswith("3.")
    page = (await client.get("/galleria/api/")).text
    assert "POST /galleria/api/banco" in page
    assert "body, required" in page


def test_types_are_told_in_a_few_words() -> None:
    assert describe_type({"type": "string", "format": "uuid"}) == "string (uuid)"
    assert (
        describe_type({"type": "array", "items": {"$ref": "#/components/schemas/Pupil"}}) == "array of Pupil"
    )
    assert describe_type({"anyOf": [{"enum": ["a", "b"]}, {"type": "null"}]}) == '"a" | "b" | null'
