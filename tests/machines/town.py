"""Three services in one process, on three databases: commands, readers, issuer and postman as the product has them.

Only the bus is left out: entries are read from the other store, and a claim goes straight to identity.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from services.identity.devices import Devices
from services.identity.domain.account import Account
from services.identity.door import Door
from services.identity.issuer import Issuer
from services.identity.issuing import Issuing
from services.identity.passwords import Cost, Hasher, Peppers
from services.identity.projections import project as identity_project
from services.identity.reactions import Reactions
from services.identity.signing_in import SigningIn
from services.identity.slips import Slips
from services.notifications.channels.email.outcome import Accepted, Deferred, NotReached, Refused, SendOutcome
from services.notifications.channels.email.pace import Pace
from services.notifications.epoch_keys import EpochKeys, announce
from services.notifications.policies import follow_identity
from services.notifications.post_office import PostOffice
from services.notifications.postman import Postman
from services.notifications.projections import project as notifications_project
from services.notifications.sending import Sending
from services.registry.projections import project as registry_project
from shared.contracts.event import Event, Recorded
from shared.contracts.notifications import DeliveryProblem
from shared.database import AdvisoryLock
from shared.eventstore.units import CursorMoved, Foreign
from shared.messaging.bus import Bus
from shared.sealing import Binding, ClaimRequest, InitialSecret, open_secret
from tests.machines.ground import Copy, Ground

START = datetime(2026, 9, 14, 8, tzinfo=UTC)
SERVICES = Path(__file__).parents[2] / "services"
PROJECT = {
    "registry": registry_project,
    "identity": identity_project,
    "notifications": notifications_project,
}
FOLLOWS = {
    "identity": ("registry", "notifications"),
    "notifications": ("registry", "identity"),
    "registry": ("identity",),
}


class Crash(Exception):
    """The process ends while a message is on its way."""


@dataclass
class MailServer:
    """Answers as it was told to; then it accepts."""

    answers: list[str] = field(default_factory=list)
    taken: list[tuple[str, str]] = field(default_factory=list)

    async def send(self, message: EmailMessage, recipient: str) -> SendOutcome:
        match self.answers.pop(0) if self.answers else "accept":
            case "crash":
                raise Crash
            case "defer":
                return Deferred(451, None, DeliveryProblem.server_busy)
            case "refuse":
                return Refused(550, None, DeliveryProblem.mailbox_unknown)
            case "drop":
                return NotReached("data", in_doubt=True)
        body = message.get_body(("plain",))
        assert body is not None
        self.taken.append((str(message["Message-ID"]), body.get_content()))
        return Accepted(250)


class Town:
    def __init__(self, grounds: dict[str, Ground], keys_file: Path) -> None:
        self.grounds = grounds
        self.later = timedelta()
        self.keys = EpochKeys(keys_file)
        self.mail = MailServer()
        self.copies: dict[str, Copy] = {}
        self.databases: dict[str, str] = {}
        self.line_is_cut = False
        self._seen = dict.fromkeys(grounds, 0)

    def now(self) -> datetime:
        return START + self.later

    async def open(self) -> None:
        for service, ground in self.grounds.items():
            self.databases[service] = await ground.database()
            self.copies[service] = await ground.copy(self.databases[service], PROJECT[service])
            self.copies[service].store.clock = self.now
        identity, notifications = self.copies["identity"], self.copies["notifications"]
        peppers = Peppers([b"p" * 32])
        self._hasher = Hasher(peppers, Cost(memory=8, passes=1), cores=1)
        issuing = Issuing(self._hasher)
        self.reactions = Reactions(identity.store, issuing)
        self.issuer = Issuer(identity.store, issuing, cast(AdvisoryLock, None))
        self.slips = Slips(identity.store)
        self.signing_in = SigningIn(identity.commands, self._hasher, peppers, Devices(peppers), Door())
        office = PostOffice("http://localhost", "custode@scuole.example", "scuole.example", pace=600_000)
        line = cast(Bus, SimpleNamespace(client=SimpleNamespace(request=self._claim)))
        self.postman = Postman(
            notifications.commands,
            line,
            self.keys,
            Sending(self.mail, office, Pace(office.pace), self.now),
            cast(AdvisoryLock, None),
            office,
            self.now,
            0.0,
        )
        self.follow = follow_identity(notifications.store)

    async def close(self) -> None:
        self._hasher.close()
        for service, copy in self.copies.items():
            await copy.close()
            await self.grounds[service].drop(self.databases[service])

    async def _claim(self, subject: str, payload: bytes, timeout: float) -> Any:
        if self.line_is_cut:
            raise TimeoutError
        reply = await self.slips.claim(ClaimRequest.model_validate_json(payload))
        return SimpleNamespace(data=reply.encoded())

    async def publish_key(self) -> None:
        await announce(self.keys, self.copies["notifications"].commands, self.now())

    async def read(self, service: str, source: str, most: int | None = None, *, twice: bool = False) -> int:
        """What the reader does with the next entries; `twice`: as after a crash between deciding and committing, and
        with a second reader that comes too late."""
        store, theirs = self.copies[service].store, self.copies[source].store
        cursors = await store.cursors()
        after = cursors.get(source, 0)
        head = await theirs.head()
        upto = head if most is None else min(head, after + most)
        events = [r async for batch in theirs.replay(after, upto) for r in batch]
        ready = 0
        for recorded in events:
            if any(
                cursors.get(o, 0) < p
                for o, p in recorded.seen.items()
                if o in FOLLOWS[service] and o != source
            ):
                break
            ready += 1
        events = events[:ready]
        if not events:
            return 0
        if twice:
            await self._react(service, source, events)
        units = await self._react(service, source, events)
        foreign = Foreign(source, after, events)
        await store.commit(units, foreign=foreign)
        if twice:
            try:
                await store.commit(units, foreign=foreign)
            except CursorMoved:
                pass
            else:
                raise AssertionError("the same entries were read twice")
        return len(events)

    async def _react(self, service: str, source: str, events: Sequence[Recorded[Event]]) -> Any:
        if (service, source) == ("identity", "registry"):
            return await self.reactions.react(events)
        if (service, source) == ("notifications", "identity"):
            return await self.follow(events)
        return ()

    async def catch_up(self) -> None:
        """Until nobody has anything left to read, and nobody who could be settled waits."""
        again = True
        while again:
            again = False
            for service, sources in FOLLOWS.items():
                for source in sources:
                    again = bool(await self.read(service, source)) or again
            before = await self.copies["identity"].store.head()
            await self.issuer.issue_ready()
            again = again or await self.copies["identity"].store.head() > before

    async def news(self, service: str) -> list[Recorded[Event]]:
        """What was appended since the last look."""
        found = [r async for batch in self.copies[service].store.replay(self._seen[service]) for r in batch]
        self._seen[service] += len(found)
        return found

    async def secret(self, credential: str) -> InitialSecret | None:
        """What stands on the sealed slip, if there still is one."""
        row = await self.copies["identity"].store.pool.fetchrow(
            "select * from private.sealed_slips where credential = $1", credential
        )
        if row is None:
            return None
        binding = Binding(row["school"], row["credential"], row["generation"], row["key"])
        return open_secret(self.keys.private_key(row["key"]), row["sealed"], binding)

    async def account(self, account: str) -> Account:
        from services.identity.domain.account import ACCOUNT

        stream = ACCOUNT.stream(account)
        loaded = await self.copies["identity"].store.load([stream])
        return ACCOUNT.fold(r.event for r in loaded.get(stream, ()))
