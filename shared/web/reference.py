"""The API described for people: a page of our own from the app's OpenAPI document, without scripts of others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse

from shared.web.state import web_state

_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Part:
    """A parameter or a member of a body: its name, where it goes, its type in words."""

    name: str
    place: str
    kind: str
    required: bool
    description: str


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    summary: str
    description: str
    parts: tuple[Part, ...]
    body_types: tuple[str, ...]
    responses: tuple[tuple[str, str], ...]

    @property
    def anchor(self) -> str:
        """An id for links to it."""
        letters = (c if c.isalnum() else "-" for c in f"{self.method}{self.path}")
        return "".join(letters).strip("-")


def _resolve(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    found: Mapping[str, Any] = document["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def describe_type(schema: Mapping[str, Any]) -> str:
    """A JSON Schema in a few words, e.g. `string (uuid)`, `array of Enrolment`, `"a" | "b"`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(f'"{value}"' for value in schema["enum"])
    if "const" in schema:
        return f'"{schema["const"]}"'
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return " | ".join(describe_type(option) for option in schema[choice])
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"array of {describe_type(schema.get('items', {}))}"
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def _parts(document: Mapping[str, Any], operation: Mapping[str, Any]) -> Iterator[Part]:
    for parameter in operation.get("parameters", ()):
        yield Part(
            parameter["name"],
            parameter["in"],
            describe_type(parameter.get("schema", {})),
            bool(parameter.get("required")),
            parameter.get("description", ""),
        )
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = _resolve(document, content.get("schema", {}))
        wanted = schema.get("required", ())
        for name, member in schema.get("properties", {}).items():
            yield Part(name, "body", describe_type(member), name in wanted, member.get("description", ""))


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """Every operation of an OpenAPI 3 document, in its order."""
    return [
        Operation(
            method=method.upper(),
            path=path,
            summary=item[method].get("summary", ""),
            description=item[method].get("description", ""),
            parts=tuple(_parts(document, item[method])),
            body_types=tuple(item[method].get("requestBody", {}).get("content", {})),
            responses=tuple(
                (s, r.get("description", "")) for s, r in item[method].get("responses", {}).items()
            ),
        )
        for path, item in document.get("paths", {}).items()
        for method in _METHODS
        if method in item
    ]


def add_reference(app: FastAPI, openapi_url: str) -> str:
    """Add the page beside the document (`/x/openapi.json` -> `/x/`); returns its path."""
    path = openapi_url.rpartition("/")[0] + "/"

    async def reference(request: Request) -> HTMLResponse:
        found = operations(app.openapi())
        pages = web_state(request).pages
        return pages.render(
            request,
            "reference.html",
            title=app.title,
            version=app.version,
            about=app.description,
            operations=found,
            openapi_url=openapi_url,
        )

    app.add_api_route(path, reference, include_in_schema=False, name="api_reference")
    return path
