"""A holder's own access: their PIN, what they confirm, the language they read in. What the pages and the API share."""

from dataclasses import dataclass
from urllib.parse import quote

from services.identity.confirmations import Confirmations
from services.identity.domain.language import LANGUAGE, ChooseLanguage
from services.identity.domain.pin import Standing
from services.identity.pins import Pins
from services.identity.policies import Case, policy_role
from shared.contracts.event import Context
from shared.contracts.identity import AccountRole
from shared.contracts.policy import HolderRole, PinRule
from shared.eventstore.commands import Commands
from shared.ids import new_id
from shared.policies import policy_in_force
from shared.sql import Statements
from shared.web.sessions import Principal

SQL = Statements(__file__)


@dataclass(frozen=True, slots=True)
class Mine:
    """`policy_role`: as the school's policy sees the holder today (M4)."""

    account: str
    role: AccountRole
    policy_role: HolderRole
    user_code: str | None
    name: str
    standing: Standing
    language: str | None
    chosen: str | None
    """The language, when they chose it themselves."""
    pin_rule: PinRule

    @property
    def has_pins(self) -> bool:
        """Whether a PIN is of use to them: the school gives them one, or they have one already."""
        return self.standing is not Standing.none or self.pin_rule is not PinRule.none

    @property
    def to_choose(self) -> bool:
        """Whether a PIN is to be chosen now: the school lets holders choose theirs, and this one has none."""
        return self.standing is Standing.none and self.pin_rule is PinRule.chosen


def way_in(mine: Mine | None, target: str) -> str:
    """Where a holder who has just proved who they are goes: by way of choosing their PIN, where one is to be chosen
    (E2), to `target`."""
    return f"/accesso/pin?next={quote(target, safe='')}" if mine is not None and mine.to_choose else target


@dataclass(frozen=True)
class OwnAccess:
    commands: Commands
    pins: Pins
    confirmations: Confirmations

    async def mine(self, who: Principal) -> Mine | None:
        return await self.of(who.account_id, who.school)

    async def of(self, account: str, school: str) -> Mine | None:
        pool = self.commands.store.pool
        row = await pool.fetchrow(SQL("own_access"), account)
        if row is None:
            return None
        role, now = AccountRole(row["role"]), self.commands.store.clock()
        case = Case(row["holder"], role, school, None, None, row["birth_date"])
        as_seen = policy_role(case, now)
        policy = await policy_in_force(pool, school, now)
        return Mine(
            account=row["account"],
            role=role,
            policy_role=as_seen,
            user_code=row["user_code"],
            name=" ".join(part for part in (row["given_name"], row["family_name"]) if part),
            standing=Standing(row["standing"]),
            language=row["language"],
            chosen=row["chosen"],
            pin_rule=policy.of(as_seen).pin if policy is not None else PinRule.none,
        )

    async def choose_language(self, who: Principal, language: str) -> None:
        """`language`: one of those on offer."""
        await self.commands.execute(
            LANGUAGE,
            who.account_id,
            ChooseLanguage(language),
            school=who.school,
            context=Context(actor=who.account_id, correlation=new_id()),
        )
