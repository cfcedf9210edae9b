"""What identity is told: `CUSTODE_IDENTITY_DATABASE_URL`, `CUSTODE_IDENTITY_PEPPER_FILE`, …"""

import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from services.identity.addresses import LOOPBACK, Network
from services.identity.passwords import Cost
from shared.settings import ServiceSettings


class IdentitySettings(ServiceSettings):
    """`pepper_file`: at least 32 random bytes, apart from every database and its backups. `previous_pepper_files`:
    still verify, until each holder's next sign-in. The Argon2 figures are those of DESIGN 7 (KiB, passes, lanes);
    raise them and verifiers are made anew at sign-in. `hash_queue`: sign-ins that may wait for a core, then 503;
    `hash_queue_per_address`: of these, from one IPv4 address or IPv6 /64. `front_door`: networks of the proxy whose
    X-Forwarded-For is believed, separated by commas.
    """

    model_config = SettingsConfigDict(env_prefix="CUSTODE_IDENTITY_", extra="ignore")
    pepper_file: Path
    previous_pepper_files: tuple[Path, ...] = ()
    argon2_memory: int = Field(default=19 * 1024, ge=1024)
    argon2_passes: int = Field(default=2, ge=1)
    argon2_lanes: int = Field(default=1, ge=1)
    hash_queue: int = Field(default=200, ge=1)
    hash_queue_per_address: int = Field(default=8, ge=1)
    front_door: Annotated[tuple[Network, ...], NoDecode] = LOOPBACK

    @field_validator("front_door", mode="before")
    @classmethod
    def _networks(cls, told: object) -> object:
        return [part for part in re.split(r"[,\s]+", told) if part] if isinstance(told, str) else told

    @property
    def cost(self) -> Cost:
        return Cost(self.argon2_memory, self.argon2_passes, self.argon2_lanes)
