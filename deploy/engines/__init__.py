"""The engines that Custode stands on, as children of this process: PostgreSQL, NATS, Caddy."""

from deploy.engines.caddy import CaddyEngine, Site
from deploy.engines.errors import EngineError
from deploy.engines.nats import NatsEngine
from deploy.engines.place import temporary_folder
from deploy.engines.postgres import PostgresEngine, ServiceUrls

__all__ = [
    "CaddyEngine",
    "EngineError",
    "NatsEngine",
    "PostgresEngine",
    "ServiceUrls",
    "Site",
    "temporary_folder",
]
