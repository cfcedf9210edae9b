"""What the processes of an installation are told, by environment variables alone.

This is the contract between the deployment and the services: the embedded set builds these variables here, the
compose file sets the same ones, and a test compares the two. Secrets travel in the environment or in files of
mode 0600, never in a command line.
"""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from deploy.engines import NatsEngine, PostgresEngine, ServiceUrls
from deploy.engines.place import secret_file
from deploy.settings import Ports, Settings

SERVICES = ("registry", "identity", "notifications")
COMMON = (
    "CUSTODE_ENVIRONMENT",
    "CUSTODE_INSTANCE",
    "CUSTODE_SITE_URL",
    "CUSTODE_NATS_URL",
    "CUSTODE_LOG_FORMAT",
    "CUSTODE_KEYRING_KEK_FILE",
)
PER_SERVICE = ("DATABASE_URL", "KEYRING_URL", "NATS_SEED_FILE", "LISTEN")
OWN: dict[str, tuple[str, ...]] = {
    "registry": (),
    "identity": ("PEPPER_FILE", "FRONT_DOOR"),
    "notifications": (
        "EPOCH_KEYS_FILE",
        "SMTP_URL",
        "MAIL_FROM",
        "BOUNCE_KEY_FILE",
        "BOUNCE_INTAKE_KEY_FILE",
        "BOUNCE_ADDRESS",
    ),
}
OWNERS = (
    "CUSTODE_KEYRING_MIGRATION_URL",
    *(f"CUSTODE_{service.upper()}_MIGRATION_URL" for service in SERVICES),
)
"""The databases' owners, who may drop and change anything: told to the migrations and to nobody else."""
MAILBOX = (
    "CUSTODE_ENVIRONMENT",
    "CUSTODE_INSTANCE",
    "CUSTODE_SITE_URL",
    "CUSTODE_LOG_FORMAT",
    "CUSTODE_MAILBOX_SMTP_LISTEN",
    "CUSTODE_MAILBOX_HTTP_LISTEN",
    "CUSTODE_MAILBOX_FOLDER",
    "CUSTODE_MAILBOX_BOUNCE_URL",
    "CUSTODE_MAILBOX_BOUNCE_KEY_FILE",
)
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")


def names(service: str) -> frozenset[str]:
    """The variables that a service is told. Errors: KeyError for a name that is no service."""
    own = (*PER_SERVICE, *OWN[service])
    return frozenset((*COMMON, *(f"CUSTODE_{service.upper()}_{name}" for name in own)))


@dataclass(frozen=True)
class Wiring:
    """One installation's parts, as far as its processes must know them."""

    settings: Settings
    ports: Ports
    site_url: str
    postgres: PostgresEngine | None
    bus: NatsEngine | None

    @property
    def nats_url(self) -> str:
        return self.bus.url if self.bus is not None else self.settings.nats_url or ""

    @property
    def mailbox_url(self) -> str:
        return f"http://{self.ports.listen('mailbox')}"

    @property
    def kek_file(self) -> Path:
        return self.settings.keyring_kek_file or self.settings.data / "secrets" / "keyring.kek"

    @property
    def pepper_file(self) -> Path:
        return self.settings.identity_pepper_file or self.settings.data / "secrets" / "identity.pepper"

    @property
    def epoch_keys_file(self) -> Path:
        given = self.settings.notifications_epoch_keys_file
        return given or self.settings.data / "no-backup" / "notifications.epoch-keys"

    @property
    def bounce_key_file(self) -> Path:
        """What return paths are authenticated with."""
        return self.settings.data / "secrets" / "notifications.return-paths"

    @property
    def bounce_intake_key_file(self) -> Path:
        """The key with which a mail server hands in what came back."""
        return self.settings.data / "secrets" / "notifications.bounce-intake"

    @property
    def mailbox_folder(self) -> Path:
        return self.settings.data / "mailbox"

    def make_secrets(self) -> None:
        """Keys that exist once per installation, apart from the databases they protect; made if missing."""
        for path in (self.kek_file, self.pepper_file):
            secret_file(path, secrets.token_bytes(32))
        for path in (self.bounce_key_file, self.bounce_intake_key_file):
            secret_file(path, f"{secrets.token_hex(32)}\n".encode())
        self.epoch_keys_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.mailbox_folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def seed_file(self, service: str) -> Path:
        """The service's key to the bus."""
        given: Path | None = getattr(self.settings, f"{service}_nats_seed_file", None)
        if given is not None:
            return given
        if self.bus is not None:
            return self.bus.seed_file(service)
        return self.settings.data / "nats" / "seeds" / f"{service}.nk"

    def service_environment(self, service: str) -> dict[str, str]:
        """Everything for `python -m services.<service>.app`. Holds passwords: for an environment only."""
        prefix = f"CUSTODE_{service.upper()}_"
        told = {
            **self._common(),
            "CUSTODE_NATS_URL": self.nats_url,
            "CUSTODE_KEYRING_KEK_FILE": str(self.kek_file),
            f"{prefix}DATABASE_URL": self._database(service, "database"),
            f"{prefix}KEYRING_URL": self._database(service, "keyring"),
            f"{prefix}NATS_SEED_FILE": str(self.seed_file(service)),
            f"{prefix}LISTEN": self.ports.listen(service),
        }
        if service == "identity":
            told[f"{prefix}PEPPER_FILE"] = str(self.pepper_file)
            told[f"{prefix}FRONT_DOOR"] = "127.0.0.0/8,::1/128"
        if service == "notifications":
            told[f"{prefix}EPOCH_KEYS_FILE"] = str(self.epoch_keys_file)
            told[f"{prefix}SMTP_URL"] = self._smtp()
            told[f"{prefix}MAIL_FROM"] = self.settings.mail_from
            told[f"{prefix}BOUNCE_KEY_FILE"] = str(self.bounce_key_file)
            told[f"{prefix}BOUNCE_INTAKE_KEY_FILE"] = str(self.bounce_intake_key_file)
            told[f"{prefix}BOUNCE_ADDRESS"] = self.settings.bounce_address or ""
        return inherited(service) | told

    def owner_url(self, service: str) -> str:
        """The service's database as its owner, for a rebuild; empty when it is not known."""
        return self._database(service, "migration")

    def migration_environment(self) -> dict[str, str]:
        """Everything for `python -m deploy.migrate`, which alone is told the owners."""
        owners = (self._keyring_migration(), *(self.owner_url(service) for service in SERVICES))
        told = {name: url for name, url in zip(OWNERS, owners, strict=True) if url}
        return inherited("migrate") | self._common() | told

    def urls(self, service: str) -> ServiceUrls:
        """The database URLs of a service and of its owner, embedded or given. They hold passwords."""
        return ServiceUrls(
            self._database(service, "database"), self.owner_url(service), self._database(service, "keyring")
        )

    def mailbox_environment(self) -> dict[str, str]:
        """Everything for `python -m deploy.mailbox`."""
        return (
            inherited("mailbox")
            | self._common()
            | {
                "CUSTODE_MAILBOX_SMTP_LISTEN": self.ports.listen("mailbox_smtp"),
                "CUSTODE_MAILBOX_HTTP_LISTEN": self.ports.listen("mailbox"),
                "CUSTODE_MAILBOX_FOLDER": str(self.mailbox_folder),
                "CUSTODE_MAILBOX_BOUNCE_URL": (
                    f"http://{self.ports.listen('notifications')}/api/notifications/bounces"
                ),
                "CUSTODE_MAILBOX_BOUNCE_KEY_FILE": str(self.bounce_intake_key_file),
            }
        )

    def _common(self) -> dict[str, str]:
        return {
            "CUSTODE_ENVIRONMENT": self.settings.environment.value,
            "CUSTODE_INSTANCE": self.settings.instance,
            "CUSTODE_SITE_URL": self.site_url,
            "CUSTODE_LOG_FORMAT": self.settings.log_format.value,
        }

    def _database(self, service: str, which: str) -> str:
        given = self.settings.url(f"{service}_{which}_url")
        if given is not None:
            return given.get_secret_value()
        if self.postgres is None or (which == "migration" and self.settings.external_database(service)):
            return ""
        urls = self.postgres.urls(service)
        return {"database": urls.runtime, "migration": urls.migration, "keyring": urls.keyring}[which]

    def _keyring_migration(self) -> str:
        given: SecretStr | None = self.settings.keyring_migration_url
        if given is not None:
            return given.get_secret_value()
        if self.postgres is None or all(self.settings.external_keyring(service) for service in SERVICES):
            return ""
        return self.postgres.keyring_migration_url

    def _smtp(self) -> str:
        given = self.settings.smtp_url
        return given.get_secret_value() if given else f"smtp://{self.ports.listen('mailbox_smtp')}"


def inherited(process: str, source: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a process gets of the operator's own environment: the system's, and what is meant for it.

    A variable that carries another process's name stays out, so that no service sees another's secrets; and so do
    the owners of the databases, whom each process is told by name or not at all.
    """
    given = os.environ if source is None else source
    others = (
        *(name for name in (*SERVICES, "mailbox") if name != process),
        "smtp",
        "keyring",
        "postgres",
        "password",
    )
    foreign = tuple(f"CUSTODE_{name.upper()}_" for name in others)
    found = {name: given[name] for name in INHERITED if name in given}
    found |= {
        name: value
        for name, value in given.items()
        if name.startswith("CUSTODE_") and not name.startswith(foreign) and name not in OWNERS
    }
    root = Path(__file__).parents[1]
    return found | {"PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"}
