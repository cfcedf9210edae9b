"""The printed credential slip (P5, P11, M14)."""

from services.notifications.channels.people import Child, SchoolHead
from services.notifications.channels.slip.model import Notice, PinOnPupilSlip, RegisterLine, Slip, SlipPdf
from services.notifications.channels.slip.register import render_register
from services.notifications.channels.slip.render import render_slips

__all__ = [
    "Child",
    "Notice",
    "PinOnPupilSlip",
    "RegisterLine",
    "SchoolHead",
    "Slip",
    "SlipPdf",
    "render_register",
    "render_slips",
]
