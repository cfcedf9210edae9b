"""What is said once of a whole file: figures that the secretary should see before the credentials go out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from services.registry.findings import Finding
from services.registry.imports.facts import EnrolmentFact
from services.registry.queries import Queries
from services.registry.report import Counts
from services.registry.steps import Planned
from shared.contracts.policy import Channel, CredentialPolicy
from shared.contracts.registry import EnrolmentKind, StudentEnrolled


def taken_as_new(fact: EnrolmentFact, planned: Planned) -> bool:
    """A pupil beyond the entry grade, unknown here, of whom the file does not say the enrolment's kind."""
    if fact.kind is not None or planned.student not in planned.newcomers:
        return False
    for event in planned.events:
        if type(event) is StudentEnrolled and event.kind is EnrolmentKind.new_to_the_school:
            return True
    return False


def without_email(facts: Iterable[EnrolmentFact]) -> int:
    """Guardians of one school's enrolments for whom no row gives an e-mail address."""
    said = [guardian for fact in facts for guardian in fact.guardians]
    without = {(guardian.source, guardian.external_id) for guardian in said if not guardian.email}
    if not without:
        return 0
    return len(without - {(guardian.source, guardian.external_id) for guardian in said if guardian.email})


def reaches_by_email_only(policy: CredentialPolicy | None) -> bool:
    return policy is not None and policy.guardian.channel is Channel.email and policy.guardian.exclusive


async def remarks(
    queries: Queries, by_school: Mapping[str, Sequence[EnrolmentFact]], counts: Counts, now: datetime
) -> list[Finding]:
    """Counts the guardians without an address, and says what of the file as a whole deserves a second look."""
    left_out = 0
    for school, facts in by_school.items():
        number = without_email(facts)
        counts.without_email += number
        if number and reaches_by_email_only(await queries.policy(school, now)):
            left_out += number
    figures = {"kind_assumed": counts.kind_assumed, "guardians_without_email": left_out}
    return [Finding(code, params={"count": str(count)}) for code, count in figures.items() if count]
