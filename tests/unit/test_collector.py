"""The collector rests while somebody wishes for it, and works again afterwards."""

import gc
from collections.abc import Iterator

import pytest

from shared.collector import collector_at_rest


@pytest.fixture(autouse=True)
def working() -> Iterator[None]:
    before = gc.isenabled()
    gc.enable()
    yield
    (gc.enable if before else gc.disable)()


def test_it_works_again_after_the_last_of_several_that_overlap() -> None:
    first, second = collector_at_rest(), collector_at_rest()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()


def test_a_fault_meanwhile_does_not_leave_it_at_rest() -> None:
    with pytest.raises(ValueError), collector_at_rest():
        raise ValueError
    assert gc.isenabled()


def test_who_had_switched_it_off_finds_it_off() -> None:
    gc.disable()
    with collector_at_rest():
        pass
    assert not gc.isenabled()
