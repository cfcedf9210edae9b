"""Random commands over the three domains, wired as the product is, held against books kept apart (DESIGN 3 to 5)."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    rule,
)

from deploy.engines import PostgresEngine
from services.identity.domain.account import ACCOUNT, account_id
from services.identity.operations import issue_by_desk
from services.notifications.domain.delivery import DELIVERY, OPEN, PrintSlip
from services.notifications.letters import letters
from services.registry.domain.guardian import GUARDIAN, LinkChild
from services.registry.domain.school import SCHOOL, AdoptPolicy, OpenYear, RegisterSchool
from services.registry.domain.school_class import SCHOOL_CLASS, FormClass, IdentifyClass
from services.registry.domain.student import STUDENT, CorrectPupil, Enrol, MoveClass, Withdraw
from shared.contracts import identity as acc
from shared.contracts import notifications as mail
from shared.contracts.entry import decode, encode_data, parse
from shared.contracts.event import Context, Event, Recorded
from shared.contracts.notifications import PrintingReason
from shared.contracts.policy import EMAIL, PAPER, Channel, CredentialPolicy, RolePolicy
from shared.contracts.registry import (
    EndReason,
    EnrolmentKind,
    GuardianDetails,
    PupilDetails,
    Relationship,
)
from shared.decider import Decider, Refused
from shared.ids import new_id
from shared.keyring.keyring import KeyEncryptionKey
from shared.testing.examples import FixedSealer
from tests.machines.books import Credentials, Deliveries, Register
from tests.machines.ground import Ground
from tests.machines.office import YEARS, Answer, Office
from tests.machines.town import SERVICES, Crash, Town
from tests.machines.witness import Witnessed, run_machine, witnessed

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


class DomainMachine(Witnessed):
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

    @initialize(
        policy=st.sampled_from(POLICIES),
        enrolments=st.lists(st.tuples(pupils, classes), min_size=2, max_size=4),
        links=st.lists(
            st.tuples(guardians, pupils, st.sampled_from((True, True, False))), min_size=2, max_size=5
        ),
        heard=st.booleans(),
    )
    @witnessed
    def begin(
        self,
        policy: CredentialPolicy,
        enrolments: list[tuple[str, str]],
        links: list[tuple[str, str, bool]],
        heard: bool,
    ) -> None:
        """A school in September, of which the others have heard or not."""
        self.run_now(self.town.open())
        self.open = True
        self._office(SCHOOL, CODE, RegisterSchool(CODE, "Istituto", "istituto"), self.office.register())
        self._office(SCHOOL, CODE, AdoptPolicy(policy, "delibera"), self.office.adopt(policy))
        for student, class_id in enrolments:
            self._enrol(student, YEARS[0], class_id, "Anna", "sec", None)
        for guardian, student, data_access in links:
            self._link(guardian, student, "Anna", "sec", data_access)
        self.run_now(self.town.publish_key())
        if heard:
            self.run_now(self.town.read("identity", "notifications"))
            self.run_now(self.town.read("identity", "registry", twice=True))
            self.run_now(self.town.read("notifications", "registry"))
            self.run_now(self.town.read("notifications", "identity"))
        self._look(reacting=True)

    def teardown(self) -> None:
        if not self.open:
            return
        try:
            self.settle_down()
        finally:
            self.run_now(self.town.close())

    # the registry

    def _office(self, decider: Decider[Any, Any], aggregate: str, command: Any, expected: Answer) -> None:
        """The registry's answer is the one foretold; said again, it changes nothing."""
        self._count("office")
        self.town.later += timedelta(minutes=1)
        for foretold in (expected, None):
            try:
                done: Answer = [
                    type(e).__name__ for e in self._execute("registry", decider, aggregate, command)
                ]
            except Refused as refused:
                done = refused.reason
            assert done == foretold if foretold is not None else isinstance(done, str) or not done
        self._look()

    def _execute(
        self, service: str, decider: Decider[Any, Any], aggregate: str, command: Any
    ) -> Sequence[Event]:
        context = Context(actor="system:machine", correlation=new_id())
        commands = self.town.copies[service].commands
        return self.run_now(
            commands.execute(decider, aggregate, command, school=CODE, context=context)
        ).events

    @rule(policy=st.sampled_from(POLICIES))
    @witnessed
    def adopt_policy(self, policy: CredentialPolicy) -> None:
        self._office(SCHOOL, CODE, AdoptPolicy(policy, "delibera"), self.office.adopt(policy))

    @rule(year=years)
    @witnessed
    def open_year(self, year: str) -> None:
        first = int(year[:4])
        command = OpenYear(year, date(first, 9, 1), date(first + 1, 8, 31))
        self._office(SCHOOL, CODE, command, self.office.open_year(year))

    @rule(class_id=classes, source=sources)
    @witnessed
    def form_class(self, class_id: str, source: str) -> None:
        command = FormClass(class_id, YEARS[0], "1A", 1, "A", None, source, class_id)
        self._office(SCHOOL_CLASS, class_id, command, self.office.form(class_id, source))

    @rule(class_id=classes, source=sources)
    @witnessed
    def identify_class(self, class_id: str, source: str) -> None:
        self._office(
            SCHOOL_CLASS, class_id, IdentifyClass(source, class_id), self.office.identify(class_id, source)
        )

    @rule(
        student=pupils, year=years, class_id=classes, name=names, source=sources,
        kind=st.sampled_from((None, None, *EnrolmentKind)),
    )  # fmt: skip
    @witnessed
    def enrol(
        self, student: str, year: str, class_id: str, name: str, source: str, kind: EnrolmentKind | None
    ) -> None:
        self._enrol(student, year, class_id, name, source, kind)

    def _enrol(
        self, student: str, year: str, class_id: str, name: str, source: str, kind: EnrolmentKind | None
    ) -> None:
        command = Enrol(student, year, class_id, kind, True, None, _pupil(student, name, source))
        self._office(STUDENT, student, command, self.office.enrol(student, year, class_id, name, source))

    @rule(student=pupils, name=names, source=sources)
    @witnessed
    def correct_pupil(self, student: str, name: str, source: str) -> None:
        command = CorrectPupil(student, _pupil(student, name, source))
        self._office(STUDENT, student, command, self.office.correct(student, name, source))

    @rule(student=pupils, year=years, class_id=classes)
    @witnessed
    def move(self, student: str, year: str, class_id: str) -> None:
        self._office(
            STUDENT, student, MoveClass(student, year, class_id), self.office.move(student, year, class_id)
        )

    @rule(student=pupils, year=years)
    @witnessed
    def withdraw(self, student: str, year: str) -> None:
        command = Withdraw(student, year, None, EndReason.transfer)
        self._office(STUDENT, student, command, self.office.withdraw(student, year))

    @rule(
        guardian=guardians, student=pupils, name=names, source=sources,
        data_access=st.sampled_from((None, True, True, False)),
    )  # fmt: skip
    @witnessed
    def link(self, guardian: str, student: str, name: str, source: str, data_access: bool | None) -> None:
        self._link(guardian, student, name, source, data_access)

    def _link(self, guardian: str, student: str, name: str, source: str, data_access: bool | None) -> None:
        details = GuardianDetails(
            family_name="Verdi", given_name=name, email=f"{guardian}@example.org" if guardian != "g2" else None,
            source=source, external_id=guardian,
        )  # fmt: skip
        command = LinkChild(
            guardian, student, YEARS[0], Relationship.mother, data_access, None, False, details
        )
        self._office(
            GUARDIAN, guardian, command, self.office.link(guardian, student, name, source, data_access)
        )

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
        streams = [s for s in self.states if DECIDERS[s.split("/")[0]] in _OF[service]]
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
        envelope = parse(recorded.entry)
        again = decode(
            recorded.entry,
            {**envelope, "data": parse(b'{"specversion":"1.0","data":%b}' % data)["data"]},
            sealer,
        )
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


_OF: dict[str, tuple[Decider[Any, Any], ...]] = {
    "registry": (SCHOOL, SCHOOL_CLASS, STUDENT, GUARDIAN),
    "identity": (ACCOUNT,),
    "notifications": (DELIVERY,),
}


def _pupil(student: str, name: str, source: str) -> PupilDetails:
    return PupilDetails(
        family_name="Verdi", given_name=name, birth_date=date(2015, 2, 3), source=source, external_id=student
    )


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
        grounds = {
            service: Ground(postgres, kek, runner, service, service, SERVICES / service / "migrations")
            for service in ("registry", "identity", "notifications")
        }

        class Machine(DomainMachine):
            def __init__(self) -> None:
                super().__init__(grounds, tmp_path, steps, witnesses)

        run_machine(Machine, witnesses, profile)
    for what, number in steps.items():
        record_property(what, number)
