"""Two data paths back to back over loopback UDP; the kernel's side of each TUN is a socket of the test."""

from __future__ import annotations

import ipaddress
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from nf.datapath.port import Direction, Sa, Selector
from nf.datapath.software import SoftwareDatapath

T = TypeVar("T")
DEADLINE_S = 10.0
ANY4 = Selector(0, 0, 65535, "0.0.0.0", "255.255.255.255")
ANY6 = Selector(0, 0, 65535, "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")
GCM = {"encr": 20, "key_bits": 256, "integ": 0, "encr_key": bytes(range(36)), "integ_key": b""}


def wait_for(what: Callable[[], T]) -> T:
    """Poll until it is true; what it gave then."""
    until = time.monotonic() + DEADLINE_S
    while not (value := what()):
        if time.monotonic() > until:
            raise AssertionError(f"not within {DEADLINE_S} s")
        time.sleep(0.001)
    return value


def host(address: str) -> Selector:
    return Selector(0, 0, 65535, address, address)


def checksum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def packet(
    source: str = "10.1.0.1",
    destination: str = "10.2.0.1",
    *,
    protocol: int = 17,
    ports: tuple[int, int] = (1000, 2000),
    octets: int = 32,
    df: bool = False,
) -> bytes:
    """An inner packet with `octets` octets behind its IP header, ports first."""
    body = ports[0].to_bytes(2, "big") + ports[1].to_bytes(2, "big") + bytes(n % 256 for n in range(octets - 4))
    src, dst = ipaddress.ip_address(source).packed, ipaddress.ip_address(destination).packed
    if len(src) == 16:
        return b"\x60\0\0\0" + len(body).to_bytes(2, "big") + bytes([protocol, 64]) + src + dst + body
    total = (20 + len(body)).to_bytes(2, "big")
    head = b"\x45\0" + total + b"\x12\x34" + (b"\x40" if df else b"\0") + b"\0" + bytes([64, protocol])
    check = checksum(head + b"\0\0" + src + dst).to_bytes(2, "big")
    return head + check + src + dst + body


@dataclass
class End:
    """One gateway: its data path, the kernel's side of its TUN, its UDP socket."""

    outer: str = "127.0.0.1"
    offload: bool = True
    queues: int = 1
    datapath: SoftwareDatapath = field(init=False)
    kernel: list[socket.socket] = field(init=False)
    udp: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.datapath = SoftwareDatapath(threads=2, offload=self.offload)
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(self.queues)]
        self.kernel = [ours for ours, _ in pairs]
        self.datapath.add_tun(1, [theirs.fileno() for _, theirs in pairs], 0)
        for _, theirs in pairs:
            theirs.close()
        family = socket.AF_INET6 if ":" in self.outer else socket.AF_INET
        self.udp = socket.socket(family, socket.SOCK_DGRAM)
        self.udp.bind((self.outer, 0))
        self.datapath.add_udp(1, self.outer, self.udp.fileno())

    @property
    def port(self) -> int:
        return int(self.udp.getsockname()[1])

    def sa(self, direction: Direction, peer_port: int, **changes: Any) -> Sa:
        base = Sa(
            sa_id=1 if direction is Direction.OUTBOUND else 2,
            direction=direction,
            context_index=1,
            spi=0x1000,
            child_id=1,
            policy_id=1,
            local=self.outer,
            remote=self.outer,
            **GCM,
            local_ts=(ANY4, ANY6),
            remote_ts=(ANY4, ANY6),
            encap_local_port=self.port,
            encap_remote_port=peer_port,
        )
        return replace(base, **changes)

    def out(self, peer_port: int, **changes: Any) -> Sa:
        return self.sa(Direction.OUTBOUND, peer_port, **changes)

    def inn(self, peer_port: int, **changes: Any) -> Sa:
        return self.sa(Direction.INBOUND, peer_port, **changes)

    def receive(self, queue: int | None = None) -> bytes:
        """The next packet from the data path to the kernel."""
        sockets = self.kernel if queue is None else [self.kernel[queue]]
        ready, _, _ = select.select(sockets, [], [], DEADLINE_S)
        assert ready, "no packet"
        return bytes(ready[0].recv(70_000))

    def silent(self) -> bool:
        """Nothing waits for the kernel."""
        return not select.select(self.kernel, [], [], 0)[0]

    def drops(self) -> dict[str, int]:
        """The drop reasons that moved."""
        return {reason: count for reason, count in self.datapath.counters().drops.items() if count}

    def close(self) -> None:
        self.datapath.stop()
        for sock in [*self.kernel, self.udp]:
            sock.close()


@dataclass
class Pair:
    """a seals to b by SA 1 of a and SA 2 of b, and the other way round."""

    a: End
    b: End

    def connect(self, **changes: Any) -> None:
        """Install one Child SA. changes: of all four SAs."""
        for near, far, spi in ((self.a, self.b, 0x1000), (self.b, self.a, 0x2000)):
            near.datapath.install_sa(near.out(far.port, spi=spi, **changes))
            far.datapath.install_sa(far.inn(near.port, spi=spi, **changes))

    def close(self) -> None:
        self.a.close()
        self.b.close()
