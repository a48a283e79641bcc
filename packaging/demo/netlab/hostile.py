"""Datagrams that mean no good, made by hand: nothing here knows the gateway's own encoders."""

from __future__ import annotations

import os
import random
import socket
import struct
from collections.abc import Iterator

from .net import Namespace

IKE_SA_INIT, IKE_AUTH, CREATE_CHILD_SA, INFORMATIONAL = 34, 35, 36, 37
MARKER = bytes(4)
LARGEST = 65507
"""Octets of the largest UDP datagram over IPv4."""


def header(spi_i: bytes, spi_r: bytes, first: int, exchange: int, flags: int, message_id: int, length: int) -> bytes:
    """RFC 7296 section 3.1, version 2.0; any values."""
    return struct.pack(">8s8sBBBBII", spi_i, spi_r, first, 0x20, exchange, flags, message_id, length)


def init_request(spi_i: bytes, key: bytes | None = None) -> bytes:
    """A good IKE_SA_INIT request for AES-256-GCM, PRF_HMAC_SHA2_384, x25519, with a key and a nonce out of the air."""

    def transform(last: bool, kind: int, number: int, attribute: bytes = b"") -> bytes:
        return struct.pack(">BBHBBH", 0 if last else 3, 0, 8 + len(attribute), kind, 0, number) + attribute

    transforms = (
        transform(False, 1, 20, struct.pack(">HH", 0x800E, 256)) + transform(False, 2, 6) + transform(True, 4, 31)
    )
    proposal = struct.pack(">BBHBBBB", 0, 0, 8 + len(transforms), 1, 1, 0, 3) + transforms
    security_association = struct.pack(">BBH", 34, 0, 4 + len(proposal)) + proposal
    key = os.urandom(32) if key is None else key
    key_exchange = struct.pack(">BBHHH", 40, 0, 8 + len(key), 31, 0) + key
    body = security_association + key_exchange + struct.pack(">BBH", 0, 0, 36) + os.urandom(32)
    return header(spi_i, bytes(8), 33, IKE_SA_INIT, 0x08, 0, 28 + len(body)) + body


def sizes() -> Iterator[bytes]:
    """Nothing, too little, and as much as UDP carries, of three kinds of filling."""
    for octets in (0, 1, 2, 3, 4, 5, 8, 27, 28, 29, 64, 1500, 9000, LARGEST):
        for filling in (b"\x00", b"\xff", b"A"):
            yield filling * octets


def lies() -> Iterator[bytes]:
    """Headers and payload chains that do not say the truth: versions, exchanges, flags, lengths, counts."""
    for version in (0x00, 0x10, 0x30, 0xF0):
        for exchange in (0, IKE_SA_INIT, INFORMATIONAL, 255):
            message = bytearray(header(os.urandom(8), bytes(8), 33, exchange, 0x08, 0, 128) + bytes(100))
            message[17] = version
            yield bytes(message)
    for count in (100, 1000, 8000):
        chain = (struct.pack(">BBH", 41, 0, 8) + bytes(4)) * count
        for length in (28 + len(chain), 28, 0, 0xFFFFFFFF, 27 + len(chain)):
            yield header(os.urandom(8), bytes(8), 41, IKE_SA_INIT, 0x08, 0, length) + chain
    transforms = b"".join(struct.pack(">BBHBBH", 3, 0, 8, 1, 0, number) for number in range(250))
    proposal = struct.pack(">BBHBBBB", 2, 0, 8 + len(transforms), 1, 1, 0, 250) + transforms
    body = struct.pack(">BBH", 0, 0, 4 + 30 * len(proposal)) + 30 * proposal
    yield header(os.urandom(8), bytes(8), 33, IKE_SA_INIT, 0x08, 0, 28 + len(body)) + body


def mutants(count: int, seed: int) -> Iterator[bytes]:
    """Good requests with a few octets changed, some of them cut short."""
    rng = random.Random(seed)  # noqa: S311 - the same mutants every time
    for _ in range(count):
        message = bytearray(init_request(rng.randbytes(8)))
        for _ in range(rng.randint(1, 4)):
            message[rng.randrange(28, len(message))] = rng.randrange(256)
        yield bytes(message[: rng.randrange(len(message))] if rng.random() < 0.3 else message)


def forged(spi_i: bytes, spi_r: bytes) -> Iterator[bytes]:
    """Protected messages of a living IKE SA by somebody who has its SPIs and not its keys."""
    for exchange in (IKE_AUTH, CREATE_CHILD_SA, INFORMATIONAL):
        for message_id in (0, 1, 2, 3, 4, 100, 0xFFFFFFFF):
            for flags in (0x00, 0x08, 0x20, 0x28):
                for octets in (0, 8, 28, 60, 300):
                    body = struct.pack(">BBH", 41, 0, 4 + octets) + os.urandom(octets)
                    yield header(spi_i, spi_r, 46, exchange, flags, message_id, 28 + len(body)) + body


def esp(spi: int) -> Iterator[bytes]:
    """ESP packets of every length that matters, for nobody and for a living SA."""
    for octets in (1, 3, 7, 8, 9, 12, 16, 24, 25, 40, 100, 1400):
        for number in (1, 255, 256, spi, 0xFFFFFFFF):
            yield (struct.pack(">I", number) + os.urandom(octets))[:octets]
    for sequence in range(1, 400):
        yield struct.pack(">II", spi, sequence * 97) + os.urandom(80)


class Sender:
    """Sends from a namespace, under any source address and port (raw IPv4; the UDP checksum is left out)."""

    def __init__(self, namespace: Namespace) -> None:
        self._sock = namespace.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))

    def close(self) -> None:
        self._sock.close()

    def ip(self, source: str, target: str, protocol: int, octets: bytes) -> None:
        """One IPv4 packet; the kernel fills in length and checksum, and does not fragment."""
        head = struct.pack(
            ">BBHHHBBH4s4s",
            0x45,
            0,
            20 + len(octets),
            0,
            0,
            64,
            protocol,
            0,
            socket.inet_aton(source),
            socket.inet_aton(target),
        )
        self._sock.sendto(head + octets, (target, 0))

    def udp(self, source: str, target: str, source_port: int, port: int, octets: bytes) -> None:
        """One UDP datagram."""
        self.ip(
            source, target, socket.IPPROTO_UDP, struct.pack(">HHHH", source_port, port, 8 + len(octets), 0) + octets
        )


class Tap:
    """What one end of a link sends to the other, whole IPv4 packets, from now until `stop`."""

    def __init__(self, namespace: Namespace, interface: str, source: str) -> None:
        def listen() -> socket.socket:
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003))
            sock.bind((interface, 0x0003))
            sock.setblocking(False)
            return sock

        self._sock = namespace.call(listen)
        self._source = socket.inet_aton(source)

    def stop(self) -> list[bytes]:
        """The packets, in order."""
        found = []
        try:
            while True:
                packet, address = self._sock.recvfrom(65535)
                if address[1] == 0x0800 and packet[12:16] == self._source:
                    found.append(packet)
        except BlockingIOError:
            self._sock.close()
        return found
