"""The sockets of a bind address: the reuseport groups of UDP 500 and 4500, and raw ESP. Opened by wsgd, which keeps
them.

wsgd owns every socket for its whole life: closing one would move the last of its group into its slot, and the program
counts on bind order. The children get duplicates.
"""

from __future__ import annotations

import errno
import ipaddress
import logging
import os
import socket
from contextlib import ExitStack
from dataclasses import dataclass

from nf.io.steering import attach, ike_program, natt_program
from nf.io.udp import IKE_PORT, NATT_PORT, SOL_UDP, UDP_GRO

log = logging.getLogger(__name__)

_IP_MTU_DISCOVER, _IP_PMTUDISC_DONT = 10, 0
_IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_DONT = 23, 0
_SO_MARK = 36
_SO_RCVBUFFORCE = 33
OUTER_MARK = 4500
"""Of every packet that these sockets send, for the rules of `wsg.netlink`: it is not routed into a tunnel."""

_WORKER_BUFFER_OCTETS = 4 * 1024 * 1024
_ESP_BUFFER_OCTETS = 16 * 1024 * 1024


class SocketRefused(Exception):
    """A socket of a bind address cannot be had. error_tag is RFC 6241's; the text is for a person."""

    def __init__(self, why: str, error_tag: str) -> None:
        super().__init__(why)
        self.error_tag = error_tag


@dataclass(frozen=True, slots=True)
class BindSockets:
    """Everything open on one bind address.

    ike, natt: one socket a worker, by index. esp_udp: the data path's socket on the NAT-T port, last of its group.
    Where the kernel takes no program (`natt` is empty) esp_udp is alone on its port: the data path reads all and
    hands IKE over.
    """

    address: str
    ike: tuple[socket.socket, ...]
    natt: tuple[socket.socket, ...]
    esp_udp: socket.socket
    raw: socket.socket

    def worker_fds(self, worker: int) -> tuple[int, int]:
        """What a worker gets: its socket on port 500, and the one it sends from on port 4500."""
        natt = self.natt[worker] if self.natt else self.esp_udp
        return self.ike[worker].fileno(), natt.fileno()

    def datapath_fds(self) -> tuple[int, int]:
        """What the data path gets: UDP 4500, raw ESP."""
        return self.esp_udp.fileno(), self.raw.fileno()

    def close(self) -> None:
        """Close them all."""
        for sock in (*self.ike, *self.natt, self.esp_udp, self.raw):
            sock.close()


def open_bind(
    address: str, workers: int, *, steer: bool = True, ike_port: int = IKE_PORT, natt_port: int = NATT_PORT
) -> BindSockets:
    """Open everything for one address; raises SocketRefused, with nothing left open.

    steer: attach the programs; without, port 500 is spread by the kernel's hash. Ports are 500 and 4500 but for tests.
    """
    version = ipaddress.ip_address(address).version
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with ExitStack() as undo:

        def udp(port: int, buffer_octets: int) -> socket.socket:
            sock = undo.enter_context(_new(family, socket.SOCK_DGRAM, 0, address))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            # On every socket of the group, or flows that hash to one without it lose receive offload.
            sock.setsockopt(SOL_UDP, UDP_GRO, 1)
            _set_buffer(sock, buffer_octets)
            if family == socket.AF_INET:
                sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_DONT)
            else:
                sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _IPV6_PMTUDISC_DONT)
            _bind(sock, address, port, f"UDP port {port}")
            return sock

        for port in (ike_port, natt_port):
            _probe(family, address, port)
        ike = tuple(udp(ike_port, _WORKER_BUFFER_OCTETS) for _ in range(workers))
        if workers > 1 and not (steer and _attach(ike[0], ike_program(workers), ike_port)):
            log.warning("steering-off", extra={"fields": {"address": address, "port": ike_port}})
        natt: tuple[socket.socket, ...] = ()
        if steer:
            natt = tuple(udp(natt_port, _WORKER_BUFFER_OCTETS) for _ in range(workers))
            esp_udp = udp(natt_port, _ESP_BUFFER_OCTETS)
            if not _attach(natt[0], natt_program(workers), natt_port):
                for sock in natt:  # the data path's moves to slot 0 of a group of one
                    sock.close()
                natt = ()
        else:
            esp_udp = udp(natt_port, _ESP_BUFFER_OCTETS)
        raw = undo.enter_context(_new(family, socket.SOCK_RAW, socket.IPPROTO_ESP, address))
        _set_buffer(raw, _ESP_BUFFER_OCTETS)
        _bind(raw, address, 0, "IP protocol 50")
        undo.pop_all()
    return BindSockets(address, ike, natt, esp_udp, raw)


def _new(family: socket.AddressFamily, kind: socket.SocketKind, protocol: int, address: str) -> socket.socket:
    try:
        sock = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, protocol)
    except PermissionError:
        raise SocketRefused(
            f"no permission for a raw socket on {address} (capability NET_RAW)", "operation-failed"
        ) from None
    except OSError as error:
        raise SocketRefused(f"no socket for {address}: {_text(error)}", "resource-denied") from None
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_MARK, OUTER_MARK)
    except PermissionError:
        log.warning("socket-not-marked", extra={"fields": {"address": address}})
    if family == socket.AF_INET6 and kind == socket.SOCK_DGRAM:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return sock


def _probe(family: socket.AddressFamily, address: str, port: int) -> None:
    """Bind once without SO_REUSEPORT: another group of our own uid would let us in, and take half of the datagrams."""
    with _new(family, socket.SOCK_DGRAM, 0, address) as sock:
        _bind(sock, address, port, f"UDP port {port}")


def _bind(sock: socket.socket, address: str, port: int, what: str) -> None:
    try:
        sock.bind((address, port))
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise SocketRefused(f"{address} is not an address of this host", "invalid-value") from None
        if error.errno == errno.EADDRINUSE:
            raise SocketRefused(f"{what} of {address} is in use by another process", "in-use") from None
        if error.errno in (errno.EACCES, errno.EPERM):
            why = f"no permission to bind {what} of {address} (capability NET_BIND_SERVICE)"
            raise SocketRefused(why, "operation-failed") from None
        raise SocketRefused(f"cannot bind {what} of {address}: {_text(error)}", "operation-failed") from None


def _attach(member: socket.socket, program: bytes, port: int) -> bool:
    try:
        attach(member, program)
    except OSError as error:
        log.warning("steering-refused", extra={"fields": {"port": port, "why": _text(error)}})
        return False
    return True


def _set_buffer(sock: socket.socket, octets: int) -> None:
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, octets)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, octets)  # as much as net.core.rmem_max allows


def _text(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
