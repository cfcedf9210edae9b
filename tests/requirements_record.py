"""Writes build/requirements.json: which tests named which row, in whole or in part, and how they ended."""

import json
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

RECORD = Path(__file__).parent.parent / "build" / "requirements.json"
_PROPERTY = "requirement"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for marker in item.iter_markers("requirement"):
            item.user_properties.append((_PROPERTY, [marker.args[0], marker.kwargs.get("part")]))


class Recorder:
    """Keeps the worst that happened to each test: a fault in set-up or tear-down is a failure too."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if str(report.outcome) == "rerun":
            return
        named: list[list[str | None]] = [v for n, v in report.user_properties if n == _PROPERTY]  # type: ignore[misc]
        for row, part in named:
            assert row is not None
            entry = self._rows.setdefault(
                (row, report.nodeid), {"row": row, "part": part, "test": report.nodeid, "outcome": "passed"}
            )
            if report.outcome != "passed" and entry["outcome"] != "failed":
                entry["outcome"] = report.outcome

    def save(self, path: Path = RECORD) -> None:
        """Keeps what was recorded of tests that did not run this time, so that a part can be run alone: not of
        functions that are gone, nor of a function's parameters once it ran without any."""
        kept: dict[tuple[str, str], dict[str, Any]] = {}
        if path.exists():
            for entry in json.loads(path.read_text())["tests"]:
                kept[entry["row"], entry["test"]] = entry
        ran = {test for _, test in self._rows}
        kept = {
            (row, test): entry
            for (row, test), entry in kept.items()
            if test not in ran and test.partition("[")[0] not in ran and _stands(test)
        }
        path.parent.mkdir(exist_ok=True)
        tests = sorted((kept | self._rows).values(), key=lambda entry: (entry["row"], entry["test"]))
        document = {"recorded": datetime.now(UTC).isoformat(timespec="seconds"), "tests": tests}
        path.write_text(json.dumps(document, indent=1))


def _stands(test: str) -> bool:
    """Whether the function of a test's node id is still in its file."""
    name, _, function = test.partition("[")[0].partition("::")
    path = RECORD.parent.parent / name
    return path.exists() and f"def {function.rpartition('::')[2]}(" in path.read_text(encoding="utf-8")


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    recorder = session.config.pluginmanager.get_plugin("requirements-recorder")
    yield
    if isinstance(recorder, Recorder) and not hasattr(session.config, "workerinput"):
        recorder.save()


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Recorder(), "requirements-recorder")
