"""What generated requests do not come upon in any operation: strangers, foreign schools, too much of everything."""

from collections.abc import Mapping
from typing import Any

from shared.ids import new_id
from tests.hostile.bodies import BODIES
from tests.hostile.world import World

END = "DELETE /api/identity/sessions"
ENDING = {END, "POST /api/identity/sessions/end-all"}
"""Whoever comes here is signed out."""
_MEGABYTE = 1024 * 1024
_UPLOADS = {"POST /api/registry/imports": 65, "POST /api/registry/mailboxes/files": 9}
_LISTS = {"POST /api/registry/mailboxes": 9}


def provoke_strangers(
    world: World, foreign: str, must_change: Mapping[str, str], ending: list[dict[str, str]]
) -> None:
    """`must_change`: of another school, signed in, who has to choose a password first; `ending` are two sessions."""
    odd_query = {"params": {"x": "\x01"}}
    for service in world.services.values():
        for label in service.operations:
            parts: dict[str, Any] = {}
            desk, stranger = world.boss, must_change
            if label in ENDING:
                desk = stranger = ending.pop()
            if path := world.named(label):
                parts["path_parameters"] = path
            service.one(label, desk, **parts, **odd_query)
            service.one(label, {}, **parts)
            service.one(label, {"Authorization": "Bearer wrong"}, **parts)
            service.one(label, {**must_change, "Origin": "https://elsewhere.example"}, **parts)
            if label.startswith("GET ") or "/loss" not in label:
                service.one(label, stranger, **parts)
            service.one(label, desk, **parts)
            if path:
                unknown = {name: new_id() for name in path}
                body = BODIES.get(label)
                filled = {"body": body, "media_type": "application/json"} if body is not None else {}
                service.one(label, desk, path_parameters=unknown, **filled)
            if "{code}" in label:
                service.one(label, world.reader, path_parameters=path)
                service.one(label, world.reader, path_parameters=path | {"code": foreign})
            if "413" in service.documented(label):
                size = (_UPLOADS | _LISTS).get(label, 1) * _MEGABYTE + 1
                kind = "application/octet-stream" if label.endswith("/bounces") else "application/json"
                service.one(label, desk, **parts, media_type=kind, body=b"x" * size)
