"""What the death of each process means to a real peer (MGR-09, RKY-61), and IKE without steering."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "packaging" / "demo"))

from netlab import topology as net
from netlab.field import Field, WsgdGateway
from netlab.net import wait_for
from netlab.scenario import Scenario, Service, peer
from netlab.strongswan import StrongSwan
from netlab.topology import Topology
from netlab.traffic import reach
from netlab.wsgd import Wsgd

pytestmark = [
    pytest.mark.root,
    pytest.mark.peer,
    pytest.mark.slow,
    pytest.mark.xdist_group("wsg-peer"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("charon-systemd"), reason="strongSwan is not installed: make peers"),
]

SITE = Service("site", net.GATEWAY, protects=(net.CORE_NET,))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    with Topology("pr", tmp_path_factory.mktemp("lab")) as found:
        yield found


@pytest.fixture
def gateway(place: Topology) -> Iterator[WsgdGateway]:
    found = WsgdGateway(place, workers=2)
    found.apply(Scenario((SITE,)))
    yield found
    found.stop()


@pytest.fixture
def enb(place: Topology, gateway: WsgdGateway) -> Iterator[StrongSwan]:
    """An eNodeB with its tunnel up and carrying."""
    field = Field(place, gateway)
    found = field.peer(place.enb)
    found.load(*peer(SITE, net.ENB, "enb.example.org"))
    found.initiate("net")
    reach(place.enb, net.CORE, net.ENB_INNER)
    yield found
    field.end_of_test()


def owner(gateway: WsgdGateway) -> int:
    """The pid of the worker that owns the one IKE SA."""
    (sa,) = gateway.sas()
    index = int(str(sa["ipsec-manager"]))
    pids = gateway.wsgd.children("nf.io.ipsecmgr")
    return next(
        pid for pid in pids if f"\0ipsecmgr-{index}\0" in Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    )


def again(place: Topology, enb: StrongSwan) -> None:
    """The peer can come back."""
    if enb.established():  # nobody answers its DELETE
        enb.vici.command("terminate", {"ike": "gw", "force": "yes", "timeout": "-1"})
    wait_for("the old IKE SA to go", lambda: not enb.established())
    enb.initiate("net")
    reach(place.enb, net.CORE, net.ENB_INNER)


def test_traffic_flows_on_without_the_worker(place: Topology, gateway: WsgdGateway, enb: StrongSwan) -> None:
    """The data path needs no ipsecmgr for what is installed."""
    pid = owner(gateway)
    os.kill(pid, signal.SIGSTOP)
    try:
        for _ in range(3):
            reach(place.enb, net.CORE, net.ENB_INNER)
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_killed_worker_ends_its_tunnels_and_the_peer_comes_back(
    place: Topology, gateway: WsgdGateway, enb: StrongSwan
) -> None:
    pid = owner(gateway)
    os.kill(pid, signal.SIGKILL)
    wait_for("the successor", lambda: len(gateway.wsgd.children("nf.io.ipsecmgr")) == 2 and _ready(gateway))
    assert pid not in gateway.wsgd.children("nf.io.ipsecmgr")
    assert gateway.sas() == []
    again(place, enb)


def test_a_killed_data_path_tells_every_peer(place: Topology, gateway: WsgdGateway, enb: StrongSwan) -> None:
    """Its sequence numbers are lost: each IKE SA is deleted, so that no key is used twice with one IV."""
    (pid,) = gateway.wsgd.children("nf.io.datapath_process")
    os.kill(pid, signal.SIGKILL)
    wait_for("the peer to be told", lambda: not enb.established())
    wait_for("the successor", lambda: _ready(gateway))
    again(place, enb)


def test_a_stop_tells_every_peer(place: Topology, gateway: WsgdGateway, enb: StrongSwan) -> None:
    """RKY-61; RFC 7296 section 1.4.1."""
    assert gateway.wsgd.stop() == 0
    wait_for("the peer to be told", lambda: not enb.established())


def test_ike_and_esp_without_steering(place: Topology) -> None:
    """Where the kernel takes no program: port 500 is spread by its hash, 4500 is read by the data path alone."""
    found = WsgdGateway(place, workers=2)
    found.stop()
    found.wsgd = Wsgd(place.gw, workers=2, arguments=("--no-steering",)).start()
    field = Field(place, found)
    try:
        found.apply(Scenario((SITE,)))
        enb = field.peer(place.enb)
        enb.load(*peer(SITE, net.ENB, "enb.example.org"))
        for _ in range(4):  # both workers, by the initiator's SPI
            enb.initiate("net")
            reach(place.enb, net.CORE, net.ENB_INNER)
            enb.terminate(ike="gw")
            wait_for("the IKE SA to go", lambda: not enb.established())
    finally:
        field.end_of_test()
        found.stop()


def _ready(gateway: WsgdGateway) -> bool:
    try:
        return gateway.wsgd.http("/readyz") == "ready\n"
    except OSError:
        return False
