"""What the desk and the family do about people, carried out: each a decision of the domain in one commit.

`context` says who acts. Whoever is not of this school raises `NobodyHere`, as does whoever does not exist.
"""

from collections.abc import Sequence
from datetime import date

from services.registry.desk_words import Told, told
from services.registry.domain.access import closed
from services.registry.domain.guardian import GUARDIAN, Command
from services.registry.domain.guardian_desk import (
    ActivateJustification,
    CorrectAddress,
    EndGuardianship,
    EndJustification,
    LiftRestriction,
    LinkAgain,
    RejectWrongChild,
    ReportWrongChild,
    RequestJustification,
    Restrict,
)
from services.registry.domain.guardian_merge import MergeInto, TakeOver
from services.registry.domain.student import STUDENT
from services.registry.domain.student_desk import ConsentToParent
from services.registry.imports.cells import BadCell, read_email
from services.registry.people_queries import PeopleQueries, Person, Relation
from services.registry.queries import Queries, today
from shared.contracts.event import Context, Event, Recorded
from shared.contracts.policy import CredentialPolicy, Justification
from shared.contracts.registry import EndGround, IdentityCheck, RestrictionGround
from shared.decider import Refused
from shared.eventstore.commands import Workspace
from shared.eventstore.units import ConcurrencyConflict, Unit
from shared.runtime import Runtime
from shared.text import Unusable, tidy

LONGEST = 500
"""Characters of a reason."""
_TRIES = 10


class NobodyHere(Exception):
    """No such person, or no such guardianship, at this school."""


class People:
    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.queries = PeopleQueries(runtime.pool)
        self._schools = Queries(runtime.pool)

    @property
    def today(self) -> date:
        return today(self._runtime.store.clock())

    async def policy(self, school: str) -> CredentialPolicy | None:
        return await self._schools.policy(school, self._runtime.store.clock())

    async def restrict(
        self,
        school: str,
        guardian: str,
        student: str,
        *,
        on: date,
        ground: RestrictionGround,
        reason: str,
        context: Context,
    ) -> bool:
        """From `on` this guardian sees nothing of this child (M3). False where that held already."""
        await self.relation(school, guardian, student)
        return await self._execute(
            school, guardian, Restrict(guardian, student, on, ground, reason_of(reason), self.today), context
        )

    async def lift(self, school: str, guardian: str, student: str, *, reason: str, context: Context) -> bool:
        await self.relation(school, guardian, student)
        return await self._execute(
            school, guardian, LiftRestriction(guardian, student, reason_of(reason)), context
        )

    async def end(
        self,
        school: str,
        guardian: str,
        student: str,
        *,
        on: date,
        ground: EndGround,
        reason: str,
        context: Context,
    ) -> bool:
        """From `on` this guardianship is no more; no system brings it back (M3)."""
        if ground is EndGround.merged:
            raise Refused("choice_unusable", "records are merged, not links")
        await self.relation(school, guardian, student)
        return await self._execute(
            school,
            guardian,
            EndGuardianship(guardian, student, on, ground, reason_of(reason), self.today),
            context,
        )

    async def link_again(self, school: str, guardian: str, student: str, *, context: Context) -> bool:
        relation = await self.relation(school, guardian, student)
        policy = await self.policy(school)
        justifies = policy is not None and policy.justification is Justification.by_default
        years = await self._schools.years(school)
        year = relation.year or (years[0] if years else "")
        return await self._execute(school, guardian, LinkAgain(guardian, student, year, justifies), context)

    async def correct_address(
        self,
        school: str,
        guardian: str,
        *,
        email: str,
        identity_check: IdentityCheck,
        reason: str,
        context: Context,
    ) -> bool:
        """The address for credentials, after an identity check (E3)."""
        await self.guardian(school, guardian)
        try:
            address = read_email(email.strip())
        except BadCell:
            raise Refused("email_unusable", "this is not an e-mail address") from None
        return await self._execute(
            school, guardian, CorrectAddress(guardian, address, identity_check, reason_of(reason)), context
        )

    async def report_wrong_child(
        self, school: str, guardian: str, student: str, *, note: str, context: Context
    ) -> bool:
        """*This is not my child*: closed to them at once, until the desk has decided (M9)."""
        await self.relation(school, guardian, student)
        return await self._execute(
            school, guardian, ReportWrongChild(guardian, student, reason_of(note)), context
        )

    async def settle_wrong_child(
        self, school: str, guardian: str, student: str, *, is_theirs: bool, reason: str, context: Context
    ) -> bool:
        """The link was right, and opens again; or it was wrong, and ends today. False where nothing was open."""
        relation = await self.relation(school, guardian, student)
        if not relation.standing.reported:
            return False
        if is_theirs:
            rejected = RejectWrongChild(guardian, student, reason_of(reason))
            return await self._execute(school, guardian, rejected, context)
        return await self.end(
            school,
            guardian,
            student,
            on=self.today,
            ground=EndGround.wrong_link,
            reason=reason,
            context=context,
        )

    async def request_justification(
        self, school: str, guardian: str, student: str, *, context: Context
    ) -> bool:
        """By the parent, who has confirmed it with PIN or password (P8)."""
        await self._must_see(school, guardian, student)
        command = RequestJustification(guardian, student, self.today)
        return await self._execute(school, guardian, command, context)

    async def activate_justification(
        self, school: str, guardian: str, student: str, *, context: Context
    ) -> bool:
        await self._must_see(school, guardian, student)
        command = ActivateJustification(guardian, student, self.today)
        return await self._execute(school, guardian, command, context)

    async def end_justification(
        self, school: str, guardian: str, student: str, *, reason: str, context: Context
    ) -> bool:
        """Ends the right, or refuses what was asked."""
        await self.relation(school, guardian, student)
        command = EndJustification(guardian, student, reason_of(reason))
        return await self._execute(school, guardian, command, context)

    async def consent(
        self, school: str, student: str, guardian: str, *, consents: bool, context: Context
    ) -> bool:
        """By the pupil of age, who lets (or no longer lets) this guardian see their data (M4)."""
        await self.relation(school, guardian, student)
        command = ConsentToParent(student, guardian, consents, self.today)
        done = await self._runtime.commands.execute(STUDENT, student, command, school=school, context=context)
        return bool(done.events)

    async def merge(self, school: str, guardian: str, merged: str, *, reason: str, context: Context) -> bool:
        """`merged` was a second record of `guardian` (M1): links and ids move, then it is closed, in one commit."""
        if guardian == merged:
            raise Refused("same_record", "a record is not merged into itself")
        await self.guardian(school, guardian)
        if (known := await self.queries.person(school, merged)) is not None and known.merged_into == guardian:
            return False
        await self.guardian(school, merged)
        for tries_left in reversed(range(_TRIES)):
            unit = await self._merging(school, guardian, merged, reason_of(reason), context)
            try:
                return bool((await self._runtime.commands.submit(unit)).events)
            except ConcurrencyConflict:
                if not tries_left:
                    raise
        raise AssertionError("unreachable")

    async def _merging(self, school: str, guardian: str, merged: str, reason: str, context: Context) -> Unit:
        workspace = Workspace(self._runtime.store)
        await workspace.load(GUARDIAN, [guardian, merged])
        other = workspace.state(GUARDIAN, merged)
        await workspace.load(STUDENT, sorted(other.children))
        workspace.decide(GUARDIAN, guardian, TakeOver(guardian, other, reason, self.today))
        for student in other.children:
            consents = workspace.state(STUDENT, student).consents
            if merged in consents and guardian not in consents:
                same = ConsentToParent(student, guardian, consents[merged], self.today, by_merge=True)
                workspace.decide(STUDENT, student, same)
        workspace.decide(GUARDIAN, merged, MergeInto(merged, guardian, reason, self.today))
        return Unit(school, context, workspace.appends())

    async def history(self, school: str, person: Person, relations: Sequence[Relation]) -> list[Told]:
        """What was done about a person and by whom, the latest first: their own stream, and the links to them."""
        own = f"{'student' if person.kind == 'pupil' else 'guardian'}/{person.id}"
        others = {f"guardian/{r.guardian}" for r in relations} | {f"student/{r.student}" for r in relations}
        streams = await self._runtime.store.load([own, *sorted(others - {own})])
        recorded = [
            each
            for stream, history in streams.items()
            for each in history
            if _concerns(each, stream, own, person)
        ]
        recorded.sort(key=lambda each: each.position, reverse=True)
        actors = await self.queries.actors(school, {each.actor for each in recorded})
        names = {r.guardian: r.guardian_name for r in relations} | {
            r.student: r.student_name for r in relations
        }
        return [told(each, actors, names, person.id) for each in recorded]

    async def guardian(self, school: str, guardian: str) -> Person:
        person = await self.queries.person(school, guardian)
        if person is None or person.kind != "guardian" or person.merged_into is not None:
            raise NobodyHere
        return person

    async def relation(self, school: str, guardian: str, student: str) -> Relation:
        found = await self.queries.relation(school, guardian, student, self.today)
        if found is None:
            raise NobodyHere
        return found

    async def _must_see(self, school: str, guardian: str, student: str) -> None:
        relation = await self.relation(school, guardian, student)
        if closed(relation.standing, await self.policy(school), self.today) is not None:
            raise Refused("no_access", "only a guardian who may see the pupil's data may justify")

    async def _execute(self, school: str, guardian: str, command: Command, context: Context) -> bool:
        done = await self._runtime.commands.execute(
            GUARDIAN, guardian, command, school=school, context=context
        )
        return bool(done.events)


def _concerns(recorded: Recorded[Event], stream: str, own: str, person: Person) -> bool:
    """Of another's stream only what is said of the link to this person."""
    if stream == own:
        return True
    named = (getattr(recorded.event, "guardian", None), getattr(recorded.event, "student", None))
    return None not in named and person.id in named


def reason_of(text: str) -> str:
    """As it is kept: on one line, legible. Raises `Refused`."""
    try:
        tidied, _ = tidy(" ".join(text.split()))
    except Unusable as bad:
        raise Refused("reason_unusable", f"the reason holds {bad}") from None
    if len(tidied) > LONGEST:
        raise Refused("reason_unusable", f"the reason has at most {LONGEST} characters")
    return tidied
