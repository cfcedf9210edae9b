"""The routes of an app as an attacker would list them: what each asks for, and something that it could be sent."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from starlette.routing import BaseRoute, Mount, Route

from services.registry.authority import May
from shared.web.actions import TABLE, Action, Allowed, Rule
from shared.web.security import PROBES

UNGUARDED = PROBES | {"/static"}
ABSENT = "00000000-0000-7000-8000-000000000000"


@dataclass(frozen=True)
class Door:
    """One method of one route. `action`: what the table of actions is asked; None where nothing is."""

    method: str
    route: APIRoute
    action: Action | None
    while_changing: bool = False

    @property
    def path(self) -> str:
        return self.route.path

    @property
    def rule(self) -> Rule:
        assert self.action is not None
        return TABLE[self.action]

    @property
    def names(self) -> Sequence[str]:
        return tuple(self.route.param_convertors)

    def at(self, ids: Mapping[str, str]) -> str:
        """The address with these objects in it."""
        return re.sub(r"\{(\w+)(:\w+)?\}", lambda found: ids.get(found[1], ABSENT), self.path)

    def sent(self, ids: Collection[str]) -> dict[str, Any]:
        """What fits the form of this route, for httpx; whatever could be an id is one of `ids`."""
        fields = self.route.dependant.body_params
        if not fields:
            return {}
        made = {field.alias: _example(_schema(field.field_info.annotation), ids) for field in fields}
        kinds = {type(field.field_info).__name__ for field in fields}
        if "File" in kinds:
            files = dict.fromkeys(made, ("a.csv", b"a;b\n1;2\n"))
            return {"files": files}
        if "Form" in kinds:
            return {"data": {name: _told(value) for name, value in made.items()}}
        return {"json": made[fields[0].alias] if len(fields) == 1 else made}


def doors(app: FastAPI) -> list[Door]:
    return [
        Door(method, route, *_guarded(route.dependant))
        for route in _asked(app.routes)
        for method in sorted((route.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def _asked(routes: Sequence[BaseRoute]) -> Iterator[APIRoute]:
    for route in routes:
        assert isinstance(route, (Route, Mount)), f"{route}: its doors would go untried; use add_routes"
        if isinstance(route, APIRoute) and route.path not in UNGUARDED:
            yield route


def _guarded(dependant: Dependant) -> tuple[Action | None, bool]:
    for each in dependant.dependencies:
        if isinstance(each.call, Allowed):
            return each.call.action, each.call.while_changing
        if isinstance(each.call, May):
            return each.call.action, False
        deeper = _guarded(each)
        if deeper[0] is not None:
            return deeper
    return None, False


def _schema(annotation: Any) -> dict[str, Any]:
    try:
        return TypeAdapter(annotation).json_schema()
    except Exception:
        return {"type": "string"}


def _example(schema: Mapping[str, Any], ids: Collection[str], top: Mapping[str, Any] | None = None) -> Any:
    top = top or schema
    found: Any = None
    if "$ref" in schema:
        found = _example(top["$defs"][schema["$ref"].rpartition("/")[2]], ids, top)
    elif "anyOf" in schema:
        found = _example(next(s for s in schema["anyOf"] if s.get("type") != "null"), ids, top)
    elif "enum" in schema:
        found = schema["enum"][-1]
    elif "const" in schema:
        found = schema["const"]
    else:
        match schema.get("type"):
            case "object":
                found = {name: _example(s, ids, top) for name, s in schema.get("properties", {}).items()}
            case "array":
                found = [_example(schema.get("items", {}), ids, top)]
            case "integer" | "number":
                found = schema.get("minimum", 1)
            case "boolean":
                found = True
            case _:
                found = _text(schema, ids)
    return found


def _text(schema: Mapping[str, Any], ids: Collection[str]) -> str:
    given = {"date": "2026-10-01", "date-time": "2026-10-01T08:00:00Z", "email": "a@example.org"}
    if schema.get("format") in given:
        return given[schema["format"]]
    pattern = re.compile(schema.get("pattern", ""))
    for text in (*ids, "una ragione qualunque", "2026-10-01", "it", "12", "2026/2027"):
        if pattern.search(text) and len(text) <= schema.get("maxLength", 1000):
            return text.ljust(schema.get("minLength", 0), "x")
    return "x"


def _told(value: Any) -> Any:
    if isinstance(value, list):
        return [str(each) for each in value]
    return "si" if value is True else str(value)
