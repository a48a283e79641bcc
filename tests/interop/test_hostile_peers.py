"""Bad input on the wire while a tunnel is up: it is counted and dropped, nothing is lost, nothing grows.

Foundation, "Bad input"; DOS-14; RFC 7296 sections 2.4 and 2.21.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Iterator

import pytest
from netlab import hostile
from netlab import topology as net
from netlab.field import Field, WsgdGateway
from netlab.net import wait_for
from netlab.scenario import Scenario, Service, peer
from netlab.traffic import SteadyPing, ping, reach

ROOM_OCTETS = 6 << 20
"""What a process may grow by in a burst: caches fill, and no more."""


class Siege:
    """A gateway with one tunnel, and somebody else on the same link."""

    def __init__(self, field: Field) -> None:
        assert isinstance(field.gateway, WsgdGateway)
        self.field, self.wsgd = field, field.gateway.wsgd
        site = Service("site", net.GATEWAY)
        field.gateway.apply(Scenario((site, Service("clients", net.GATEWAY_RA, pool="10.99.0.0/24"))))
        self.enb = field.peer(field.place.enb)
        self.enb.load(*peer(site, net.ENB, "enb.example.org"))
        self.enb.initiate("net")
        reach(field.place.enb, net.CORE, net.ENB_INNER)
        (self.ike_sa,) = field.gateway_sees(1)
        self.spi_in = int(self.ike_sa["child-sa"][0]["spi-in"])
        self.sender = hostile.Sender(field.place.ue)
        self.before = self.wsgd.metrics()
        self.pids = {pid: self.memory(pid) for pid in self.wsgd.children()}

    @staticmethod
    def memory(pid: int) -> int:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def grown(self, metric: str) -> float:
        return self.wsgd.metrics().get(metric, 0.0) - self.before.get(metric, 0.0)

    def ike_drops(self, reason: str) -> float:
        return self.grown(f'ipsec_ike_dropped_datagrams_total{{reason="{reason}"}}')

    def esp_drops(self, reason: str) -> float:
        return self.grown(f'ipsec_esp_dropped_packets_total{{direction="inbound",reason="{reason}"}}')

    def send(
        self, octets: Iterable[bytes], ports: tuple[int, ...] = (500,), source: str = net.UE, marker: bool = False
    ) -> int:
        """Send each datagram to each port, in steps that leave the gateway's socket buffers room; how many."""
        count = 0
        for message in octets:
            for port in ports:
                body = hostile.MARKER + message if marker and port == 4500 else message
                if len(body) + 28 <= 1500:
                    self.sender.udp(source, net.GATEWAY, 4500 if source == net.ENB else 999, port, body)
                else:
                    self.fragmented(port, body)
                count += 1
                if count % 50 == 0:
                    time.sleep(0.01)
        return count

    def fragmented(self, port: int, body: bytes) -> None:
        """The kernel cuts what a raw socket may not."""
        with self.field.place.ue.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
            sock.sendto(body[: hostile.LARGEST], (net.GATEWAY, port))

    def only_child(self) -> str | None:
        """The inbound SPI of the one Child SA; None while there are two."""
        children = self.field.gateway.sas()[0]["child-sa"]
        return str(children[0]["spi-in"]) if len(children) == 1 else None

    def nothing_happened(self) -> None:
        """The same processes, with the memory they had, the same SAs, and no word of an error in the log."""
        assert set(self.wsgd.children()) == set(self.pids)
        for pid, octets in self.pids.items():
            assert self.memory(pid) < octets + ROOM_OCTETS
        (now,) = self.field.gateway.sas()
        assert now["local-spi"] == self.ike_sa["local-spi"]
        assert [child["spi-in"] for child in now["child-sa"]] == [str(self.spi_in)]
        log = self.wsgd.log.read_text()
        assert "Traceback" not in log
        assert " ERROR " not in log
        assert self.grown("ipsec_ike_exceptions_total") == 0
        assert ping(self.field.place.enb, net.CORE, net.ENB_INNER, count=3).lost == 0


@pytest.fixture
def siege(field: Field, only_wsgd: None) -> Iterator[Siege]:
    found = Siege(field)
    yield found
    found.sender.close()


def counted(what: str, siege: Siege, metric: str, least: float) -> None:
    wait_for(f"{what} to be counted", lambda: siege.grown(metric) >= least, 10)


def test_malformed_and_truncated_datagrams(siege: Siege) -> None:
    """Ports 500 and 4500, from no octet to 65,507, markers only, chains of thousands of payloads, mutants."""
    steady = SteadyPing(siege.field.place.enb, net.CORE, net.ENB_INNER, every_ms=50)
    sent = siege.send(hostile.sizes(), (500, 4500))
    sent += siege.send(hostile.lies(), (500, 4500), marker=True)
    sent += siege.send(hostile.mutants(600, seed=1), (500,))
    counted("every IKE datagram", siege, "ipsec_ike_datagrams_received_total", sent - 60)  # some of 4500 are ESP
    assert siege.ike_drops("malformed") > 300
    assert siege.ike_drops("bad-version") >= 16
    assert siege.esp_drops("unknown-spi") + siege.esp_drops("malformed") + siege.esp_drops("keepalive") >= 20
    siege.nothing_happened()
    assert steady.stop().lost == 0


def test_forged_messages_of_a_living_sa(siege: Siege) -> None:
    """RFC 7296 section 2.4: what is not cryptographically protected changes nothing; from the peer's own address."""
    spi_i, spi_r = (bytes.fromhex(siege.ike_sa[name].rjust(16, "0")) for name in ("initiator-spi", "responder-spi"))
    sent = siege.send(hostile.forged(spi_i, spi_r), (500, 4500), source=net.ENB, marker=True)
    counted("every forgery", siege, "ipsec_ike_datagrams_received_total", sent)
    assert siege.ike_drops("integrity") > 0
    assert siege.ike_drops("message-id") > 0
    siege.nothing_happened()


def test_esp_that_is_none(siege: Siege) -> None:
    """Native and in UDP, for unknown SPIs and for the living SA."""
    for number, packet in enumerate(hostile.esp(siege.spi_in)):
        siege.sender.ip(net.UE, net.GATEWAY, 50, packet)
        siege.sender.udp(net.UE, net.GATEWAY, 999, 4500, packet)
        if number % 25 == 0:
            time.sleep(0.01)
    reason = 'ipsec_esp_dropped_packets_total{direction="inbound",reason="integrity"}'
    counted("every forged packet", siege, reason, 2 * 399)
    assert siege.esp_drops("unknown-spi") > 0
    assert siege.esp_drops("malformed") > 0
    siege.nothing_happened()


def test_replayed_packets(siege: Siege) -> None:
    """RFC 4303 section 3.4.3: ESP once more is a replay. RFC 7296 section 2.1: an old request once more does not
    happen again."""
    outer = siege.field.place.enb
    tap = hostile.Tap(outer, "outer0", net.ENB)
    assert ping(outer, net.CORE, net.ENB_INNER, count=10).lost == 0
    in_esp = [octets for octets in natt(tap.stop()) if octets[:4] != hostile.MARKER]
    assert len(in_esp) >= 10
    for _ in range(20):
        siege.send(in_esp, (4500,), source=net.ENB)
    reason = 'ipsec_esp_dropped_packets_total{direction="inbound",reason="replay"}'
    counted("every replay", siege, reason, 20 * len(in_esp))
    siege.nothing_happened()

    tap = hostile.Tap(outer, "outer0", net.ENB)
    for _ in range(2):
        before = siege.field.gateway.sas()[0]["child-sa"][0]["spi-in"]
        siege.enb.rekey(child="net")  # CREATE_CHILD_SA, then INFORMATIONAL with a Delete
        wait_for("a rekeyed Child SA", lambda old=before: siege.only_child() not in (None, old), 10)
    in_ike = [octets for octets in natt(tap.stop()) if octets[:4] == hostile.MARKER]
    assert len(in_ike) >= 4
    child = siege.only_child()
    for _ in range(5):
        siege.send(in_ike, (4500,), source=net.ENB)
    counted("old requests", siege, 'ipsec_ike_dropped_datagrams_total{reason="message-id"}', 15)
    assert siege.only_child() == child
    assert siege.field.gateway.sas()[0]["local-spi"] == siege.ike_sa["local-spi"]
    assert "Traceback" not in siege.wsgd.log.read_text()
    assert ping(outer, net.CORE, net.ENB_INNER, count=3).lost == 0


def natt(packets: list[bytes]) -> list[bytes]:
    """What is inside the UDP datagrams to port 4500."""
    return [packet[28:] for packet in packets if packet[9] == socket.IPPROTO_UDP and packet[22:24] == b"\x11\x94"]


def test_a_flood_of_half_open_sas_keeps_nobody_out(siege: Siege) -> None:
    """DOS-14: forged initiator SPIs. They are counted and not listed, their memory is small and bounded, the tunnel
    goes on, and another peer gets in."""
    sent = siege.send((hostile.init_request(os.urandom(8)) for _ in range(3000)), (500,))
    counted("every request", siege, 'ipsec_ike_sas{state="half-open"}', sent)
    assert len(siege.field.gateway.sas()) == 1
    for pid, octets in siege.pids.items():
        assert siege.memory(pid) < octets + ROOM_OCTETS + sent * 4096
    clients = Service("clients", net.GATEWAY_RA, pool="10.99.0.0/24")
    ue = siege.field.peer(siege.field.place.ue)
    ue.load(*peer(clients, net.UE, "ue@example.org", vips=("0.0.0.0",)))
    ue.initiate("net")
    assert ping(siege.field.place.enb, net.CORE, net.ENB_INNER, count=3).lost == 0
    assert "Traceback" not in siege.wsgd.log.read_text()
