"""Class lists become accounts: a school on paper, a school by e-mail with its campaign, and a file with mistakes."""

from datetime import UTC, datetime, timedelta

from deploy.demo.backstage import import_file, register, registry_of
from deploy.demo.schools import bad_file
from deploy.demo.stage import Stage

_SHOWN_PROBLEMS = 6
_OPENS_AFTER = timedelta(seconds=12)


async def paper_school(stage: Stage) -> None:
    school = stage.paper
    stage.tell.chapter(f"A school on paper: {school.name}")
    async with registry_of(stage.wiring) as registry:
        await register(registry, school)
    for file in school.files:
        report = await stage.import_(school, file)
        await stage.issued(school)
        counts = report.counts
        stage.tell.done(
            f"{file.name}: {counts.new_pupils} new pupils, {counts.new_guardians} new guardians, "
            f"{counts.kept} pupils known from an earlier year"
        )
    stage.tell.fact("Whoever had credentials keeps them; only newcomers were issued any.")


async def email_school(stage: Stage) -> None:
    """The campaign is planned first: whoever the list then brings waits for its date."""
    school = stage.email
    stage.tell.chapter(f"A school by e-mail, and its campaign: {school.name}")
    async with registry_of(stage.wiring) as registry:
        await register(registry, school)
    await stage.known(school)
    opens = datetime.now(UTC) + _OPENS_AFTER
    async with stage.desk(school) as desk:
        plan = {"title": "Credenziali alle famiglie", "roles": ["guardian"], "opens": opens.isoformat()}
        campaign = (await desk.say("/api/notifications/campaigns", plan))["campaign"]
        await stage.happened(school, "CampaignPlanned", 1)
        stage.tell.done(
            f"a campaign to all guardians is planned, and opens by itself {_OPENS_AFTER.seconds} s from now"
        )
        (file,) = school.files
        report = await stage.import_(school, file)
        counts = report.counts
        stage.tell.done(f"{file.name}: {counts.new_pupils} pupils, {counts.new_guardians} guardians")
        before = (await stage.history_of(school))["EmailAccepted"]
        if before and datetime.now(UTC) < opens:
            raise stage.failed("a message left before the campaign opened")
        await stage.happened(school, "CampaignOpened", 1)
        path = f"/api/notifications/campaigns/{campaign}"
        await desk.say(f"{path}/pause", {"reason": "la segreteria controlla gli indirizzi"})
        held = await desk.ask(path)
        stage.tell.done(f"opened on its date, unattended; paused by the secretary: {_told(held['outcomes'])}")
        await desk.say(f"{path}/resume", {})
        await stage.issued(school)
        await stage.happened(school, "CampaignCompleted", 1)
        done = await desk.ask(path)
    stage.tell.done(f"resumed, and complete: {_told(done['outcomes'])}; one recipient a message")
    rows = [(c["title"], str(sum(c["outcomes"].values())), _told(c["outcomes"])) for c in done["by_class"]]
    stage.tell.table("Progress by class", rows, ("class", "holders", "outcome"))
    stage.tell.fact("Pupils wait until the school has opened their institutional mailboxes.")
    refused = (await stage.history_of(school))["IssuanceRefused"]
    stage.tell.fact(
        f"{refused} holders of older classes have no account here yet: refused, until the desk issues with one action."
    )


def _told(outcomes: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in outcomes.items() if n) or "nobody yet"


async def mistakes(stage: Stage) -> None:
    stage.tell.chapter("A file with mistakes, tried without entering anything")
    async with registry_of(stage.wiring) as registry:
        report = await import_file(registry, bad_file(), lambda done, total: None, dry_run=True)
    for problem in report.problems[:_SHOWN_PROBLEMS]:
        place = f"line {problem.line}" + (f", {problem.column}" if problem.column else "")
        stage.tell.fact(f"{place}: {problem.message['en']}")
    stage.tell.done(
        f"{report.counts.errors} errors and {report.counts.warnings} warnings, each with its place; "
        f"{report.counts.new_pupils} good pupils would go in"
    )
