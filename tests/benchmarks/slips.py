"""How long slips take, and what the bare typesetter takes for as many pages. `make bench` prints it."""

import sys
import time
from collections.abc import Callable

import typst

from services.notifications.channels.languages import Language
from services.notifications.channels.slip import render_slips
from tests.unit.test_slip_sheet import SCHOOL, TODAY, a_slip

SLIPS = 300
RUNS = 5
_LANGUAGES: tuple[Language, ...] = ("it", "it", "it", "ar", "zh", "ro")


def median_seconds(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return sorted(taken)[RUNS // 2]


def slips() -> None:
    sheets = [
        a_slip(n, holder_name=f"Persona {n}", password=f"abcd2345wxyz{n:04d}", language=_LANGUAGES[n % 6])
        for n in range(SLIPS)
    ]
    assert len(render_slips(sheets, school=SCHOOL, today=TODAY).printed) == SLIPS


def bare_pages() -> None:
    """The floor: as many tagged pages with a few lines of text each, nothing else."""
    source = '#set document(title: "x")\n' + "#pagebreak()\n".join(
        f"Persona {n}\n\n" * 20 for n in range(SLIPS)
    )
    typst.compile(source.encode(), pdf_standards="ua-1")


def main() -> None:
    took, floor = median_seconds(slips), median_seconds(bare_pages)
    sys.stdout.write(
        f"{SLIPS} slips: {took:.2f} s; {SLIPS} bare typst pages: {floor:.2f} s; median of {RUNS}\n"
    )


if __name__ == "__main__":
    main()
