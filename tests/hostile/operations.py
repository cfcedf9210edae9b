"""The operations that the services describe, asked by schemathesis with what fits the description and what does not."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import hypothesis.strategies as st
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode, checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.core.transport import Response

EXAMPLES = 8
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]
ONLY_UNDER_LOAD = {"408", "503"}
"""A body that never ends, and more work than there is room for: other tests bring these about."""
NOT_TO_BE_ARRANGED = {
    "POST /api/identity/loss": {"409"},
    "POST /api/identity/accounts/{account}/revocation": {"409"},
    "POST /api/identity/accounts/{account}/unlocking": {"409"},
    "POST /api/notifications/classes/{class_id}/hand-overs": {"409"},
}
"""Where only somebody who did the same at the same moment, time and again, makes an operation give up."""

_addresses = itertools.count(1)


def somewhere() -> str:
    """Another client's address each time: one address with many failures is slowed, and rightly so."""
    number = next(_addresses)
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


@dataclass
class Service:
    """One running service, its own description of itself, the statuses that it has answered so far, and what was wrong
    with its answers."""

    url: str
    document: Mapping[str, Any]
    seen: dict[str, set[str]] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        config = SchemathesisConfig.from_dict({"generation": {"with-security-parameters": False}})
        self.schema = schemathesis.openapi.from_dict(dict(self.document), config=config)

    @cached_property
    def operations(self) -> dict[str, Any]:
        """`POST /api/...` to schemathesis' operation."""
        found = list(self.schema.get_all_operations())
        assert all(isinstance(each, Ok) for each in found), "the document is not as OpenAPI has it"
        return {each.ok().label: each.ok() for each in found if isinstance(each, Ok)}

    def documented(self, label: str) -> set[str]:
        method, path = label.split(" ", 1)
        return set(self.document["paths"][path][method.lower()]["responses"])

    def unseen(self, label: str) -> set[str]:
        return self.documented(label) - self.seen.get(label, set())

    def secured(self, label: str) -> bool:
        """Whether anybody is asked who they are."""
        method, path = label.split(" ", 1)
        return "security" in self.document["paths"][path][method.lower()]

    def told(self) -> str:
        """All that was wrong."""
        return "\n\n".join(f"{label}: {why}" for label, why in self.wrong.items())

    def ask(self, case: Case[Any], headers: Mapping[str, str], **transport: Any) -> Response:
        """Sends it, holds the answer against the description, and takes note of its status."""
        sent = {"X-Forwarded-For": somewhere(), **headers}
        response = case.call(self.url, headers=sent, allow_redirects=False, timeout=20, **transport)
        label = case.operation.label
        self.seen.setdefault(label, set()).add(str(response.status_code))
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as failed:
            self.wrong.setdefault(label, "\n".join(str(each) for each in failed.exceptions))
        return response

    def one(self, label: str, headers: Mapping[str, str], **parts: Any) -> int:
        """The status of one request of ours: `path_parameters`, `query`, `body`, `media_type`, `headers`."""
        params = parts.pop("params", None)
        case = self.operations[label].Case(**parts)
        return self.ask(case, headers, **({"params": params} if params else {})).status_code

    def say(
        self, label: str, headers: Mapping[str, str], status: int, body: object = None, **path: str
    ) -> Any:
        """What is answered to a request of ours, whose status must be this."""
        given: dict[str, Any] = {"path_parameters": path} if path else {}
        if body is not None:
            given |= {"body": body, "media_type": "application/json"}
        answer = self.ask(self.operations[label].Case(**given), headers)
        if answer.status_code != status:
            self.wrong.setdefault(
                label, f"{status} was wanted, not {answer.status_code}: {answer.text[:300]}"
            )
        return answer.json() if answer.content else None

    def exercise(self, label: str, headers: Mapping[str, str], known: Mapping[str, Any]) -> None:
        """Fitting and unfitting requests, of every shape the description allows for; half of them about what exists."""
        operation = self.operations[label]
        names = {parameter.name for parameter in operation.path_parameters}
        parts = {"path_parameters": {name: known[name] for name in names}} if names else {}
        strategies = [operation.as_strategy(GenerationMode.POSITIVE)]
        if parts:
            strategies.append(operation.as_strategy(GenerationMode.POSITIVE, **parts))
        if names or operation.query or operation.body:
            strategies.append(operation.as_strategy(GenerationMode.NEGATIVE))
        if parts and (operation.query or operation.body):
            strategies.append(operation.as_strategy(GenerationMode.NEGATIVE, **parts))

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=st.one_of(strategies))
        def try_it(case: Case[Any]) -> None:
            self.ask(case, headers)

        try_it()
