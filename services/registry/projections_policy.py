"""The adoptions of a school's policy, each with its day, its author and its reason; and who has credentials already."""

from collections.abc import Callable, Iterable
from typing import Any

from shared.contracts.event import Event, Recorded
from shared.contracts.identity import AccountRevoked, CredentialsIssued, LocalCredentialsRetired
from shared.contracts.registry import CredentialPolicyAdopted
from shared.eventstore.projection import Put, Remove, Row
from shared.policies import VERSIONS, version_row

_HOLDERS = "credential_holders_v1"


def _adopted(event: CredentialPolicyAdopted, recorded: Recorded[Event]) -> Iterable[Row]:
    told = {"reason": event.reason, "adopted_by": recorded.actor, "adopted_at": recorded.time}
    return [Put(VERSIONS, version_row(event, recorded) | told)]


def _issued(event: CredentialsIssued, recorded: Recorded[Event]) -> Iterable[Row]:
    return [Put(_HOLDERS, {"account": event.account, "holder": event.holder, "school": recorded.school})]


def _ended(event: AccountRevoked | LocalCredentialsRetired, _: Recorded[Event]) -> Iterable[Row]:
    return [Remove(_HOLDERS, {"account": event.account})]


REDUCERS: dict[type[Event], Callable[[Any, Recorded[Event]], Iterable[Row]]] = {
    CredentialPolicyAdopted: _adopted,
    CredentialsIssued: _issued,
    AccountRevoked: _ended,
    LocalCredentialsRetired: _ended,
}
