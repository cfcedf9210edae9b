"""An example of any contract, made from its types: always the same, of nobody who exists."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel

from shared.contracts.event import Event, Personal

_TEXTS = {
    "customer_id": "prova",
    "year": "2026/2027",
    "school": "RMIC00000X",
    "codice_fiscale": "RSSMRA80A01H501U",
    "email": "famiglia@example.org",
    "institutional_email": "alunno@scuola.example",
    "language": "it",
}


def example(event_class: type[Event]) -> Event:
    """Every field filled; optional ones too."""
    return event_class.model_validate(_fields(event_class))


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {name: _value(name, info.annotation) for name, info in model.model_fields.items()}


def _value(name: str, annotation: Any) -> Any:  # noqa: PLR0911
    origin = get_origin(annotation)
    if origin is Annotated:
        return _value(name, get_args(annotation)[0])
    if origin in (Union, UnionType):
        return _value(name, next(a for a in get_args(annotation) if a is not NoneType))
    if origin in (tuple, list, frozenset):
        return [_value(name, get_args(annotation)[0])]
    if isinstance(annotation, type):
        if issubclass(annotation, Personal):
            content = next(
                a for a in get_args(annotation.model_fields["value"].annotation) if a is not NoneType
            )
            return {"person": "person-1", "value": _fields(content)}
        if issubclass(annotation, BaseModel):
            return _fields(annotation)
        if issubclass(annotation, Enum):
            return next(iter(annotation)).value
        if annotation is bool:
            return True
        if annotation is int:
            return 1
        if annotation is datetime:
            return datetime(2026, 9, 14, 8, 0, tzinfo=UTC)
        if annotation is date:
            return date(2014, 2, 3)
        if annotation is str:
            return _TEXTS.get(name, f"{name}-1")
    raise TypeError(f"no example for {name}: {annotation!r}; teach shared.testing.examples")


class FixedSealer:
    """Seals with keys and nonces derived from the names: golden files must come out the same. For tests only."""

    def seal(self, person: str, purpose: str, plain: bytes, bound_to: bytes) -> dict[str, str]:
        nonce = hashlib.sha256(bound_to).digest()[:12]
        return {
            "person": person,
            "purpose": purpose,
            "key": f"{person}:{purpose}",
            "sealed": (nonce + _cipher(person, purpose).encrypt(nonce, plain, bound_to)).hex(),
        }

    def open(self, box: Mapping[str, str], bound_to: bytes) -> bytes | None:
        sealed = bytes.fromhex(box["sealed"])
        return _cipher(box["person"], box["purpose"]).decrypt(sealed[:12], sealed[12:], bound_to)


class ShreddedKeys(FixedSealer):
    """As if every person's key had been destroyed."""

    def open(self, box: Mapping[str, str], bound_to: bytes) -> bytes | None:
        return None


def _cipher(person: str, purpose: str) -> AESGCM:
    return AESGCM(hashlib.sha256(f"{person}/{purpose}".encode()).digest())
