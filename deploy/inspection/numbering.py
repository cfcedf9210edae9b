"""Numbers without gaps: of the history, of each school in it, of each aggregate (DESIGN 4)."""

from deploy.inspection.finding import Finding, Invariant, Wrong, found
from deploy.inspection.snapshots import SQL, Look, Snapshot


async def numbering(look: Look) -> list[Finding]:
    """Three findings for each service, asked of its database."""
    findings = []
    for snapshot in look.snapshots.values():
        findings += [await _positions(snapshot), await _schools(snapshot), await _versions(snapshot)]
    return findings


async def _positions(snapshot: Snapshot) -> Finding:
    row = await snapshot.connection.fetchrow(SQL("positions"))
    assert row is not None
    wrong = Wrong()
    if row["last"] != snapshot.head:
        wrong.add(f"the head is {snapshot.head}, the last entry {row['last']}")
    if row["first"] != 1 or row["entries"] != row["last"]:
        gap = await snapshot.connection.fetchval(SQL("first_gap"))
        wrong.add(f"position {gap} is missing: {row['entries']} entries up to {row['last']}")
    return found(Invariant.positions, snapshot.service, wrong, {"entries": row["entries"]})


async def _schools(snapshot: Snapshot) -> Finding:
    rows = await snapshot.connection.fetch(SQL("schools_wrong"))
    wrong = Wrong()
    for row in rows:
        if not row["fine"]:
            wrong.add(
                f"{row['school']}: {row['entries']} entries, the last is {row['last']}, its head {row['head']}"
            )
    return found(Invariant.school_positions, snapshot.service, wrong, {"schools": len(rows)})


async def _versions(snapshot: Snapshot) -> Finding:
    wrong = Wrong()
    async for batch in snapshot.rows("versions_wrong"):
        for row in batch:
            wrong.add(f"{row['stream']}: {row['entries']} entries, versions {row['first']} to {row['last']}")
    return found(Invariant.stream_versions, snapshot.service, wrong)
