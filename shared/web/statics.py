"""Static files: addresses with the content's hash, kept by browsers for ever."""

import hashlib
import json
import mimetypes
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"
_FOR_EVER = "public, max-age=31536000, immutable"

# Slim containers have no mime.types; with `nosniff` a wrong type is a file that does not load.
for _type, _ending in (("font/woff2", ".woff2"), ("image/svg+xml", ".svg"), ("text/javascript", ".js")):
    mimetypes.add_type(_type, _ending)


@cache
def content_hash(path: str) -> str:
    """First 16 hex digits of the SHA-256 of a static file; FileNotFoundError when there is none."""
    return hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:16]


def static_url(path: str) -> str:
    """The address of a static file, e.g. `/static/css/custode.css?v=0a1b2c3d4e5f6071`."""
    return f"/static/{path}?v={content_hash(path)}"


@cache
def _vendored() -> dict[str, str]:
    entries = json.loads((STATIC / "VENDORED.json").read_text("utf-8"))
    return {entry["package"]: entry["folder"] for entry in entries}


def vendor_url(package: str, path: str) -> str:
    """The address of a vendored file; its folder carries the version, so it needs no hash."""
    folder = _vendored()[package]
    content_hash(f"{folder}/{path}")
    return f"/static/{folder}/{path}"


class ImmutableStatic(StaticFiles):
    """Serves the folder; for ever where the address names the content, to be asked again elsewhere."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Starlette's hook: the file's response with our caching."""
        response = await super().get_response(path, scope)
        if response.status_code in (200, 304):
            asked = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("v", [""])[0]
            fixed = path.replace("\\", "/").startswith("vendor/") or (asked and asked == content_hash(path))
            response.headers["Cache-Control"] = _FOR_EVER if fixed else "no-cache"
        return response
