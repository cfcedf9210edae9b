"""How long the machines run: `HYPOTHESIS_PROFILE=thorough` for the long form, else a short one that never varies."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)

settings.register_profile(
    "short",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=6,
    stateful_step_count=25,
    print_blob=True,
    suppress_health_check=_SLOW,
)
settings.register_profile(
    "thorough",
    deadline=None,
    database=None,
    max_examples=300,
    stateful_step_count=60,
    print_blob=True,
    suppress_health_check=_SLOW,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
)
PROFILE = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))
"""Named by each machine and property itself, so that the rest of the suite keeps its own."""


@pytest.fixture
def profile() -> settings:
    return PROFILE
