"""`make faults`: breaks real installations on purpose, scenario by scenario, and writes build/faults.json.

`python -m tests.faults [--short] [--list] [--seed N] [name ...]`: some of them only; `--short` as in `make test`.
Exit code 1 when an invariant was violated or a scenario did not come to its end.
"""

import argparse
import asyncio
import importlib
import pkgutil
import random
import signal
import sys
import time
import traceback
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from tests import faults
from tests.faults.scenario import SCENARIOS, Report

OUT = Path("build/faults.json")
LONGEST = 3600.0
"""Seconds after which a scenario is broken off, which is a violation."""


def discover() -> None:
    """Import every module of this package that may hold a scenario."""
    for module in pkgutil.walk_packages(faults.__path__, f"{faults.__name__}."):
        name = module.name.rpartition(".")[2]
        if not name.startswith(("test_", "__")):
            importlib.import_module(module.name)


def main() -> None:
    discover()
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few kills of each, as in `make test`")
    parser.add_argument("--list", action="store_true", help="name the scenarios and end")
    parser.add_argument("--seed", type=int, help="repeats the random moments of an earlier run")
    parser.add_argument("name", nargs="*", help=", ".join(SCENARIOS))
    given = parser.parse_args()
    if given.list:
        sys.stdout.write("\n".join(SCENARIOS) + "\n")
        return
    if unknown := set(given.name) - set(SCENARIOS):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}")
    seed = given.seed if given.seed is not None else random.randrange(10**6)
    # Whoever ends us wants the servers stopped and the small disks unmounted all the same.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    OUT.parent.mkdir(exist_ok=True)
    reports: list[Report] = []
    for name in given.name or SCENARIOS:
        reports.append(run(name, long=not given.short, seed=seed))
        OUT.write_bytes(orjson.dumps(_summary(reports, seed), option=orjson.OPT_INDENT_2))
    Console(width=150).print(_table(reports))
    sys.exit(1 if any(report.violations for report in reports) else 0)


def run(name: str, *, long: bool, seed: int) -> Report:
    """One scenario to its end. What it raises is a violation: the next one runs all the same."""
    report = Report(name, long, seed=seed)
    sys.stderr.write(f"{name} (seed {seed})\n")
    began = time.monotonic()
    try:
        asyncio.run(_limited(name, report))
    except Exception as fault:
        for cause in _causes(fault):
            report.violation("comes to its end", f"{type(cause).__name__}: {cause}"[:500])
        traceback.print_exception(fault)
    report.seconds = time.monotonic() - began
    sys.stderr.write(f"  {report.seconds:.0f} s: {report.phases}\n")
    for violation in report.violations:
        sys.stderr.write(f"  {violation.invariant}: {violation.text}\n")
    return report


def _causes(fault: BaseException) -> list[BaseException]:
    if isinstance(fault, BaseExceptionGroup):
        return [cause for one in fault.exceptions for cause in _causes(one)]
    return [fault]


async def _limited(name: str, report: Report) -> None:
    async with asyncio.timeout(LONGEST):
        await SCENARIOS[name](report)


def _summary(reports: list[Report], seed: int) -> dict[str, object]:
    return {
        "seed": seed,
        "scenarios": [report.as_json() for report in reports],
        "kills": sum(report.kills for report in reports),
        "violations": sum(len(report.violations) for report in reports),
        "seconds": round(sum(report.seconds for report in reports), 1),
    }


def _table(reports: list[Report]) -> Table:
    table = Table("scenario", "seconds", "kills", "violations", "notes", show_lines=True)
    for report in reports:
        wrong = "\n".join(f"{v.invariant}: {v.text}" for v in report.violations)
        table.add_row(
            report.name,
            f"{report.seconds:.0f}",
            str(report.kills),
            wrong or "none",
            "\n".join(report.notes),
        )
    total = _summary(reports, 0)
    table.add_row("all", f"{total['seconds']:.0f}", str(total["kills"]), str(total["violations"]), "")
    return table


if __name__ == "__main__":
    main()
