"""A person at the site: opens pages, fills in their forms and keeps cookies, as a browser would."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx


class NoSuchForm(Exception):
    def __init__(self, action: str, page: str) -> None:
        super().__init__(f"the page {page} has no form for {action}")


@dataclass
class Form:
    """A form of a page: where it goes, and what its fields hold when nobody touches them."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)


class Visitor:
    """Follows redirects. Secure cookies are kept on plain http too, as browsers do on localhost."""

    def __init__(self, site: str, *, language: str = "it") -> None:
        self.site = site
        self.cookies: dict[str, str] = {}
        self.page = ""
        self.path = "/"
        self.status = 0
        self._client = httpx.AsyncClient(
            base_url=site,
            headers={"Accept-Language": language, "Accept": "text/html,*/*"},
            timeout=30,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def open(self, path: str) -> str:
        return await self._ask("GET", path)

    async def submit(self, action: str, values: Mapping[str, str]) -> str:
        """Fill in the form of the current page that goes to `action`; the page that follows."""
        form = next((f for f in forms(self.page, self.path) if f.action == action), None)
        if form is None:
            raise NoSuchForm(action, self.path)
        return await self._ask(form.method.upper(), form.action, {**form.fields, **values})

    async def post(self, path: str, values: Mapping[str, str | list[str]]) -> httpx.Response:
        """Post without following: for downloads and refusals."""
        return self._keep(await self._client.post(path, data=dict(values), headers=self._headers()))

    async def json(self, path: str, body: object = None, *, method: str | None = None) -> httpx.Response:
        """Ask as a program in the same session: GET, or POST where there is a body."""
        headers = {**self._headers(), "Accept": "application/json"}
        method = method or ("GET" if body is None else "POST")
        return self._keep(await self._client.request(method, path, json=body, headers=headers))

    async def _ask(self, method: str, path: str, values: Mapping[str, str] | None = None) -> str:
        for _ in range(10):
            response = self._keep(
                await self._client.request(method, path, data=values, headers=self._headers())
            )
            if response.status_code not in (301, 302, 303, 307):
                break
            path, method, values = urljoin(path, response.headers["location"]), "GET", None
        self.path, self.status, self.page = urlsplit(path).path, response.status_code, response.text
        return self.page

    def _headers(self) -> dict[str, str]:
        headers = {"Origin": self.site}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return headers

    def _keep(self, response: httpx.Response) -> httpx.Response:
        for header in response.headers.get_list("set-cookie"):
            pair, *attributes = header.split(";")
            name, _, value = pair.partition("=")
            if any(a.strip().lower() == "max-age=0" for a in attributes):
                self.cookies.pop(name.strip(), None)
            else:
                self.cookies[name.strip()] = value
        self._client.cookies.clear()
        return response


def forms(page: str, path: str) -> list[Form]:
    """The forms of a page; an action without a path is the page's own."""
    reader = _Forms(path)
    reader.feed(page)
    return reader.found


class _Forms(HTMLParser):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._path = path
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            action = urlsplit(urljoin(self._path, given.get("action", ""))).path
            self.found.append(Form(action, given.get("method", "get")))
            self._open = True
        elif tag == "input" and self._open and given.get("name"):
            ticked = "checked" in given or given.get("type") not in ("checkbox", "radio")
            if ticked and given.get("type") not in ("submit", "button"):
                self.found[-1].fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = False
