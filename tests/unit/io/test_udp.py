"""A worker's UDP socket: markers, receive offload, batches, and what it counts."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nf.ike.inputs import NetworkPath
from nf.io.udp import SOL_UDP, UDP_GRO, UdpSocket, segment_octets, split_segments

UDP_SEGMENT = 103


class Ear:
    """A UdpSocket on a free port, and what it heard."""

    def __init__(self, *, natt: bool, family: int = socket.AF_INET, address: str = "127.0.0.1") -> None:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setsockopt(SOL_UDP, UDP_GRO, 1)
        sock.bind((address, 0))
        self.where = sock.getsockname()
        self.heard: list[tuple[bytes, NetworkPath]] = []
        self.batches = 0
        self.counters: dict[str, int] = {}
        self.socket = UdpSocket(
            sock,
            address,
            natt=natt,
            receive=lambda data, path: self.heard.append((data, path)),
            batch_done=self._batch,
            counters=self.counters,
        )
        self.socket.resume()

    def _batch(self) -> None:
        self.batches += 1

    async def until(self, count: int) -> None:
        """Wait for `count` messages or counted ones."""
        async with asyncio.timeout(5):
            while len(self.heard) + sum(self.counters.values()) < count:
                await asyncio.sleep(0)


@pytest.fixture
def sender():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


async def test_port_500_messages_come_as_they_are_with_their_path(sender) -> None:
    ear = Ear(natt=False)
    sender.sendto(b"\0\0\0\0hello", ear.where)
    await ear.until(1)
    port = sender.getsockname()[1]
    assert ear.heard == [(b"\0\0\0\0hello", NetworkPath("127.0.0.1", ear.where[1], "127.0.0.1", port))]
    ear.socket.close()


async def test_port_4500_strips_the_marker_and_counts_the_rest(sender) -> None:
    """RFC 3948 sections 2.2 and 2.3."""
    ear = Ear(natt=True)
    for datagram in (b"\0\0\0\0ike", b"\0\0\0\0", b"\xff", b"\0\0\0", b"\0\0\1\0esp"):
        sender.sendto(datagram, ear.where)
    await ear.until(5)
    assert [data for data, _ in ear.heard] == [b"ike", b""]
    assert ear.counters == {"udp.nat-keepalives": 1, "udp.short": 1, "udp.esp-misdirected": 1}
    ear.socket.close()


async def test_an_aggregate_is_split_before_its_messages_are_looked_at(sender) -> None:
    """UDP_GRO gives several datagrams of one flow in one read (the sender's UDP_SEGMENT makes one on loopback)."""
    ear = Ear(natt=True)
    parts = [b"\0\0\0\0" + bytes([n]) * 96 for n in range(7)] + [b"\0\0\0\0last"]
    sender.sendmsg([b"".join(parts)], [(SOL_UDP, UDP_SEGMENT, struct.pack("H", 100))], 0, ear.where)
    await ear.until(8)
    assert [data for data, _ in ear.heard] == [part[4:] for part in parts]
    ear.socket.close()


async def test_a_batch_is_settled_once_and_is_bounded(sender) -> None:
    ear = Ear(natt=False)
    for _ in range(100):
        sender.sendto(b"x", ear.where)
    await ear.until(100)
    assert 2 <= ear.batches <= 100 // 32  # 64 reads a wakeup, each perhaps with offload
    ear.socket.close()


async def test_paused_leaves_datagrams_in_the_kernel(sender) -> None:
    ear = Ear(natt=False)
    ear.socket.pause()
    sender.sendto(b"x", ear.where)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not ear.heard
    ear.socket.resume()
    await ear.until(1)
    ear.socket.close()


async def test_sending_adds_the_marker_and_counts_what_the_kernel_refuses(sender) -> None:
    ear = Ear(natt=True)
    port = sender.getsockname()[1]
    path = NetworkPath("127.0.0.1", ear.where[1], "127.0.0.1", port)
    ear.socket.send(path, b"ike")
    sender.settimeout(5)
    assert sender.recv(100) == b"\0\0\0\0ike"
    ear.socket.send(path, bytes(70_000))
    ear.socket.send(NetworkPath("127.0.0.1", 4500, "240.0.0.1", 0), b"x")
    assert ear.counters == {"udp.send-errors": 2}
    ear.socket.close()


@given(st.binary(max_size=300), st.integers(-5, 400))
def test_segments_are_the_octets_in_their_order(data: bytes, segment: int) -> None:
    parts = split_segments(memoryview(data), segment)
    assert b"".join(parts) == data
    if segment > 0:
        assert all(len(part) == segment for part in parts[:-1])


def test_the_segment_size_is_zero_without_its_control_message() -> None:
    assert segment_octets([]) == 0
    assert segment_octets([(SOL_UDP, UDP_GRO, struct.pack("i", 1400)), (1, 2, b"x")]) == 1400
    assert segment_octets([(SOL_UDP, UDP_GRO, b"")]) == 0
