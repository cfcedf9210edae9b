"""Settings from the environment (DESIGN 9). Secrets come from files or from URLs in the environment, never argv."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Environment(StrEnum):
    development = "development"
    production = "production"


class LogFormat(StrEnum):
    auto = "auto"
    json = "json"
    console = "console"


class RunsAsRoot(Exception):
    """A service was started as root in production."""

    def __init__(self) -> None:
        super().__init__(
            "services do not run as root in production: start Custode as an ordinary user of its own, "
            "or as containers (see docs/operator.md)"
        )


def refuse_root(environment: Environment) -> None:
    """In development root is let be: the programs may lie where nobody else can read them. Errors: RunsAsRoot."""
    if environment is Environment.production and os.geteuid() == 0:
        raise RunsAsRoot


class CommonSettings(BaseSettings):
    """What every service of an installation is told alike: `CUSTODE_SITE_URL`, `CUSTODE_NATS_URL`, …"""

    model_config = SettingsConfigDict(env_prefix="CUSTODE_", extra="ignore")
    environment: Environment = Environment.development
    instance: str = Field(default="custode", pattern=r"^[a-z0-9-]{1,32}$")
    site_url: str = "http://localhost:8080"
    nats_url: str = "nats://127.0.0.1:4222"
    keyring_kek_file: Path
    keyring_migration_url: SecretStr | None = None
    log_format: LogFormat = LogFormat.auto
    faults_folder: Path | None = None
    """Where fault tests ask this process to end itself (`shared.faults`); refused in production."""

    @model_validator(mode="after")
    def _no_faults_in_production(self) -> Self:
        if self.faults_folder is not None and self.environment is Environment.production:
            raise ValueError("CUSTODE_FAULTS_FOLDER is for fault tests: it is refused in production")
        return self


class ServiceSettings(BaseSettings):
    """What one service is told; a subclass sets the prefix, e.g. `CUSTODE_REGISTRY_`.

    `database_url` is of the runtime role, which may only append. `migration_url` is of the owner, who may change
    anything: given to rebuilds and tests, never to a service, which waits until the migrations have run.
    """

    database_url: SecretStr
    migration_url: SecretStr | None = None
    keyring_url: SecretStr
    nats_seed_file: Path | None = None
    listen: str = "127.0.0.1:0"

    @property
    def host(self) -> str:
        return self.listen.rsplit(":", 1)[0]

    @property
    def port(self) -> int:
        return int(self.listen.rsplit(":", 1)[1])
