"""Opaque identifiers: time-ordered (UUIDv7, RFC 9562) and derived (UUIDv5)."""

from uuid import UUID, uuid5

import uuid_utils

_NAMESPACE = UUID("6b1c4a52-6f3e-5c0e-9d0a-7d2a9d1f4c11")


def new_id() -> str:
    """A UUIDv7, as text."""
    return str(uuid_utils.uuid7())


def derived_id(*parts: str) -> str:
    """The same parts give the same id. Only ever from opaque ids: never from anything personal."""
    return str(uuid5(_NAMESPACE, "/".join(parts)))
