"""iperf3 through one tunnel: strongSwan to us, beside strongSwan to strongSwan, the runs interleaved.

The initiating peer is strongSwan with kernel-libipsec in both cases; it bounds what can be seen of
ours.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from figures import Figure, median
from netlab import topology as net
from netlab.field import Gateway, StrongSwanGateway, make_gateway
from netlab.net import LabError, Namespace
from netlab.scenario import Scenario, Service, peer
from netlab.strongswan import StrongSwan
from netlab.topology import Topology
from netlab.traffic import IperfServer, Throughput, iperf, reach

LOSS_PERCENT = 1.0
SUITES = (("AES-256-GCM", "aes256gcm16"), ("AES-256-CBC with SHA-256", "aes256-sha256"))


class Tunnel:
    """One tunnel between a strongSwan peer and a gateway of a kind, with an iperf3 server behind the gateway."""

    def __init__(self, kind: str, esp: str, directory: Path) -> None:
        self.kind = kind
        self.place = Topology("bt", directory)
        self.gateway: Gateway = make_gateway(self.place, kind)
        service = Service("site", net.GATEWAY, esp=(esp,))
        self.gateway.apply(Scenario((service,)))
        self.peer = StrongSwan(self.place.enb, "enb").start()
        self.peer.load(*peer(service, net.ENB, "enb.example.org"))
        self.peer.initiate("net")
        reach(self.place.enb, net.CORE, net.ENB_INNER)
        self.server = IperfServer(self.place.core, net.CORE)

    @property
    def client(self) -> Namespace:
        return self.place.enb

    def cpu(self) -> float:
        """CPU seconds of the gateway so far."""
        if isinstance(self.gateway, StrongSwanGateway):
            assert self.gateway.charon.process is not None
            return self.gateway.charon.process.cpu_s
        return self.gateway.wsgd.cpu_s("nf.io.datapath_process")

    def tcp(self, reverse: bool, seconds: float) -> Throughput:
        return self._again_once(lambda: iperf(self.client, self.server, net.ENB_INNER, seconds, reverse))

    def udp(self, reverse: bool, rate: float, seconds: float) -> Throughput:
        return self._again_once(
            lambda: iperf(self.client, self.server, net.ENB_INNER, seconds, reverse, udp_mbit_s=rate)
        )

    def _again_once(self, run: Callable[[], Throughput]) -> Throughput:
        """An iperf3 server may hang after a run whose end was lost in overload: it is started anew, once, and told."""
        try:
            return run()
        except LabError as error:
            print(f"  {self.kind}: a run is repeated: {error}", flush=True)
            self.server.stop()
            reach(self.place.enb, net.CORE, net.ENB_INNER)
            self.server = IperfServer(self.place.core, net.CORE, self.server.port + 1)
            return run()

    def close(self) -> None:
        self.place.close()


class Carrier(Protocol):
    """What an iperf3 run goes through."""

    def tcp(self, reverse: bool, seconds: float) -> Throughput: ...
    def udp(self, reverse: bool, rate: float, seconds: float) -> Throughput: ...


def udp_limit(tunnel: Carrier, reverse: bool, start: float, seconds: float) -> float:
    """The highest rate of a short search at which at most LOSS_PERCENT is lost, Mbit/s."""
    low, high, rate = 0.0, 0.0, start
    for _ in range(12):
        result = tunnel.udp(reverse, rate, seconds)
        delivered = result.mbit_s >= 0.93 * rate  # else the sender is at its end
        if (result.loss_percent or 0.0) <= LOSS_PERCENT and delivered:
            low = rate
        else:
            high = rate
        if low and high and high / low < 1.12:
            break
        rate = (low + high) / 2 if low and high else (rate * 1.6 if low else rate / 2)
    return low


def run(quick: bool, kinds: tuple[str, ...] = ("strongswan", "wsgd")) -> list[Figure]:
    """TCP and UDP, both directions, each suite."""
    runs, seconds = (1, 1.0) if quick else (3, 2.0)
    figures = []
    for name, esp in SUITES[: 1 if quick else None]:
        with contextlib.ExitStack() as stack:
            tunnels = {}
            for kind in kinds:
                directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="openwsg-bench-"))
                tunnels[kind] = Tunnel(kind, esp, Path(directory))
                stack.callback(tunnels[kind].close)
            for way, reverse in (("to the core", False), ("from the core", True)):
                values: dict[str, list[float]] = {kind: [] for kind in kinds}
                cpu: dict[str, list[float]] = {kind: [] for kind in kinds}
                for _ in range(runs):
                    for kind, tunnel in tunnels.items():
                        before = tunnel.cpu()
                        got = tunnel.tcp(reverse, seconds).mbit_s
                        values[kind].append(got)
                        cpu[kind].append((tunnel.cpu() - before) * 1e9 / max(1.0, got * seconds * 1e6 / 8))
                figures.append(figure(f"TCP {way}, {name}", "Mbit/s", values, "higher"))
                figures.append(figure(f"gateway CPU an octet, TCP {way}, {name}", "ns", cpu, "lower"))
                limits: dict[str, list[float]] = {kind: [] for kind in kinds}
                for _ in range(1 if quick else 2):
                    for kind, tunnel in tunnels.items():
                        limits[kind].append(udp_limit(tunnel, reverse, 200.0, 1.0))
                figures.append(
                    figure(f"UDP {way} at up to {LOSS_PERCENT:g} % loss, {name}", "Mbit/s", limits, "higher")
                )
    return figures


def figure(what: str, unit: str, values: dict[str, list[float]], better: str) -> Figure:
    """Print the runs, and make a figure of their medians."""
    ours = values.get("wsgd", [])
    for kind, got in values.items():
        print(f"  {what}: {kind}: {' '.join(f'{value:.1f}' for value in got)} {unit}", flush=True)
    return Figure(what, unit, median(ours), median(values.get("strongswan", [])), better, spread=tuple(ours))
