"""Nobody who is enrolled was forgotten: credentials, a place in the queue, or a refusal with its reason (P2, M1)."""

from deploy.inspection.finding import Finding, Invariant, Wrong, found
from deploy.inspection.snapshots import SQL, Look
from services.identity.domain.account import account_id
from shared.contracts.identity import AccountRole


async def holders(look: Look) -> list[Finding]:
    """As identity knows the enrolments at this moment; that it knows them all, cursors and projections say."""
    if (snapshot := look.snapshots.get("identity")) is None:
        return []
    wrong, count = Wrong(), 0
    async for rows in snapshot.rows("enrolled"):
        accounts = [account_id(AccountRole(row["role"]), row["holder"]) for row in rows]
        for row in await snapshot.connection.fetch(SQL("left_out"), accounts):
            wrong.add(f"account {row['account']}: its holder is enrolled, and nothing was decided for them")
        count += len(rows)
    return [found(Invariant.holders, "identity", wrong, {"holders": count})]
