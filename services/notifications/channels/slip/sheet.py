"""From a slip to what its sheet says: plain strings, handed to the template as data and never as markup."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from services.notifications.channels.languages import Language, Texts, texts
from services.notifications.channels.people import Child, SchoolHead
from services.notifications.channels.slip.coverage import breakable, code_printable, printable
from services.notifications.channels.slip.model import Notice, Slip
from services.notifications.channels.slip.qr import AddressTooLong, qr_svg, slip_address
from shared.dates import long_date

NAME_LIMIT: Final = 160
CHILDREN_LIMIT: Final = 8
_GROUP: Final = 4

Json = str | bool | list["Json"] | dict[str, "Json"]


class LeftOut(Exception):
    """This slip cannot be printed; `notice` says why, without its contents."""

    def __init__(self, notice: Notice) -> None:
        super().__init__(f"{notice.slip_id}: {notice.code} {notice.detail}".strip())
        self.notice = notice


@dataclass
class _Cleaner:
    """Makes texts printable and remembers, once each, what could not be printed as it was."""

    slip_id: str
    missing: dict[str, None] = field(default_factory=dict)
    shortened: bool = False

    def __call__(self, text: str, limit: int = NAME_LIMIT) -> str:
        if len(text) > limit:
            self.shortened = True
            text = text[: limit - 1].rstrip() + "…"
        clean, missing = printable(text)
        self.missing.update(dict.fromkeys(missing))
        return clean

    def notices(self) -> list[Notice]:
        found: list[Notice] = []
        if self.missing:
            found.append(Notice(self.slip_id, "not_printable", " ".join(self.missing)))
        if self.shortened:
            found.append(Notice(self.slip_id, "shortened"))
        return found


def groups(password: str) -> list[str]:
    """The password in the groups in which it is printed: at its own hyphens, which stay, or every 4 characters."""
    if "-" in password:
        return [part for part in re.split(r"(?<=-)", password) if part]
    return [password[start : start + _GROUP] for start in range(0, len(password), _GROUP)]


def typing_notes(password: str, said: Texts) -> list[str]:
    """What a reader must know to type `password` right."""
    notes = [said.typing["separators" if "-" in password else "spaces"]]
    cased = [character for character in password if character.isupper() or character.islower()]
    if cased:
        lower, upper = (all(test(c) for c in cased) for test in (str.islower, str.isupper))
        notes.append(said.typing["lower" if lower else "upper" if upper else "mixed"])
    return notes


def _children(children: Sequence[Child], said: Texts, clean: _Cleaner) -> list[Json]:
    shown: list[Json] = [
        {
            "name": breakable(clean(child.name)),
            "class": said.labels["class_name"].format(name=clean(child.class_name, 40)),
        }
        for child in children[:CHILDREN_LIMIT]
    ]
    if len(children) > CHILDREN_LIMIT:
        clean.shortened = True
        shown.append({"name": "…", "class": ""})
    return shown


def _column(slip: Slip, said: Texts, site: str, office: str, today: date, clean: _Cleaner) -> Json:
    """One language's share of the sheet."""
    voice = said.voice(slip.role)
    must = "must" if slip.must_change else "may"
    expires = long_date(slip.expires_on, said.language)
    steps = [
        voice["open"].format(site=site),
        voice["type"],
        voice[f"change_{must}"],
        said.keep(slip.role),
    ]
    rules = [
        voice[f"valid_{must}"].format(date=expires),
        voice["lost"].format(office=f" ({office})" if office else ""),
        voice["never"],
    ]
    if slip.pin is not None:
        rules.insert(1, said.adult["pin"])
    whose = {
        "guardian": said.labels["guardian_of"],
        "pupil": said.labels["pupil"],
        "staff": said.labels["staff"],
    }
    return {
        "lang": said.language,
        "dir": said.direction,
        "labels": dict(said.labels),
        "whose": whose[slip.role],
        "children": _children(slip.concerning, said, clean) if slip.role == "guardian" else [],
        "class": said.labels["class_name"].format(name=clean(slip.class_name, 40)) if slip.class_name else "",
        "steps": list(steps),
        "rules": list(rules),
        "notes": " ".join(typing_notes(slip.password, said)),
        "issued": said.labels["issued"].format(date=long_date(today, said.language)),
        "qr": said.labels["qr"].format(site=site),
    }


def sheet(slip: Slip, school: SchoolHead, today: date) -> tuple[dict[str, Json], list[Notice]]:
    """What the template prints for `slip`, and warnings; raises `LeftOut` when it must not be printed."""
    if not slip.user_code or not slip.password:
        raise LeftOut(Notice(slip.slip_id, "secret_missing"))
    if not all(code_printable(secret) for secret in (slip.user_code, slip.password, slip.pin or "0")):
        raise LeftOut(Notice(slip.slip_id, "secret_not_printable"))
    try:
        svg = qr_svg(slip_address(slip.site_address, slip.slip_id))
    except AddressTooLong as error:
        raise LeftOut(Notice(slip.slip_id, "address_too_long", str(error))) from error
    clean = _Cleaner(slip.slip_id)
    site = clean(slip.site_address.removeprefix("https://"))
    office = clean(school.office)
    first = texts(slip.language)
    languages: list[Language] = ["it"] if slip.language == "it" else [slip.language, "it"]
    data: dict[str, Json] = {
        "id": clean(slip.slip_id),
        # Slips of one kind say the same and differ in who, so that the template measures them once.
        "kind": f"{slip.language} {slip.role} {slip.must_change} {slip.pin is None} {site}",
        "lang": slip.language,
        "name": breakable(clean(slip.holder_name)) or "—",
        "school": breakable(clean(school.name)),
        "site": site,
        "qr": svg,
        "user_code": slip.user_code,
        "pin": slip.pin or "",
        "password": [
            {"text": group, "words": [first.spell(character) for character in group.rstrip("-")]}
            for group in groups(slip.password)
        ],
        "columns": [_column(slip, texts(language), site, office, today, clean) for language in languages],
    }
    return data, clean.notices()
