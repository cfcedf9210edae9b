"""A family that shared one credential separates it: the pupil gets one of their own at once, at the desk (P9)."""

from datetime import datetime, timedelta

from services.identity.domain.account import Account
from services.identity.domain.account import Command as AnyCommand
from services.identity.domain.commands import Issue, Open
from services.identity.domain.commands_life import Separate
from services.identity.issuing import current_sealing_key
from services.identity.operations_life import Acting, CredentialLife, Done, may_have
from services.identity.policies import Case, policy_role
from services.identity.reactions import draw_user_codes
from shared.contracts.policy import Channel, FirstChange
from shared.contracts.registry import IdentityCheck
from shared.decider import Refused
from shared.eventstore.store import EventStore
from shared.ids import new_id
from shared.sql import Statements

SQL = Statements(__file__)


async def separate(
    life: CredentialLife,
    store: EventStore,
    account: str,
    guardian: str | None,
    identity_check: IdentityCheck,
    acting: Acting,
) -> Done:
    """`account` is the pupil's (it is opened if need be), `guardian` the person whose credential was shared.

    `{"account": …, "credential": …}`: its slip can be printed now. Refused: `not_a_pupil`, `not_enrolled`,
    `not_their_guardian`, `exclusive_channel`, `in_use`, `still_valid`, `no_sealing_key`, and what the policy forbids.
    """
    holder = await life.holder(account, acting.school)
    if not holder.enrolled:
        raise Refused("not_enrolled", "the pupil is not enrolled at this school")
    if guardian is not None and not await store.pool.fetchval(SQL("is_guardian"), guardian, holder.holder):
        raise Refused("not_their_guardian", "this is no guardian of the pupil")
    now = store.clock()
    key = await current_sealing_key(store.pool, now)
    terms = slip_terms(holder.case(), now)
    if key is None or key.retires <= now:
        raise Refused("no_sealing_key", "slips cannot be sealed at this moment: try again in a minute")
    (code,) = await draw_user_codes(store, 1)

    def commands(state: Account) -> list[AnyCommand]:
        separating = Separate(guardian, identity_check, terms)
        if state.opened:
            return [separating]
        return [Open(account, holder.holder, holder.role, code), separating]

    result = {"account": account, "credential": terms.credential}
    return await life.carry_out(holder, acting, commands, result, sealing_key=key)


def slip_terms(case: Case, now: datetime) -> Issue:
    """Those of the policy, on a slip for the desk's own printer, whatever the campaign's date. Raises `Refused`:
    `exclusive_channel` where the policy allows another channel only."""
    may_have(case, now)
    if case.policy is None:
        raise Refused("no_policy", "the school has no credential policy yet: adopt one first")
    role = policy_role(case, now)
    terms = case.policy.of(role)
    if terms.exclusive and terms.channel is not Channel.slip:
        raise Refused(
            "exclusive_channel", "the school's policy gives these credentials on another channel only"
        )
    return Issue(
        credential=new_id(),
        policy_role=role,
        channel=Channel.slip,
        exclusive=terms.exclusive,
        pin_issued=False,
        must_change=terms.first_change is FirstChange.forced,
        expires=now + timedelta(days=terms.initial_secret_days),
        year=case.year,
        now=now,
    )
