"""Finding Chromium: never in the way, except where nothing may be left out."""

from pathlib import Path

import pytest

from deploy import browser


@pytest.fixture
def no_chromium(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUSTODE_CHROMIUM", raising=False)
    monkeypatch.delenv("CI", raising=False)
    return tmp_path


def program(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_one_that_is_there_is_used(no_chromium: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = program(no_chromium, "chromium", "exit 0")
    assert browser.main(["--install"]) == 0
    assert str(found) in capsys.readouterr().err


def test_one_that_is_named_is_used_and_nothing_else(
    no_chromium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(no_chromium, "chromium", "exit 0")
    named = program(no_chromium, "my-chromium", "exit 0")
    monkeypatch.setenv("CUSTODE_CHROMIUM", str(named))
    assert browser.find_chromium() == str(named)
    monkeypatch.setenv("CUSTODE_CHROMIUM", str(no_chromium / "gone"))
    assert browser.find_chromium() is None


def test_without_one_it_says_what_is_left_out(no_chromium: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert browser.main([]) == 0
    assert "left out" in capsys.readouterr().err


def test_in_ci_nothing_is_left_out(no_chromium: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    assert browser.main([]) == 1


def test_root_installs_it_and_fetches_the_lists_only_when_needed(
    no_chromium: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    calls = no_chromium / "calls"
    chromium = no_chromium / "chromium"
    program(
        no_chromium,
        "apt-get",
        f'case "$*" in\n'
        f"*update*) echo update >> {calls}; : > {no_chromium}/lists ;;\n"
        f"*install*) echo install >> {calls}; [ -e {no_chromium}/lists ] || exit 100;"
        f" : > {chromium}; /bin/chmod 755 {chromium} ;;\n"
        f"esac",
    )
    assert browser.main(["--install"]) == 0
    assert calls.read_text().split() == ["install", "update", "install"]


def test_an_ordinary_user_installs_nothing(no_chromium: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    program(no_chromium, "apt-get", f": > {no_chromium}/touched")
    assert browser.main(["--install"]) == 0
    assert not (no_chromium / "touched").exists()
