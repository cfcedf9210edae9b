"""What is done with circulars: written, seen beforehand, published to everybody whom they concern, withdrawn, read."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.notifications import queries_circulars as circulars
from services.notifications.channels.circular.render import Letterhead, Sheet, render_circular
from services.notifications.domain.circular import (
    CIRCULAR,
    READING,
    Content,
    MarkRead,
    Publish,
    Withdraw,
    circular_id,
    reading_id,
)
from services.notifications.domain.notice import NOTICE, RequestNotice, circular_notice_id
from services.notifications.domain.school_texts import TEXTS, AdaptTemplate, AdoptLetterhead, Template, Words
from services.notifications.queries import School
from services.notifications.queries_circulars import Circular, Member
from shared.contracts.event import Context
from shared.contracts.notifications import Audience, AudienceSize, NoticeKind
from shared.eventstore.commands import Commands, Workspace
from shared.eventstore.units import ConcurrencyConflict, Conflict, Unit, Write
from shared.ids import new_id
from shared.sql import Statements
from shared.web.sessions import Principal

SQL = Statements(__file__)
_TRIES = 5
_KEPT_SHEETS = 32


@dataclass(frozen=True, slots=True)
class Published:
    """`fresh`: it was published now, and not by an earlier request for the very same."""

    circular: str
    notices: int
    fresh: bool


@dataclass(slots=True)
class Board:
    """Everything that the requests about circulars and about a school's own words need."""

    commands: Commands
    site_url: str
    _sheets: "OrderedDict[tuple[object, ...], bytes]" = field(default_factory=OrderedDict, repr=False)
    _setting: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    async def save_draft(self, school: str, draft: str | None, content: Mapping[str, Any], actor: str) -> str:
        """Keeps what was written so far, unchecked; the draft's id. One that was published stays as it is."""
        draft = draft or new_id()
        now = self.commands.store.clock()
        await self._write("put_draft", draft, school, json.dumps(content, ensure_ascii=False), actor, now)
        return draft

    async def delete_draft(self, school: str, draft: str) -> None:
        await self._write("delete_draft", draft, school)

    async def reached(self, school: str, content: Content) -> tuple[tuple[AudienceSize, ...], list[Member]]:
        """Whom a publication would reach now."""
        found = await circulars.members(self.commands.store.pool, school, content.audience, content.year)
        return circulars.sizes(content.audience, found), found

    async def publish(
        self, school: str, content: Content, context: Context, draft: str | None = None
    ) -> Published:
        """Publishes, and asks for a message to everybody of its audiences with an address: all of it or nothing.

        Raises `Refused`: number_taken (another circular has the number in that school year), not_complete. The very
        same circular asked for again is the one that there is.
        """
        store = self.commands.store
        circular = circular_id(school, content.year, content.number)
        conflict = Conflict(circular, 0, 0)
        for _ in range(_TRIES):
            audience_sizes, reached = await self.reached(school, content)
            workspace = Workspace(store)
            await workspace.load(CIRCULAR, [circular])
            fresh = workspace.decide(CIRCULAR, circular, Publish(circular, school, content, audience_sizes))
            asked = [member for member in reached if member.address] if fresh else []
            for member in asked:
                notice = circular_notice_id(circular, member.holder)
                workspace.new(NOTICE, notice)
                workspace.decide(
                    NOTICE,
                    notice,
                    RequestNotice(notice, NoticeKind.circular, member.holder, circular),
                )
            writes = (Write(SQL("publish_draft"), ((draft, school, circular),)),) if draft else ()
            if not fresh and not writes:
                return Published(circular, 0, fresh=False)
            (outcome,) = await store.commit([Unit(school, context, workspace.appends(), writes)])
            if isinstance(outcome, Conflict):
                conflict = outcome
                continue
            return Published(circular, len(asked), fresh=bool(fresh))
        raise ConcurrencyConflict(conflict)

    async def withdraw(self, circular: Circular, reason: str, context: Context) -> None:
        """Raises `Refused`: reason_needed. Messages that have not left yet are not sent any more."""
        await self.commands.execute(
            CIRCULAR, circular.id, Withdraw(reason), school=circular.school, context=context
        )

    async def read(self, circular: Circular, who: Principal, context: Context) -> None:
        """Once for each person, whatever they open it with; nothing where they have read it, or are not concerned."""
        if circular.read_at is not None or circular.as_audience is None:
            return
        await self.commands.execute(
            READING,
            reading_id(circular.id, who.person_id),
            MarkRead(circular.id, who.person_id, circular.as_audience),
            school=circular.school,
            context=context,
        )

    async def pdf(
        self, school: School, content: Content, titles: Sequence[str], withdrawn: str = ""
    ) -> bytes:
        """The circular on the school's letterhead. Kept for whoever asks next: the same bytes for everybody."""
        letterhead = await circulars.letterhead(self.commands.store.pool, school)
        sheet = Sheet(
            school=school.name,
            number=content.number,
            day=content.day,
            subject=content.subject,
            text=content.text,
            signed_by=content.signed_by,
            addressees=addressees(content.audience.audiences, titles),
            withdrawn=withdrawn,
        )
        key = (sheet, letterhead)
        async with self._setting:
            if (known := self._sheets.get(key)) is not None:
                self._sheets.move_to_end(key)
                return known
            made = await asyncio.to_thread(render_circular, sheet, letterhead)
            self._sheets[key] = made
            while len(self._sheets) > _KEPT_SHEETS:
                self._sheets.popitem(last=False)
            return made

    async def adopt_letterhead(self, school: str, letterhead: Letterhead, context: Context) -> None:
        """Raises `Refused`: bad_letterhead."""
        command = AdoptLetterhead(school, letterhead.head, letterhead.foot)
        await self.commands.execute(TEXTS, school, command, school=school, context=context)

    async def adapt(
        self, school: str, template: Template, language: str, words: Words, context: Context
    ) -> None:
        """Raises `Refused`: bad_words."""
        command = AdaptTemplate(school, template, language, words)
        await self.commands.execute(TEXTS, school, command, school=school, context=context)

    async def _write(self, statement: str, *values: object) -> None:
        await self.commands.store.pool.execute(SQL(statement), *values)


_ADDRESSED = {
    Audience.guardians: "Ai genitori",
    Audience.pupils: "Alle alunne e agli alunni",
    Audience.teachers: "Ai docenti",
    Audience.ata: "Al personale ATA",
    Audience.public: "Al sito web",
}
_OF_CLASSES = (Audience.guardians, Audience.pupils, Audience.teachers)


def addressees(audiences: Sequence[Audience], titles: Sequence[str]) -> tuple[str, ...]:
    """As a circular names them; `titles`: of the classes that it is for, none for the whole school."""
    some = f" {'della classe' if len(titles) == 1 else 'delle classi'} {', '.join(titles)}" if titles else ""
    return tuple(
        text + (some if audience in _OF_CLASSES else "")
        for audience, text in _ADDRESSED.items()
        if audience in audiences
    )
