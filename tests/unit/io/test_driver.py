"""The driver: order of actions, timers, back-pressure, and a data path that refuses or is gone."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from nf.datapath.port import DatapathError, DatapathEvent, Direction, EventKind, Sa
from nf.ike.actions import Action, AddRoutes, ClearElsewhere, Event, EventName, InstallSa, RemoveSa, SendDatagram
from nf.ike.inputs import Command, NetworkPath, SaFilter, Shutdown
from nf.io.driver import QUEUE_HIGH, Driver
from nf.ipc.channel import Channel
from nf.ipc.messages import ClearOthers, EventReport, Install, Message, Remove, RoutesAdded

PATH = NetworkPath("192.0.2.1", 500, "198.51.100.7", 500)


def sa(number: int) -> Sa:
    return Sa(number, Direction.INBOUND, 0, 256 + number, 1, 1, "192.0.2.1", "192.0.2.2", 20, 128, 0, bytes(20), b"")


class Engine:
    """Gives out what a test puts in."""

    def __init__(self) -> None:
        self.actions: list[Action] = []
        self.inputs: list[object] = []
        self.timeout: float | None = None

    def receive(self, datagram: bytes, path: NetworkPath, now: float) -> None:
        if datagram == b"raise":
            raise ZeroDivisionError
        self.inputs.append(datagram)

    def expire(self, now: float) -> None:
        assert self.timeout is not None
        assert now >= self.timeout
        self.inputs.append("expire")
        self.timeout = None

    def command(self, command: Command, now: float) -> int:
        self.inputs.append(command)
        return 3

    def datapath_event(self, event: DatapathEvent, now: float) -> None:
        self.inputs.append(event)

    def poll(self) -> list[Action]:
        actions, self.actions = self.actions, []
        return actions

    def next_timeout(self) -> float | None:
        return self.timeout


class Bench:
    """A driver with an engine, both channels, and one book of what happened in which order."""

    def __init__(self) -> None:
        self.book: list[object] = []
        self.control: list[Message] = []
        self.congestion: list[bool] = []
        self.counters: dict[str, int] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.refuse = False
        ours, theirs = socket.socketpair()
        self.wsgd = Channel(theirs, lambda message, _: self.control.append(message))
        mine, other = socket.socketpair()
        self.datapath = Channel(other, self._datapath)
        self.engine = Engine()
        self.control_end = Channel(ours, lambda message, _: None)
        self.driver = Driver(
            self.engine,
            send=lambda path, data: self.book.append(data),
            control=self.control_end,
            congested=self.congestion.append,
            counters=self.counters,
        )
        self.driver.datapath = Channel(mine, lambda message, _: None)

    async def _datapath(self, message: Message, fds: tuple[int, ...] = ()) -> Message | None:
        await self.gate.wait()
        self.book.append(message)
        if self.refuse:
            raise DatapathError("SPI is taken")
        return None

    async def idle(self) -> None:
        assert await self.driver.wait_until(lambda: True, 5)

    def close(self) -> None:
        self.driver.close()
        for channel in (self.wsgd, self.datapath, self.control_end, self.driver.datapath):
            if channel is not None:
                channel.close()


@pytest.fixture
async def bench():
    one = Bench()
    yield one
    one.close()


async def test_a_datagram_waits_for_the_sa_before_it(bench) -> None:
    bench.gate.clear()
    bench.engine.actions = [
        SendDatagram(PATH, b"first"),
        InstallSa(sa(1)),
        InstallSa(sa(2)),
        SendDatagram(PATH, b"second"),
        RemoveSa(9),
        SendDatagram(PATH, b"third"),
    ]
    bench.driver.settle()
    for _ in range(20):
        await asyncio.sleep(0)
    assert bench.book == [b"first"]
    bench.driver.receive(b"more", PATH)  # the engine goes on meanwhile
    assert bench.engine.inputs == [b"more"]
    bench.gate.set()
    await bench.idle()
    assert bench.book[:5] == [b"first", Install(sa(1)), Install(sa(2)), b"second", b"third"]
    assert bench.book[5:] == [Remove(9)]


async def test_an_sa_that_is_refused_is_reported_as_expired(bench) -> None:
    bench.refuse = True
    bench.engine.actions = [InstallSa(sa(1)), SendDatagram(PATH, b"reply")]
    bench.driver.settle()
    await bench.idle()
    assert bench.engine.inputs == [DatapathEvent(EventKind.HARD_EXPIRED, 1)]
    assert bench.book == [Install(sa(1)), b"reply"]
    assert bench.counters == {"driver.installs-failed": 1}


async def test_a_data_path_that_is_gone_refuses_at_once(bench) -> None:
    bench.datapath.close()
    bench.engine.actions = [InstallSa(sa(1)), SendDatagram(PATH, b"reply")]
    bench.driver.settle()
    await bench.idle()
    assert bench.engine.inputs == [DatapathEvent(EventKind.HARD_EXPIRED, 1)]
    assert bench.book == [b"reply"]


async def test_the_timer_fires_not_early_and_is_moved(bench) -> None:
    bench.engine.timeout = time.monotonic() + 3600
    bench.driver.settle()
    bench.engine.timeout = time.monotonic() + 0.02
    bench.driver.settle()
    async with asyncio.timeout(5):
        while bench.engine.inputs != ["expire"]:
            await asyncio.sleep(0.001)


async def test_events_routes_and_clears_go_to_wsgd_in_order(bench) -> None:
    event, which = Event(EventName.IKE_SA_UP, {"peer": "x"}), SaFilter(remote_id="x")
    bench.engine.actions = [event, AddRoutes(0, 1, ()), ClearElsewhere(which)]
    bench.driver.settle()
    async with asyncio.timeout(5):
        while len(bench.control) < 3:
            await asyncio.sleep(0)
    assert bench.control == [EventReport(event), RoutesAdded(0, 1, ()), ClearOthers(which)]


async def test_an_exception_of_the_engine_costs_one_input(bench) -> None:
    bench.driver.receive(b"raise", PATH)
    bench.driver.receive(b"next", PATH)
    assert bench.engine.inputs == [b"next"]
    assert bench.counters == {"driver.engine-exceptions": 1}


async def test_reading_stops_above_the_mark_and_goes_on_below(bench) -> None:
    bench.gate.clear()
    bench.engine.actions = [InstallSa(sa(1)), *(SendDatagram(PATH, b"x") for _ in range(QUEUE_HIGH))]
    bench.driver.settle()
    assert bench.congestion == []
    bench.engine.actions = [SendDatagram(PATH, b"x")]
    bench.driver.settle()
    assert bench.congestion == [True]
    bench.gate.set()
    await bench.idle()
    assert bench.congestion == [True, False]


async def test_a_command_is_answered_with_its_number(bench) -> None:
    assert bench.driver.command(Shutdown()) == 3


async def test_waiting_has_a_deadline(bench) -> None:
    assert not await bench.driver.wait_until(lambda: False, 0.01)
