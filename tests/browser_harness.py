"""A real Chromium for tests: pages at phone and desk width, with and without JavaScript, checked with axe."""

import asyncio
import json
import os
import shutil
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.async_api import Page, async_playwright
from starlette.types import ASGIApp

from deploy.engines.place import temporary_folder
from deploy.engines.process import Process, wait_until

ROOT = Path(__file__).resolve().parent.parent
SCREENSHOTS = ROOT / "build" / "screenshots"
PHONE, SCREEN = 360, 1280
BOTH = (PHONE, SCREEN)
PICTURED = bool(os.environ.get("CUSTODE_PICTURES"))
ASSETS = Path(__file__).parent / "assets"
AXE_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_QUIET = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-default-apps",
    "--hide-scrollbars",
    "--mute-audio",
    "--force-color-profile=srgb",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
)


def find_chromium() -> str:
    """The path of Chromium; skips the test where there is none (fails in CI, where nothing is left out)."""
    for name in _NAMES:
        if path := shutil.which(name):
            return path
    reason = f"no Chromium on PATH (looked for {', '.join(_NAMES)}); Debian: apt-get install chromium"
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(reason)
    pytest.skip(reason)


class Chromium:
    """The one Chromium of a test process: to start it costs seconds, a fresh profile in it next to nothing."""

    def __init__(self) -> None:
        self._folder: AbstractContextManager[Path] | None = None
        self._process: Process | None = None
        self._port = Path()

    def address(self) -> str:
        """Where its DevTools listen; starts it if it does not run."""
        if self._process is None or not self._process.alive:
            self._start()
        port = self._port.read_text().partition("\n")[0]
        return f"http://127.0.0.1:{port}"

    def _start(self) -> None:
        self.stop()
        executable = find_chromium()
        self._folder = temporary_folder()
        folder = self._folder.__enter__()
        self._port = folder / "profile" / "DevToolsActivePort"
        sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
        places = (f"--user-data-dir={folder / 'profile'}", "--remote-debugging-port=0")
        argv = [executable, *_QUIET, *sandbox, *places, "about:blank"]
        self._process = Process(
            "chromium", argv, folder / "chromium.log", os.environ | {"TMPDIR": str(folder)}
        )
        self._process.start()
        wait_until(lambda: self._port.exists() and "\n" in self._port.read_text(), self._process, 60)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
        if self._folder is not None:
            self._folder.__exit__(None, None, None)
        self._process = self._folder = None


chromium = Chromium()


@asynccontextmanager
async def browser_page(
    width: int = 360, height: int = 800, javascript: bool = True, locale: str = "it-IT"
) -> AsyncIterator[Page]:
    """A page in a fresh browser profile; what its console called an error is in `page_errors(page)`."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(chromium.address())
        context = await browser.new_context(
            viewport={"width": width, "height": height}, java_script_enabled=javascript, locale=locale
        )
        page = await context.new_page()
        errors: list[str] = []
        _errors[page] = errors
        _javascript[page] = javascript
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        try:
            yield page
        finally:
            _errors.pop(page, None)
            _javascript.pop(page, None)
            await context.close()
            await browser.close()


_errors: dict[Page, list[str]] = {}
_javascript: dict[Page, bool] = {}


def page_errors(page: Page) -> list[str]:
    """Console errors and uncaught exceptions of a page so far (a refused style or script is one)."""
    return list(_errors[page])


def _axe() -> str:
    entry = next(
        e for e in json.loads((ASSETS / "VENDORED.json").read_text("utf-8")) if e["package"] == "axe-core"
    )
    return Path(ASSETS, entry["folder"], "axe.min.js").read_text("utf-8")


def _told(violation: dict[str, Any]) -> str:
    places = "; ".join(f"{node['target']} {node['failureSummary']}" for node in violation["nodes"][:5])
    return f"{violation['id']} ({violation['impact']}): {violation['help']}: {places}"


async def assert_accessible(page: Page) -> None:
    """No violation of WCAG 2.2 AA or of axe's best practices, and nothing wider than the screen."""
    await page.wait_for_load_state("load")
    wide = await _evaluate(page, "document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"{page.url}: {wide} pixels wider than the screen"
    await _evaluate(page, _axe() + "; true")
    options = json.dumps({"runOnly": {"type": "tag", "values": AXE_TAGS}, "resultTypes": ["violations"]})
    found = f"axe.run(document, {options}).then(({{violations, passes}}) => ({{violations, passes: passes.length}}))"
    result = await _evaluate(page, found)
    violations = [_told(violation) for violation in result["violations"]]
    assert not violations, f"{page.url}:\n" + "\n".join(violations)
    assert result["passes"], f"{page.url}: axe checked nothing"


async def _evaluate(page: Page, expression: str) -> Any:
    """Evaluate through DevTools: neither a Content-Security-Policy nor a page without JavaScript stands in the way (its
    own scripts were left out when it was loaded, and stay so)."""
    session = await page.context.new_cdp_session(page)
    disabled = "Emulation.setScriptExecutionDisabled"
    try:
        await session.send(disabled, {"value": False})
        answer = await session.send(
            "Runtime.evaluate", {"expression": expression, "awaitPromise": True, "returnByValue": True}
        )
    finally:
        await session.send(disabled, {"value": not _javascript[page]})
        await session.detach()
    if "exceptionDetails" in answer:
        raise AssertionError(f"{page.url}: {answer['exceptionDetails']}")
    return answer["result"].get("value")


async def screenshot(page: Page, name: str) -> Path | None:
    """Save the whole page to build/screenshots/<name>.png, where somebody will look (CUSTODE_PICTURES=1)."""
    if not PICTURED:
        return None
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    path = SCREENSHOTS / f"{name}.png"
    await page.screenshot(path=path, full_page=True)
    return path


async def look(page: Page, name: str, widths: Sequence[int] = ()) -> None:
    """Accessible, and pictured as <name>-<width>.png: as wide as the page is, or at each of these widths."""
    size = page.viewport_size
    assert size is not None
    for width in widths or (size["width"],):
        await page.set_viewport_size({"width": width, "height": size["height"]})
        await assert_accessible(page)
        await screenshot(page, f"{name}-{width}")
    await page.set_viewport_size(size)


def free_port() -> int:
    """A TCP port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def served(app: ASGIApp, port: int) -> AsyncIterator[str]:
    """The app served on loopback while the block runs; gives its origin, `http://localhost:<port>`."""
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    try:
        while not server.started:
            if task.done():
                await task
            await asyncio.sleep(0.01)
        yield f"http://localhost:{port}"
    finally:
        server.should_exit = True
        await task
