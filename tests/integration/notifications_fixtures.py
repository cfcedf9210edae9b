"""Notifications on real engines: its own database, the bus, and the two services that it listens to.

The registry and identity are played by stores of their own, whose events are fed to notifications as its readers
would; identity's answer to claims is a small responder on the real bus, with secrets really sealed.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import asyncpg
import nats
from aiosmtpd.smtp import SMTP, Envelope, Session
from nats.aio.client import Client
from nats.aio.msg import Msg
from pydantic import SecretStr

from deploy.engines import NatsEngine, PostgresEngine
from services.notifications.channels.email.pace import Pace
from services.notifications.channels.email.send import SmtpSender
from services.notifications.domain.delivery import delivery_id
from services.notifications.epoch_keys import EpochKeys, announce
from services.notifications.policies import follow_identity
from services.notifications.post_office import PostOffice
from services.notifications.postman import Postman
from services.notifications.projections import project
from services.notifications.resending import follow_registry
from services.notifications.return_paths import ReturnPaths
from services.notifications.sending import Sending
from services.notifications.settings import NotificationsSettings
from shared.contracts.event import Context, Event, Personal, Recorded
from shared.contracts.identity import (
    AccountCode,
    AccountOpened,
    AccountRole,
    CredentialsIssued,
    ShredReason,
    SlipShredded,
    StaffAccountOpened,
    StaffDetails,
    StaffRole,
)
from shared.contracts.policy import EMAIL, Channel, CredentialPolicy, HolderRole
from shared.contracts.registry import (
    ClassFormed,
    ContactAddress,
    ContactAddressCorrected,
    CredentialPolicyAdopted,
    EnrolmentKind,
    GuardianDetails,
    GuardianLinked,
    IdentityCheck,
    InstitutionalMailboxActivated,
    Note,
    PupilDetails,
    Relationship,
    SchoolRegistered,
    StudentEnrolled,
)
from shared.database import AdvisoryLock
from shared.eventstore.projection import Projector
from shared.eventstore.store import EventStore
from shared.eventstore.units import Append, Committed, Foreign, Unit
from shared.ids import new_id
from shared.keyring.keyring import KeyEncryptionKey, Keyring
from shared.runtime import Runtime, open_runtime
from shared.sealing import (
    CLAIM_SUBJECT,
    Binding,
    ClaimedSlip,
    ClaimRefusal,
    ClaimReply,
    ClaimRequest,
    InitialSecret,
    RefusedClaim,
    claimed_slip,
    public_key_text,
    seal_secret,
)
from shared.settings import CommonSettings
from tests import databases

SCHOOL = "RMIC8AB00X"
OTHER_SCHOOL = "MIIS00100A"
YEAR = "2026/2027"
MIGRATIONS = Path("services/notifications/migrations")
SITE = "http://localhost:8480"
CONTEXT = Context(actor="system:test", correlation="c-test")


@dataclass
class Mailbox:
    """A mail server on loopback. `answer(recipient, number)` is its reply to the n-th RCPT; None drops the line."""

    answer: Callable[[str, int], str | None] = lambda recipient, number: "250 2.1.5 OK"
    slow: float = 0.0
    received: list[tuple[list[str], bytes]] = field(default_factory=list)
    senders: list[str] = field(default_factory=list)
    asked: int = 0

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.asked += 1
        reply = self.answer(address, self.asked)
        if reply is None:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            return "421 gone"
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
        return reply

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        self.received.append((list(envelope.rcpt_tos), content))
        self.senders.append(envelope.mail_from or "")
        await asyncio.sleep(self.slow)
        return "250 2.0.0 taken"


@dataclass
class FakeIdentity:
    """Keeps sealed slips and answers claims on the bus, as identity does."""

    slips: dict[str, ClaimedSlip | ClaimRefusal] = field(default_factory=dict)
    claims: list[ClaimRequest] = field(default_factory=list)
    silent: bool = False

    async def answer(self, message: Msg) -> None:
        if self.silent:
            return
        request = ClaimRequest.model_validate_json(message.data)
        self.claims.append(request)
        found: dict[str, ClaimedSlip | RefusedClaim] = {}
        for credential in request.credentials:
            slip = self.slips.get(credential, ClaimRefusal.unknown)
            found[credential] = slip if isinstance(slip, ClaimedSlip) else RefusedClaim(refused=slip)
        await message.respond(ClaimReply(slips=found).encoded())


@dataclass
class House:
    """Notifications, open, with what its tests need at hand."""

    runtime: Runtime
    settings: NotificationsSettings
    keys: EpochKeys
    identity: FakeIdentity
    mailbox: Mailbox
    sender: SmtpSender
    others: dict[str, EventStore]
    told: dict[str, int] = field(default_factory=lambda: {"registry": 0, "identity": 0})
    secrets: dict[str, InitialSecret] = field(default_factory=dict)
    later: timedelta = timedelta()
    returns: ReturnPaths | None = None

    @property
    def store(self) -> EventStore:
        return self.runtime.store

    def now(self) -> datetime:
        return datetime.now(UTC) + self.later

    def postman(self) -> Postman:
        office = PostOffice(
            SITE, "custode@scuole.example", "scuole.example", pace=60_000, returns=self.returns
        )
        lock = AdvisoryLock(self.settings.database_url.get_secret_value(), "postman")
        return Postman(
            self.runtime.commands,
            self.runtime.bus,
            self.keys,
            Sending(self.sender, office, Pace(office.pace), self.now),
            lock,
            office,
            self.now,
            trouble_seconds=0.05,
        )

    async def tell(self, *events: Event, school: str = SCHOOL) -> None:
        """These facts happened elsewhere, and we have read them."""
        reactions = {"identity": follow_identity(self.store), "registry": follow_registry(self.store)}
        for event in events:
            other = self.others[event.service]
            unit = Unit(school, CONTEXT, (Append(f"test/{new_id()}", 0, (event,)),))
            (outcome,) = await other.commit([unit])
            assert isinstance(outcome, Committed)
            await self._read(event.service, outcome.events, reactions[event.service])

    async def _read(self, source: str, events: Sequence[Recorded[Event]], react: object) -> None:
        units = await react(events)  # type: ignore[operator]
        await self.store.commit(units, foreign=Foreign(source, self.told[source], events))
        self.told[source] = events[-1].position

    async def events(self, *kinds: type[Event]) -> list[Event]:
        """Our own history, or those kinds of it."""
        found = [r.event async for batch in self.store.replay() for r in batch]
        return [e for e in found if not kinds or isinstance(e, kinds)]

    async def history(self) -> list[Recorded[Event]]:
        return [r async for batch in self.store.replay() for r in batch]

    async def holder_of(self, delivery: str) -> str:
        return str(
            await self.store.pool.fetchval(
                "select holder from projections.deliveries_v1 where delivery = $1", delivery
            )
        )

    async def status(self, delivery: str) -> str:
        return str(
            await self.store.pool.fetchval(
                "select status from projections.deliveries_v1 where delivery = $1", delivery
            )
        )

    async def school(self, policy: CredentialPolicy = EMAIL, school: str = SCHOOL) -> None:
        await self.tell(
            SchoolRegistered(
                school=school,
                name="Istituto comprensivo «Via dei Tigli»",
                customer_id=f"tigli-{school.lower()}",
            ),
            CredentialPolicyAdopted(school=school, policy=policy, reason="start"),
            school=school,
        )

    async def form_class(self, title: str = "1A", school: str = SCHOOL) -> str:
        class_id = new_id()
        await self.tell(
            ClassFormed(
                class_id=class_id,
                year=YEAR,
                title=title,
                grade=1,
                section=title[1:],
                curriculum=None,
                source="test",
                external_id=title,
            ),
            school=school,
        )
        return class_id

    async def pupil(
        self, class_id: str, family: str, given: str, mailbox: str | None = None, school: str = SCHOOL
    ) -> str:
        student = new_id()
        details = PupilDetails(
            family_name=family,
            given_name=given,
            birth_date=date(2015, 2, 3),
            institutional_email=mailbox,
            source="test",
            external_id=student,
        )
        await self.tell(
            StudentEnrolled(
                student=student,
                year=YEAR,
                class_id=class_id,
                kind=EnrolmentKind.first_year,
                starts=date(2026, 9, 14),
                details=Personal(person=student, value=details),
            ),
            school=school,
        )
        return student

    async def mailbox_activated(self, student: str, address: str, school: str = SCHOOL) -> None:
        """The administrator has made the pupil's institutional mailbox."""
        mailbox = Personal[ContactAddress](person=student, value=ContactAddress(email=address))
        await self.tell(InstitutionalMailboxActivated(student=student, mailbox=mailbox), school=school)

    async def address_corrected(self, guardian: str, address: str, school: str = SCHOOL) -> None:
        """The desk put an address right."""
        event = ContactAddressCorrected(
            guardian=guardian,
            address=Personal(person=guardian, value=ContactAddress(email=address)),
            identity_check=IdentityCheck.identity_document,
            reason=Personal(person=guardian, value=Note(text="indirizzo letto male")),
        )
        await self.tell(event, school=school)

    async def guardian(
        self,
        student: str,
        family: str,
        given: str,
        email: str | None,
        relationship: Relationship = Relationship.mother,
        guardian: str | None = None,
        language: str | None = None,
        school: str = SCHOOL,
        data_access: bool = True,
    ) -> str:
        guardian = guardian or new_id()
        details = GuardianDetails(
            family_name=family,
            given_name=given,
            email=email,
            language=language,
            source="test",
            external_id=guardian,
        )
        await self.tell(
            GuardianLinked(
                guardian=guardian,
                student=student,
                year=YEAR,
                relationship=relationship,
                data_access=data_access,
                justifies_online=False,
                details=Personal(person=guardian, value=details),
            ),
            school=school,
        )
        return guardian

    async def account(
        self, holder: str, role: AccountRole = AccountRole.guardian, school: str = SCHOOL
    ) -> str:
        account = f"account-{holder}"
        code = f"K{holder.replace('-', '')[-7:].upper()}"
        opened = AccountOpened(
            account=account,
            holder=holder,
            role=role,
            code=Personal(person=holder, value=AccountCode(user_code=code)),
        )
        await self.tell(opened, school=school)
        return account

    async def issue(
        self,
        holder: str,
        channel: Channel = Channel.email,
        *,
        role: AccountRole = AccountRole.guardian,
        exclusive: bool = True,
        generation: int = 1,
        days: int = 14,
        pin: str | None = None,
        school: str = SCHOOL,
        sealed: bool = True,
    ) -> str:
        """Credentials issued and, unless not `sealed`, their secret with identity; the delivery's id."""
        account = f"account-{holder}"
        credential = new_id()
        groups = (os.urandom(2).hex() for _ in range(4))
        secret = InitialSecret("-".join(groups), pin)
        self.secrets[credential] = secret
        if sealed:
            self.seal(credential, generation, school)
        guardian = role is AccountRole.guardian
        event = CredentialsIssued(
            account=account,
            holder=holder,
            credential=credential,
            generation=generation,
            policy_role=HolderRole.guardian if guardian else HolderRole.pupil_under_age,
            channel=channel,
            exclusive=exclusive,
            pin_issued=pin is not None,
            must_change=channel is not Channel.slip,
            expires=self.now() + timedelta(days=days),
            year=YEAR,
        )
        await self.tell(event, school=school)
        return delivery_id(credential, generation)

    def seal(self, credential: str, generation: int = 1, school: str = SCHOOL) -> None:
        key = self.keys.all()[-1]
        binding = Binding(school, credential, generation, key.id)
        sealed = seal_secret(public_key_text(key.private), self.secrets[credential], binding)
        self.identity.slips[credential] = claimed_slip(binding, sealed)

    async def shred(self, holder: str, because: ShredReason = ShredReason.first_access) -> None:
        credential = await self.credential_of(holder)
        self.identity.slips[credential] = ClaimRefusal.gone
        await self.tell(SlipShredded(account=f"account-{holder}", credential=credential, because=because))

    async def credential_of(self, holder: str) -> str:
        return str(
            await self.store.pool.fetchval(
                "select credential from projections.accounts_v1 where holder = $1", holder
            )
        )

    async def staff(self, family: str, given: str, *roles: StaffRole, school: str = SCHOOL) -> str:
        account, holder = new_id(), new_id()
        details = StaffDetails(user_code="STAFF123", family_name=family, given_name=given)
        await self.tell(
            StaffAccountOpened(
                account=account, holder=holder, roles=roles, details=Personal(person=holder, value=details)
            ),
            school=school,
        )
        return account


@asynccontextmanager
async def open_house(postgres: PostgresEngine, bus: NatsEngine, folder: Path) -> AsyncIterator[House]:
    """Everything anew: databases, streams, keys, mail server."""
    await bus.wipe()
    kek_file = folder / "kek"
    kek_file.write_bytes(os.urandom(32))
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(
            databases.fresh(postgres, "notifications", ("notifications", MIGRATIONS))
        )
        mailbox = Mailbox()
        server = await asyncio.get_running_loop().create_server(
            lambda: SMTP(mailbox, enable_SMTPUTF8=True), "127.0.0.1", 0
        )
        stack.callback(server.close)
        port = server.sockets[0].getsockname()[1]
        settings = NotificationsSettings(
            database_url=SecretStr(postgres.role_url("notifications", database)),
            keyring_url=SecretStr(postgres.urls("notifications").keyring),
            nats_seed_file=bus.seed_file("notifications"),
            epoch_keys_file=folder / "no-backup" / "epoch-keys",
            smtp_url=SecretStr(f"smtp://127.0.0.1:{port}"),
            mail_from="Custode <custode@scuole.example>",
        )
        settings.epoch_keys_file.parent.mkdir(mode=0o700)
        common = CommonSettings(site_url=SITE, nats_url=bus.url, keyring_kek_file=kek_file)
        runtime = await stack.enter_async_context(
            open_runtime("notifications", common, settings, project, MIGRATIONS)
        )
        await asyncio.wait_for(runtime.bus.connected(), 10)
        others = {
            service: await _other(stack, postgres, service, KeyEncryptionKey.from_file(kek_file))
            for service in ("registry", "identity")
        }
        client = await _as_identity(bus)
        stack.push_async_callback(client.close)
        identity = FakeIdentity()
        await client.subscribe(CLAIM_SUBJECT, queue="q", cb=identity.answer)
        await client.flush()
        keys = EpochKeys(settings.epoch_keys_file)
        sender = await stack.enter_async_context(
            SmtpSender(settings.smtp_url.get_secret_value(), timeout=5, connections=4)
        )
        await announce(keys, runtime.commands, datetime.now(UTC))
        yield House(runtime, settings, keys, identity, mailbox, sender, others)


async def _other(
    stack: AsyncExitStack, postgres: PostgresEngine, service: str, kek: KeyEncryptionKey
) -> EventStore:
    database = await stack.enter_async_context(databases.fresh(postgres, service))
    pool = await asyncpg.create_pool(postgres.role_url(service, database), min_size=1, max_size=2)
    keyring = await asyncpg.create_pool(postgres.urls(service).keyring, min_size=1, max_size=2)
    stack.push_async_callback(pool.close)
    stack.push_async_callback(keyring.close)
    return EventStore(service, pool, Keyring(keyring, kek), Projector(lambda recorded: ()))


async def _as_identity(bus: NatsEngine) -> Client:
    return await nats.connect(
        bus.url, nkeys_seed=str(bus.seed_file("identity")), inbox_prefix=b"_INBOX_identity"
    )
