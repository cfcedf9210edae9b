"""Three NATS servers as one bus: they know each other by a secret, and one may fail."""

import asyncio
import stat
from collections.abc import Iterator

import nats
import pytest

from deploy.engines import temporary_folder
from deploy.engines.nats import Cluster, NatsEngine
from deploy.engines.nats_cluster import NatsCluster
from deploy.engines.nats_streams import stream_info
from shared.messaging.bus import Bus, servers


@pytest.fixture(scope="module")
def cluster() -> Iterator[NatsCluster]:
    with temporary_folder() as folder:
        made = NatsCluster(folder / "bus")
        made.start()
        asyncio.run(made.provision())
        yield made
        made.stop()


async def test_every_stream_is_kept_thrice_and_outlives_its_leader(cluster: NatsCluster) -> None:
    bus = Bus(cluster.url, "registry", cluster.seed_file("registry"))
    bus.start()
    try:
        client = await asyncio.wait_for(bus.connected(), 10)
        reply = await client.request("registry.evt.X.student.Test", b"one", timeout=5)
        assert b'"seq":1' in reply.data.replace(b" ", b"")
        leader = await cluster.leader("REGISTRY")
        cluster.kill(leader)
        info = await stream_info(cluster.url, cluster.seeds, "REGISTRY")
        assert info["config"]["num_replicas"] == 3 and info["state"]["last_seq"] == 1
        assert await cluster.leader("REGISTRY") != leader
        cluster.start()
    finally:
        await bus.close()


async def test_a_school_is_let_in_by_every_server(cluster: NatsCluster) -> None:
    seed = await cluster.add_school("MIIS00100A")
    for url in servers(cluster.url):
        client = await nats.connect(url, nkeys_seed=str(seed), allow_reconnect=False)
        await client.close()


async def test_the_secret_of_the_routes_is_nobody_elses(cluster: NatsCluster) -> None:
    for server in cluster.servers.values():
        configuration = server.store.parent / "nats.conf"
        assert not stat.S_IMODE(configuration.stat().st_mode) & 0o077
    assert not stat.S_IMODE((cluster.folder / "seeds" / "routes").stat().st_mode) & 0o077


async def test_a_server_without_the_secret_does_not_get_in(cluster: NatsCluster) -> None:
    """Who comes by a route may do everything: read what another account holds, and write it."""
    stranger = NatsEngine(
        cluster.folder / "stranger",
        name="stranger",
        seeds=cluster.seeds,
        cluster=Cluster("127.0.0.1:-1", cluster.routes, "guessed"),
    )
    stranger.start()
    try:
        await asyncio.sleep(2.0)
        assert "authorization" in (cluster.folder / "stranger" / "nats.log").read_text().lower()
        logs = [(cluster.folder / f"{name}.log").read_text() for name in cluster.servers]
        assert any("authentication error" in log for log in logs)
    finally:
        stranger.destroy()
