"""Who may speak on the bus: an nkey per user, its seed in a file that only its owner reads."""

import os
import re
from pathlib import Path

import nkeys

from deploy.engines.place import secret_file

USERS = (
    "sys",
    "registry",
    "registry_admin",
    "identity",
    "identity_admin",
    "notifications",
    "notifications_admin",
    "auditor",
)
SCHOOL = re.compile(r"[A-Z]{2}[A-Z0-9]{8}")
SCHOOL_PREFIX = "school_"


def school_user(school: str) -> str:
    """The bus user of a school. Errors: ValueError when it is no codice meccanografico."""
    if not SCHOOL.fullmatch(school):
        raise ValueError(f"{school!r} is no codice meccanografico")
    return f"{SCHOOL_PREFIX}{school}"


class SeedFolder:
    """The seeds of all users, one file each (`registry.nk`), mode 0600, made when first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file(self, user: str) -> Path:
        """The file with a user's seed; made if missing."""
        seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
        return secret_file(self._folder / f"{user}.nk", bytes(seed))

    def public_key(self, user: str) -> str:
        """The public half (`U...`), which the server's configuration names."""
        pair = nkeys.from_seed(bytearray(self.file(user).read_bytes().strip()))
        key: bytes = pair.public_key
        return key.decode()

    def schools(self) -> list[str]:
        """The schools that have credentials, sorted."""
        names = (path.stem for path in self._folder.glob(f"{SCHOOL_PREFIX}*.nk"))
        return sorted(name.removeprefix(SCHOOL_PREFIX) for name in names)
