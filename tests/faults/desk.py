"""The secretary of a paper school: prints what is issued, class by class, and hands it to the families."""

import asyncio
import io
from typing import TYPE_CHECKING

import httpx
from pypdf import PdfReader

from deploy.demo.visitor import NoSuchForm, Visitor
from tests.faults.book import password_on
from tests.faults.patience import AGAIN, PAUSE
from tests.faults.people import SchoolUnderFire

if TYPE_CHECKING:
    from tests.faults.flow import Flow

_MOST = 40
_PRINTABLE = """
    select p.class_id, a.holder, a.user_code
    from projections.deliveries_v1 d
    join projections.accounts_v1 a using (account)
    join projections.places_v1 p
      on p.student = a.holder
      or p.student in (select g.student from projections.guardianships_v1 g where g.guardian = a.holder)
    where d.school = $1 and d.channel = 'slip' and a.user_code is not null
    order by p.class_id, a.holder
"""


async def print_slips(flow: "Flow", school: SchoolUnderFire, group: asyncio.TaskGroup) -> None:
    """For ever: whoever is issued gets a slip, again (with a reason) where the printer's answer was lost."""
    while True:
        async with Visitor(flow.ground.site_for_visitors) as desk:
            signed_in = await _sign_in(flow, desk, school.code)
            while signed_in:
                signed_in = await _round(flow, desk, school, group)
                await asyncio.sleep(1.0)
        await asyncio.sleep(PAUSE)


async def _sign_in(flow: "Flow", desk: Visitor, school: str) -> bool:
    key = flow.secretaries[school]
    try:
        await desk.open("/accesso/")
        await desk.submit("/accesso/", {"codice": key.user_code, "password": key.password})
    except (httpx.TransportError, NoSuchForm):
        return False
    return desk.status == 200 and desk.path.startswith("/consegne")


async def _round(flow: "Flow", desk: Visitor, school: SchoolUnderFire, group: asyncio.TaskGroup) -> bool:
    """Print what one class waits for; False when the desk must sign in again."""
    rows = await flow.outside.rows("notifications", _PRINTABLE, school.code)
    missing = [row for row in rows if row["user_code"] not in flow.book.slips]
    if not missing:
        return True
    class_id = missing[0]["class_id"]
    chosen = {row["holder"]: row["user_code"] for row in missing if row["class_id"] == class_id}
    holders = list(chosen)[:_MOST]
    form: dict[str, str | list[str]] = {
        "scelta": "selezione",
        "holders": holders,
        "motivo": "printer_fault",
        "consegna": "sportello",
    }
    try:
        answer = await desk.post(f"/consegne/classi/{class_id}/tagliandi", form)
    except httpx.TransportError as fault:
        flow.answers[f"desk {type(fault).__name__}"] += 1
        return False
    flow.answers[f"desk {answer.status_code}"] += 1
    if answer.headers.get("content-type") == "application/pdf":
        _hand_out(flow, answer.content, {chosen[holder] for holder in holders}, group)
    elif answer.status_code in (303, 401):
        return False
    elif answer.status_code not in (*AGAIN, 409):
        flow.report.violation("desk", f"{answer.status_code} for a right order of slips")
    return True


def _hand_out(flow: "Flow", pdf: bytes, codes: set[str], group: asyncio.TaskGroup) -> None:
    for page in PdfReader(io.BytesIO(pdf)).pages:
        text = page.extract_text()
        found = [code for code in codes if code in text.replace(" ", "")]
        password = password_on(text)
        if len(found) != 1 or password is None:
            flow.report.violation("slip", f"a slip that shows {len(found)} codes, password: {bool(password)}")
            continue
        first = found[0] not in flow.book.slips
        flow.book.slips.setdefault(found[0], set()).add(password)
        if first:
            flow.received(group, found[0], password)
