"""What the registry is told, by `CUSTODE_REGISTRY_…`."""

from pydantic_settings import SettingsConfigDict

from shared.settings import ServiceSettings


class RegistrySettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="CUSTODE_REGISTRY_", extra="ignore")
