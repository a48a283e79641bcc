"""The reuseport programs against the kernel: every datagram reaches the worker that its SPI names (architecture
section 2)."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
from collections import Counter

import pytest

from nf.ike.spi import owner_of
from nf.io.steering import attach, ike_program, natt_program, steered_index

FLAG_I = 0x08
LOOPBACK = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


def ike(spi_i: bytes, spi_r: bytes, flags: int, octets: int = 60) -> bytes:
    """The front of an IKE message: what steering looks at."""
    return (spi_i + spi_r + bytes((33, 0x20, 34, flags)) + bytes(octets))[:octets]


def group(family: int, address: str, size: int, program: bytes | None) -> list[socket.socket]:
    """`size` sockets on one free port."""
    members: list[socket.socket] = []
    port = 0
    for _ in range(size):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.settimeout(2.0)
        sock.bind((address, port))
        port = sock.getsockname()[1]
        members.append(sock)
    if program is not None:
        attach(members[0], program)
    return members


def arrivals(members: list[socket.socket], datagrams: list[bytes]) -> list[int]:
    """The index of the member that got each datagram, sent one at a time from several flows."""
    family, where = members[0].family, members[0].getsockname()
    senders = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(4)]
    for member in members:
        member.setblocking(False)
    found = []
    for number, datagram in enumerate(datagrams):
        senders[number % 4].sendto(datagram, where)  # on loopback it is there when sendto returns
        got = []
        for index, member in enumerate(members):
            try:
                assert member.recv(65535) == datagram
                got.append(index)
            except BlockingIOError:
                continue
        assert len(got) == 1
        found += got
    for sock in (*members, *senders):
        sock.close()
    return found


def sample(workers: int) -> list[bytes]:
    """Messages of both directions for every worker, new IKE SAs among them."""
    rng = random.Random(workers)
    datagrams = []
    for _ in range(40):
        theirs, worker = rng.randbytes(8), rng.randrange(workers)
        ours = bytes((worker,)) + rng.randbytes(7)
        datagrams.append(ike(theirs, ours, FLAG_I))  # the peer is the original initiator
        datagrams.append(ike(ours, theirs, 0x20))  # we are
        datagrams.append(ike(rng.randbytes(8), bytes(8), FLAG_I))  # IKE_SA_INIT request
        # A responder SPI with a zero first word, or a zero last word, is not zero.
        datagrams.append(ike(theirs, bytes((0, 0, 0, 0)) + rng.randbytes(3) + b"\1", FLAG_I))
        datagrams.append(ike(theirs, bytes((worker, 1, 0, 0)) + bytes(4), FLAG_I))
    return datagrams


@pytest.mark.parametrize(("family", "address"), LOOPBACK)
@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_port_500_every_datagram_reaches_its_worker(workers: int, family: int, address: str) -> None:
    datagrams = sample(workers)
    found = arrivals(group(family, address, workers, ike_program(workers)), datagrams)
    assert found == [steered_index(datagram, workers) for datagram in datagrams]
    for datagram, index in zip(datagrams, found, strict=True):
        owner = owner_of(datagram)  # what the engine says: where it knows, the kernel agrees
        assert owner is None or owner == index


@pytest.mark.parametrize(("family", "address"), LOOPBACK)
@pytest.mark.parametrize("workers", [1, 2, 3, 5])
def test_port_4500_ike_reaches_its_worker_and_all_else_the_data_path(workers: int, family: int, address: str) -> None:
    rng = random.Random(workers)
    messages = sample(workers)
    esp = [(0x01000000 + rng.randrange(1 << 30)).to_bytes(4, "big") + rng.randbytes(80) for _ in range(40)]
    other = [b"\xff", b"", b"\0", b"\0\0\0", b"\xff" * 3]
    datagrams = [bytes(4) + message for message in messages] + esp + other
    found = arrivals(group(family, address, workers + 1, natt_program(workers)), datagrams)
    expected = [steered_index(message, workers) for message in messages] + [workers] * (len(esp) + len(other))
    assert found == expected


def test_new_ike_sas_are_spread_evenly() -> None:
    rng = random.Random(1)
    spread = Counter(steered_index(ike(rng.randbytes(8), bytes(8), FLAG_I), 3) for _ in range(3000))
    assert all(800 < spread[index] < 1200 for index in range(3))


def test_an_spi_of_a_worker_that_does_not_exist_stays_inside_the_group() -> None:
    datagrams = [ike(bytes(8), bytes((200,)) + bytes(6) + b"\1", FLAG_I), ike(bytes((255,)) + bytes(7), bytes(8), 0)]
    found = arrivals(group(socket.AF_INET, "127.0.0.1", 4, natt_program(3)), [bytes(4) + d for d in datagrams])
    assert all(index < 3 for index in found)


def test_a_stump_goes_to_the_first_worker() -> None:
    """A load past the end ends the program with 0; the function says the same."""
    datagrams = [bytes(4) + bytes((9,)) * n for n in range(20)]
    found = arrivals(group(socket.AF_INET, "127.0.0.1", 4, natt_program(3)), datagrams)
    assert found == [0] * 20
    assert [steered_index(d[4:], 3) for d in datagrams] == found


def test_a_killed_worker_loses_no_datagram() -> None:
    """The supervisor holds the sockets: what arrives while there is no worker waits for its successor."""
    members = group(socket.AF_INET, "127.0.0.1", 2, ike_program(2))
    script = "import socket, sys; s = socket.socket(fileno=int(sys.argv[1])); sys.stdout.write(str(len(s.recv(100))))"

    def reader() -> int:
        fd = members[1].fileno()
        return int(subprocess.check_output([sys.executable, "-c", script, str(fd)], pass_fds=[fd], timeout=20))

    members[1].setblocking(True)
    where = members[0].getsockname()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for octets in (40, 50):
            sender.sendto(ike(bytes(8), bytes((1,)) * 8, FLAG_I, octets), where)
            assert reader() == octets  # each a process of its own, ended in between
    for member in members:
        member.close()
