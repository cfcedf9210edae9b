"""What pages and decisions read, beside a rebuild of it from the histories (DESIGN 4)."""

from deploy.inspection.finding import Finding, Invariant, Outcome, Wrong, found
from deploy.inspection.snapshots import Look
from deploy.migrate import SCHEMA_ERRORS
from deploy.rebuilding import CannotRebuild, rebuild


async def projections(look: Look) -> list[Finding]:
    """Each service's, one after the other; the live tables are read as of one moment, and nothing is changed."""
    return [await _of(look, service) for service in look.snapshots]


async def _of(look: Look, service: str) -> Finding:
    try:
        rebuilt = await rebuild(service, switch=False, wiring=look.wiring)
    except (CannotRebuild, *SCHEMA_ERRORS) as missing:
        return Finding(Invariant.projections, service, Outcome.could_not_look, str(missing))
    wrong = Wrong()
    for table, rows in rebuilt.differences.items():
        wrong.add(f"{table}: {rows} rows differ")
    return found(Invariant.projections, service, wrong, {"events": rebuilt.events})
