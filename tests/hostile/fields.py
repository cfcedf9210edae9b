"""Every parameter and every field of every route, as the routes themselves declare them."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from inspect import getfile, isfunction
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, cast

from fastapi import APIRouter, params
from fastapi.routing import APIRoute
from pydantic import BaseModel

from services.registry import policy_forms
from shared.contracts.policy import PAPER
from tests.hostile.world import SERVICES

REPOSITORY = Path(__file__).parents[2]
_READ = re.compile(r"form(?:\.get(?:list)?\(|\[|\(request, )([^)\]]+)|for name in \(([^)]*)\)")
_WORD = re.compile(r'"(\w+)"')
_HEADER = re.compile(r'headers\.get(?:list)?\("([a-z-]+)"')


@dataclass(frozen=True)
class Field:
    """One thing that a request to a route may carry: `where` is path, query, form or json."""

    service: str
    route: APIRoute
    where: str
    name: str
    model: type[BaseModel] | None = None

    @property
    def label(self) -> str:
        return f"{'/'.join(sorted(self.route.methods or ()))} {self.route.path} {self.where}.{self.name}"


def routes() -> dict[str, list[APIRoute]]:
    """By service: those of every router in its modules, or that a function of them makes. They are only looked at, so
    identity's need no front."""
    found = {}
    for service in SERVICES:
        modules = (REPOSITORY / "services" / service).glob("*.py")
        names = sorted(path.stem for path in modules if "APIRouter(" in path.read_text())
        every = [r for name in names for r in _routers(import_module(f"services.{service}.{name}"))]
        found[service] = [r for router in every for r in router.routes if isinstance(r, APIRoute)]
    return found


def _routers(module: ModuleType) -> Iterator[APIRouter]:
    for made in vars(module).values():
        if isinstance(made, APIRouter):
            yield made
        elif isfunction(made) and made.__module__ == module.__name__ and _makes_a_router(made):
            yield made(None)


def _makes_a_router(function: FunctionType) -> bool:
    return function.__annotations__.get("return") is APIRouter


def fields() -> Iterator[Field]:
    for service, found in routes().items():
        for route in found:
            yield from (Field(service, route, "path", p.alias) for p in route.dependant.path_params)
            yield from (Field(service, route, "query", p.alias) for p in route.dependant.query_params)
            for body in route.dependant.body_params:
                if isinstance(body.field_info, params.Form):
                    yield Field(service, route, "form", body.alias)
                else:
                    model = cast(type[BaseModel], body.field_info.annotation)
                    for name in leaves(model):
                        yield Field(service, route, "json", name, model)
            if "POST" in (route.methods or ()) and not route.dependant.body_params:
                yield from (Field(service, route, "form", name) for name in names_read(route))


def names_read(route: APIRoute) -> list[str]:
    """The fields that a page's module reads out of a form by itself, found in the code; those of all of its forms."""
    if "/api/" in route.path:
        return []
    source = Path(getfile(route.endpoint)).read_text()
    found = {name for groups in _READ.findall(source) for group in groups for name in _WORD.findall(group)}
    return sorted(found | (set(policy_forms.fields(PAPER)) if "policy_forms" in source else set()))


def leaves(model: type[BaseModel]) -> list[str]:
    """Dotted paths of everything in a model that is no object: `pupil.family_name`, `guardians.0.email`."""
    document = model.model_json_schema(by_alias=True)
    return list(_leaves(document, document, ""))


def _leaves(document: Mapping[str, Any], schema: Mapping[str, Any], at: str) -> Iterator[str]:
    if "$ref" in schema:
        schema = document["$defs"][schema["$ref"].rpartition("/")[2]]
    if schema.get("type") == "array":
        yield from _leaves(document, schema["items"], f"{at}.0")
    elif "properties" in schema:
        for name, member in schema["properties"].items():
            yield from _leaves(document, member, f"{at}.{name}" if at else name)
    else:
        yield at


def put(body: Any, path: str, value: object) -> Any:
    """A copy of a JSON body with one leaf replaced; lists and objects on the way are made."""
    name, _, rest = path.partition(".")
    if name.isdigit():
        kept = list(body or [{}])
        kept[int(name)] = put(kept[int(name)], rest, value) if rest else value
        return kept
    return {**(body or {}), name: put((body or {}).get(name), rest, value) if rest else value}


def headers_read() -> set[str]:
    """The request headers that our code looks at, found in the code."""
    sources = [p for folder in ("services", "shared/web") for p in (REPOSITORY / folder).rglob("*.py")]
    return {name for source in sources for name in _HEADER.findall(source.read_text())}
