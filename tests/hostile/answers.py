"""What an answer may look like, whatever was asked: markup that is only ours, headers that are only ours, no 5xx."""

import re
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urlsplit

import httpx

from tests.hostile.strings import MARK

_VOID: Final = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"]
)
_ADDRESSES: Final = frozenset({"href", "src", "action", "formaction", "poster", "data", "hx-get", "hx-post"})
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_INJECTED: Final = frozenset({MARK, "bcc"})


class Markup(HTMLParser):
    """Reads a page as a browser would, and notes what is wrong with it. `text` is what a person sees."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.text = ""
        self.values: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        if self._open:
            self.wrong.append(f"never closed: {self._open}")
        if found := _CONTROL.search(page):
            self.wrong.append(f"U+{ord(found[0]):04X} in the page")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            self._open.append(tag)
        names = [name for name, _ in attrs]
        if tag == MARK or MARK in names:
            self.wrong.append(f"<{tag} {names}> was injected")
        if any(name.startswith("on") for name in names) or len(set(names)) != len(names):
            self.wrong.append(f"<{tag} {names}>: a handler, or an attribute twice")
        if tag == "script" and "src" not in names:
            self.wrong.append("a script in the page")
        for name, value in attrs:
            self.values.append(value or "")
            if name in _ADDRESSES and urlsplit(value or "").scheme not in ("", "http", "https", "mailto"):
                self.wrong.append(f"{name} leads to {value!r}")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.wrong.append(f"</{tag}> where something else was open")

    def handle_data(self, data: str) -> None:
        self.text += data


def wrong_with(answer: httpx.Response) -> list[str]:
    """What is wrong with any answer; empty when all is well."""
    found = []
    if answer.status_code >= 500:
        found.append(f"status {answer.status_code}")
    for name, value in answer.headers.multi_items():
        if name.lower() in _INJECTED or _CONTROL.search(value):
            found.append(f"header {name}: {value!r}")
    target = urlsplit(answer.headers.get("location", "/"))
    if target.scheme or target.netloc or not target.path.startswith("/"):
        found.append(f"leads away, to {answer.headers['location']!r}")
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if kind == "text/html":
        found += Markup(answer.text).wrong
        if not answer.text.rstrip().endswith("</html>"):
            found.append("the page breaks off")
    elif kind.endswith("json") and answer.content:
        answer.json()
    return found
