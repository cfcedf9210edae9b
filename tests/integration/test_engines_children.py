"""No process outlives the one that started it, however that one ends."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.engines import EngineError, temporary_folder
from deploy.engines.host import EngineUser, this_host
from deploy.engines.process import Process, guarded, run, wait_until

ENVIRONMENT = {"PATH": os.environ["PATH"]}
RUNS_PARTS = """
    import asyncio, signal, sys
    from pathlib import Path
    from deploy.settings import Settings
    from deploy.supervisor import Running

    async def main():
        async with Running(Settings(data=Path(sys.argv[1]), base_port=0), services=(), mailbox=False) as running:
            print(*(running.pid(name) for name in ("postgres", "nats", "caddy")), flush=True)
            await asyncio.sleep(600)

    # Whoever runs the tests in the background may have told all below to ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asyncio.run(main())
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


def gone(pid: int) -> bool:
    """Whether a process has ended (a dead one that nobody has waited for yet counts)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def descendants(pid: int) -> set[int]:
    found: set[int] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            child = int(stat.parent.name)
            found |= {child} | descendants(child)
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_engines_end_with_their_supervisor(folder: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", textwrap.dedent(RUNS_PARTS), str(folder / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as parent:
        assert parent.stdout is not None
        engines = {int(pid) for pid in parent.stdout.readline().split()}
        assert len(engines) == 3
        family = descendants(parent.pid)
        assert engines < family  # PostgreSQL has workers
        parent.send_signal(number)
        try:
            parent.wait(20)
        finally:
            parent.kill()
    assert eventually(lambda: all(gone(pid) for pid in family))


def test_a_start_that_is_broken_off_leaves_nothing(folder: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(RUNS_PARTS), str(folder / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as parent:
        assert eventually(lambda: len(descendants(parent.pid)) > 0)
        family = descendants(parent.pid)
        parent.send_signal(signal.SIGINT)
        try:
            parent.wait(30)
        finally:
            parent.kill()
    assert eventually(lambda: all(gone(pid) for pid in family))
    pid_file = next(folder.rglob("postmaster.pid"), None)
    assert pid_file is None or gone(int(pid_file.read_text().splitlines()[0]))


def test_after_a_crash_the_next_start_finds_everything(folder: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(RUNS_PARTS), str(folder / "data")]
    for _ in range(2):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as parent:
            assert parent.stdout is not None
            assert len(parent.stdout.readline().split()) == 3
            parent.kill()
            parent.wait(20)


def test_a_child_that_will_not_end_is_ended_with_its_own_children(folder: Path) -> None:
    stubborn = "trap '' TERM; sleep 600 & echo $!; while true; do sleep 600; done"
    process = Process("stubborn", ["/bin/sh", "-c", stubborn], folder / "log", ENVIRONMENT)
    process.start()
    wait_until(lambda: process.said().isdigit(), process, 5)
    grandchild = int(process.said())
    process.stop(patience=0.2)
    assert process.returncode == -signal.SIGKILL
    assert eventually(lambda: gone(grandchild))


def test_a_start_that_fails_says_what_the_program_said(folder: Path) -> None:
    process = Process(
        "failing", ["/bin/sh", "-c", "echo no disk left >&2; exit 3"], folder / "log", ENVIRONMENT
    )
    process.start()
    with pytest.raises(EngineError, match=r"failing ended \(3\) at start: no disk left"):
        wait_until(lambda: False, process, 5)
    missing = Process("missing", ["/nowhere/program"], folder / "log", ENVIRONMENT)
    missing.start()
    with pytest.raises(EngineError, match="No such file"):
        wait_until(lambda: False, missing, 5)


def test_a_command_whose_parent_is_gone_already_does_not_start(folder: Path) -> None:
    touched = folder / "touched"
    argv = guarded(["/bin/sh", "-c", f": > {touched}"])
    argv[argv.index("--parent") + 1] = "1"
    assert subprocess.run(argv, check=False).returncode == 126
    assert not touched.exists()


def test_as_root_a_child_is_somebody_else_for_good() -> None:
    user = this_host().user
    if user is None:
        pytest.skip("only root becomes somebody else")
    shown = run(["/bin/cat", "/proc/self/status"], user=user)
    status = dict(line.split(":\t", 1) for line in shown.splitlines() if ":\t" in line)
    assert status["Uid"].split() == [str(user.uid)] * 4
    assert status["Gid"].split() == [str(user.gid)] * 4
    assert status["Groups"].strip() == ""
    assert status["NoNewPrivs"] == "1"
    assert int(status["CapEff"], 16) == 0


def test_low_ports_are_the_only_right_that_is_kept() -> None:
    user: EngineUser | None = this_host().user
    if user is None:
        pytest.skip("only root becomes somebody else")
    argv = guarded(["/bin/cat", "/proc/self/status"], user, low_ports=True)
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert "CapEff:\t0000000000000400\n" in shown
