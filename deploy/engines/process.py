"""One child process: started under a guard, logged to a file, stopped for certain."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.engines.errors import EngineError
from deploy.engines.host import EngineUser

GUARD = Path(__file__).with_name("guard.py")


def guarded(
    argv: Sequence[str],
    user: EngineUser | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
    low_ports: bool = False,
) -> list[str]:
    """The command line that runs `argv` as `user` and never longer than this process."""
    identity = [] if user is None else ["--uid", str(user.uid), "--gid", str(user.gid)]
    low = ["--low-ports"] if low_ports and user is not None else []
    life = ["--parent", str(os.getpid()), "--signal", str(int(death_signal))]
    return [sys.executable, "-I", "-S", str(GUARD), *identity, *low, *life, "--", *argv]


def open_log(path: Path) -> int:
    """Open a log for appending, readable by its owner alone; returns the descriptor."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def run(
    argv: Sequence[str],
    *,
    user: EngineUser | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    seconds: float = 120.0,
) -> str:
    """Run a command to its end and return what it printed.

    Errors: EngineError with the end of its output when it fails or takes longer than `seconds`.
    """
    name = Path(argv[0]).name
    try:
        done = subprocess.run(
            guarded(argv, user),
            env=None if env is None else dict(env),
            cwd=cwd,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise EngineError(f"{name} did not end within {seconds:.0f} seconds") from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise EngineError(f"{name} failed ({done.returncode}): {said}")
    return done.stdout


@dataclass
class Process:
    """A child that runs until it is stopped, or until the process that started it ends.

    Start it from a thread that lives on: Linux counts the end of the *thread* as the parent's end.
    Signals go to its whole process group, which is its own: a Ctrl-C in the terminal does not reach it.
    """

    name: str
    argv: Sequence[str]
    log: Path
    env: Mapping[str, str]
    cwd: Path | None = None
    user: EngineUser | None = None
    death_signal: signal.Signals = signal.SIGKILL
    stop_signal: signal.Signals = signal.SIGTERM
    low_ports: bool = False
    _child: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _log_start: int = field(default=0, init=False, repr=False)
    _swept: bool = field(default=True, init=False, repr=False)

    def start(self) -> None:
        """Start it; does nothing while it runs. Errors: EngineError when it cannot be started at all."""
        if self.alive:
            return
        self._kill_group()
        log = open_log(self.log)
        self._log_start = os.fstat(log).st_size
        try:
            self._child = subprocess.Popen(
                guarded(self.argv, self.user, self.death_signal, self.low_ports),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(self.env),
                cwd=self.cwd,
                start_new_session=True,
            )
        except OSError as error:
            raise EngineError(f"{self.name} cannot be started: {error.strerror}") from error
        finally:
            os.close(log)
        self._swept = False

    @property
    def pid(self) -> int | None:
        """Process id, while it runs."""
        return self._child.pid if self._child is not None and self.alive else None

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def returncode(self) -> int | None:
        """Exit code, negative for a signal; None while it runs or before it ever ran."""
        return None if self._child is None else self._child.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process itself; silently nothing when it has ended."""
        if self._child is not None and self.alive:
            self._child.send_signal(number)

    def stop(self, patience: float = 10.0) -> None:
        """Ask it to end, wait up to `patience` seconds, then kill its group."""
        if self._child is None:
            return
        self.signal(self.stop_signal)
        try:
            self._child.wait(patience)
        except subprocess.TimeoutExpired:
            self.kill()
        self._kill_group()

    def kill(self) -> None:
        """End it at once, with everything in its process group."""
        if self._child is None:
            return
        self._kill_group()
        self._child.wait(10)

    def _kill_group(self) -> None:
        # Once per start: later on the number might belong to somebody else.
        if self._child is not None and not self._swept:
            self._swept = True
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)

    def said(self, limit: int = 1500) -> str:
        """The end of what it wrote to its log since it was last started."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as stream:
            stream.seek(self._log_start)
            return stream.read().decode(errors="replace").strip()[-limit:]


def wait_until(ready: Callable[[], bool], process: Process, seconds: float, step: float = 0.02) -> None:
    """Wait until `ready()` holds while the process lives.

    Errors: EngineError with the end of its log when it ended, or is not ready within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if not process.alive:
            raise EngineError(f"{process.name} ended ({process.returncode}) at start: {process.said()}")
        if time.monotonic() > deadline:
            raise EngineError(f"{process.name} is not ready after {seconds:.0f} seconds: {process.said()}")
        time.sleep(step)
