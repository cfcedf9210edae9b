"""Whose turn it is at the door: by address, by device, after how long (M10, DESIGN 7)."""

import asyncio
import os
from contextlib import AsyncExitStack, ExitStack
from ipaddress import ip_address, ip_network

import pytest

from services.identity.addresses import LOOPBACK, client_address
from services.identity.door import (
    AT_ONCE_ON_A_DEVICE,
    FORGOTTEN_AFTER,
    LONGEST_DELAY,
    MOST_ADDRESSES,
    Door,
    Failures,
)
from services.identity.passwords import Cost, Hasher, HasherBusy, Peppers
from services.identity.settings import IdentitySettings

SCHOOL = ip_address("192.0.2.7")
ELSEWHERE = ip_address("198.51.100.9")


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("127.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("::1", "2001:db8::5", "2001:db8::5"),
        ("127.0.0.1", "198.51.100.9, 192.0.2.7", "192.0.2.7"),
        ("::ffff:127.0.0.1", "::ffff:192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", "fe80::1%eth0", "fe80::1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.7, ", "127.0.0.1"),
        ("203.0.113.4", "192.0.2.7", "203.0.113.4"),
        (None, "192.0.2.7", None),
        ("testclient", "192.0.2.7", None),
    ],
)
def test_only_the_front_door_is_believed(peer: str | None, forwarded: str, found: str | None) -> None:
    assert client_address(peer, forwarded, LOOPBACK) == (ip_address(found) if found else None)


def test_the_front_door_may_stand_elsewhere() -> None:
    networks = (ip_network("172.18.0.0/16"),)
    assert client_address("172.18.0.5", "192.0.2.7", networks) == SCHOOL
    assert client_address("127.0.0.1", "192.0.2.7", networks) == ip_address("127.0.0.1")


def test_the_front_door_is_told_as_a_list_of_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "KEYRING_URL", "PEPPER_FILE"):
        monkeypatch.setenv(f"CUSTODE_IDENTITY_{name}", "x")
    assert IdentitySettings().front_door == LOOPBACK
    monkeypatch.setenv("CUSTODE_IDENTITY_FRONT_DOOR", "172.18.0.0/16, fd00::7")
    assert IdentitySettings().front_door == (ip_network("172.18.0.0/16"), ip_network("fd00::7/128"))


async def test_an_address_has_its_turns_some_wait_and_the_rest_are_sent_away() -> None:
    door = Door(2)
    over = asyncio.Event()

    async def come(address: object = SCHOOL) -> None:
        async with door.from_address(address):  # type: ignore[arg-type]
            await over.wait()

    there = [asyncio.create_task(come()) for _ in range(2 + 8)]
    await asyncio.sleep(0.01)
    with pytest.raises(HasherBusy):
        await come()
    async with asyncio.timeout(1), door.from_address(ELSEWHERE):
        pass
    over.set()
    await asyncio.gather(*there)
    async with asyncio.timeout(1), door.from_address(SCHOOL):
        pass
    assert not door._lanes, "nothing is kept of those who have left"


async def test_who_gives_up_waiting_takes_no_turn_away() -> None:
    door = Door(1)
    async with door.from_address(SCHOOL):
        waiting = asyncio.create_task(door.from_address(SCHOOL).__aenter__())
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    async with asyncio.timeout(1), door.from_address(SCHOOL):
        pass
    assert not door._lanes


async def test_an_ipv6_customer_is_one_household_and_all_their_networks_four() -> None:
    door = Door(1)
    async with AsyncExitStack() as stack:
        for network in range(4):
            address = ip_address(f"2001:db8:1:{network:x}::1")
            await stack.enter_async_context(door.from_address(address))
        for same in ("2001:db8:1:0::2", "2001:db8:1:4::1"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05), door.from_address(ip_address(same)):
                    pass
        async with asyncio.timeout(1), door.from_address(ip_address("2001:db8:2::1")):
            pass


def test_a_device_comes_in_a_few_times_at_once() -> None:
    door = Door()
    with ExitStack() as stack:
        for _ in range(AT_ONCE_ON_A_DEVICE):
            stack.enter_context(door.on_device("d"))
        with pytest.raises(HasherBusy), door.on_device("d"):
            pass
        with door.on_device("e"):
            pass
    with door.on_device("d"):
        pass
    assert not door._on_devices or set(door._on_devices) == {"d"}


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_address_is_slowed_more_and_more_never_locked_and_forgiven() -> None:
    clock = Clock()
    failures = Failures(clock)
    delays = []
    for _ in range(300):
        failures.add(SCHOOL)
        delays.append(failures.delay(SCHOOL))
    assert delays[19] == 0 < delays[20] and delays == sorted(delays) and delays[-1] == LONGEST_DELAY
    assert failures.delay(ELSEWHERE) == 0
    clock.now += 40 * FORGOTTEN_AFTER
    assert failures.delay(SCHOOL) == 0, "some minutes after the last of however many"


def test_now_and_then_a_failure_slows_nobody() -> None:
    clock = Clock()
    failures = Failures(clock)
    for _ in range(1000):
        failures.add(SCHOOL)
        clock.now += FORGOTTEN_AFTER
        assert failures.delay(SCHOOL) == 0


def test_failures_spread_over_a_customers_networks_are_seen() -> None:
    failures = Failures(Clock())
    for network in range(200):
        failures.add(ip_address(f"2001:db8:1:{network:x}::1"))
    assert failures.delay(ip_address("2001:db8:1:ffff::1")) > 0.5
    assert failures.delay(ip_address("2001:db8:2::1")) == 0


def test_what_is_remembered_is_bounded() -> None:
    failures = Failures(Clock())
    for number in range(MOST_ADDRESSES + 500):
        failures.add(ip_address(number))
    assert len(failures) == MOST_ADDRESSES


async def test_the_delay_is_waited_out_before_the_turn_begins() -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    door = Door(sleep=sleep)
    for _ in range(30):
        door.failed(SCHOOL)
    async with door.from_address(SCHOOL), door.from_address(ELSEWHERE):
        assert len(waited) == 1 and 0.2 < waited[0] < 0.3
    with door.on_device("d"):
        assert len(waited) == 1


async def test_a_quarter_of_the_queue_is_kept_for_known_devices() -> None:
    hasher = Hasher(Peppers([os.urandom(32)]), Cost(memory=1024, passes=1), cores=1, queue=8)
    with ExitStack() as stack:
        for _ in range(1 + 6):
            stack.enter_context(hasher.place())
        with pytest.raises(HasherBusy), hasher.place():
            pass
        for _ in range(2):
            stack.enter_context(hasher.place(known=True))
        with pytest.raises(HasherBusy), hasher.place(known=True):
            pass
    with hasher.place():
        pass
