"""Every route x every role, and nobody x one's own and another school's objects: what must come of it (DESIGN 7).

Generated from the apps' routes and the table of actions: whoever adds a route has it tried. One that asks the table
nothing must be named among the public ones, with what makes it public.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, zip_longest

import asyncpg
import httpx
from fastapi import FastAPI

from shared.web.cookies import session_cookie
from shared.web.sessions import ROLES, Principal, Role, hash_token, new_token
from tests.attacker.routes import ABSENT, Door, doors

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "asked": ("request",),
    "class_id": ("class_id", "class"),
    "code": ("school",),
    "campaign": ("campaign", "campaign_id"),
}
"""In which columns of the tables stands what a route calls so, where the two names differ."""
REFUSALS_OF_ROLE = ("role-required", "passkey-required", "password-change-required", "sign-in-required")
OTHER_SCHOOL = "school-foreign"
"""403 where the object is a school itself: that a school exists is no secret, its code stands on its door."""
FAMILY: frozenset[Role] = frozenset({"guardian", "pupil"})
_MOST_IDS = 3


@dataclass
class Cast:
    """Sessions by token, as identity would know them."""

    known: dict[bytes, Principal] = field(default_factory=dict)

    async def introspect(self, token_hash: bytes) -> Principal | None:
        return self.known.get(token_hash)

    def enter(
        self,
        role: Role,
        school: str,
        *,
        account: str = ABSENT,
        person: str = ABSENT,
        strong: bool = True,
        must_change: bool = False,
    ) -> str:
        """The Cookie header of somebody with this role."""
        token = new_token()
        self.known[hash_token(token)] = Principal(
            account_id=account,
            person_id=person,
            school=school,
            roles=frozenset({role}),
            must_change=must_change,
            session_expires=datetime.now(UTC) + timedelta(hours=1),
            session_id=f"session-{len(self.known)}",
            strong=strong,
        )
        return f"{session_cookie('custode')}={token}"


@dataclass(frozen=True)
class Ground:
    """An app with two schools in its tables. `accounts`: (account, person) of each role at `school`."""

    app: FastAPI
    pool: asyncpg.Pool
    site: str
    school: str
    other: str
    cast: Cast
    public: frozenset[tuple[str, str]]
    accounts: Mapping[Role, tuple[str, str]] = field(default_factory=dict)
    in_stride: Mapping[str, frozenset[Role]] = field(default_factory=dict)
    """Addresses that answer these roles alike whatever they are asked about, and tell them nothing of it."""
    other_family: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Of the same school: as foreign as another school's to whoever belongs to a family."""
    unfurnished: frozenset[str] = frozenset()
    """Addresses of objects that this ground has none of."""

    def doors(self) -> list[Door]:
        return [door for door in doors(self.app) if (door.method, door.path) not in self.public]

    def cookie(self, role: Role, **more: bool) -> str:
        account, person = self.accounts.get(role, (ABSENT, ABSENT))
        return self.cast.enter(role, self.school, account=account, person=person, **more)

    def client(self) -> httpx.AsyncClient:
        headers = {"Accept": "application/json", "Sec-Fetch-Site": "same-origin"}
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=self.site, headers=headers)


async def undeclared(ground: Ground) -> list[str]:
    """Routes that anybody may open and nobody has called public; public ones that are no more."""
    there = {(door.method, door.path): door for door in doors(ground.app)}
    silent = [
        f"{method} {path} asks the table of actions nothing"
        for (method, path), door in there.items()
        if door.action is None and (method, path) not in ground.public
    ]
    return silent + [f"{method} {path} is no route" for method, path in ground.public - there.keys()]


async def refused(ground: Ground) -> list[str]:
    """What nobody, a role that may not, one without a passkey, and one with an initial password should not get."""
    faults: list[str] = []
    cookies: dict[Role, str] = {role: ground.cookie(role) for role in sorted(ROLES)}
    weak: dict[Role, str] = {role: ground.cookie(role, strong=False) for role in sorted(ROLES)}
    fresh: dict[Role, str] = {role: ground.cookie(role, must_change=True) for role in sorted(ROLES)}
    own = await ids_of(ground.pool, ground.school)
    async with ground.client() as client:
        for door in ground.doors():
            address = door.at({name: _named(own, name)[0] for name in door.names})
            tries: list[tuple[str, str | None, int, str]] = [("nobody", None, 401, "")]
            for role in sorted(ROLES):
                if role not in door.rule.roles:
                    tries.append((role, cookies[role], 403, "role-required"))
                elif door.rule.strong:
                    tries.append((f"{role}, password alone", weak[role], 403, "passkey-required"))
            someone = min(door.rule.roles)
            if not door.while_changing:
                tries.append((f"{someone}, fresh", fresh[someone], 403, "password-change-required"))
            for who, cookie, status, kind in tries:
                answer = await _ask(client, door, address, cookie)
                if answer.status_code != status or (kind and not _kind(answer).endswith(kind)):
                    faults.append(f"{door.method} {door.path} as {who}: {answer.status_code} {_kind(answer)}")
    return faults


async def foreign(ground: Ground) -> list[str]:
    """Who may do something gets, of another school's objects, what they get of those that do not exist: 404, or 422
    where the form is looked at first."""
    faults: list[str] = []
    theirs = await ids_of(ground.pool, ground.other)
    sent = _all(theirs)
    async with ground.client() as client:
        for door in ground.doors():
            if not door.names:
                continue
            for role in sorted(door.rule.roles - ground.in_stride.get(door.path, frozenset())):
                cookie = ground.cookie(role)
                absent = await _ask(client, door, door.at({}), cookie, sent)
                if absent.status_code not in (404, 422):
                    faults.append(
                        f"{door.method} {door.path} as {role}: {_told(absent)} for what is not there"
                    )
                strangers = _choices(door.names, theirs)
                if role in FAMILY and set(door.names) & ground.other_family.keys():
                    strangers += _choices(door.names, ground.other_family)
                for ids in strangers:
                    answer = await _ask(client, door, door.at(ids), cookie, sent)
                    alike = (answer.status_code, _kind(answer)) == (absent.status_code, _kind(absent))
                    if not alike and not _kind(answer).endswith(OTHER_SCHOOL):
                        faults.append(f"{door.method} {door.path} as {role}: {_told(answer)} for {ids}")
    return faults


async def own(ground: Ground) -> list[str]:
    """Who may, may: whatever else comes of it, no refusal of their role, and no fault of the server's.

    A page about an object is shown to somebody: else no object was found to try it with.
    """
    faults: list[str] = []
    ours = await ids_of(ground.pool, ground.school)
    sent = _all(ours)
    async with ground.client() as client:
        # What is looked at first is still there.
        for door in sorted(ground.doors(), key=lambda one: one.method != "GET"):
            statuses = set()
            for role in sorted(door.rule.roles):
                cookie = ground.cookie(role)
                for ids in _choices(door.names, ours):
                    answer = await _ask(client, door, door.at(ids), cookie, sent)
                    statuses.add(answer.status_code)
                    barred = answer.status_code in (401, 403) and _kind(answer).endswith(REFUSALS_OF_ROLE)
                    if answer.status_code == 500 or barred:
                        faults.append(
                            f"{door.method} {door.path} as {role}: {answer.status_code} {_kind(answer)}"
                        )
            looked_for = door.method == "GET" and door.names and door.path not in ground.unfurnished
            if looked_for and not statuses & {200, 303, 409, 422}:
                faults.append(f"GET {door.path}: nothing of ours was found at it ({sorted(statuses)})")
    return faults


async def cross_site(ground: Ground) -> list[str]:
    """What changes something is refused to another site's page, whoever's cookie it rides on; public routes too."""
    faults = []
    cookie = ground.cookie("administrator")
    async with ground.client() as client:
        for door in doors(ground.app):
            if door.method == "GET":
                continue
            for headers in (
                {"Sec-Fetch-Site": "cross-site"},
                {"Sec-Fetch-Site": "same-site"},
                {"Origin": "https://evil.example", "Sec-Fetch-Site": None},
                {"Origin": "null", "Sec-Fetch-Site": None},
                {"Sec-Fetch-Site": None},
            ):
                request = client.build_request(door.method, door.at({}), headers={"Cookie": cookie})
                for name, value in headers.items():
                    request.headers.pop(name, None)
                    if value is not None:
                        request.headers[name] = value
                answer = await client.send(request)
                if answer.status_code != 403 or not _kind(answer).endswith("cross-site-request"):
                    faults.append(f"{door.method} {door.path} with {headers}: {answer.status_code}")
    return faults


async def ids_of(pool: asyncpg.Pool, school: str) -> dict[str, list[str]]:
    """Whatever the rows of a school hold, by column: its objects' ids are among it."""
    by_table: dict[str, list[list[str]]] = {}
    tables: dict[str, list[str]] = {}
    for row in await pool.fetch(
        "select table_schema || '.' || table_name as place, column_name from information_schema.columns "
        "where table_schema in ('projections', 'private') and data_type = 'text' order by 1, 2"
    ):
        tables.setdefault(row["place"], []).append(row["column_name"])
    for place, columns in tables.items():
        if "school" not in columns:
            continue
        rows = await pool.fetch(f"select {', '.join(columns)} from {place} where school = $1", school)  # noqa: S608
        for name in columns:
            by_table.setdefault(name, []).append([row[name] for row in rows if row[name]])
    # One of each table in turn: what stands in another table is likely to be of another kind.
    turns = {name: chain.from_iterable(zip_longest(*lists)) for name, lists in by_table.items()}
    return {name: list(dict.fromkeys(one for one in turn if one)) for name, turn in turns.items()}


def _named(ids: Mapping[str, Sequence[str]], name: str) -> Sequence[str]:
    return [one for column in COLUMNS.get(name, (name,)) for one in ids.get(column, ())] or [ABSENT]


def _choices(names: Sequence[str], ids: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """A few of the objects that each name could stand for; one empty choice where nothing is named."""
    if not names:
        return [{}]
    columns = [_named(ids, name)[:_MOST_IDS] for name in names]
    longest = max(len(column) for column in columns)
    return [
        {name: column[n % len(column)] for name, column in zip(names, columns, strict=True)}
        for n in range(longest)
    ]


def _all(ids: Mapping[str, Sequence[str]]) -> list[str]:
    """One of each, for forms."""
    return [found[0] for name, found in ids.items() if found and len(found[0]) >= 20]


async def _ask(
    client: httpx.AsyncClient, door: Door, address: str, cookie: str | None, ids: Sequence[str] = (ABSENT,)
) -> httpx.Response:
    headers = {"Cookie": cookie} if cookie else {}
    sent = door.sent(ids) if door.method != "GET" else {}
    return await client.request(door.method, address, headers=headers, **sent)


def _told(answer: httpx.Response) -> str:
    return f"{answer.status_code} {_kind(answer)}".strip()


def _kind(answer: httpx.Response) -> str:
    if "json" not in answer.headers.get("content-type", ""):
        return ""
    told = answer.json()
    return str(told.get("type", "")) if isinstance(told, dict) else ""


async def everything(ground: Ground) -> str:
    """What is wrong, a line each; empty when nothing is."""
    found = await undeclared(ground)
    if not found:
        for check in (refused, foreign, cross_site, own):
            found += await check(ground)
    return "\n".join(dict.fromkeys(found))
