"""The confirmation step: asked here, redeemed by whoever does what was confirmed (`shared/web/confirmation.py`)."""

from dataclasses import dataclass, field
from datetime import timedelta

import asyncpg
import structlog
from nats.aio.msg import Msg

from services.identity.domain.pin import ConfirmAction, Standing
from services.identity.showing import Client, NotShown, Showing
from shared.contracts.identity import ConfirmedBy
from shared.database import DATABASE_TROUBLES
from shared.decider import Refused
from shared.eventstore.store import EventStore
from shared.eventstore.units import Write
from shared.messaging.bus import Bus
from shared.sql import Statements
from shared.web.confirmation import REDEEM_SUBJECT, ConfirmationsUnavailable, Purpose, Redeemed, Redemption
from shared.web.i18n import N_
from shared.web.sessions import Principal, hash_token, new_token

SQL = Statements(__file__)
QUEUE = "q"
LIFE = timedelta(minutes=5)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Words:
    """What a confirmation is for, in sentences (Italian message ids): told by identity, never by the address."""

    title: str
    explanation: str


WORDS: dict[Purpose, Words] = {
    Purpose.justify: Words(
        N_("Giustifica un’assenza"),
        N_("La scuola considera l’assenza giustificata da lei. La giustificazione resta nella storia."),
    ),
    Purpose.justification_service: Words(
        N_("Chiede la giustificazione online delle assenze"),
        N_(
            "Quando la scuola attiva il servizio, può giustificare da questo sito le assenze di suo figlio o sua figlia."
        ),
    ),
    Purpose.parents_consent: Words(
        N_("Decide che cosa vedono i suoi genitori"),
        N_("È maggiorenne: i suoi genitori vedono i suoi dati del registro solo se lei lo permette."),
    ),
    Purpose.regeneration: Words(
        N_("Chiede nuove credenziali"),
        N_("Se la scuola accoglie la richiesta, la password e il PIN di adesso non valgono più."),
    ),
}


@dataclass(frozen=True, slots=True)
class Given:
    """A code, to be carried by the holder's browser to whoever does what was confirmed."""

    code: str = field(repr=False)


class Confirmations:
    """Identity's own `Confirmer`, and the one who answers the others' questions."""

    def __init__(self, store: EventStore, showing: Showing) -> None:
        self._store = store
        self._pool = store.pool
        self._showing = showing

    async def confirm(
        self, who: Principal, purpose: Purpose, subject: str, typed: str, client: Client
    ) -> Given | NotShown:
        """`typed`: the PIN, or the password where there is none. Raises `HasherBusy`, and `Refused` where the account
        is closed."""
        standing = await self._showing.standing(who.account_id)
        if standing is Standing.disabled:
            return NotShown(disabled=True)
        by_pin = standing is Standing.active
        look = self._showing.by_pin(who, typed) if by_pin else self._showing.by_password(who, typed, client)
        async with look as shown:
            if isinstance(shown, NotShown):
                return shown
            code, now = new_token(), self._store.clock()
            row = (hash_token(code), who.session_id, who.account_id, who.school, purpose.value, subject)
            write = Write(SQL("put_confirmation"), ((*row, now + LIFE),))
            by = ConfirmedBy.pin if by_pin else ConfirmedBy.password
            try:
                done = await self._showing.commit(
                    who, shown, ConfirmAction(purpose.value, subject, by), (write,)
                )
            except Refused as refused:
                if refused.reason == "account_closed":
                    raise
                return NotShown(disabled=refused.reason == "pin_disabled")
        return Given(code) if done else NotShown()

    async def redeem(self, token_hash: bytes, code: str, purpose: str, subject: str) -> bool:
        """Spends the code; raises `ConfirmationsUnavailable` when the database does not answer."""
        now = self._store.clock()
        try:
            account = await self._pool.fetchval(
                SQL("redeem_confirmation"), hash_token(code), token_hash, purpose, subject, now
            )
        except (asyncpg.PostgresError, *DATABASE_TROUBLES, OSError, TimeoutError) as trouble:
            log.warning("confirmations.redeem_failed", error=type(trouble).__name__)
            raise ConfirmationsUnavailable from None
        return account is not None

    async def serve(self, bus: Bus) -> None:
        """Answer on `identity.confirmations.redeem`, beside the other replicas."""
        await bus.subscribe(REDEEM_SUBJECT, self.answer, queue=QUEUE)

    async def answer(self, message: Msg) -> None:
        """One request of whatever shape: never raises."""
        if not message.reply:
            return
        asked = Redemption.read(message.data)
        if asked is None:
            await message.respond(Redeemed(error="malformed request").encoded())
            return
        try:
            good = await self.redeem(
                bytes.fromhex(asked.token_hash), asked.code, asked.purpose, asked.subject
            )
        except ConfirmationsUnavailable:
            await message.respond(Redeemed(error="not available at this moment").encoded())
            return
        await message.respond(Redeemed(confirmed=good).encoded())

    async def sweep(self) -> None:
        await self._pool.execute(SQL("sweep_confirmations"), self._store.clock())
