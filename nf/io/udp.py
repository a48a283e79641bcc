"""The UDP sockets of a worker: IKE datagrams in batches, with receive offload and the non-ESP marker taken care of."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

from nf.ike.inputs import NetworkPath
from nf.io.steering import MARKER_OCTETS

SOL_UDP = socket.IPPROTO_UDP
UDP_GRO = 104
IKE_PORT = 500
NATT_PORT = 4500

_MARKER = bytes(MARKER_OCTETS)
_BATCH = 64
"""Reads for one wakeup: the loop's timers and channels get their turn in between."""
_MAX_OCTETS = 65535
_BUFFER = bytearray(_MAX_OCTETS)
_CONTROL = socket.CMSG_SPACE(4)


def split_segments(data: memoryview, segment: int) -> list[memoryview]:
    """The datagrams of an aggregate that UDP_GRO made: all of `segment` octets, the last one perhaps shorter."""
    if segment <= 0 or segment >= len(data):
        return [data]
    return [data[start : start + segment] for start in range(0, len(data), segment)]


def segment_octets(ancillary: list[tuple[int, int, bytes]]) -> int:
    """The segment size that came with a datagram, 0 for a single one."""
    for level, kind, value in ancillary:
        if level == SOL_UDP and kind == UDP_GRO and len(value) >= 2:
            return int(struct.unpack("i", value[:4])[0]) if len(value) >= 4 else int(struct.unpack("H", value[:2])[0])
    return 0


class UdpSocket:
    """One bound socket of a worker.

    natt: its datagrams carry the non-ESP marker (port 4500, RFC 3948 section 2.2). receive: takes an IKE message,
    without marker. batch_done: called after the last of a wakeup. counters: `udp.*` names are counted up there.
    """

    def __init__(
        self,
        sock: socket.socket,
        local: str,
        *,
        natt: bool,
        receive: Callable[[bytes, NetworkPath], None],
        batch_done: Callable[[], None],
        counters: dict[str, int],
    ) -> None:
        sock.setblocking(False)
        self.local = local
        self._sock = sock
        self._natt = natt
        self._port = sock.getsockname()[1]
        self._receive = receive
        self._batch_done = batch_done
        self._counters = counters
        self._reading = False

    @property
    def port(self) -> int:
        """The local port: 500 or 4500, but for tests."""
        return int(self._port)

    def resume(self) -> None:
        """Read from now on."""
        if not self._reading:
            self._reading = True
            asyncio.get_running_loop().add_reader(self._sock.fileno(), self._on_readable)

    def pause(self) -> None:
        """Leave datagrams in the kernel's queue."""
        if self._reading:
            self._reading = False
            asyncio.get_running_loop().remove_reader(self._sock.fileno())

    def close(self) -> None:
        """Stop reading and close our descriptor; wsgd keeps its own, so the group keeps its order."""
        self.pause()
        self._sock.close()

    def send(self, path: NetworkPath, data: bytes) -> None:
        """Send one message, with the marker on a NAT-T socket. What the kernel refuses is counted: IKE retransmits."""
        try:
            self._sock.sendto(_MARKER + data if self._natt else data, (path.remote, path.remote_port))
        except BlockingIOError:
            self._count("udp.send-queue-full")
        except OSError:
            self._count("udp.send-errors")

    def _count(self, name: str) -> None:
        self._counters[name] = self._counters.get(name, 0) + 1

    def _on_readable(self) -> None:
        for _ in range(_BATCH):
            if not self._reading:  # a receiver paused or closed us
                break
            try:
                octets, ancillary, flags, address = self._sock.recvmsg_into([_BUFFER], _CONTROL)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                self._count("udp.receive-errors")
                break
            if flags & socket.MSG_TRUNC:
                self._count("udp.truncated")
                continue
            path = NetworkPath(self.local, self._port, address[0].partition("%")[0], address[1])
            with memoryview(_BUFFER) as whole, whole[:octets] as data:
                messages = [self._message(part) for part in split_segments(data, segment_octets(ancillary))]
            for message in messages:
                if message is not None:
                    self._receive(message, path)
        self._batch_done()

    def _message(self, datagram: memoryview) -> bytes | None:
        """The IKE message in a datagram, or None after counting what it is instead."""
        if not self._natt:
            return bytes(datagram)
        if len(datagram) < MARKER_OCTETS:
            self._count("udp.nat-keepalives" if bytes(datagram) == b"\xff" else "udp.short")
            return None
        if bytes(datagram[:MARKER_OCTETS]) != _MARKER:
            self._count("udp.esp-misdirected")
            return None
        return bytes(datagram[MARKER_OCTETS:])
