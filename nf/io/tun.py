"""TUN devices: opened by wsgd, read and written by the data path. What the kernel does with their packets is set
here."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI, _IFF_VNET_HDR, _IFF_MULTI_QUEUE = 0x0001, 0x1000, 0x4000, 0x0100
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCSIFMTU, _SIOCGIFINDEX = 0x8913, 0x8914, 0x8922, 0x8933
_IFF_UP = 0x1

TUN_DEVICE = "/dev/net/tun"
MTU = 1500
"""Of every TUN. The SA's own mtu decides what fits (the data path answers a larger packet with ICMP): templates of one
context may differ."""


class TunRefused(Exception):
    """A TUN cannot be had; the text is for a person."""


@dataclass(frozen=True, slots=True)
class Tun:
    """A TUN device with its queues. It is gone when every descriptor is closed, ours and the data path's."""

    name: str
    index: int
    fds: tuple[int, ...]
    mtu: int = MTU

    def close(self) -> None:
        """Close our descriptors."""
        for fd in self.fds:
            os.close(fd)


def tun_name(context_index: int) -> str:
    """The device of a context."""
    return f"wsg{context_index}"


def open_tun(name: str, queues: int, *, offload: bool = True, device: str = TUN_DEVICE) -> Tun:
    """Make the device with `queues` queues and set it up; raises TunRefused, with nothing left open."""
    flags = _IFF_TUN | _IFF_NO_PI | (_IFF_VNET_HDR if offload else 0) | (_IFF_MULTI_QUEUE if queues > 1 else 0)
    request = struct.pack("16sH22x", name.encode(), flags)
    fds: list[int] = []
    try:
        try:
            for _ in range(queues):
                fds.append(os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
                fcntl.ioctl(fds[-1], _TUNSETIFF, request)
        except OSError as error:
            raise TunRefused(_why(error, name, device)) from None
        try:
            index = _bring_up(name)
        except OSError as error:
            raise TunRefused(f"cannot set up {name}: {os.strerror(error.errno or 0)}") from None
    except TunRefused:
        for fd in fds:
            os.close(fd)
        raise
    return Tun(name, index, tuple(fds))


def _why(error: OSError, name: str, device: str) -> str:
    match error.errno:
        case errno.ENOENT | errno.ENXIO | errno.ENODEV:
            return f"there is no {device}: the kernel's tun module, or the pod's device, is missing"
        case errno.EPERM | errno.EACCES:
            return f"no permission to make {name} with {device} (capability NET_ADMIN)"
        case errno.EBUSY | errno.EINVAL:
            return f"a network device {name} exists already"
        case _:
            return f"cannot make {name} with {device}: {os.strerror(error.errno or 0)}"


def _bring_up(name: str) -> int:
    """Sysctls first: with addr_gen_mode none the kernel sends no router solicitations into the tunnel."""
    for path, value in (
        (f"net/ipv6/conf/{name}/addr_gen_mode", "1"),
        (f"net/ipv6/conf/{name}/accept_ra", "0"),
        (f"net/ipv4/conf/{name}/forwarding", "1"),
        (f"net/ipv6/conf/{name}/forwarding", "1"),
        # 2 is loose. The kernel takes the larger of this and `all`, so 0 would not undo a strict host.
        (f"net/ipv4/conf/{name}/rp_filter", "2"),
    ):
        set_sysctl(path, value)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        request = struct.pack("16si20x", name.encode(), MTU)
        fcntl.ioctl(sock, _SIOCSIFMTU, request)
        answer = fcntl.ioctl(sock, _SIOCGIFFLAGS, struct.pack("16sH22x", name.encode(), 0))
        flags = struct.unpack("16sH22x", answer)[1]
        fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sH22x", name.encode(), flags | _IFF_UP))
        answer = fcntl.ioctl(sock, _SIOCGIFINDEX, struct.pack("16si20x", name.encode(), 0))
        return int(struct.unpack("16si20x", answer)[1])


def set_sysctl(path: str, value: str) -> bool:
    """Write a sysctl (a path below /proc/sys); False with a log line where it may not be written (a pod's /proc)."""
    file = Path("/proc/sys") / path
    try:
        if file.read_text().strip() != value:
            file.write_text(value)
    except OSError as error:
        log.warning("sysctl-not-set", extra={"fields": {"sysctl": path, "value": value, "why": error.strerror or ""}})
        return False
    return True


def forwarding_gaps() -> list[str]:
    """What the host does not forward, one sentence each; empty when it forwards both families."""
    gaps = []
    for path, family in (("net/ipv4/ip_forward", "IPv4"), ("net/ipv6/conf/all/forwarding", "IPv6")):
        try:
            if (Path("/proc/sys") / path).read_text().strip() == "0":
                gaps.append(f"{family} forwarding is off on this host ({path.replace('/', '.')}=0)")
        except OSError:
            continue  # the family is not there
    return gaps
