"""What the containers of docker-compose.yml need before they can start: `python -m deploy.compose <step>`.

secrets     write .env with fresh passwords, if there is none (on the host, before the first start)
prepare     keys, and the configuration of the bus from the same template as the embedded one
provision   the streams of the bus (CUSTODE_NATS_REPLICAS: on how many servers each)
add-school CODE   an account on the bus for a school; prints where its key is
"""

import asyncio
import contextlib
import os
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.engines import EngineError
from deploy.engines.nats import render_configuration
from deploy.engines.nats_keys import SeedFolder, school_user
from deploy.engines.nats_streams import admit_school, provision
from deploy.engines.place import secret_file
from deploy.engines.postgres import ROLES
from deploy.environment import SERVICES

RUN = Path("/run/custode")
CONFIGURATION = Path("/etc/nats/nats.conf")
STORE = Path("/data")
LISTEN = "0.0.0.0:4222"
MONITOR = "127.0.0.1:8222"


def write_secrets(file: Path) -> bool:
    """Write `.env` with a password for every role; False when the file is there already."""
    if file.exists():
        return False
    names = ["POSTGRES_PASSWORD", *(f"CUSTODE_PASSWORD_{role.upper()}" for role in ROLES)]
    text = "".join(f"{name}={secrets.token_urlsafe(32)}\n" for name in names)
    secret_file(file, f"# Passwords of the containers. Keep it private.\n{text}".encode())
    return True


def prepare(run: Path = RUN, configuration: Path = CONFIGURATION) -> None:
    """Keys into the volume of whom they belong to, and the bus's configuration. What is there already stays."""
    seeds = SeedFolder(run / "bus")
    for service in SERVICES:
        secret_file(run / service / "bus.nk", seeds.file(service).read_bytes())
    secret_file(run / "keyring" / "kek", secrets.token_bytes(32))
    secret_file(run / "identity" / "pepper", secrets.token_bytes(32))
    for name in ("return-paths", "bounce-intake"):
        secret_file(run / "notifications" / name, f"{secrets.token_hex(32)}\n".encode())
    _write_configuration(seeds, configuration)


def _write_configuration(seeds: SeedFolder, path: Path) -> None:
    text = render_configuration(seeds, listen=LISTEN, store=STORE, monitor=MONITOR)
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.chmod(0o644)
    draft.replace(path)


async def _add_school(url: str, school: str, replicas: int) -> Path:
    seeds = SeedFolder(RUN / "bus")
    seed = seeds.file(school_user(school))
    _write_configuration(seeds, CONFIGURATION)
    await admit_school(url, seeds, school, replicas)
    return seed


def main(arguments: Sequence[str]) -> int:
    """The command; returns its exit code."""
    url = os.environ.get("CUSTODE_NATS_URL", "nats://nats:4222")
    replicas = int(os.environ.get("CUSTODE_NATS_REPLICAS", "1"))
    match list(arguments):
        case ["secrets"]:
            written = write_secrets(Path(".env"))
            _say("wrote .env" if written else ".env is there already: left as it is")
        case ["prepare"]:
            prepare()
        case ["provision"]:
            asyncio.run(provision(url, SeedFolder(RUN / "bus"), replicas))
        case ["add-school", school]:
            _say(str(asyncio.run(_add_school(url, school, replicas))))
        case _:
            _say((__doc__ or "").strip())
            return 2
    return 0


def _say(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (EngineError, ValueError, OSError) as error:
        _say(f"error: {error}")
        sys.exit(1)
