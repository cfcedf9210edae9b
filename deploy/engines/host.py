"""Where engines run on this machine: under which user, and where they may keep what that user must reach.

PostgreSQL refuses to run as root, and rightly: so as root every engine runs under an unprivileged user,
`nobody` unless CUSTODE_ENGINE_USER names another. As an ordinary user they run as that user.
"""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from deploy.engines.errors import EngineError

ENGINE_ROOT = Path("/var/lib/custode")


@dataclass(frozen=True)
class EngineUser:
    """A user to become before an engine starts."""

    name: str
    uid: int
    gid: int


def engine_user(name: str | None = None) -> EngineUser | None:
    """The user to become, or None where this process is no root and engines run as itself.

    Errors: EngineError when the named user does not exist, or is root.
    """
    if os.geteuid() != 0:
        return None
    wanted = name or os.environ.get("CUSTODE_ENGINE_USER") or "nobody"
    try:
        entry = pwd.getpwnam(wanted)
    except KeyError:
        raise EngineError(
            f"there is no user {wanted!r} to run the engines under: set CUSTODE_ENGINE_USER"
        ) from None
    if entry.pw_uid == 0:
        raise EngineError("PostgreSQL refuses to run as root: set CUSTODE_ENGINE_USER to another user")
    return EngineUser(wanted, entry.pw_uid, entry.pw_gid)


@dataclass(frozen=True)
class Host:
    """user: whom to become before an engine starts (None: stay who we are). root: see `place.home`."""

    user: EngineUser | None
    root: Path


def this_host(user: str | None = None, root: Path | None = None) -> Host:
    """This machine, with CUSTODE_ENGINE_USER and CUSTODE_ENGINE_FOLDER where nothing else is said.

    Errors: EngineError as for `engine_user`.
    """
    given = os.environ.get("CUSTODE_ENGINE_FOLDER")
    return Host(engine_user(user), root or (Path(given) if given else ENGINE_ROOT))
