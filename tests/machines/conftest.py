"""How long the machines run: `HYPOTHESIS_PROFILE=thorough` for the long form, else a short one that never varies."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

_AS_IT_CAME = (Phase.explicit, Phase.generate)
"""Not shrunk: a story of real engines takes too long to tell a hundred times."""
_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)

settings.register_profile(
    "short",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=6,
    stateful_step_count=25,
    phases=_AS_IT_CAME,
    print_blob=True,
    suppress_health_check=_SLOW,
)
settings.register_profile(
    "thorough",
    deadline=None,
    database=None,
    max_examples=60,
    stateful_step_count=50,
    print_blob=True,
    suppress_health_check=_SLOW,
    phases=_AS_IT_CAME,
)
PROFILE = settings.get_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))
"""Named by each machine and property itself, so that the rest of the suite keeps its own."""


@pytest.fixture
def profile() -> settings:
    return PROFILE
