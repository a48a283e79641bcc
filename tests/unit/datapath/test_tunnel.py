"""Two data paths between real TUN devices: what two kernels say to each other through them arrives whole."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import threading

import pytest
from ends import wait_for
from namespaces import Gateway, gateways

pytestmark = pytest.mark.root
STREAM_OCTETS = 6 << 20


def transfer(a: Gateway, b: Gateway, v6: bool) -> None:
    """A TCP stream from a to b; every octet counts."""
    listener = b.socket(v6, socket.SOCK_STREAM)
    listener.listen()
    client = a.socket(v6, socket.SOCK_STREAM)
    data = os.urandom(1 << 20) * (STREAM_OCTETS >> 20)

    def send() -> None:
        client.connect(listener.getsockname())
        client.sendall(data)
        client.close()

    sender = threading.Thread(target=send)
    sender.start()
    server, _ = listener.accept()
    server.settimeout(20)
    digest, octets = hashlib.sha256(), 0
    while part := server.recv(1 << 16):
        digest.update(part)
        octets += len(part)
    sender.join(20)
    listener.close()
    server.close()
    assert (octets, digest.digest()) == (len(data), hashlib.sha256(data).digest())


def datagrams(a: Gateway, b: Gateway, v6: bool) -> None:
    """UDP of all sizes, empty ones included."""
    receiver, sender = b.socket(v6, socket.SOCK_DGRAM), a.socket(v6, socket.SOCK_DGRAM)
    for octets in [0, 1, 2, 3, *range(100, 1200, 97)]:
        data = os.urandom(octets)
        sender.sendto(data, receiver.getsockname())
        assert receiver.recv(2000) == data
    receiver.close()
    sender.close()


@pytest.mark.parametrize("offload", [True, False], ids=["offload", "plain"])
@pytest.mark.parametrize("outer_v6", [False, True], ids=["outer4", "outer6"])
@pytest.mark.parametrize("encapsulated", [True, False], ids=["udp", "native"])
def test_both_families_over_both(offload: bool, outer_v6: bool, encapsulated: bool) -> None:
    with gateways(offload) as (a, b):
        a.install(b, outer_v6, encapsulated)
        b.install(a, outer_v6, encapsulated)
        for v6 in (False, True):
            transfer(a, b, v6)
            datagrams(b, a, v6)
        drops = {key: count for key, count in b.datapath.counters().drops.items() if count}
        assert set(drops) <= {"outbound.no-policy"}  # what the kernel says on a new interface is nobody's
        (counters,) = b.datapath.sa_counters((2,))
        assert counters.octets > 2 * STREAM_OCTETS
        assert counters.replay_drops == counters.integrity_failures == 0


def test_two_queues_keep_inside_the_window() -> None:
    """Several flows over two queues feed one SA of window 64: nothing is lost as a replay."""
    with gateways(True, queues=2) as (a, b):
        a.install(b, False, True)
        b.install(a, False, True)
        threads = [threading.Thread(target=transfer, args=(a, b, v6)) for v6 in (False, True, False, True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        (counters,) = b.datapath.sa_counters((2,))
        assert counters.octets > 4 * STREAM_OCTETS
        assert counters.replay_drops == 0


@pytest.mark.parametrize("v6", [False, True])
def test_the_kernel_learns_the_tunnels_mtu(v6: bool) -> None:
    """Our ICMP is believed: after one packet over the SA's MTU the kernel knows better (RFC 1191, RFC 8201)."""
    with gateways(True) as (a, b):
        a.install(b, False, True, mtu=1290)
        b.install(a, False, True, mtu=1290)
        sender, receiver = a.socket(v6, socket.SOCK_DGRAM), b.socket(v6, socket.SOCK_DGRAM)
        if v6:
            sender.setsockopt(socket.IPPROTO_IPV6, 23, 2)  # IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO
        else:
            sender.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
        fits = 1290 - (48 if v6 else 28)
        sender.sendto(bytes(fits), receiver.getsockname())
        assert len(receiver.recv(2000)) == fits

        def refused() -> bool:
            try:
                sender.sendto(bytes(fits + 1), receiver.getsockname())
            except OSError as error:
                return error.errno == errno.EMSGSIZE
            return False

        wait_for(refused)
        sender.sendto(bytes(fits), receiver.getsockname())
        assert len(receiver.recv(2000)) == fits
        assert a.datapath.counters().drops["outbound.too-big"] >= 1
        sender.close()
        receiver.close()
