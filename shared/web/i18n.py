"""Languages: gettext with Italian message ids, .po files compiled in memory, one language a request.

Italian is the source: a msgid *is* the Italian text. `_` (templates) and `gettext`/`ngettext` (code) answer in
the request's language, chosen by `?lang=`, then cookie, then the account's preference, then Accept-Language,
then Italian. Every service keeps `locales/<language>.po`; the shared ones are in shared/web/locales.
"""

from collections.abc import Collection, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from gettext import NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations
from starlette.requests import HTTPConnection

SOURCE_LANGUAGE = "it"
SHARED_LOCALES = Path(__file__).parent / "locales"


@dataclass(frozen=True)
class Language:
    """A language of the site: its BCP 47 tag, its name in itself, its direction (ltr or rtl)."""

    tag: str
    name: str
    direction: str = "ltr"


DESK_LANGUAGES = ("it", "en")
"""Of the pages of the desk. Families' are in all of LANGUAGES (M14)."""

LANGUAGES = {
    language.tag: language
    for language in (
        Language("it", "Italiano"),
        Language("en", "English"),
        Language("ro", "Română"),
        Language("sq", "Shqip"),
        Language("ar", "العربية", "rtl"),
        Language("zh", "中文"),
        Language("uk", "Українська"),
        Language("fr", "Français"),
        Language("es", "Español"),
    )
}


class Catalogues:
    """The catalogues found in `folders` (later folders win), one merged set of messages a language."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self._by_language: dict[str, NullTranslations] = {SOURCE_LANGUAGE: NullTranslations()}
        for folder in (SHARED_LOCALES, *folders):
            for path in sorted(folder.glob("*.po")):
                self._add(path)

    def _add(self, path: Path) -> None:
        if path.stem not in LANGUAGES:
            raise ValueError(f"{path.name}: not a language of LANGUAGES")
        with path.open("rb") as source:
            catalogue = read_po(source, locale=path.stem)
        compiled = BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        found = Translations(compiled)
        known = self._by_language.get(path.stem)
        if isinstance(known, Translations):
            known.merge(found)
        else:
            self._by_language[path.stem] = found

    @property
    def languages(self) -> tuple[Language, ...]:
        """The languages on offer, Italian first, in the order of LANGUAGES."""
        return tuple(language for tag, language in LANGUAGES.items() if tag in self._by_language)

    def offers(self, tag: str | None) -> bool:
        """Whether `tag` is a language on offer."""
        return tag is not None and tag in self._by_language

    def of(self, tag: str) -> NullTranslations:
        """The messages of a language; Italian's for one that is not on offer."""
        return self._by_language.get(tag, self._by_language[SOURCE_LANGUAGE])


_ITALIAN = NullTranslations()
_language: ContextVar[str] = ContextVar("custode_language", default=SOURCE_LANGUAGE)
_messages: ContextVar[NullTranslations] = ContextVar("custode_messages", default=_ITALIAN)


def use_language(catalogues: Catalogues, tag: str) -> None:
    """From here on (in this task) `gettext` answers in `tag`."""
    _language.set(tag if catalogues.offers(tag) else SOURCE_LANGUAGE)
    _messages.set(catalogues.of(tag))


def current_language() -> str:
    """The language of the request at hand."""
    return _language.get()


def gettext(message: str) -> str:
    """`message` (Italian) in the request's language."""
    return _messages.get().gettext(message) if message else ""


def ngettext(singular: str, plural: str, n: int) -> str:
    """`singular` or `plural` (Italian), as `n` asks, in the request's language."""
    return _messages.get().ngettext(singular, plural, n)


def N_(message: str) -> str:
    """Mark a message for the catalogue; it is translated later, where it is shown."""
    return message


def from_accept_language(header: str, offered: Iterable[str]) -> str | None:
    """The best offered language of an Accept-Language header (RFC 9110 12.5.4), or None."""
    tags = set(offered)
    wanted: list[tuple[float, int, str]] = []
    for order, item in enumerate(header[:1000].split(",")):
        tag, _, parameters = item.partition(";")
        name, _, value = parameters.strip().partition("=")
        try:
            quality = float(value) if name == "q" else 1.0
        except ValueError:
            continue
        if 0 < quality <= 1:
            wanted.append((-quality, order, tag.strip().lower().split("-")[0]))
    return next((tag for _, _, tag in sorted(wanted) if tag in tags), None)


def language_cookie(instance: str) -> str:
    """Name of the cookie that remembers the language."""
    return f"__Host-{instance}-lang"


def choose_language(
    connection: HTTPConnection,
    catalogues: Catalogues,
    instance: str,
    preference: str | None = None,
    among: Collection[str] | None = None,
) -> str:
    """The request's language: `?lang=`, cookie, the account's preference, Accept-Language, Italian. `among`: of those on
    offer only these."""
    asked = (
        connection.query_params.get("lang"),
        connection.cookies.get(language_cookie(instance)),
        preference,
    )
    offered = [one.tag for one in catalogues.languages if among is None or one.tag in among]
    for tag in asked:
        if tag in offered:
            return tag
    return from_accept_language(connection.headers.get("accept-language", ""), offered) or SOURCE_LANGUAGE
