"""Issuing: the secret is drawn, hashed and sealed outside the transaction; then one commit holds the event, the
verifiers and the sealed copy (DESIGN 5). The plain secret lives in this process's memory and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.identity.passwords import Hasher, Verifier
from services.identity.policies import SealingKey
from services.identity.secret_stock import passwords, pins
from shared.contracts.identity import CredentialsIssued
from shared.database import Pool
from shared.eventstore.units import Write
from shared.sealing import Binding, InitialSecret, seal_secret
from shared.sql import Statements

SQL = Statements(__file__)


@dataclass(frozen=True, slots=True)
class Order:
    """Credentials that were decided on, and the key that their secret is to be sealed to."""

    school: str
    issued: CredentialsIssued
    key: SealingKey


class Issuing:
    def __init__(self, hasher: Hasher) -> None:
        self._passwords = passwords(hasher)
        self._pins = pins(hasher)

    async def draw(self, orders: Sequence[Order]) -> list[tuple[Write, ...]]:
        """For each order the writes that go with its event, all cores hashing."""
        drawn = await self._passwords.take(len(orders))
        wanted = sum(order.issued.pin_issued for order in orders)
        drawn_pins = iter(await self._pins.take(wanted))
        prepared = []
        for order, password in zip(orders, drawn, strict=True):
            pin = next(drawn_pins) if order.issued.pin_issued else None
            issued = order.issued
            binding = Binding(order.school, issued.credential, issued.generation, order.key.id)
            secret = InitialSecret(password.plain, pin.plain if pin else None)
            sealed = seal_secret(order.key.public_key, secret, binding)
            prepared.append(_writes(order, password.verifier, pin.verifier if pin else None, sealed))
        return prepared

    async def close(self) -> None:
        """Forget what was drawn for nobody yet."""
        await self._passwords.close()
        await self._pins.close()


def _writes(order: Order, password: Verifier, pin: Verifier | None, sealed: bytes) -> tuple[Write, ...]:
    issued, account = order.issued, order.issued.account
    verifier = (
        account,
        order.school,
        password.text,
        password.pepper,
        issued.must_change,
        issued.expires,
        pin.text if pin else None,
        pin.pepper if pin else None,
    )
    slip = (
        issued.credential,
        account,
        order.school,
        issued.generation,
        order.key.id,
        sealed,
        issued.expires,
    )
    return (
        Write(SQL("put_initial_verifier"), (verifier,)),
        Write(SQL("shred_slips_of_account"), ((account,),)),
        Write(SQL("put_slip"), (slip,)),
        Write(SQL("end_sessions"), ((account,),)),
        Write(SQL("dequeue"), ((account,),)),
    )


async def current_sealing_key(pool: Pool, now: datetime) -> SealingKey | None:
    """The newest that has not retired; None until notifications has published one."""
    row = await pool.fetchrow(SQL("sealing_key"), now)
    return SealingKey(row["key"], row["public_key"], row["retires"]) if row else None
