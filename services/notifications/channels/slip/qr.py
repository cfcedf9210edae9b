"""The one QR code of a slip: where the register is, and which slip this is. No secret is in it."""

from typing import Final
from urllib.parse import quote

import segno

# Fixed, so that every slip looks the same and none tells more than its address.
QR_VERSION: Final = 8
QR_ERROR: Final = "m"
QR_MASK: Final = 2
QR_MODULES: Final = 17 + 4 * QR_VERSION


class AddressTooLong(ValueError):
    """The address and the slip's id exceed what the fixed QR version holds (152 bytes)."""


def slip_address(site_address: str, slip_id: str) -> str:
    """The address in the QR code: ``<site_address>?c=<slip_id>``."""
    joint = "&" if "?" in site_address else "?"
    return f"{site_address}{joint}c={quote(slip_id, safe='')}"


def qr_svg(content: str) -> str:
    """An SVG of `QR_MODULES` units a side, without quiet zone (the layout leaves it); raises `AddressTooLong`."""
    try:
        code = segno.make(
            content, version=QR_VERSION, error=QR_ERROR, mask=QR_MASK, boost_error=False, mode="byte"
        )
    except segno.DataOverflowError as error:
        raise AddressTooLong(f"{len(content)} characters") from error
    runs: list[str] = []
    for y, row in enumerate(code.matrix):
        x = 0
        while x < QR_MODULES:
            if not row[x]:
                x += 1
                continue
            start = x
            while x < QR_MODULES and row[x]:
                x += 1
            runs.append(f"M{start} {y}h{x - start}v1h{start - x}z")
    size = QR_MODULES
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" '
        f'viewBox="0 0 {size} {size}"><path d="{"".join(runs)}"/></svg>'
    )
