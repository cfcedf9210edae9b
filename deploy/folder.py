"""The data folder of an installation: its marker, its lock, its run file."""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.engines import EngineError
from deploy.engines.host import engine_user
from deploy.engines.place import MARKER, own_folder, remove_home
from deploy.settings import Settings, SettingsError

RUN_FILE = "run.json"
RunFile = dict[str, Any]


class AlreadyRunning(EngineError):
    """Another process keeps this installation running."""


def claim_folder(settings: Settings) -> Path:
    """Make the data folder, or recognise it as ours.

    Errors: SettingsError when it holds something else, or cannot be made.
    """
    folder = settings.data
    marker = folder / MARKER
    if marker.exists():
        return folder
    try:
        if folder.exists() and any(folder.iterdir()):
            raise SettingsError(
                f"{folder} holds other files: set CUSTODE_DATA to an empty folder or to one that is not there"
            )
        own_folder(folder, mode=0o700 if engine_user(settings.engine_user) is None else 0o711)
        marker.write_text(
            json.dumps({"instance": settings.instance, "environment": settings.environment.value}) + "\n"
        )
    except OSError as error:
        raise SettingsError(f"CUSTODE_DATA: {folder} cannot be made: {error.strerror}") from error
    return folder


def read_marker(folder: Path) -> dict[str, str] | None:
    """What the folder says of itself; None when it is no data folder of ours."""
    try:
        found: dict[str, str] = json.loads((folder / MARKER).read_text())
    except (OSError, ValueError):
        return None
    return found


class Lock:
    """Held by the process that keeps an installation running; falls with it, however it ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._descriptor: int | None = None

    def take(self) -> None:
        """Errors: AlreadyRunning."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise AlreadyRunning(
                f"it is running already (process {self.holder()}): see `custode status`"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor

    def holder(self) -> int | None:
        """The process that holds it; None when nobody does."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.read(descriptor, 32).decode()
            return int(text) if text.isdigit() else 0
        else:
            return None
        finally:
            os.close(descriptor)

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def write_run_file(folder: Path, content: Mapping[str, object]) -> None:
    """Say what this process runs and where, for `status` and the other commands. No secrets."""
    descriptor, name = tempfile.mkstemp(dir=folder)
    with os.fdopen(descriptor, "w") as stream:
        json.dump({"supervisor": os.getpid(), **content}, stream, indent=1)
    Path(name).replace(folder / RUN_FILE)


def read_run_file(folder: Path) -> RunFile | None:
    """What runs over this folder; None when nothing does, whatever a file of an earlier process says."""
    holder = Lock(folder).holder()
    if holder is None:
        return None
    try:
        found: RunFile = json.loads((folder / RUN_FILE).read_text())
    except (OSError, ValueError):
        return None
    return found if found.get("supervisor") == holder else None


def remove_folder(folder: Path) -> None:
    """Delete an installation: its folder, and what its engines keep elsewhere.

    Errors: SettingsError when the folder does not carry our marker; AlreadyRunning.
    """
    if read_marker(folder) is None:
        raise SettingsError(f"{folder} is no data folder of Custode: nothing was deleted")
    if (holder := Lock(folder).holder()) is not None:
        raise AlreadyRunning(f"it is running (process {holder}): stop it first")
    for pointer in folder.glob("*/elsewhere"):
        remove_home(pointer.parent)
    shutil.rmtree(folder)
