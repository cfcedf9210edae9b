"""What the domain machine holds against its books after every step."""

from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    rule,
)

from services.identity.domain.account import ACCOUNT, account_id
from services.notifications.domain.delivery import DELIVERY, OPEN
from services.registry.domain.guardian import GUARDIAN
from services.registry.domain.school import SCHOOL
from services.registry.domain.school_class import SCHOOL_CLASS
from services.registry.domain.student import STUDENT
from shared.contracts import identity as acc
from shared.contracts import notifications as mail
from shared.contracts.decoding import decode
from shared.contracts.entry import encode_data
from shared.contracts.event import DATA, Event, Recorded
from shared.contracts.policy import EMAIL, PAPER, Channel, RolePolicy
from shared.contracts.registry import (
    EnrolmentKind,
)
from shared.decider import Decider
from shared.ids import new_id
from shared.testing.examples import FixedSealer
from tests.machines.books import Credentials, Deliveries, Register
from tests.machines.ground import Ground
from tests.machines.office import YEARS, Office
from tests.machines.town import Town
from tests.machines.witness import Witnessed, witnessed

CODE = "RMIC8AB00X"
MIXED = PAPER.model_copy(
    update={
        "guardian": RolePolicy(channel=Channel.email, initial_secret_days=10),
        "campaign_opens": date(2026, 9, 20),
    }
)
NONE_FOR_PUPILS = EMAIL.model_copy(update={"pupil_under_age": RolePolicy(channel=Channel.none)})
POLICIES = (PAPER, EMAIL, MIXED, NONE_FOR_PUPILS)
PUPILS, GUARDIANS, CLASSES = ("s0", "s1", "s2"), ("g0", "g1", "g2"), ("k0", "k1")
pupils, guardians, classes = (st.sampled_from(x) for x in (PUPILS, GUARDIANS, CLASSES))
years, sources, names = (st.sampled_from(x) for x in (YEARS, ("sec", "one"), ("Anna", "Anna Maria")))
HOLDERS = tuple((acc.AccountRole.pupil, s) for s in PUPILS) + tuple(
    (acc.AccountRole.guardian, g) for g in GUARDIANS
)
chunks = st.sampled_from((1, 2, 5, None))
holders = st.sampled_from(HOLDERS).map(lambda h: account_id(*h))
DECIDERS: dict[str, Decider[Any, Any]] = {
    d.category: d for d in (SCHOOL, SCHOOL_CLASS, STUDENT, GUARDIAN, ACCOUNT, DELIVERY)
}
OF: dict[str, tuple[Decider[Any, Any], ...]] = {
    "registry": (SCHOOL, SCHOOL_CLASS, STUDENT, GUARDIAN),
    "identity": (ACCOUNT,),
    "notifications": (DELIVERY,),
}


class Histories(Witnessed):
    """The three services, and the books beside them."""

    def __init__(
        self, grounds: dict[str, Ground], folder: Path, steps: Counter[str], witnessed: list[str]
    ) -> None:
        super().__init__(witnessed)
        self.run_now = next(iter(grounds.values())).runner.run
        self.town = Town(grounds, folder / new_id())
        self.steps = steps
        self.office, self.register = Office(), Register()
        self.credentials, self.deliveries = Credentials(), Deliveries()
        self.states: dict[str, Any] = {}
        self.position_of: dict[str, int] = {}
        self.chosen: dict[str, str] = {}
        self.drawn: dict[str, str] = {}
        self.mistakes: Counter[str] = Counter()
        self.open = False

    def teardown(self) -> None:
        if not self.open:
            return
        try:
            self.settle_down()
        finally:
            self.run_now(self.town.close())

    # what must be true

    @rule()
    @witnessed
    def settle_down(self) -> None:
        """When everybody has read everything, nothing is missing and nothing is left over."""
        self._count("settled")
        self.run_now(self.town.catch_up())
        self._look()
        main = Counter(d.requested.credential for d in self.deliveries.all.values())
        assert main.keys() == self.credentials.all.keys() and set(main.values()) <= {1}
        for credential, slip in self.credentials.all.items():
            for one in self.deliveries.of(credential):
                status = self.states[DELIVERY.stream(one.requested.delivery)].status
                if not slip.sealed and one.requested.channel is not Channel.slip:
                    assert status not in OPEN or status == "attempting", "a mail without a secret still waits"
        self.run_now(self._check_tables())
        self._check_nobody_is_forgotten()
        for service, ground in self.town.grounds.items():
            self.run_now(self._check_states(service, ground))

    async def _check_tables(self) -> None:
        pool = self.town.copies["identity"].store.pool
        rows = await pool.fetch("select credential from private.sealed_slips")
        sealed = [c for c, slip in self.credentials.all.items() if slip.sealed]
        assert sorted(row["credential"] for row in rows) == sorted(sealed)
        rows = await pool.fetch("select account from private.verifiers")
        holding = {row["account"] for row in rows}
        assert len(holding) == len(rows) and holding <= self.credentials.newest.keys()
        living = {a for a, slip in self.credentials.newest.items() if slip.opens(self.town.now())}
        assert living <= holding, "a credential without a password"

    def _check_nobody_is_forgotten(self) -> None:
        """Under a policy of slips from now on, with a key to seal to: who came new has credentials, unless they were
        refused under an earlier policy, which is not taken back."""
        assert self.register.policy is not None
        if self.register.policy.policy != PAPER or not self._key_at_hand():
            return
        for (student, year), class_id in self.register.enrolled.items():
            account = account_id(acc.AccountRole.pupil, student)
            new = self.register.kinds[student, year] is not EnrolmentKind.continuing
            if class_id is not None and new and account not in self.credentials.refused:
                assert account in self.credentials.newest, "waits for ever"

    def _key_at_hand(self) -> bool:
        pool = self.town.copies["identity"].store.pool
        query = "select exists (select from projections.sealing_keys_v1 where retires > $1)"
        return bool(self.run_now(pool.fetchval(query, self.town.now())))

    async def _check_states(self, service: str, ground: Ground) -> None:
        """Folding what is stored gives the states that were reached step by step."""
        store = self.town.copies[service].store
        streams = [s for s in self.states if DECIDERS[s.split("/")[0]] in OF[service]]
        loaded = await store.load(streams)
        for stream in streams:
            decider = DECIDERS[stream.split("/")[0]]
            assert decider.fold(r.event for r in loaded[stream]) == self.states[stream]

    def _look(self, *, reacting: bool = False) -> None:
        """Enter what is new into the books."""
        read = self.run_now(self.town.copies["identity"].store.cursors()).get("registry", 0)
        sent = self.run_now(self.town.copies["notifications"].store.cursors()).get("registry", 0)
        for service in self.town.grounds:
            for recorded in self.run_now(self.town.news(service)):
                self._enter(recorded)
                if service == "registry":
                    self.position_of[recorded.id] = recorded.position
                    self.register.enter(recorded)
                elif service == "identity":
                    self.credentials.enter(recorded, self.town.now())
                    self._check_open(recorded, read, reacting=reacting)
                else:
                    self.deliveries.enter(recorded.event, self.town.now(), self.credentials)
                    self._check_reach(recorded.event, sent)

    def _enter(self, recorded: Recorded[Event]) -> None:
        sealer = FixedSealer()
        data = encode_data(recorded.event, recorded.id, sealer)
        envelope, _, _ = recorded.entry.partition(DATA)
        again = decode(b"%b%b%b}" % (envelope, DATA, data), sealer)
        assert again.event == recorded.event
        decider = DECIDERS.get(recorded.stream.split("/")[0])
        if decider is not None:
            state = self.states.get(recorded.stream, decider.initial())
            self.states[recorded.stream] = decider.evolve(state, recorded.event)

    def _check_open(self, recorded: Recorded[Event], read: int, *, reacting: bool) -> None:
        """A guardian to whom no child's data is open is issued nothing."""
        match recorded.event:
            case acc.CredentialsIssued(holder=holder) if self.credentials.accounts[recorded.aggregate_id][
                1
            ] is (acc.AccountRole.guardian):
                upto = self.position_of[recorded.causation or ""] if reacting else read
                assert self.register.may_see(holder, upto), "issued to one who may see nothing"

    def _check_reach(self, event: Event, read: int) -> None:
        """... and nothing is sent to them, or printed for them."""
        if isinstance(event, mail.DeliveryAttempted | mail.SlipPrinted):
            holder = self.deliveries.all[event.delivery].requested.holder
            assert holder not in GUARDIANS or self.register.may_see(holder, read)

    def _count(self, what: str) -> None:
        self.steps[what] += 1
