"""Sealed slips after they were made: claimed by notifications, shredded at the end of their life (DESIGN 5)."""

import asyncpg
import structlog
from nats.aio.msg import Msg
from prometheus_client import CollectorRegistry, Counter
from pydantic import ValidationError

from services.identity.domain.account import ACCOUNT
from services.identity.domain.commands import ClaimSlip, ShredSlip
from shared import faults
from shared.contracts.event import Context
from shared.contracts.identity import ShredReason, SlipClaimed
from shared.database import DATABASE_TROUBLES
from shared.decider import Refused
from shared.eventstore.commands import Workspace
from shared.eventstore.store import EventStore
from shared.eventstore.units import Conflict, Unit, Write
from shared.ids import new_id
from shared.messaging.bus import Bus
from shared.sealing import (
    ALERT_ABOVE_CLAIMS,
    CLAIM_SUBJECT,
    Binding,
    ClaimedSlip,
    ClaimRefusal,
    ClaimReply,
    ClaimRequest,
    RefusedClaim,
    claimed_slip,
)
from shared.sql import Statements

SQL = Statements(__file__)
QUEUE = "q"
_CHUNK = 200
_TRIES = 5
log = structlog.get_logger()
Answer = ClaimedSlip | RefusedClaim


class Slips:
    def __init__(self, store: EventStore, metrics: CollectorRegistry | None = None) -> None:
        self._store = store
        self._often = Counter(
            "custode_slips_claimed_often", "Claims of a slip above the fifth", registry=metrics
        )

    async def serve(self, bus: Bus) -> None:
        """Answer on `identity.slips.claim`, beside the other replicas."""
        await bus.subscribe(CLAIM_SUBJECT, self.answer, queue=QUEUE)

    async def answer(self, message: Msg) -> None:
        """One request of whatever shape: never raises, never answers what was not asked to be answered."""
        if not message.reply:
            return
        try:
            request = ClaimRequest.model_validate_json(message.data)
        except ValidationError as invalid:
            kind = invalid.errors(include_input=False, include_context=False, include_url=False)[0]["type"]
            await message.respond(ClaimReply(error=f"malformed request: {kind}").encoded())
            return
        try:
            reply = await self.claim(request)
        except (asyncpg.PostgresError, *DATABASE_TROUBLES, OSError, TimeoutError) as trouble:
            log.warning("slips.claim_failed", error=type(trouble).__name__)
            reply = ClaimReply(error="not available at this moment: ask again")
        await message.respond(reply.encoded())

    async def claim(self, request: ClaimRequest) -> ClaimReply:
        """The sealed copies, each with its event; or why not."""
        slips: dict[str, Answer] = {}
        asked = request.credentials
        for _ in range(_TRIES):
            slips |= await self._claim(request, asked)
            asked = tuple(credential for credential in asked if credential not in slips)
            if not asked:
                return ClaimReply(slips=slips)
        return ClaimReply(error="too busy at this moment: ask again")

    async def _claim(self, request: ClaimRequest, asked: tuple[str, ...]) -> dict[str, Answer]:
        """Those that could be settled: who lost a race is asked for again."""
        rows = {row["credential"]: row for row in await self._store.pool.fetch(SQL("claimable"), list(asked))}
        workspace = Workspace(self._store)
        await workspace.load(ACCOUNT, {row["account"] for row in rows.values()})
        answers: dict[str, Answer] = {c: RefusedClaim(refused=ClaimRefusal.unknown) for c in asked}
        units: dict[str, Unit] = {}
        context = Context(actor="service:notifications", correlation=request.delivery or new_id())
        for credential, row in rows.items():
            command = ClaimSlip(credential, request.reason, self._store.clock())
            try:
                events = workspace.decide(ACCOUNT, row["account"], command)
            except Refused as refused:
                answers[credential] = RefusedClaim(refused=ClaimRefusal(refused.reason))
                continue
            if row["sealed"] is None:
                answers[credential] = RefusedClaim(refused=ClaimRefusal.gone)
                workspace.appends()
                continue
            self._watch(events[0])
            units[credential] = Unit(row["school"], context, workspace.appends())
            binding = Binding(row["school"], credential, row["generation"], row["key"])
            answers[credential] = claimed_slip(binding, row["sealed"])
        if units:
            outcomes = await self._store.commit(list(units.values()))
            faults.reach(faults.Point.slip_claimed)
            for credential, outcome in zip(units, outcomes, strict=True):
                if isinstance(outcome, Conflict):
                    del answers[credential]
        return answers

    def _watch(self, claimed: object) -> None:
        if isinstance(claimed, SlipClaimed) and claimed.claims > ALERT_ABOVE_CLAIMS:
            self._often.inc()
            log.warning("slip.claimed_often", credential=claimed.credential, claims=claimed.claims)

    async def expire(self) -> int:
        """Shred what is at the end of its life, with the initial passwords that die with it."""
        now = self._store.clock()
        shredded = 0
        while rows := await self._store.pool.fetch(SQL("expired_slips"), now, _CHUNK):
            workspace = Workspace(self._store)
            await workspace.load(ACCOUNT, {row["account"] for row in rows})
            units = []
            for row in rows:
                command = ShredSlip(row["credential"], ShredReason.expired)
                workspace.decide(ACCOUNT, row["account"], command)
                delete = Write(SQL("shred_slip"), ((row["credential"],),))
                context = Context(actor="service:identity", correlation=new_id())
                units.append(Unit(row["school"], context, workspace.appends(), (delete,)))
            await self._store.commit(units)
            shredded += len(rows)
        await self._store.pool.execute(SQL("end_dead_initial_passwords"), now)
        return shredded
