"""Responder CPU and memory a tunnel: strongSwan initiates, once to us and once to strongSwan, in one run.

The initiator opens remote-access tunnels with a PSK (reuse_ikesa = no), at most WINDOW at a time. Counted is the CPU
time of all processes of the responder: for us ipsecmgr workers (IKE), the data path (two SAs), wsgd (a route, events in
the log); for strongSwan charon, whose data path (kernel-libipsec) is inside it and which installs the same route.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from figures import Figure
from netlab import topology as net
from netlab.field import Gateway, StrongSwanGateway, WsgdGateway
from netlab.net import LabError
from netlab.scenario import Scenario, Service, peer
from netlab.strongswan import StrongSwan
from netlab.topology import Topology

WINDOW = 20
SUITES = (
    ("PSK, x25519, AES-GCM", "aes256gcm16-prfsha256-x25519", "aes256gcm16"),
    ("PSK, group 14, AES-CBC, SHA-256", "aes256-sha256-modp2048", "aes256-sha256"),
)
QUIET = "  reuse_ikesa = no\n  dos_protection = no"


@dataclass(frozen=True)
class Cost:
    """One run: CPU milliseconds and octets a tunnel, tunnels a second. parts: CPU ms a tunnel by process."""

    cpu_ms: float
    memory: float
    rate: float
    parts: dict[str, float]


def _start(place: Topology, kind: str) -> Gateway:
    if kind == "wsgd":
        return WsgdGateway(place)
    gateway = StrongSwanGateway(place)
    gateway.charon.stop()
    gateway.charon = StrongSwan(place.gw, "gateway", QUIET, log_level=0).start()
    return gateway


def _cpu(gateway: Gateway) -> dict[str, float]:
    if isinstance(gateway, StrongSwanGateway):
        assert gateway.charon.process is not None
        return {"charon": gateway.charon.process.cpu_s}
    assert gateway.wsgd.process is not None
    return {
        "ipsecmgr": gateway.wsgd.cpu_s("nf.io.ipsecmgr"),
        "data path": gateway.wsgd.cpu_s("nf.io.datapath_process"),
        "wsgd": gateway.wsgd.process.cpu_s,
    }


def _memory(gateway: Gateway) -> int:
    if isinstance(gateway, StrongSwanGateway):
        assert gateway.charon.process is not None
        return gateway.charon.process.rss_octets
    return gateway.wsgd.rss_octets("nf.io.")


def _open(initiator: StrongSwan, count: int, patience_s: float = 20.0) -> None:
    """Bring `count` further IKE SAs up, WINDOW at a time. Raises LabError when nothing moves any more."""
    goal = initiator.count() + count
    begun, last, moved = initiator.count(), (-1, -1), time.monotonic()
    while True:
        stats = initiator.vici.command("stats")["ikesas"]
        total, half_open = int(stats["total"]), int(stats["half-open"])
        if total >= goal and half_open == 0:
            return
        if (total, half_open) != last:
            last, moved = (total, half_open), time.monotonic()
        elif time.monotonic() - moved > patience_s:
            raise LabError(f"{total} of {goal} tunnels after {patience_s:g} s without progress\n{initiator.tail()}")
        room = min(WINDOW - half_open, goal - begun)
        for _ in range(max(0, room)):
            initiator.start_initiating("net")
            begun += 1
        time.sleep(0.002)


def measure(kind: str, ike: str, esp: str, tunnels: int) -> Cost:
    """One responder of a kind, warmed up by a tenth of the tunnels, then measured over the rest."""
    with tempfile.TemporaryDirectory(prefix="openwsg-bench-") as directory, Topology("bs", Path(directory)) as place:
        gateway = _start(place, kind)
        service = Service("ra", net.GATEWAY_RA, ike=(ike,), esp=(esp,), pool="10.96.0.0/12", psk="bench key")
        scenario = Scenario((service,))
        if isinstance(gateway, StrongSwanGateway):
            gateway.charon.load(*scenario.vici())
            gateway.charon.vici.command("unload-conn", {"name": "ra"})
            connections = scenario.vici()[0]
            gateway.charon.load({"ra": {**connections["ra"], "unique": "never"}})
        else:
            gateway.apply(scenario)
        initiator = StrongSwan(place.ue, "initiator", QUIET, log_level=0).start()
        initiator.load(*peer(service, net.UE, "ue@example.org", vips=("0.0.0.0",), unique="never"))
        warm = max(5, tunnels // 10)
        _open(initiator, warm)
        before, memory, began = _cpu(gateway), _memory(gateway), time.monotonic()
        _open(initiator, tunnels)
        took = time.monotonic() - began
        after = _cpu(gateway)
        if (up := len(initiator.children())) != warm + tunnels:
            raise LabError(f"{up} of {warm + tunnels} tunnels are up\n{initiator.tail()}")
        parts = {name: (after[name] - before[name]) * 1000 / tunnels for name in after}
        cost = Cost(
            cpu_ms=sum(parts.values()),
            memory=(_memory(gateway) - memory) / tunnels,
            rate=tunnels / took,
            parts=parts,
        )
        assert initiator.process is not None
        initiator.process.popen.kill()  # no thousand deletions
        return cost


def run(quick: bool, kinds: tuple[str, ...] = ("strongswan", "wsgd")) -> list[Figure]:
    """All suites, against each responder in turn."""
    tunnels = 100 if quick else 1000
    figures = []
    for name, ike, esp in SUITES:
        costs: dict[str, Cost] = {}
        for kind in kinds:
            costs[kind] = cost = measure(kind, ike, esp, tunnels)
            parts = ", ".join(f"{part} {ms:.2f}" for part, ms in cost.parts.items())
            print(
                f"  {name}: {kind}: {cost.cpu_ms:.2f} ms CPU a tunnel ({parts}), {cost.rate:.0f} tunnels/s, "
                f"{cost.memory / 1024:.1f} KiB a tunnel",
                flush=True,
            )
        ours, theirs = costs.get("wsgd"), costs.get("strongswan")
        note = f"{tunnels} tunnels"
        if ours:
            note += ", " + ", ".join(f"{part} {ms:.2f}" for part, ms in ours.parts.items())
        figures += [
            Figure(
                f"responder CPU a tunnel, {name}",
                "ms",
                ours.cpu_ms if ours else None,
                theirs.cpu_ms if theirs else None,
                note=note,
            ),
            Figure(
                f"set up a second, {name}",
                "1/s",
                ours.rate if ours else None,
                theirs.rate if theirs else None,
                better="higher",
                note="initiator and responder share the cores",
            ),
            Figure(
                f"resident memory a tunnel, {name}",
                "KiB",
                ours.memory / 1024 if ours else None,
                theirs.memory / 1024 if theirs else None,
            ),
        ]
    return figures
