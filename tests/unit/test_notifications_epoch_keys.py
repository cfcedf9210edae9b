"""Epoch keys: durable before they are used, rotated daily, destroyed when no secret sealed to them can live."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.notifications.epoch_keys import (
    LONGEST_LIFE,
    RETIRES_AFTER,
    EpochKeyMissing,
    EpochKeys,
    UnreadableKeyFile,
)
from shared.contracts.policy import RolePolicy
from shared.sealing import Binding, InitialSecret, open_secret, public_key_text, seal_secret

START = datetime(2026, 9, 1, 6, 0, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "epoch-keys"


def test_one_key_a_day(path: Path) -> None:
    keys = EpochKeys(path)
    first = keys.rotate(START)
    assert keys.rotate(START + timedelta(hours=23)).id == first.id
    second = keys.rotate(START + DAY)
    assert second.id != first.id
    assert [k.id for k in keys.all()] == [first.id, second.id]


def test_the_file_is_private_and_survives(path: Path) -> None:
    made = EpochKeys(path).rotate(START)
    assert path.stat().st_mode & 0o777 == 0o600
    binding = Binding("S", "c", 1, made.id)
    sealed = seal_secret(public_key_text(made.private), InitialSecret("parola"), binding)
    again = EpochKeys(path).private_key(made.id)
    assert open_secret(again, sealed, binding).password == "parola"


def test_a_key_is_destroyed_after_the_longest_life_and_no_sooner(path: Path) -> None:
    keys = EpochKeys(path)
    first = keys.rotate(START)
    last_secret_ends = first.retires + LONGEST_LIFE
    keys.rotate(last_secret_ends)
    assert keys.private_key(first.id)
    keys.rotate(last_secret_ends + DAY)
    with pytest.raises(EpochKeyMissing):
        keys.private_key(first.id)
    assert first.id not in path.read_text()


def test_the_longest_life_is_the_policy_s() -> None:
    longest = RolePolicy.model_fields["initial_secret_days"].metadata
    assert any(getattr(m, "le", None) == LONGEST_LIFE.days for m in longest)
    assert RETIRES_AFTER > DAY


def test_another_process_sees_a_new_key(path: Path) -> None:
    one, other = EpochKeys(path), EpochKeys(path)
    one.rotate(START)
    other.all()
    made = one.rotate(START + DAY)
    assert other.private_key(made.id)


def test_a_clock_set_back_still_gives_a_key(path: Path) -> None:
    keys = EpochKeys(path)
    future = keys.rotate(START + 10 * DAY)
    now = keys.rotate(START)
    assert now.id != future.id
    assert keys.rotate(START).id == now.id


def test_a_write_that_fails_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = EpochKeys(path)
    first = keys.rotate(START)

    def broken(descriptor: int) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="full"):
        keys.rotate(START + DAY)
    monkeypatch.undo()
    assert [k.id for k in EpochKeys(path).all()] == [first.id]
    assert EpochKeys(path).rotate(START + DAY).id != first.id


def test_a_damaged_file_is_said_and_not_replaced(path: Path) -> None:
    path.write_text("{not json")
    with pytest.raises(UnreadableKeyFile):
        EpochKeys(path).rotate(START)
    assert path.read_text() == "{not json"


def test_nothing_shows_in_a_repr(path: Path) -> None:
    key = EpochKeys(path).rotate(START)
    assert "private" not in repr(key)
