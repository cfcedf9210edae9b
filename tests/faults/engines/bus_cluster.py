"""Three NATS servers, every stream thrice: leaders are killed in the middle of the pipeline."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

from deploy.engines.nats_cluster import NatsCluster
from deploy.engines.nats_streams import EVENT_STREAMS
from deploy.folder import claim_folder
from deploy.settings import Settings
from tests.faults.engines.house import House, house
from tests.faults.scenario import Report, scenario

HEADER = (
    "codice_meccanografico;anno_scolastico;classe;sezione;codice_alunno;cognome_alunno;nome_alunno;"
    "tipo_iscrizione;codice_genitore;cognome_genitore;nome_genitore;ruolo_genitore;email_iscrizione_genitore"
)


@scenario("bus-cluster-leaders")
async def bus_cluster_leaders(report: Report) -> None:
    """The leader of one stream after the other is killed while a school's file goes in and its mails go out."""
    moments = random.Random(report.seed)
    async with three_servers(report) as (here, cluster, start):
        importing = asyncio.create_task(_imported(here, 400 if report.long else 30))
        for turn in range(14 if report.long else 2):
            await asyncio.sleep(moments.uniform(0.2, 2.0))
            leader = await cluster.leader(EVENT_STREAMS[turn % len(EVENT_STREAMS)])
            cluster.kill(leader)
            report.kills += 1
            await asyncio.sleep(moments.uniform(0.2, 4.0))
            await start(leader)
        await importing
        await here.settles()


@scenario("bus-cluster-quorum")
async def bus_cluster_quorum(report: Report) -> None:
    """Two of three are killed: nothing is published, nothing is lost, and enrolling goes on."""
    async with three_servers(report) as (here, cluster, start):
        await here.families(3)
        async with here.arriving():
            for _ in range(3 if report.long else 1):
                gone = [await cluster.leader("REGISTRY")]
                gone += [name for name in cluster.servers if name not in gone][:1]
                for name in gone:
                    cluster.kill(name)
                    report.kills += 1
                before = len(here.accepted)
                await here.red("registry", '"relay":{"ok":false', seconds=30.0)
                await asyncio.sleep(15.0 if report.long else 2.0)
                if len(here.accepted) == before:
                    report.violation("goes-on", "nobody was enrolled without a quorum of the bus")
                for name in gone:
                    await start(name)
                await here.green()
        await here.settles()


@asynccontextmanager
async def three_servers(
    report: Report,
) -> AsyncIterator[tuple[House, NatsCluster, Callable[[str], Awaitable[None]]]]:
    """A house on a cluster, and what starts one of its servers again."""
    made: list[NatsCluster] = []
    # Linux ends a child with the thread that started it: one thread, as long-lived as the servers.
    thread = ThreadPoolExecutor(max_workers=1)
    loop = asyncio.get_running_loop()

    async def cluster_first(settings: Settings) -> None:
        cluster = NatsCluster(claim_folder(settings) / "nats", logs=settings.data / "logs")
        made.append(cluster)
        settings.nats_url = cluster.url
        await loop.run_in_executor(thread, cluster.start)
        await cluster.provision()

    async def start(name: str) -> None:
        await loop.run_in_executor(thread, made[0].servers[name].start)

    try:
        async with house(report, cluster_first) as here:
            yield here, made[0], start
    finally:
        for cluster in made:
            await loop.run_in_executor(thread, cluster.stop)
        thread.shutdown()


async def _imported(here: House, pupils: int) -> None:
    """A file with one mother a pupil; entered when this returns."""
    school, rows = here.school, [HEADER]
    for _ in range(pupils):
        pupil, mother = school.pupil(), school.guardian()
        here.accepted.append(mother["email"])
        rows.append(
            f"{school.code};2026/2027;1;A;{pupil['id']};{pupil['family_name']};{pupil['given_name']};prima;"
            f"{mother['id']};{mother['family_name']};{mother['given_name']};MADRE;{mother['email']}"
        )
    answer = await here.installation.upload(school, "elenco.csv", ("\n".join(rows) + "\n").encode())
    if answer.status_code != 200 or answer.json()["counts"]["errors"]:
        here.report.violation("answers", f"the import was answered with {answer.status_code}")
