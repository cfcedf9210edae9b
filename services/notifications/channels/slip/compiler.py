"""The typst compiler as slips need it: in memory, vendored fonts only, PDF/UA-1."""

import json
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Final

import typst

from services.notifications.channels.slip.coverage import fonts

_FOLDER: Final = Path(__file__).parent


def compile_pdf(template: str | Path, name: str, data: object, today: date) -> bytes:
    """The PDF of `template` (a file here, or another's whole path) with `data` as the JSON of its input `name`; raises `typst.TypstError`.

    The input stays in memory: no file is written and nothing is on a command line. The same data and day give
    the same bytes.
    """
    file = _FOLDER / template
    compiler = typst.Compiler(
        file,
        root=file.parent,
        font_paths=fonts(),
        ignore_system_fonts=True,
        sys_inputs={name: json.dumps(data, ensure_ascii=False)},
    )
    pdf = compiler.compile(format="pdf", pdf_standards="ua-1", timestamp=datetime.combine(today, time(), UTC))
    if not isinstance(pdf, bytes):
        raise TypeError("typst gave no PDF")
    return pdf
