"""Random commands over the three domains, wired as the product is, held against books kept apart (DESIGN 3 to 5)."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    rule,
)

from deploy.engines import PostgresEngine
from services.identity.operations import issue_by_desk
from services.notifications.domain.delivery import DELIVERY
from services.notifications.domain.delivery_commands import PrintSlip
from services.notifications.letters import letters
from shared.contracts import notifications as mail
from shared.contracts.notifications import PrintingReason
from shared.contracts.policy import Channel
from shared.decider import Refused
from shared.keyring.keyring import KeyEncryptionKey
from tests.machines.domain_histories import (
    CODE,
    GUARDIANS,
    PUPILS,
    chunks,
    holders,
)
from tests.machines.domain_office import OfficeRules
from tests.machines.ground import Ground, own_keyring
from tests.machines.town import SERVICES, Crash
from tests.machines.witness import run_machine, witnessed


class DomainMachine(OfficeRules):
    # the others hear of it

    @rule(days=st.sampled_from((0, 1, 6, 12, 40)))
    @witnessed
    def time_passes(self, days: int) -> None:
        self.town.later += timedelta(days=days, hours=1)
        self._count("time")

    @rule()
    @witnessed
    def publish_key(self) -> None:
        self._count("keys")
        self.run_now(self.town.publish_key())
        self._look()

    @rule(most=chunks, twice=st.booleans())
    @witnessed
    def identity_reads_the_registry(self, most: int | None, twice: bool) -> None:
        self._read("identity", "registry", most, twice=twice)

    @rule(most=chunks, twice=st.booleans())
    @witnessed
    def notifications_reads_identity(self, most: int | None, twice: bool) -> None:
        self._read("notifications", "identity", most, twice=twice)

    @rule(
        way=st.sampled_from(
            (("identity", "notifications"), ("notifications", "registry"), ("registry", "identity"))
        ),
        most=chunks,
        twice=st.booleans(),
    )
    @witnessed
    def others_read(self, way: tuple[str, str], most: int | None, twice: bool) -> None:
        self._read(*way, most, twice=twice)

    @rule()
    @witnessed
    def news_travels(self) -> None:
        self.run_now(self.town.read("notifications", "registry"))
        self._read("identity", "registry", None)
        self._read("notifications", "identity", None)

    def _read(self, service: str, source: str, most: int | None, *, twice: bool = False) -> None:
        self._count(f"{service} reads {source}")
        self.run_now(self.town.read(service, source, most, twice=twice))
        self._look(reacting=(service, source) == ("identity", "registry"))

    @rule()
    @witnessed
    def issue(self) -> None:
        self._count("issuing")
        self.run_now(self.town.issuer.issue_ready())
        self._look()

    @rule(named=st.none() | st.lists(st.sampled_from((*PUPILS, *GUARDIANS)), min_size=1, max_size=3))
    @witnessed
    def issue_at_the_desk(self, named: list[str] | None) -> None:
        self._count("desk")
        commands = self.town.copies["identity"].commands
        self.run_now(issue_by_desk(commands, CODE, named, actor="desk-1"))
        self._look()

    @rule()
    @witnessed
    def slips_expire(self) -> None:
        self._count("expiry")
        self.run_now(self.town.slips.expire())
        self._look()
        for slip in self.credentials.all.values():
            assert not slip.sealed or slip.issued.expires > self.town.now(), "a sealed slip past its life"

    # holders

    @rule(account=holders)
    @witnessed
    def sign_in(self, account: str) -> None:
        """With what was last given out or chosen: it opens exactly while its credential lives."""
        self._count("sign-ins")
        slip = self.credentials.newest.get(account)
        if slip is None:
            return
        password = self.chosen.get(account) or self._initial(slip.issued.credential)
        if password is None or self.mistakes[account] > 2:
            return
        opens = slip.opens(self.town.now())
        signed_in = self.run_now(self.town.signing_in.sign_in(self._user_code(account), password))
        assert (signed_in is not None) is opens
        self.mistakes[account] += not opens
        self._look()
        assert not opens or slip.accessed

    @rule(account=holders)
    @witnessed
    def choose_a_password(self, account: str) -> None:
        self._count("password changes")
        slip = self.credentials.newest.get(account)
        if slip is None or self.mistakes[account] > 2:
            return
        old = self.chosen.get(account) or self._initial(slip.issued.credential)
        if old is None:
            return
        new = (
            f"tartaruga cobalto vento {len(self.steps)} {self.town.later.total_seconds():.0f} {slip.changed}"
        )
        opens = slip.opens(self.town.now())
        answer = self.run_now(self.town.signing_in.change_password(self._user_code(account), old, new))
        assert (answer is not None) is opens
        if not opens:
            self.mistakes[account] += 1
            return
        self._look()
        assert slip.changed
        self.chosen[account] = new
        assert self.run_now(self.town.signing_in.sign_in(self._user_code(account), old)) is None, (
            "two passwords"
        )
        assert self.run_now(self.town.signing_in.sign_in(self._user_code(account), new)) is not None
        self._look()

    @rule(account=holders)
    @witnessed
    def try_an_old_secret(self, account: str) -> None:
        """A superseded credential's secret opens nothing."""
        newest = self.credentials.newest.get(account)
        for credential, password in list(self.drawn.items()):
            slip = self.credentials.all[credential]
            if slip.account == account and slip is not newest and self.mistakes[account] < 2:
                self._count("old secrets")
                self.mistakes[account] += 1
                assert self.run_now(self.town.signing_in.sign_in(self._user_code(account), password)) is None
        self._look()

    def _user_code(self, account: str) -> str:
        fetched = self.town.copies["identity"].store.pool.fetchval(
            "select user_code from projections.accounts_v1 where account = $1", account
        )
        return str(self.run_now(fetched))

    def _initial(self, credential: str) -> str | None:
        secret = self.run_now(self.town.secret(credential))
        if secret is not None:
            self.drawn[credential] = secret.password
        return self.drawn.get(credential)

    # the post, and the printer at the desk

    @rule(
        answers=st.lists(st.sampled_from(("accept", "defer", "refuse", "drop", "crash")), max_size=4),
        line_is_cut=st.sampled_from((False, False, False, True)),
    )
    @witnessed
    def post(self, answers: list[str], line_is_cut: bool) -> None:
        self._count("rounds of the postman")
        self.town.mail.answers, self.town.line_is_cut = list(answers), line_is_cut
        try:
            self.run_now(self.town.postman.round())
        except Crash:
            pass
        finally:
            self.town.line_is_cut = False
        self._look()

    @rule(number=st.integers(0, 9), reason=st.sampled_from((None, PrintingReason.lost)))
    @witnessed
    def print_slip(self, number: int, reason: PrintingReason | None) -> None:
        """As the desk does: the letter says whether there is anything to print for this holder."""
        slips = [d for d in self.deliveries.all.values() if d.requested.channel is Channel.slip]
        if not slips:
            return
        self._count("printings")
        one = slips[number % len(slips)]
        delivery = one.requested.delivery
        pool = self.town.copies["notifications"].store.pool
        letter = self.run_now(letters(pool, [delivery]))[delivery]
        if letter.no_data_access:
            return
        superseded = isinstance(one.settled, mail.DeliverySuperseded)
        over = one.requested.expires <= self.town.now()
        allowed = not superseded and not over and (reason is not None or not one.printings)
        try:
            self._execute("notifications", DELIVERY, delivery, PrintSlip(self.town.now(), reason))
        except Refused:
            assert not allowed
        else:
            assert allowed
        self._look()


@pytest.mark.timeout(7200)
def test_no_history_gets_out_of_step(
    postgres: PostgresEngine,
    kek: KeyEncryptionKey,
    profile: settings,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    steps: Counter[str] = Counter()
    witnesses: list[str] = []
    with asyncio.Runner() as runner:
        keyring = runner.run(own_keyring(postgres))
        grounds = {
            service: Ground(
                postgres, kek, runner, service, service, SERVICES / service / "migrations", keyring
            )
            for service in ("registry", "identity", "notifications")
        }

        class Machine(DomainMachine):
            def __init__(self) -> None:
                super().__init__(grounds, tmp_path, steps, witnesses)

        run_machine(Machine, witnesses, profile)
    for what, number in steps.items():
        record_property(what, number)
