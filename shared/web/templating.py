"""Pages: Jinja2 with autoescape, undefined names as errors, and the request's language."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, urlencode

from babel.numbers import format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse

from shared.dates import long_date, long_moment, short_moment
from shared.web import i18n
from shared.web.state import web_state
from shared.web.statics import static_url, vendor_url

if TYPE_CHECKING:
    from shared.web.sessions import Principal

TEMPLATES = Path(__file__).parent / "templates"
_NOT_SHOWN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class SchoolFront:
    """The school that a page is for, as its header and footer show it. Addresses may be unknown yet."""

    name: str
    place: str = ""
    site_url: str | None = None
    privacy_url: str | None = None
    accessibility_url: str | None = None


@dataclass(frozen=True)
class NavItem:
    """An entry of the page's navigation; `active` for the one that we are in."""

    label: str
    href: str
    active: bool = False


def _date(value: date) -> str:
    return long_date(value, i18n.current_language())


def _datetime(value: datetime, style: Literal["long", "short"] = "long") -> str:
    return short_moment(value) if style == "short" else long_moment(value, i18n.current_language())


def _number(value: float) -> str:
    return format_decimal(value, locale=i18n.current_language())


@pass_context
def _url(context: Context, name: str, /, **parameters: object) -> str:
    """The path of a named route of this service."""
    request: HTTPConnection = context["request"]
    return str(request.scope["app"].url_path_for(name, **parameters))


@pass_context
def _language_url(context: Context, tag: str) -> str:
    """The address of this very page in another language."""
    request: HTTPConnection = context["request"]
    query = [(k, v) for k, v in parse_qsl(request.url.query, keep_blank_values=True) if k != "lang"]
    return f"{request.url.path}?{urlencode([*query, ('lang', tag)])}"


class Pages:
    """The templates of one service on top of the shared ones.

    service_name: what stands in titles, e.g. `Registro`. template_folders: searched first, before the shared
    ones. translations: folders of <language>.po files.
    """

    def __init__(
        self, service_name: str, template_folders: Sequence[Path] = (), translations: Sequence[Path] = ()
    ) -> None:
        self.service_name = service_name
        self.catalogues = i18n.Catalogues(translations)
        self.environment = Environment(
            loader=FileSystemLoader([*template_folders, TEMPLATES]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
        )
        self.environment.install_gettext_callables(  # type: ignore[attr-defined]
            i18n.gettext, i18n.ngettext, newstyle=True
        )
        self.environment.globals.update(
            url=_url,
            language_url=_language_url,
            static=static_url,
            vendor=vendor_url,
            t=i18n.gettext,
            service_name=service_name,
        )
        self.environment.filters.update(date=_date, datetime=_datetime, number=_number)

    def offered(self, user: "Principal | None") -> tuple[i18n.Language, ...]:
        """The languages of a page: all of them, and of what staff see those of the desk."""
        if user is None or not user.roles - {"guardian", "pupil"}:
            return self.catalogues.languages
        return tuple(one for one in self.catalogues.languages if one.tag in i18n.DESK_LANGUAGES)

    def context(self, request: HTTPConnection) -> dict[str, Any]:
        """What every page knows."""
        tag = i18n.current_language()
        user = request.scope.get("state", {}).get("principal")
        return {
            "request": request,
            "language": tag,
            "direction": i18n.LANGUAGES[tag].direction,
            "languages": self.offered(user),
            "user": user,
            "settings": web_state(request).settings,
            "school": None,
            "navigation": (),
        }

    def text(self, request: HTTPConnection, name: str, **context: object) -> str:
        """The template `name` as HTML text. What cannot be shown of what somebody wrote is shown as U+FFFD."""
        page = self.environment.get_template(name).render(self.context(request) | context)
        return _NOT_SHOWN.sub("\N{REPLACEMENT CHARACTER}", page)

    def render(
        self,
        request: HTTPConnection,
        name: str,
        *,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: object,
    ) -> HTMLResponse:
        """The template `name` as a response; `school` (SchoolFront) and `navigation` (NavItems) dress it."""
        html = self.text(request, name, **context)
        own = {"Content-Language": i18n.current_language()}
        return HTMLResponse(html, status_code=status_code, headers=own | dict(headers or {}))
