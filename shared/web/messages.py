"""Messages of a package: found in its templates and code, compared with its catalogues, added to them.

`python -m shared.web.messages FOLDER...` adds to each `FOLDER/locales/en.po` what is still missing, to be
filled in by hand; `--check` only tells, and fails.

English has every message. The other languages of M14 have those of families' pages: of the templates and modules that
`FOLDER/locales/family.txt` lists, a pattern a line (`templates/own.html`, `pages_*.py`). `--family` does the same for
these, in every language.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from shared.web.i18n import LANGUAGES, SHARED_LOCALES, SOURCE_LANGUAGE

KEYWORDS = {"_": None, "gettext": None, "t": None, "N_": None, "ngettext": (1, 2)}
_METHODS = {".py": "python", ".html": "jinja2.ext:babel_extract", ".txt": "jinja2.ext:babel_extract"}
# A template that cannot be read is an error, not one without messages.
_OPTIONS = {
    "trimmed": "true",
    "trim_blocks": "true",
    "lstrip_blocks": "true",
    "extensions": "jinja2.ext.do",
    "silent": "false",
}

_PLACEHOLDER = re.compile(r"%(\(\w+\))?[a-z]")
FAMILY = "family.txt"
TRANSLATIONS = tuple(tag for tag in LANGUAGES if tag != SOURCE_LANGUAGE)

# Short on purpose: no dates and no names of tools, so that a catalogue changes only where its messages do.
HEADER = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Language: {language}\\n"
"Plural-Forms: {plural}\\n"

"""


@dataclass(frozen=True)
class Message:
    """A message id (two for a plural) and where it first stands: file and line."""

    id: str | tuple[str, ...]
    file: str
    line: int


def extract(folder: Path) -> Iterator[Message]:
    """Every message in the templates and modules under `folder`, in the order of their files."""
    for path in sorted(folder.rglob("*")):
        method = _METHODS.get(path.suffix)
        if method is None or not path.is_file() or "static" in path.parts:
            continue
        if path.suffix == ".txt" and "templates" not in path.parts:
            continue
        options = {} if path.suffix == ".py" else _OPTIONS
        found = extract_from_file(method, path, keywords=KEYWORDS, options=options)
        for line, text, _comments, _context in found:
            if text:
                yield Message(text, path.relative_to(folder).as_posix(), line)


def read_catalogue(path: Path, language: str) -> Catalog:
    """A .po file, or an empty catalogue where there is none."""
    if not path.exists():
        return Catalog(locale=language, charset="utf-8", fuzzy=False)
    with path.open("rb") as source:
        return read_po(source, locale=language)


def _translated(catalogue: Catalog, message: Message) -> bool:
    entry = catalogue.get(message.id if isinstance(message.id, str) else message.id[0])
    if entry is None or entry.fuzzy or not entry.string:
        return False
    return isinstance(entry.string, str) or all(entry.string)


def family(folder: Path) -> list[Message]:
    """The messages of families' pages, as `locales/family.txt` lists these. Raises ValueError for a pattern that no
    file fits."""
    lines = (folder / "locales" / FAMILY).read_text("utf-8").splitlines()
    patterns = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    files = {
        pattern: {p.relative_to(folder).as_posix() for p in folder.glob(pattern)} for pattern in patterns
    }
    if idle := [pattern for pattern, found in files.items() if not found]:
        raise ValueError(f"{folder}/locales/{FAMILY}: no file fits {', '.join(idle)}")
    listed = set().union(*files.values())
    return [message for message in extract(folder) if message.file in listed]


def missing(folder: Path, language: str = "en", among: Iterable[Message] | None = None) -> list[Message]:
    """The messages `among` those of `folder` (None: all) that neither its own catalogue nor the shared one has in
    `language`."""
    own = read_catalogue(folder / "locales" / f"{language}.po", language)
    shared = read_catalogue(SHARED_LOCALES / f"{language}.po", language)
    wanted = extract(folder) if among is None else among
    return [m for m in wanted if not _translated(own, m) and not _translated(shared, m)]


def faulty(path: Path) -> list[str]:
    """What is wrong in a catalogue: placeholders that differ from the message's, by message. Per cent is none."""
    catalogue = read_catalogue(path, path.stem)
    return [
        f"{message.id!r}: {error}"
        for message, errors in catalogue.check()
        for error in errors
        if _PLACEHOLDER.search(str(message.id))
    ]


def update(folder: Path, language: str = "en", among: Iterable[Message] | None = None) -> int:
    """Add the messages that are missing to the folder's catalogue, untranslated; returns how many."""
    path = folder / "locales" / f"{language}.po"
    catalogue = read_catalogue(path, language)
    before = len(catalogue)
    for message in missing(folder, language, among):
        catalogue.add(message.id)
    added = len(catalogue) - before
    if added:
        written = BytesIO()
        write_po(written, catalogue, width=110, no_location=True, omit_header=True)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(
            HEADER.format(language=language, plural=catalogue.plural_forms).encode() + written.getvalue()
        )
    return added


def _settled(folder: Path, language: str, messages: Sequence[Message], check: bool) -> int:
    """Tells what is missing (`check`) or adds it; how many these are."""
    if not check:
        count = update(folder, language, messages)
        sys.stdout.write(f"{folder}/locales/{language}.po: {count} added\n")
        return count
    found = missing(folder, language, messages)
    for message in found:
        sys.stdout.write(f"{folder / message.file}:{message.line}: {language}: {message.id!r}\n")
    return len(found)


def main(arguments: list[str] | None = None) -> int:
    """The command line; exit code 1 when `--check` finds something missing."""
    parser = argparse.ArgumentParser(prog="python -m shared.web.messages", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--language", default="en")
    parser.add_argument("--family", action="store_true", help="families' pages, in every language")
    parser.add_argument("--check", action="store_true", help="change nothing, fail when something is missing")
    options = parser.parse_args(arguments)
    if options.language == SOURCE_LANGUAGE:
        parser.error("Italian is the source: its messages are the ids")
    total = 0
    languages = TRANSLATIONS if options.family else (options.language,)
    for folder in options.folders:
        messages = family(folder) if options.family else list(extract(folder))
        total += sum(_settled(folder, language, messages, options.check) for language in languages)
    return 1 if options.check and total else 0


if __name__ == "__main__":
    sys.exit(main())
