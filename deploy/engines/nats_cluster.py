"""Three NATS servers that hold every stream thrice: one of them may fail, and nobody waits long."""

import asyncio
import secrets
from collections.abc import Sequence
from pathlib import Path

from deploy.engines import nats_streams
from deploy.engines.errors import EngineError
from deploy.engines.host import Host, this_host
from deploy.engines.nats import Cluster, NatsEngine
from deploy.engines.nats_keys import SeedFolder, school_user
from deploy.engines.place import secret_file
from deploy.engines.ports import free_port

SERVERS = ("nats-1", "nats-2", "nats-3")


class NatsCluster:
    """Three servers on the loopback address over one folder, with the same accounts and keys.

    As NatsEngine: `start()`, then `provision()`. `url` names all three.
    """

    def __init__(
        self,
        folder: Path,
        *,
        logs: Path | None = None,
        host: Host | None = None,
        names: Sequence[str] = SERVERS,
    ) -> None:
        self.folder = folder.resolve()
        self.seeds = SeedFolder(self.folder / "seeds")
        secret = secret_file(self.folder / "seeds" / "routes", secrets.token_urlsafe(32).encode()).read_text()
        self.routes = [f"127.0.0.1:{free_port()}" for _ in names]
        self.servers = {
            name: NatsEngine(
                self.folder / name,
                port=free_port(),
                log=(logs or self.folder) / f"{name}.log",
                host=host or this_host(),
                name=name,
                seeds=self.seeds,
                cluster=Cluster(route, self.routes, secret),
            )
            for name, route in zip(names, self.routes, strict=True)
        }

    @property
    def url(self) -> str:
        """All servers, as `CUSTODE_NATS_URL` takes them."""
        return ",".join(server.url for server in self.servers.values())

    def seed_file(self, user: str) -> Path:
        """As of NatsEngine."""
        return self.seeds.file(user)

    def start(self) -> None:
        """Start those that do not run; returns when each takes connections. Errors: EngineError."""
        for server in self.servers.values():
            server.start()

    async def provision(self) -> None:
        """Make the streams that are missing, on all servers each. Idempotent. Errors: EngineError."""
        await nats_streams.provision(self.url, self.seeds, replicas=len(self.servers))

    async def add_school(self, school: str) -> Path:
        """As of NatsEngine."""
        seed = self.seeds.file(school_user(school))
        for server in self.servers.values():
            server.write_configuration()
        await nats_streams.admit_school(self.url, self.seeds, school, replicas=len(self.servers))
        return seed

    async def leader(self, stream: str) -> str:
        """The name of the server that leads a stream's replicas now. Errors: EngineError when there is none for long."""
        for _ in range(200):
            found = await nats_streams.stream_info(self.url, self.seeds, stream)
            leader = found.get("cluster", {}).get("leader")
            if leader and self.servers[leader].alive:
                return str(leader)
            await asyncio.sleep(0.1)
        raise EngineError(f"the stream {stream} has no leader")

    def kill(self, name: str) -> None:
        """End one server as a crash would (SIGKILL)."""
        self.servers[name].kill()

    def stop(self) -> None:
        for server in self.servers.values():
            server.stop()

    def destroy(self) -> None:
        """Stop all and delete their streams; the keys stay."""
        for server in self.servers.values():
            server.destroy()
