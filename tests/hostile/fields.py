"""Every parameter and every field of every route, as the routes themselves declare them."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from fastapi import params
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.routing import BaseRoute

from services.identity.api import api_routes
from services.identity.pages import page_routes
from services.identity.web import Front
from services.notifications import api as notifications_api
from services.notifications import pages as notifications_pages
from services.registry import api as registry_api
from services.registry import pages as registry_pages

REPOSITORY = Path(__file__).parents[2]
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
    """By service. The routes are only looked at, so identity's need no front."""
    nobody = cast(Front, None)
    every: dict[str, Iterable[BaseRoute]] = {
        "identity": [*page_routes(nobody).routes, *api_routes(nobody).routes],
        "notifications": [*notifications_pages.router.routes, *notifications_api.router.routes],
        "registry": [*registry_pages.router.routes, *registry_api.router.routes],
    }
    return {name: [r for r in found if isinstance(r, APIRoute)] for name, found in every.items()}


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
