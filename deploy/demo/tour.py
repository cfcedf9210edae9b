"""The main job, from a class list to a first sign-in and on through a school year, on two schools (see `make demo`)."""

from collections.abc import Awaitable, Callable

from audit.replay import story
from deploy.commands.audit import telling
from deploy.demo.chapters import (
    circulars,
    corrections,
    enrolment,
    families,
    losses,
    separation,
    slips,
)
from deploy.demo.stage import Stage
from deploy.environment import SERVICES

CHAPTERS: tuple[tuple[str, Callable[[Stage], Awaitable[None]]], ...] = (
    ("paper", enrolment.paper_school),
    ("email", enrolment.email_school),
    ("mistakes", enrolment.mistakes),
    ("circular", circulars.publish),
    ("slips", slips.print_class),
    ("hand-over", slips.hand_over),
    ("separation", separation.separate),
    ("family", families.first_access),
    ("bounce", corrections.bounce),
    ("losses", losses.denied_and_granted),
)


async def take(stage: Stage) -> None:
    """Every chapter once; a second run goes on where the first one ended."""
    try:
        for name, chapter in CHAPTERS:
            if name not in stage.memory.done:
                await chapter(stage)
                stage.memory.finished(name)
        await _replay(stage)
        await _summary(stage)
    finally:
        await stage.close()


async def _replay(stage: Stage) -> None:
    account = stage.memory.account
    if account is None:
        raise stage.failed("the demo does not know whose story to tell")
    stage.tell.chapter(f"The whole story of that credential: custode audit replay {account}")
    async with stage.auditor() as source:
        stage.tell.show(telling(await story(source, account)))


async def _summary(stage: Stage) -> None:
    rows = []
    for school in (stage.paper, stage.email):
        told = await stage.history_of(school)
        rows.append(
            (
                school.name,
                *(str(told[name]) for name in ("AccountOpened", "CredentialsIssued", "CredentialsKept")),
                f"{told['EmailAccepted']} mails, {told['SlipPrinted']} slips, {told['SlipHandedOver']} by hand",
            )
        )
    stage.tell.show("")
    stage.tell.table("What stands now", rows, ("school", "accounts", "issued", "kept", "delivered"))
    site = stage.site
    people = [(name, f"{key.user_code}   {key.password}") for name, key in stage.memory.keys.items()]
    stage.tell.addresses(
        [
            ("paper school", f"{site}/s/{stage.paper.customer_id}"),
            ("e-mail school", f"{site}/s/{stage.email.customer_id}"),
            ("desk", f"{site}/consegne/"),
            ("circulars", f"{site}/circolari/{stage.email.customer_id}/"),
            ("mailbox", stage.running.mailbox_url),
            *((f"API of {s}", f"{site}/api/{s}/") for s in SERVICES),
            ("events", "shared/contracts/published/asyncapi.json"),
            *people,
        ]
    )
