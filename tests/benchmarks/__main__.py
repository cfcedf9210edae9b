"""`make bench`: one table of figures beside their floors and peers; the same as build/bench.json and build/bench.md.

`python -m tests.benchmarks [--quick] [name ...]`: some of them only; `--quick` takes small amounts and one round.
Exit code 1 when a bar was not met.
"""

import argparse
import asyncio
import gc
import importlib
import logging
import pkgutil
import sys
import time
import traceback
from pathlib import Path

import orjson
import structlog
import uvloop
from rich.console import Console
from rich.table import Table

from deploy.engines import NatsEngine, PostgresEngine, temporary_folder
from shared.runtime import COLLECT_AFTER
from tests import benchmarks
from tests.benchmarks.figure import BENCHMARKS, ROUNDS, Bench, Figure

_OUT = Path("build")
_NOT_BENCHMARKS = ("__main__", "figure")


def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    for module in pkgutil.iter_modules(benchmarks.__path__):
        if module.name not in _NOT_BENCHMARKS:
            importlib.import_module(f"{benchmarks.__name__}.{module.name}")
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small amounts, one round: proves nothing")
    parser.add_argument("name", nargs="*", help=", ".join(BENCHMARKS))
    given = parser.parse_args()
    if unknown := set(given.name) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    gc.set_threshold(*COLLECT_AFTER)
    figures, failed = _run(given.name or list(BENCHMARKS), quick=given.quick)
    Console(width=150).print(_table(figures))
    if failed:
        sys.stderr.write(f"these broke off: {', '.join(failed)}\n")
    sys.exit(0 if not failed and all(figure.met for figure in figures) else 1)


def _run(names: list[str], *, quick: bool) -> tuple[list[Figure], list[str]]:
    """The figures, and the names of what broke off: the rest is measured all the same."""
    figures: list[Figure] = []
    failed: list[str] = []
    with temporary_folder() as folder:
        postgres, bus = PostgresEngine(folder / "postgres"), NatsEngine(folder / "nats")
        try:
            postgres.start()
            bus.start()
            asyncio.run(bus.provision())
            bench = Bench(folder, postgres, bus, 1 if quick else ROUNDS, long=not quick)
            for name in names:
                began = time.perf_counter()
                try:
                    figures += uvloop.run(_one(name, bench))
                except Exception:
                    traceback.print_exc()
                    failed.append(name)
                _write(figures)
                sys.stderr.write(f"{name}: {time.perf_counter() - began:.0f} s\n")
        finally:
            bus.destroy()
            postgres.destroy()
    return figures, failed


def _write(figures: list[Figure]) -> None:
    _OUT.mkdir(exist_ok=True)
    as_json = orjson.dumps([f.as_json() for f in figures], option=orjson.OPT_INDENT_2)
    (_OUT / "bench.json").write_bytes(as_json)
    (_OUT / "bench.md").write_text(_markdown(figures), encoding="utf-8")


async def _one(name: str, bench: Bench) -> list[Figure]:
    return await BENCHMARKS[name](bench)


_HEAD = ("what", "work", "ours", "floor", "peer", "ratio", "bar", "met")


def _table(figures: list[Figure]) -> Table:
    table = Table(*_HEAD)
    for figure in figures:
        table.add_row(*("\n".join(cell) for cell in _cells(figure)))
    return table


def _markdown(figures: list[Figure]) -> str:
    rows = [[", ".join(cell) for cell in _cells(figure)] for figure in figures]
    lines = [_HEAD, ["---"] * len(_HEAD), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cells(figure: Figure) -> list[list[str]]:
    values = [[_shown(figure.value_of(measure), figure.unit)] for measure in ("value", "floor", "peer")]
    ratios = [
        f"{ratio:.2f} of the {against}"
        for against in ("floor", "peer")
        if (ratio := figure.ratio(against)) is not None
    ]
    bars = [str(bar) for bar in figure.bars]
    return [[figure.name], [figure.work], *values, ratios, bars, ["yes" if figure.met else "NO"]]


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    digits = 0 if value >= 100 else 2 if value >= 1 else 4
    return f"{value:,.{digits}f} {unit}"


if __name__ == "__main__":
    main()
