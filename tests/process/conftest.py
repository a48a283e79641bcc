"""Fixtures: a network namespace of the test's own, and the gateway core in it with workers that echo."""

from __future__ import annotations

import asyncio
import ctypes
import dataclasses
import os
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from nf.config.snapshot import AddressPool, AddressRange, Context, CryptoTemplate, GatewaySnapshot, WsgService
from nf.config.transaction import Change
from wsg.gateway import Gateway, GatewaySettings
from wsg.supervisor import ChildSettings

HELPERS = Path(__file__).parent / "helpers"
CLONE_NEWNET = 0x40000000
NOBODY = 65534
FLAG_I = 0x08

_libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def netns() -> Iterator[None]:
    """This thread, and every process it starts, in a new network namespace with 192.0.2.1 and 2001:db8::1 on lo."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if _libc.unshare(CLONE_NEWNET) != 0:
        pytest.skip("no network namespaces here")
    try:
        for command in (
            "link set lo up",
            "addr add 192.0.2.1/32 dev lo",
            "addr add 192.0.2.2/32 dev lo",
            "addr add 2001:db8::1/128 dev lo nodad",
        ):
            subprocess.run(["ip", *command.split()], check=True, timeout=10)
        yield
    finally:
        assert _libc.setns(home, CLONE_NEWNET) == 0
        os.close(home)


def snapshot(revision: int = 1, *addresses: str, name: str = "ran", pool: str | None = None) -> GatewaySnapshot:
    """A context with a service on each address, and perhaps a pool."""
    services = tuple(
        WsgService(name, f"w{number}", "remote-access", address, "t") for number, address in enumerate(addresses)
    )
    pools = ()
    if pool is not None:
        first = pool.partition("/")[0]
        pools = (AddressPool(name, "p", 6 if ":" in pool else 4, pool, (AddressRange(first, first),)),)
    context = Context(name, 0, pools=pools, templates=(CryptoTemplate(name, "t"),), services=services)
    return GatewaySnapshot(revision, contexts=(context,))


class Core:
    """The gateway core, and shorthands."""

    def __init__(self, workers: int, **settings: object) -> None:
        child = ChildSettings(NOBODY, NOBODY, "debug")
        base = GatewaySettings(workers, 1, child, backend="fake", worker_module="echo_ipsecmgr")
        self.gateway = Gateway(dataclasses.replace(base, **settings))
        self.running = GatewaySnapshot()

    async def apply(self, new: GatewaySnapshot, persist: Callable[[], Awaitable[None]] | None = None) -> None:
        """One transaction from what runs."""

        async def nothing() -> None: ...

        await self.gateway.apply(Change(self.running, new, {}), persist or nothing)
        self.running = new

    def pids(self) -> list[int]:
        """Of the children that are up."""
        return [child.pid for child in self.gateway.children if child.up.is_set()]

    async def until(self, what: Callable[[], object], seconds: float = 15.0) -> None:
        """Poll with a deadline."""
        async with asyncio.timeout(seconds):
            while not what():
                await asyncio.sleep(0.01)


@pytest.fixture
async def core(netns: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Awaitable[Core]]]:
    """Makes a core with a number of workers; every one is stopped at the end and has left no child."""
    monkeypatch.setenv("PYTHONPATH", str(HELPERS))
    made: list[Core] = []

    async def make(workers: int = 2, **settings: object) -> Core:
        core = Core(workers, **settings)
        made.append(core)
        await core.gateway.open()
        return core

    yield make
    for one in made:
        pids = one.pids()
        await one.gateway.stop(1.0)
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def ike_message(spi_i: bytes, spi_r: bytes = bytes(8), flags: int = FLAG_I, body: bytes = b"") -> bytes:
    """An IKE header, as far as steering and the echo engine look at it, and a body."""
    return spi_i + spi_r + bytes((33, 0x20, 34, flags)) + bytes(8) + body


class Client:
    """A UDP sender outside the gateway (same namespace, other ports)."""

    def __init__(self, family: int = socket.AF_INET) -> None:
        self.socket = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)

    async def ask(self, where: tuple[str, int], message: bytes, seconds: float = 10.0) -> tuple[int, int, bytes]:
        """Send one IKE message (with a marker to port 4500); the worker that answers, its revision, what it echoes."""
        marker = bytes(4) if where[1] == 4500 else b""
        loop = asyncio.get_running_loop()
        await loop.sock_sendto(self.socket, marker + message, where)
        async with asyncio.timeout(seconds):
            reply = await loop.sock_recv(self.socket, 65535)
        assert reply.startswith(marker)
        worker, revision, echo = reply[len(marker) :].split(b":", 2)
        return int(worker), int(revision), echo

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def client() -> Iterator[Callable[..., Client]]:
    """Makes clients; they are closed at the end."""
    made: list[Client] = []

    def make(family: int = socket.AF_INET) -> Client:
        made.append(Client(family))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def tools() -> object:
    """The helper functions, for tests that cannot import a conftest."""

    class Tools:
        ike_message = staticmethod(ike_message)
        snapshot = staticmethod(snapshot)
        status = staticmethod(status)
        wait_gone = staticmethod(wait_gone)

    return Tools


def status(pid: int) -> dict[str, str]:
    """/proc/<pid>/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def wait_gone(pid: int, seconds: float = 10.0) -> bool:
    """Whether a process is gone (or a zombie that nobody reaps) before the deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if status(pid)["State"].startswith("Z"):
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False
