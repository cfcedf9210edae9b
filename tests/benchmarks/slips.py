"""Slips by class, beside bare typst and bare QR codes on the same template and data."""

import io
import json
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from datetime import time as clock_time
from pathlib import Path

import segno
import typst

from services.notifications.channels.languages import Language
from services.notifications.channels.slip import compiler, render_slips
from services.notifications.channels.slip.coverage import fonts
from services.notifications.channels.slip.model import Slip
from services.notifications.channels.slip.qr import QR_ERROR, QR_MASK, QR_VERSION, slip_address
from services.notifications.channels.slip.render import batch_of
from services.notifications.channels.slip.sheet import sheet
from tests.benchmarks.figure import Bar, Bench, Figure, benchmark
from tests.unit.test_slip_sheet import SCHOOL, TODAY, a_slip

CLASS = 25
_TEMPLATE = Path(compiler.__file__).parent / "slip.typ"
_LANGUAGES: tuple[Language, ...] = ("it", "it", "it", "ar", "zh", "ro")


@benchmark("slips")
async def slips(bench: Bench) -> list[Figure]:
    count = 1000 if bench.long else 2 * CLASS
    holders = [
        a_slip(n, holder_name=f"Persona {n}", password=f"abcd2345wxyz{n:04d}", language=_LANGUAGES[n % 6])
        for n in range(count)
    ]
    classes = [holders[start : start + CLASS] for start in range(0, count, CLASS)]
    inputs = [_ready(one) for one in classes]

    def ours() -> None:
        for one in classes:
            assert len(render_slips(one, school=SCHOOL, today=TODAY).printed) == len(one)

    def bare() -> None:
        for one, data in zip(classes, inputs, strict=True):
            for slip in one:
                _bare_qr(slip)
            _bare_pdf(data)

    return [
        await bench.compare(
            "slips by class",
            "s",
            f"{count} slips in classes of {CLASS}, six languages, PDF/UA-1",
            Bar("floor", "most", 1.3),
            value=lambda: _seconds(ours),
            floor=lambda: _seconds(bare),
        )
    ]


def _ready(one: Sequence[Slip]) -> str:
    sheets = [sheet(slip, SCHOOL, TODAY)[0] for slip in one]
    return json.dumps(batch_of(sheets, SCHOOL), ensure_ascii=False)


def _bare_qr(slip: Slip) -> None:
    code = segno.make(
        slip_address(slip.site_address, slip.slip_id),
        version=QR_VERSION,
        error=QR_ERROR,
        mask=QR_MASK,
        boost_error=False,
        mode="byte",
    )
    code.save(io.BytesIO(), kind="svg", border=0)


def _bare_pdf(data: str) -> None:
    typst.compile(
        _TEMPLATE,
        root=_TEMPLATE.parent,
        font_paths=fonts(),
        ignore_system_fonts=True,
        sys_inputs={"batch": data},
        format="pdf",
        pdf_standards="ua-1",
        timestamp=datetime.combine(TODAY, clock_time(), UTC),
    )


async def _seconds(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
