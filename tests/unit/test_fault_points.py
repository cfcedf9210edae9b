"""Fault points: off unless asked for, and never in production."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared import faults
from shared.settings import CommonSettings, Environment

DIES = """
import sys; from pathlib import Path; from shared import faults
faults.arm(Path(sys.argv[1]), "registry")
faults.reach(faults.Point.after_commit)
faults.reach(faults.Point.before_commit)
print("lived")
"""


def a_process(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DIES, str(folder)], capture_output=True, text=True, check=False
    )


def test_a_point_that_nobody_wants_does_nothing() -> None:
    for point in faults.Point:
        faults.reach(point)


def test_a_wanted_point_ends_its_process_once(tmp_path: Path) -> None:
    wanted = tmp_path / faults.wanted_name("registry", faults.Point.before_commit)
    wanted.touch()
    assert a_process(tmp_path).returncode == -signal.SIGKILL
    assert not wanted.exists()
    assert wanted.with_suffix(".reached").exists()
    again = a_process(tmp_path)
    assert (again.returncode, again.stdout) == (0, "lived\n")


def test_what_another_service_is_wanted_for_does_nothing(tmp_path: Path) -> None:
    (tmp_path / faults.wanted_name("identity", faults.Point.before_commit)).touch()
    assert a_process(tmp_path).stdout == "lived\n"


def test_production_refuses_fault_points(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="refused in production"):
        CommonSettings(
            environment=Environment.production, keyring_kek_file=tmp_path / "kek", faults_folder=tmp_path
        )
