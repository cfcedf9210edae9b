"""How a command line joins an installation that runs: same settings, same keys, same engines."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from deploy.assembly import Assembly
from deploy.commands.common import running_installation
from deploy.environment import OWNERS, SERVICES, Wiring
from deploy.settings import Settings, load_settings


def attached(settings: Settings | None = None) -> Wiring:
    """The wiring of what runs over the data folder; with real servers given by URL, nothing of ours need run.

    Leaves with `not_running` otherwise.
    """
    settings = settings or load_settings()
    own_engines = settings.nats_url is None or not all(settings.external_database(s) for s in SERVICES)
    if own_engines:
        ports = running_installation(settings)["ports"]
        settings = settings.model_copy(update={f"{name}_port": port for name, port in ports.items()})
    return Assembly(settings, (), mailbox=False, site=False).wiring


@contextmanager
def told_as(service: str, wiring: Wiring | None = None, *, owner: bool = False) -> Iterator[Wiring]:
    """Within, this process's environment is that of the service: its settings read as they do in its own process.

    owner: whether the database's owner is told as well, which no service is; for what makes tables.
    """
    wiring = wiring or attached()
    before = dict(os.environ)
    for name in OWNERS:
        os.environ.pop(name, None)
    os.environ.update(wiring.service_environment(service))
    if owner and (url := wiring.owner_url(service)):
        os.environ[f"CUSTODE_{service.upper()}_MIGRATION_URL"] = url
    try:
        yield wiring
    finally:
        os.environ.clear()
        os.environ.update(before)
