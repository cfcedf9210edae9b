"""What a credential slip is made of (P5, P11; DESIGN 5 and 8)."""

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from services.notifications.channels.languages import Language, Role
from services.notifications.channels.people import Child


class PinOnPupilSlip(ValueError):
    """A PIN was put on a slip that a pupil carries: the pupil could justify absences with it (E2, E9)."""

    def __init__(self, slip_id: str) -> None:
        super().__init__(f"slip {slip_id}: a PIN is never on a slip that a pupil carries")


@dataclass(frozen=True)
class Slip:
    """One holder's initial credentials, to be printed on one sheet.

    `slip_id` is opaque; `class_name` is where the slip is handed over; `password` is printed exactly as it is
    to be typed. `carried_by` says who takes the closed slip home: a guardian's slip that is handed over in
    class is carried by the pupil (P5), and then has no PIN. Raises `PinOnPupilSlip`.
    """

    slip_id: str
    holder_name: str
    class_name: str
    role: Role
    user_code: str = field(repr=False)
    password: str = field(repr=False)
    site_address: str
    expires_on: date
    concerning: tuple[Child, ...] = ()
    pin: str | None = field(default=None, repr=False)
    language: Language = "it"
    must_change: bool = True
    carried_by: Literal["pupil", "holder"] = "pupil"

    def __post_init__(self) -> None:
        carried_by_pupil = self.role == "pupil" or (self.role == "guardian" and self.carried_by == "pupil")
        if self.pin is not None and carried_by_pupil:
            raise PinOnPupilSlip(self.slip_id)


@dataclass(frozen=True)
class RegisterLine:
    """One line of the class list that is signed at hand-over; it holds no secret."""

    reference: str
    holder_name: str
    role: Role
    concerning: tuple[Child, ...] = ()

    @classmethod
    def of(cls, slip: Slip) -> "RegisterLine":
        """The line of `slip`."""
        return cls(slip.slip_id, slip.holder_name, slip.role, slip.concerning)


@dataclass(frozen=True)
class Notice:
    """Something to tell the desk about one slip; `code` is an enumeration, `detail` holds no personal data."""

    slip_id: str
    code: Literal[
        "not_printable", "shortened", "secret_not_printable", "secret_missing", "address_too_long", "not_set"
    ]
    detail: str = ""


@dataclass(frozen=True)
class SlipPdf:
    """A printed batch: `pdf` is ``None`` when nothing could be printed.

    `pages` follow the order of `printed` (slip ids); `warnings` are about printed slips, `left_out` says why
    the others are missing.
    """

    pdf: bytes | None = field(repr=False)
    printed: tuple[str, ...]
    warnings: tuple[Notice, ...]
    left_out: tuple[Notice, ...]
