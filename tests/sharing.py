"""How tests are shared out to processes: by file, and whole folders where one installation serves all of their files."""

import pytest
from xdist.scheduler import LoadFileScheduling

_TOGETHER = ("tests/acceptance", "tests/hostile")


def _share(nodeid: str) -> str:
    file = nodeid.partition("::")[0]
    folder = file.rpartition("/")[0]
    return folder if folder in _TOGETHER else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> LoadFileScheduling | None:
    """`--dist loadfile`, save that a folder of _TOGETHER goes to one process."""
    if config.getvalue("dist") != "loadfile":
        return None
    scheduling = LoadFileScheduling(config, log)
    scheduling._split_scope = _share
    return scheduling
