"""The data folder: recognised, locked, and deleted only when it is ours."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from deploy.engines import EngineError
from deploy.engines.host import Host
from deploy.engines.place import own_folder, secret_file, socket_folder
from deploy.folder import (
    AlreadyRunning,
    Lock,
    claim_folder,
    read_marker,
    read_run_file,
    remove_folder,
    write_run_file,
)
from deploy.settings import Settings, SettingsError
from deploy.units import LOG_LIMIT, set_long_logs_aside


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", base_port=0)


def test_a_new_folder_is_marked_and_found_again(settings: Settings) -> None:
    claim_folder(settings)
    assert claim_folder(settings) == settings.data
    assert read_marker(settings.data) == {"instance": "custode", "environment": "development"}


def test_a_folder_with_other_files_is_neither_used_nor_deleted(settings: Settings) -> None:
    settings.data.mkdir()
    (settings.data / "thesis.txt").write_text("years of work")
    with pytest.raises(SettingsError, match="other files"):
        claim_folder(settings)
    with pytest.raises(SettingsError, match="nothing was deleted"):
        remove_folder(settings.data)
    assert [path.name for path in settings.data.iterdir()] == ["thesis.txt"]


def test_one_process_at_a_time(settings: Settings) -> None:
    folder = claim_folder(settings)
    lock = Lock(folder)
    assert lock.holder() is None
    lock.take()
    assert Lock(folder).holder() == os.getpid()
    with pytest.raises(AlreadyRunning, match=str(os.getpid())):
        Lock(folder).take()
    with pytest.raises(AlreadyRunning):
        remove_folder(folder)
    lock.release()
    remove_folder(folder)
    assert not folder.exists()


def test_an_old_run_file_is_not_believed(settings: Settings) -> None:
    folder = claim_folder(settings)
    write_run_file(folder, {"state": "running"})
    assert read_run_file(folder) is None
    lock = Lock(folder)
    lock.take()
    assert read_run_file(folder) == {"state": "running", "supervisor": os.getpid()}
    (folder / "run.json").write_text('{"state": "running", "supervisor": 1}')
    assert read_run_file(folder) is None
    write_run_file(folder, {"state": "starting"})
    assert stat.S_IMODE((folder / "run.json").stat().st_mode) == 0o600
    lock.release()


def test_deleting_follows_engines_to_their_home_elsewhere_and_nowhere_else(
    settings: Settings, tmp_path: Path
) -> None:
    folder = claim_folder(settings)
    ours, foreign = tmp_path / "ours", tmp_path / "foreign"
    for name, home, origin in (("postgres", ours, folder / "postgres"), ("nats", foreign, "/somewhere/else")):
        home.mkdir()
        (home / "origin").write_text(f"{origin}\n")
        (folder / name).mkdir()
        (folder / name / "elsewhere").write_text(f"{home}\n")
    remove_folder(folder)
    assert not folder.exists()
    assert not ours.exists()
    assert foreign.exists()


def test_a_secret_is_written_once_and_read_by_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "key"
    assert secret_file(file, b"first").read_bytes() == b"first"
    assert secret_file(file, b"second").read_bytes() == b"first"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) & 0o077 == 0
    assert len(list(file.parent.iterdir())) == 1


def test_the_rights_of_a_folder_that_is_there_are_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o750)
    own_folder(theirs)
    own_folder(theirs / "deep" / "ours", mode=0o711)
    assert stat.S_IMODE(theirs.stat().st_mode) == 0o750
    assert stat.S_IMODE((theirs / "deep" / "ours").stat().st_mode) == 0o711


def test_sockets_stay_under_the_kernels_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short_temporary = Path(tempfile.mkdtemp(prefix="t"))
    monkeypatch.setattr("tempfile.tempdir", str(short_temporary))
    try:
        base = tmp_path / ("long" * 30)
        base.mkdir()
        host = Host(None, tmp_path)
        folder = socket_folder(base, host)
        assert len(os.fsencode(folder / ".s.PGSQL.65535.lock")) < 108
        assert socket_folder(base, host) == folder
        folder.chmod(0o755)
        with pytest.raises(EngineError, match="not a private folder"):
            socket_folder(base, host)
        folder.rmdir()
    finally:
        short_temporary.rmdir()


def test_long_logs_are_set_aside_once(tmp_path: Path) -> None:
    long, short = tmp_path / "long.log", tmp_path / "short.log"
    long.write_bytes(b"x" * (LOG_LIMIT + 1))
    short.write_text("fine")
    with long.open("ab") as writer:
        set_long_logs_aside(tmp_path)
        writer.write(b"after")
    assert long.read_bytes() == b"after"
    assert (tmp_path / "long.log.1").stat().st_size == LOG_LIMIT + 1
    assert short.read_text() == "fine"
