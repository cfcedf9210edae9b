"""What an operator may set: environment variables with the prefix CUSTODE_ (see docs/operator.md)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.engines import EngineError, Site
from deploy.engines.ports import free_port
from services.notifications.channels.email.server import mail_server
from shared.settings import Environment, LogFormat, RunsAsRoot, refuse_root

HOST_NAME = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*(:[0-9]{1,5})?$"
MAIL_IN_THE_CLEAR = (
    "starttls=offered: whoever sits on the way to the mail server can keep TLS off and read initial passwords"
)
Port = Annotated[int, Field(ge=0, le=65535)]


class SettingsError(EngineError):
    """A setting is wrong; the text names the variable and what is expected."""


class Settings(BaseSettings):
    """How one installation runs. Without any setting: everything embedded, in `.custode` of this directory.

    data: folder of this installation; all it needs is under it (or points from it to where it is).
    instance: its name, in cookies and logs; two on one host want two names.
    base_port: the site's port; the others follow it. 0 takes free ones. Each can be set by itself.
    site_address: the host name that people use, with TLS; without it plain http on localhost.
    longest_pause: seconds at most before a part that ended by itself is started again.
    bounce_address: where mails that come back go to, with anything behind a `+`; without it, to the sender.
    *_database_url, *_migration_url, *_keyring_url, nats_url, smtp_url: a real server in place of ours.
    """

    model_config = SettingsConfigDict(env_prefix="CUSTODE_", extra="ignore", env_ignore_empty=True)

    environment: Environment = Environment.development
    log_format: LogFormat = LogFormat.auto
    data: Path = Path(".custode")
    instance: str = Field(default="custode", pattern=r"^[a-z0-9-]{1,32}$")
    engine_user: str | None = None
    engine_folder: Path | None = None
    longest_pause: float = Field(default=30.0, gt=0)

    base_port: int = Field(default=8480, ge=0, le=65500)
    site_address: str | None = Field(default=None, pattern=HOST_NAME)
    site_port: Port | None = None
    site_http_port: int = Field(default=80, ge=1, le=65535)
    nats_port: Port | None = None
    registry_port: Port | None = None
    identity_port: Port | None = None
    notifications_port: Port | None = None
    mailbox_port: Port | None = None
    mailbox_smtp_port: Port | None = None
    audit_port: Port | None = None
    postgres_port: Port | None = None

    registry_database_url: SecretStr | None = None
    registry_migration_url: SecretStr | None = None
    registry_keyring_url: SecretStr | None = None
    registry_nats_seed_file: Path | None = None
    identity_database_url: SecretStr | None = None
    identity_migration_url: SecretStr | None = None
    identity_keyring_url: SecretStr | None = None
    identity_nats_seed_file: Path | None = None
    notifications_database_url: SecretStr | None = None
    notifications_migration_url: SecretStr | None = None
    notifications_keyring_url: SecretStr | None = None
    notifications_nats_seed_file: Path | None = None
    keyring_migration_url: SecretStr | None = None
    nats_url: str | None = None

    keyring_kek_file: Path | None = None
    identity_pepper_file: Path | None = None
    notifications_epoch_keys_file: Path | None = None
    smtp_url: SecretStr | None = None
    mail_from: str = "Custode <custode@localhost>"
    bounce_address: str | None = None

    @field_validator("data")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("smtp_url")
    @classmethod
    def _is_a_mail_server(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            mail_server(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def _in_production(self) -> Self:
        if self.environment is Environment.production and self.smtp_url is None:
            raise ValueError(
                "CUSTODE_SMTP_URL is needed in production: the embedded mailbox is for development"
            )
        return self

    @property
    def mail_in_the_clear(self) -> bool:
        """Whether production sends initial secrets over a network on which TLS can be taken away."""
        if self.environment is not Environment.production or self.smtp_url is None:
            return False
        return mail_server(self.smtp_url.get_secret_value()).in_the_clear

    def check_user(self) -> None:
        """Whether services may start as this user. Errors: SettingsError as root in production."""
        try:
            refuse_root(self.environment)
        except RunsAsRoot as refused:
            raise SettingsError(str(refused)) from None

    def url(self, name: str) -> SecretStr | None:
        """A given URL by its setting's name, such as `registry_database_url`."""
        value: SecretStr | None = getattr(self, name)
        return value

    def external_database(self, service: str) -> bool:
        """Whether the service's own database is on a real server."""
        return self.url(f"{service}_database_url") is not None

    def external_keyring(self, service: str) -> bool:
        """Whether the keyring that the service uses is on a real server."""
        return self.url(f"{service}_keyring_url") is not None


OFFSETS = {
    "site": 0,
    "nats": 1,
    "registry": 2,
    "identity": 3,
    "notifications": 4,
    "mailbox": 5,
    "mailbox_smtp": 6,
    "audit": 7,
}


@dataclass(frozen=True)
class Ports:
    """The ports of a running installation, all on the loopback address but the site's when it has a name."""

    site: int
    nats: int
    registry: int
    identity: int
    notifications: int
    mailbox: int
    mailbox_smtp: int
    audit: int

    def of(self, name: str) -> int:
        port: int = getattr(self, name)
        return port

    def listen(self, name: str) -> str:
        return f"127.0.0.1:{self.of(name)}"


def load_settings() -> Settings:
    """The settings of this process's environment. Errors: SettingsError, one line for each wrong variable."""
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError(
            "\n".join(_explain(fault["loc"], fault["msg"]) for fault in error.errors())
        ) from None


def _explain(where: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    return f"CUSTODE_{str(where[0]).upper()}: {text}" if where else text


def resolve_ports(settings: Settings) -> Ports:
    """Every port: as set by itself, else from the base; 0 becomes a free one."""
    chosen: dict[str, int] = {}
    for name, offset in OFFSETS.items():
        own: int | None = getattr(settings, f"{name}_port")
        if own is None and name == "site" and settings.site_address is not None:
            own = _port_of_address(settings.site_address)
        port = own if own is not None else settings.base_port and settings.base_port + offset
        while port == 0 or (own is None and settings.base_port == 0 and port in chosen.values()):
            port = free_port()
        chosen[name] = port
    return Ports(**chosen)


def _port_of_address(address: str) -> int:
    _, _, port = address.partition(":")
    return int(port) if port else 443


def site_of(settings: Settings, ports: Ports) -> Site:
    """The address that people use."""
    host = settings.site_address.partition(":")[0] if settings.site_address else None
    return Site(host=host, port=ports.site, http_port=settings.site_http_port)
