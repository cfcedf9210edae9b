"""What `custode school policy` does with a school's policies: in force, planned, previewed, adopted."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from services.registry.operations import HERE, Registry
from services.registry.policy_api import previewed, standing_of
from shared.contracts.policy import CredentialPolicy
from shared.decider import Refused
from shared.web.i18n import Catalogues, use_language


@dataclass(frozen=True, slots=True)
class Change:
    """`policy` None: the one of that day, with `staff_password_until` set. `preset`: it is a circular's, which leaves that
    day as it stands unless another is given. `in_force_from` None: from this moment."""

    school: str
    policy: CredentialPolicy | None
    staff_password_until: date | None
    in_force_from: date | None
    preset: bool = False


async def in_force(registry: Registry, school: str) -> Any:
    """As JSON; None where the school has none yet."""
    await _known(registry, school)
    found = await registry.queries.policy(school, registry.store.clock())
    return None if found is None else found.model_dump(mode="json")


async def history(registry: Registry, school: str) -> Any:
    await _known(registry, school)
    return standing_of(school, await registry.policies.book(school)).model_dump(mode="json")


async def preview(registry: Registry, change: Change) -> Any:
    use_language(Catalogues((HERE / "locales",)), "en")
    policy = await _terms(registry, change)
    found = await registry.policies.preview(change.school, policy, change.in_force_from)
    return previewed(found).model_dump(mode="json")


async def adopt(registry: Registry, change: Change, reason: str) -> bool:
    """True when something changes by it. Raises `Refused`."""
    policy = await _terms(registry, change)
    return await registry.adopt_policy(change.school, policy, reason, change.in_force_from)


async def _terms(registry: Registry, change: Change) -> CredentialPolicy:
    await _known(registry, change.school)
    policy = change.policy or await registry.policies.on(change.school, change.in_force_from)
    if policy is None:
        raise Refused("policy_missing", "the school has no policy yet: adopt one with --preset or --file")
    if change.preset:
        policy = await registry.policies.starting_from(change.school, policy, change.in_force_from)
    if change.staff_password_until is None:
        return policy
    return policy.model_copy(update={"staff_password_only_until": change.staff_password_until})


async def _known(registry: Registry, school: str) -> None:
    if await registry.queries.school(school) is None:
        raise Refused("school_unknown", "the school is not registered")
