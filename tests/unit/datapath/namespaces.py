"""Two network namespaces joined by a veth, each with a TUN, a UDP socket and raw sockets. Descriptors keep their
namespace, so both data paths live in the test's process."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from nf.datapath.port import Direction, Sa, Selector
from nf.datapath.software import SoftwareDatapath

_CLONE_NEWNET = 0x40000000
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI, _IFF_VNET_HDR, _IFF_MULTI_QUEUE = 0x400454CA, 1, 0x1000, 0x4000, 0x100
_libc = ctypes.CDLL(None, use_errno=True)


def run(command: str) -> None:
    subprocess.run(command.split(), check=True, capture_output=True, timeout=20)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """What is opened here belongs to the namespace. Only this thread moves."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if _libc.setns(there, _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        yield
    finally:
        _libc.setns(here, _CLONE_NEWNET)
        os.close(here)
        os.close(there)


@dataclass
class Gateway:
    """One namespace. number: 1 or 2; its outer addresses end with it, and its inner ones."""

    namespace: str
    number: int
    offload: bool
    queues: int
    tuns: list[int] = field(default_factory=list)
    sockets: list[socket.socket] = field(default_factory=list)

    def outer(self, v6: bool) -> str:
        return f"2001:db8::{self.number}" if v6 else f"192.0.2.{self.number}"

    def inner(self, v6: bool) -> str:
        return f"fd00:9::{self.number}" if v6 else f"10.9.0.{self.number}"

    def __post_init__(self) -> None:
        flags = _IFF_TUN | _IFF_NO_PI | (_IFF_VNET_HDR if self.offload else 0)
        flags |= _IFF_MULTI_QUEUE if self.queues > 1 else 0
        with inside(self.namespace):
            for _ in range(self.queues):
                self.tuns.append(os.open("/dev/net/tun", os.O_RDWR))
                fcntl.ioctl(self.tuns[-1], _TUNSETIFF, struct.pack("16sH22x", b"esp0", flags))
        ip = f"ip -n {self.namespace}"
        peer = 3 - self.number
        for command in (
            f"{ip} link set esp0 mtu 1400 up",
            f"{ip} addr add {self.inner(False)}/32 dev esp0",
            f"{ip} addr add {self.inner(True)}/128 dev esp0 nodad",
            f"{ip} route add 10.9.0.{peer}/32 dev esp0 src {self.inner(False)}",
            f"{ip} route add fd00:9::{peer}/128 dev esp0 src {self.inner(True)}",
        ):
            run(command)
        self.datapath = SoftwareDatapath(threads=2, offload=self.offload)
        self.datapath.add_tun(1, self.tuns, 1400)
        with inside(self.namespace):
            for v6 in (False, True):
                family = socket.AF_INET6 if v6 else socket.AF_INET
                udp = socket.socket(family, socket.SOCK_DGRAM)
                udp.bind((self.outer(v6), 4500))
                raw = socket.socket(family, socket.SOCK_RAW, 50)
                raw.bind((self.outer(v6), 0))
                self.datapath.add_udp(1, self.outer(v6), udp.fileno())
                self.datapath.add_raw(1, self.outer(v6), 6 if v6 else 4, raw.fileno())
                self.sockets += [udp, raw]

    def install(self, peer: Gateway, v6: bool, encapsulated: bool, mtu: int = 1300, **changes: Any) -> None:
        port = 4500 if encapsulated else 0
        for sa_id, direction, spi in ((1, Direction.OUTBOUND, self.number), (2, Direction.INBOUND, peer.number)):
            self.datapath.install_sa(
                Sa(
                    sa_id=sa_id,
                    direction=direction,
                    context_index=1,
                    spi=0x1000 + spi,
                    child_id=1,
                    policy_id=1,
                    local=self.outer(v6),
                    remote=peer.outer(v6),
                    encr=20,
                    key_bits=128,
                    integ=0,
                    encr_key=bytes([spi]) * 20,
                    integ_key=b"",
                    local_ts=_hosts(self),
                    remote_ts=_hosts(peer),
                    encap_local_port=port,
                    encap_remote_port=port,
                    mtu=mtu,
                    **changes,
                )
            )

    def socket(self, v6: bool, kind: socket.SocketKind) -> socket.socket:
        """A socket of this namespace, bound to the inner address."""
        with inside(self.namespace):
            sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, kind)
        sock.settimeout(20)
        sock.bind((self.inner(v6), 0))
        return sock

    def close(self) -> None:
        self.datapath.stop()
        for fd in self.tuns:
            os.close(fd)
        for sock in self.sockets:
            sock.close()


def _hosts(gateway: Gateway) -> tuple[Selector, ...]:
    return tuple(Selector(0, 0, 65535, gateway.inner(v6), gateway.inner(v6)) for v6 in (False, True))


@contextmanager
def gateways(offload: bool, queues: int = 1) -> Iterator[tuple[Gateway, Gateway]]:
    """Two gateways that reach each other's outer addresses; no SA yet."""
    names = [f"wsgdp-{os.getpid()}-{side}" for side in "ab"]
    made: list[Gateway] = []
    try:
        for name in names:
            run(f"ip netns add {name}")
            run(f"ip -n {name} link set lo up")
        run(f"ip link add veth0 netns {names[0]} type veth peer name veth0 netns {names[1]}")
        for number, name in enumerate(names, 1):
            run(f"ip -n {name} addr add 192.0.2.{number}/24 dev veth0")
            run(f"ip -n {name} addr add 2001:db8::{number}/64 dev veth0 nodad")
            run(f"ip -n {name} link set veth0 up")
        for number, name in enumerate(names, 1):
            made.append(Gateway(name, number, offload, queues))
        yield made[0], made[1]
    finally:
        for gateway in made:
            gateway.close()
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True, timeout=20)
