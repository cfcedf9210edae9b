"""Slips by class, beside bare typst and QR on the same template and data."""

import time
from collections.abc import Callable

import typst

from services.notifications.channels.languages import Language
from services.notifications.channels.slip import render_slips
from tests.benchmarks.figure import Bar, Bench, Figure, benchmark
from tests.unit.test_slip_sheet import SCHOOL, TODAY, a_slip

_LANGUAGES: tuple[Language, ...] = ("it", "it", "it", "ar", "zh", "ro")


@benchmark("slips")
async def slips(bench: Bench) -> list[Figure]:
    count = 1000 if bench.long else 50
    sheets = [
        a_slip(n, holder_name=f"Persona {n}", password=f"abcd2345wxyz{n:04d}", language=_LANGUAGES[n % 6])
        for n in range(count)
    ]

    def ours() -> None:
        assert len(render_slips(sheets, school=SCHOOL, today=TODAY).printed) == count

    def bare() -> None:
        source = '#set document(title: "x")\n' + "#pagebreak()\n".join(
            f"Persona {n}\n\n" * 20 for n in range(count)
        )
        typst.compile(source.encode(), pdf_standards="ua-1")

    async def seconds(work: Callable[[], None]) -> float:
        began = time.perf_counter()
        work()
        return time.perf_counter() - began

    return [
        await bench.compare(
            "slips",
            "s",
            f"{count} slips",
            Bar("floor", "most", 1.3),
            value=lambda: seconds(ours),
            floor=lambda: seconds(bare),
        )
    ]
