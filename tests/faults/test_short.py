"""The short forms that `make test` runs; the others, and the long forms, are `make faults`."""

import pytest

from tests.faults.__main__ import discover, run
from tests.faults.scenario import SCENARIOS

discover()
SEED = 20260914
IN_MAKE_TEST = ("random-kills", "crash-points")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("name", IN_MAKE_TEST)
def test_nothing_is_lost_and_nothing_doubled(name: str) -> None:
    report = run(name, long=False, seed=SEED)
    assert not report.violations
    assert report.kills >= 4


def test_every_scenario_can_be_named_on_a_command_line() -> None:
    assert set(IN_MAKE_TEST) < set(SCENARIOS)
    assert all(name == name.lower() and " " not in name for name in SCENARIOS)
