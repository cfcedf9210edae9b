"""Puts an installation's parts together, in the order in which they start."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from deploy.engines import CaddyEngine, NatsEngine, PostgresEngine
from deploy.engines.host import this_host
from deploy.environment import SERVICES, Wiring
from deploy.settings import Ports, Settings, resolve_ports, site_of
from deploy.units import OneShot, ServiceProcess, Unit


class Assembly:
    """The parts over one data folder; nothing runs yet.

    A database or bus that is given by URL is not among them. Errors: EngineError.
    """

    def __init__(self, settings: Settings, services: Sequence[str], *, mailbox: bool, site: bool) -> None:
        self._settings = settings
        self._host = this_host(settings.engine_user, settings.engine_folder)
        self.logs = settings.data / "logs"
        self.logs.mkdir(mode=0o700, exist_ok=True)
        ports = resolve_ports(settings)
        self._address = site_of(settings, ports)
        self.wiring = Wiring(
            settings=settings,
            ports=ports,
            site_url=self._address.url,
            postgres=self._postgres(),
            bus=self._bus(ports),
        )
        self.wiring.make_secrets()
        self.migrations = OneShot(
            "migrate",
            "deploy.migrate",
            self.wiring.migration_environment,
            self._log("migrate"),
            settings.data,
        )
        self.units: dict[str, Unit] = {}
        self._add_engines()
        if mailbox:
            self._add_mailbox(ports)
        for service in services:
            self._add_service(service, ports)
        if site:
            self._add_site(ports)

    def describe(self, state: str) -> dict[str, object]:
        """What the run file says: no secrets."""
        wiring = self.wiring
        return {
            "state": state,
            "written": datetime.now(UTC).isoformat(timespec="seconds"),
            "instance": self._settings.instance,
            "site": wiring.site_url,
            "mailbox": wiring.mailbox_url if "mailbox" in self.units else None,
            "nats": wiring.nats_url,
            "ports": {name: wiring.ports.of(name) for name in vars(wiring.ports)},
            "parts": {unit.name: unit.describe() for unit in self.units.values()},
        }

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def _postgres(self) -> PostgresEngine | None:
        settings = self._settings
        given = (
            settings.external_database(service) and settings.external_keyring(service) for service in SERVICES
        )
        if all(given):
            return None
        return PostgresEngine(
            settings.data / "postgres",
            port=settings.postgres_port,
            log=self._log("postgres"),
            host=self._host,
        )

    def _bus(self, ports: Ports) -> NatsEngine | None:
        if self._settings.nats_url is not None:
            return None
        return NatsEngine(
            self._settings.data / "nats",
            port=ports.nats,
            log=self._log("nats"),
            host=self._host,
        )

    def _add_engines(self) -> None:
        if self.wiring.postgres is not None:
            self.units["postgres"] = Unit("postgres", self.wiring.postgres, self._log("postgres"))
        if self.wiring.bus is not None:
            port = self.wiring.ports.nats
            self.units["nats"] = Unit("nats", self.wiring.bus, self._log("nats"), ports=(port,))

    def _add_mailbox(self, ports: Ports) -> None:
        log = self._log("mailbox")
        told = self.wiring.mailbox_environment
        process = ServiceProcess("mailbox", "deploy.mailbox", told, log, self._settings.data)
        self.units["mailbox"] = Unit("mailbox", process, log, ports=(ports.mailbox, ports.mailbox_smtp))

    def _add_service(self, name: str, ports: Ports) -> None:
        log = self._log(name)
        told = partial(self.wiring.service_environment, name)
        process = ServiceProcess(name, f"services.{name}.app", told, log, self._settings.data)
        self.units[name] = Unit(name, process, log, ready_url=f"http://{ports.listen(name)}/readyz")

    def _add_site(self, ports: Ports) -> None:
        upstreams = {service: ports.listen(service) for service in SERVICES}
        log = self._log("caddy")
        engine = CaddyEngine(
            self._settings.data / "caddy",
            site=self._address,
            upstreams=upstreams,
            log=log,
            host=self._host,
        )
        self.units["caddy"] = Unit("caddy", engine, log, ports=(ports.site,))
