"""What an OpenAPI document says of refusals: RFC 9457 problems, at the statuses that really occur.

What every operation may answer (a forged host, a body that is too large) is added here, from its form; a route
names the rest: `@router.get(..., responses=problems(401, 404), openapi_extra=secured(SESSION))`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from shared.web.cookies import session_cookie
from shared.web.errors import PROBLEM_TYPE
from shared.web.security import SAFE_METHODS
from shared.web.settings import WebSettings

SESSION: Final = "session"
API_KEY: Final = "apiKey"

_WHAT: Final[Mapping[int, str]] = {
    400: "The request is not one that this site answers: its host, its query or its form is malformed.",
    401: "Nobody is signed in, or the key or the credentials are not accepted.",
    403: "Whoever asks may not do this.",
    404: "It does not exist, or is not theirs who ask.",
    408: "The body stopped coming before its end.",
    409: "It contradicts what stands.",
    413: "The body is too large.",
    422: "What was sent is not in the expected form; `errors` says where.",
    503: "Not now: ask again after `Retry-After` seconds.",
}
_CONSTRAINTS: Final = frozenset(
    {"type", "format", "enum", "const", "pattern", "minLength", "maxLength", "$ref"}
)
_PROBLEM: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "Why not, in the language of the request (RFC 9457). Nothing of what was sent is repeated.",
    "type": "object",
    "required": ["type", "title", "status", "instance"],
    "properties": {
        "type": {"type": "string", "description": "`urn:custode:problem:` and a name, or `about:blank`."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "description": "`urn:custode:request:` and the request's id."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "Where, as RFC 6901 has it."},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route's `responses`: problem documents at these statuses."""
    return {status: _problem(status) for status in statuses}


def secured(*schemes: str) -> dict[str, Any]:
    """For a route's `openapi_extra`: any one of these lets in."""
    return {"security": [{scheme: []} for scheme in schemes]}


def describe(app: FastAPI, settings: WebSettings) -> None:
    """Make `app.openapi()` say what is so of the whole front; called once, when the app is made."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, settings)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI, settings: WebSettings) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    used: set[str] = set()
    for path, item in document.get("paths", {}).items():
        for method, operation in item.items():
            _say_what_is_usual(path, method.upper(), operation)
            used |= {name for either in operation.get("security", ()) for name in either}
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for framework in ("HTTPValidationError", "ValidationError"):
        schemas.pop(framework, None)
    schemas["Problem"] = _PROBLEM
    if used:
        components["securitySchemes"] = {name: _schemes(settings)[name] for name in sorted(used)}
    return document


def _say_what_is_usual(path: str, method: str, operation: dict[str, Any]) -> None:
    usual = {400}
    if method not in SAFE_METHODS:
        usual.add(403)
    if "{" in path:
        usual.add(404)
    if "requestBody" in operation:
        usual |= {408, 413}
    responses = operation["responses"]
    if PROBLEM_TYPE not in responses.get("422", {}).get("content", {}):
        responses.pop("422", None)  # the framework's own kind of answer, which is never given
        if _reads_a_body(operation) or any(map(_may_be_wrong, operation.get("parameters", ()))):
            usual.add(422)
    responses |= {str(status): _problem(status) for status in usual}
    operation["responses"] = dict(sorted(responses.items()))


def _reads_a_body(operation: Mapping[str, Any]) -> bool:
    """Whether there is a body of a form: one that may be left out is taken as it comes."""
    return bool(operation.get("requestBody", {}).get("required"))


def _may_be_wrong(parameter: Mapping[str, Any]) -> bool:
    """Whether there is a value, or a want of one, that is refused: any text is a text."""
    kinds = [{k: v for k, v in each.items() if k in _CONSTRAINTS} for each in _kinds(parameter["schema"])]
    return (parameter["required"] and parameter["in"] != "path") or {"type": "string"} not in kinds


def _kinds(schema: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    either: Sequence[Mapping[str, Any]] = schema.get("anyOf", (schema,))
    return either


def _problem(status: int) -> dict[str, Any]:
    said: dict[str, Any] = {
        "description": _WHAT[status],
        "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if status == 503:
        said["headers"] = {"Retry-After": {"required": True, "schema": {"type": "integer"}}}
    return said


def _schemes(settings: WebSettings) -> dict[str, Any]:
    return {
        SESSION: {"type": "apiKey", "in": "cookie", "name": session_cookie(settings.instance)},
        API_KEY: {"type": "http", "scheme": "bearer", "description": "A key of one of the school's systems."},
    }
