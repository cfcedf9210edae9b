"""What the desk has done for it: printing slips. Claimed, opened in memory, set, written down, and only then handed
over; never stored (DESIGN 5, P5, M8)."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from services.notifications import queries
from services.notifications.channels.languages import known_language
from services.notifications.channels.people import Child, SchoolHead
from services.notifications.channels.slip.model import Notice, Slip, SlipPdf
from services.notifications.channels.slip.render import render_slips
from services.notifications.claims import NotOpened, Opened, claim
from services.notifications.domain.delivery import DELIVERY, fallback_id, may_fall_back
from services.notifications.domain.delivery_commands import PrintSlip, RequestDelivery
from services.notifications.domain.states import State, Step
from services.notifications.epoch_keys import EpochKeys
from services.notifications.letters import Letter, last_day, letters
from services.notifications.queries import Holder, School, SchoolClass
from shared import faults
from shared.contracts.identity import ShredReason
from shared.contracts.notifications import PrintingReason
from shared.contracts.policy import Channel
from shared.decider import Refused
from shared.eventstore.commands import Commands, Workspace
from shared.eventstore.units import ConcurrencyConflict, Unit, Write
from shared.messaging.bus import Bus
from shared.policies import local_day
from shared.sealing import ClaimReason, InitialSecret
from shared.sql import Statements

SQL = Statements(__file__)
_TRIES = 5
_MOST_UNTOLD = 1000


class WhyNot(StrEnum):
    """Why a holder's slip is not among those printed."""

    by_mail_only = "by_mail_only"
    by_mail = "by_mail"
    nothing_to_print = "nothing_to_print"
    ended = "ended"
    asked_too_often = "asked_too_often"
    key_missing = "key_missing"
    not_printable = "not_printable"
    no_data_access = "no_data_access"
    handed_over = "handed_over"


@dataclass(frozen=True, slots=True)
class LeftOut:
    name: str = field(repr=False)
    why: WhyNot


class NotOfThisClass(Exception):
    """A holder was named who is not of the class: for whoever asks, such a holder does not exist."""


class NothingPrinted(Exception):
    def __init__(self, left_out: Sequence[LeftOut]) -> None:
        super().__init__("there was nothing to print")
        self.left_out = tuple(left_out)


class ReasonNeeded(Exception):
    """Some of these were printed before: say why again (M8)."""

    def __init__(self, again: Sequence[Holder], chosen: Sequence[Holder]) -> None:
        super().__init__("a reprint needs a reason")
        self.again = tuple(again)
        self.chosen = tuple(chosen)


class ChangedMeanwhile(Exception):
    """Between asking and printing a slip was used, replaced or printed by someone else: look again."""


@dataclass(frozen=True, slots=True)
class Order:
    """`holders` empty: every slip of the class that was not printed yet. `carried_by`: who takes it home."""

    school: School
    school_class: SchoolClass
    holders: frozenset[str]
    reason: PrintingReason | None
    carried_by: Literal["pupil", "holder"]
    actor: str
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Printed:
    pdf: bytes = field(repr=False)
    slips: int
    left_out: tuple[LeftOut, ...]
    warnings: tuple[Notice, ...]


@dataclass(frozen=True, slots=True)
class _Sheet:
    holder: Holder
    letter: Letter
    delivery: str
    secret: InitialSecret = field(repr=False)


@dataclass(slots=True)
class Desk:
    """Everything that the desk's requests need."""

    commands: Commands
    bus: Bus
    keys: EpochKeys
    site_url: str
    _untold: dict[tuple[str, str], tuple[LeftOut, ...]] = field(default_factory=dict, repr=False)

    @property
    def now(self) -> datetime:
        return self.commands.store.clock()

    async def print_slips(self, order: Order) -> Printed:
        """Errors: NotOfThisClass, ReasonNeeded, NothingPrinted, ClaimsUnavailable, ChangedMeanwhile; then nothing
        was written and nothing printed."""
        chosen, left_out = await self._choose(order)
        again = [h for h in chosen if _is_reprint(h)]
        if again and order.reason is None:
            raise ReasonNeeded(again, chosen)
        sheets = await self._open(chosen, left_out)
        pdf = await self._set(order, sheets)
        printed = set(pdf.printed)
        left_out += [
            LeftOut(s.holder.name, WhyNot.not_printable) for s in sheets if s.delivery not in printed
        ]
        if pdf.pdf is None:
            raise NothingPrinted(left_out)
        faults.reach(faults.Point.slips_rendered)
        await self._write_down(order, [s for s in sheets if s.delivery in printed])
        return Printed(pdf.pdf, len(printed), tuple(left_out), pdf.warnings)

    def tell_once(self, account: str, class_id: str, left_out: tuple[LeftOut, ...]) -> None:
        """A PDF has no room for who is not in it: the list says so, the next time this person opens it."""
        if left_out:
            self._untold[account, class_id] = left_out
            while len(self._untold) > _MOST_UNTOLD:
                del self._untold[next(iter(self._untold))]

    def told_once(self, account: str, class_id: str) -> tuple[LeftOut, ...]:
        return self._untold.pop((account, class_id), ())

    async def _choose(self, order: Order) -> tuple[list[Holder], list[LeftOut]]:
        pool = self.commands.store.pool
        of_class = await queries.holders(pool, [order.school_class.id], self.now)
        if order.holders - {h.id for h in of_class}:
            raise NotOfThisClass
        if not order.holders:
            return [h for h in of_class if h.standing.step is Step.print], []
        named = [h for h in of_class if h.id in order.holders]
        chosen = [h for h in named if h.standing.step is Step.print or _is_reprint(h)]
        return chosen, [LeftOut(h.name, _why_not(h)) for h in named if h not in chosen]

    async def _open(self, chosen: Sequence[Holder], left_out: list[LeftOut]) -> list[_Sheet]:
        main = {h.id: h.facts.delivery.delivery for h in chosen if h.facts.delivery is not None}
        found = await letters(self.commands.store.pool, main.values())
        sheets = []
        for reprint, reason in ((False, ClaimReason.print), (True, ClaimReason.reprint)):
            of_step = [(h, found[main[h.id]]) for h in chosen if _is_reprint(h) is reprint]
            left_out += [LeftOut(h.name, WhyNot.no_data_access) for h, one in of_step if one.no_data_access]
            of_step = [(holder, letter) for holder, letter in of_step if not letter.no_data_access]
            if not of_step:
                continue
            claimed = await claim(self.bus, [letter.credential for _, letter in of_step], reason)
            for holder, letter in of_step:
                opened = claimed.open(self.keys, letter.school, letter.credential)
                if not isinstance(opened, Opened) or opened.generation != letter.generation:
                    left_out.append(LeftOut(holder.name, _not_opened(opened)))
                elif not letter.complete:
                    left_out.append(LeftOut(holder.name, WhyNot.not_printable))
                else:
                    sheets.append(_Sheet(holder, letter, _slip_delivery(letter), opened.secret))
        order = {h.id: n for n, h in enumerate(chosen)}
        return sorted(sheets, key=lambda sheet: order[sheet.holder.id])

    async def _set(self, order: Order, sheets: Sequence[_Sheet]) -> SlipPdf:
        head = SchoolHead(name=order.school.name, code=order.school.code)
        slips = [self._slip(order, sheet) for sheet in sheets]
        today = local_day(self.now)
        return await asyncio.to_thread(render_slips, slips, school=head, today=today)

    def _slip(self, order: Order, sheet: _Sheet) -> Slip:
        letter = sheet.letter
        pupil = letter.role == "pupil"
        by_pupil = pupil or order.carried_by == "pupil"
        return Slip(
            slip_id=sheet.delivery,
            holder_name=letter.name,
            class_name=order.school_class.title,
            role="pupil" if pupil else "guardian",
            user_code=letter.user_code,
            password=sheet.secret.password,
            site_address=letter.site_address(self.site_url),
            expires_on=last_day(letter.expires),
            concerning=tuple(Child(child.name, child.class_title) for child in letter.children),
            # A PIN is never on a slip that a pupil carries (DESIGN 5).
            pin=None if by_pupil else sheet.secret.pin,
            language=known_language(letter.language),
            must_change=letter.must_change,
            carried_by=order.carried_by,
        )

    async def _write_down(self, order: Order, sheets: Sequence[_Sheet]) -> None:
        store = self.commands.store
        for _ in range(_TRIES):
            workspace = Workspace(store)
            await workspace.load(DELIVERY, {i for s in sheets for i in (s.delivery, s.letter.delivery)})
            try:
                units = [self._unit(workspace, order, sheet) for sheet in sheets]
            except Refused:
                raise ChangedMeanwhile from None
            try:
                await store.commit(units, atomic=True)
            except ConcurrencyConflict:
                continue
            return
        raise ChangedMeanwhile

    def _unit(self, workspace: Workspace, order: Order, sheet: _Sheet) -> Unit:
        letter = sheet.letter
        if letter.channel is not Channel.slip:
            if not may_fall_back(workspace.state(DELIVERY, letter.delivery)):
                raise ChangedMeanwhile
            instead = RequestDelivery(
                delivery=sheet.delivery,
                account=letter.account,
                holder=sheet.holder.id,
                credential=letter.credential,
                generation=letter.generation,
                channel=Channel.slip,
                exclusive=False,
                expires=letter.expires,
                reachable=True,
            )
            workspace.decide(DELIVERY, sheet.delivery, instead)
        reason = order.reason if _is_reprint(sheet.holder) else None
        workspace.decide(DELIVERY, sheet.delivery, PrintSlip(self.now, reason))
        context = letter.context(order.actor, order.traceparent)
        printed_from = Write(SQL("put_printed_from"), ((sheet.delivery, order.school_class.id),))
        return Unit(order.school.code, context, workspace.appends(), (printed_from,))


def printable(holders: Collection[Holder]) -> list[Holder]:
    """Those whose slip was not printed yet, and may be."""
    return [h for h in holders if h.standing.step is Step.print]


def _is_reprint(holder: Holder) -> bool:
    return holder.standing.step is not Step.print and holder.standing.allows(Step.reprint)


def _slip_delivery(letter: Letter) -> str:
    if letter.channel is Channel.slip:
        return letter.delivery
    return fallback_id(letter.credential, letter.generation)


def _why_not(holder: Holder) -> WhyNot:
    if not holder.facts.data_access:
        return WhyNot.no_data_access
    if holder.facts.secret is ShredReason.handed_over or holder.standing.state is State.handed_over:
        return WhyNot.handed_over
    if holder.facts.issued and holder.facts.channel is not Channel.slip:
        return WhyNot.by_mail_only if holder.facts.exclusive else WhyNot.by_mail
    return WhyNot.nothing_to_print


def _not_opened(found: Opened | NotOpened) -> WhyNot:
    match found:
        case NotOpened.too_many_claims:
            return WhyNot.asked_too_often
        case NotOpened.key_missing | NotOpened.damaged:
            return WhyNot.key_missing
        case _:
            return WhyNot.ended
