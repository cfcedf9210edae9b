"""The adoptions of a school's policy, each with its day, its author and its reason."""

from collections.abc import Callable, Iterable
from typing import Any

from shared.contracts.event import Event, Recorded
from shared.contracts.registry import CredentialPolicyAdopted
from shared.eventstore.projection import Put, Row
from shared.policies import VERSIONS, version_row


def _adopted(event: CredentialPolicyAdopted, recorded: Recorded[Event]) -> Iterable[Row]:
    told = {"reason": event.reason, "adopted_by": recorded.actor, "adopted_at": recorded.time}
    return [Put(VERSIONS, version_row(event, recorded) | told)]


REDUCERS: dict[type[Event], Callable[[Any, Recorded[Event]], Iterable[Row]]] = {
    CredentialPolicyAdopted: _adopted,
}
