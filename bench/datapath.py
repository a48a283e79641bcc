"""iperf3 through one tunnel with our data path at both ends, static keys, beside strongSwan at both ends, interleaved.

Says what the data path does when no strongSwan end bounds it. No IKE, no policy but one entry for everything.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path

from figures import Figure
from netlab.net import Lab, Namespace, Process, wait_for
from netlab.traffic import IperfServer, Throughput, iperf, reach
from throughput import LOSS_PERCENT, Tunnel, figure, udp_limit

HERE = Path(__file__).resolve().parent
OUTER = ("192.0.2.1", "192.0.2.2")
INNER = ("10.0.0.1", "10.0.0.2")


class StaticTunnel:
    """Two namespaces, our data path in each."""

    def __init__(self, directory: Path, cipher: str, *arguments: str) -> None:
        self.lab = Lab("bd", directory)
        self.ends = [self.lab.namespace("a"), self.lab.namespace("b")]
        self.lab.link(self.ends[0], "outer0", [f"{OUTER[0]}/24"], self.ends[1], "outer0", [f"{OUTER[1]}/24"])
        self.processes = [self._start(number, cipher, arguments) for number in (0, 1)]
        reach(self.ends[0], INNER[1], INNER[0])
        self.server = IperfServer(self.ends[1], INNER[1])

    def _start(self, number: int, cipher: str, arguments: tuple[str, ...]) -> Process:
        namespace: Namespace = self.ends[number]
        log = self.lab.directory / f"end{number}.log"
        process = namespace.spawn(
            *(sys.executable, str(HERE / "esp_end.py"), "--tun", "esp0", "--cipher", cipher),
            *("--local", OUTER[number], "--remote", OUTER[1 - number], *arguments),
            log=log,
        )
        wait_for(f"the data path to start (log {log})", lambda: "ready" in log.read_text(), 20)
        namespace.address("esp0", f"{INNER[number]}/24")
        # What the inner packet may be: 1438 octets, as templates have it.
        namespace.run("ip", "link", "set", "esp0", "mtu", "1400")
        return process

    def cpu(self) -> float:
        return sum(process.cpu_s for process in self.processes)

    def tcp(self, reverse: bool, seconds: float) -> Throughput:
        return iperf(self.ends[0], self.server, INNER[0], seconds, reverse)

    def udp(self, reverse: bool, rate: float, seconds: float) -> Throughput:
        return iperf(self.ends[0], self.server, INNER[0], seconds, reverse, udp_mbit_s=rate)

    def close(self) -> None:
        self.lab.close()


def run(quick: bool, kinds: tuple[str, ...] = ("strongswan", "wsgd")) -> list[Figure]:
    """TCP and UDP with both ciphers in UDP encapsulation, and native ESP with the first."""
    runs, seconds = (1, 1.0) if quick else (5, 3.0)
    cases: list[tuple[str, str, str, tuple[str, ...]]] = [
        ("AES-256-GCM in UDP", "aes-gcm", "aes256gcm16", ()),
        ("AES-256-GCM, native ESP", "aes-gcm", "", ("--native",)),
        ("AES-256-CBC with SHA-256 in UDP", "aes-cbc", "aes256-sha256", ()),
    ]
    figures = []
    for name, cipher, peer_suite, arguments in cases[: 1 if quick else None]:
        with contextlib.ExitStack() as stack:
            tunnels: dict[str, StaticTunnel | Tunnel] = {}
            for kind in kinds:
                directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="openwsg-bench-")))
                if kind == "wsgd":
                    tunnels[kind] = StaticTunnel(directory, cipher, *arguments)
                elif peer_suite:
                    tunnels[kind] = Tunnel(kind, peer_suite, directory)
                else:
                    continue
                stack.callback(tunnels[kind].close)
            values: dict[str, list[float]] = {kind: [] for kind in tunnels}
            limits: dict[str, list[float]] = {kind: [] for kind in tunnels}
            for _ in range(runs):
                for kind, tunnel in tunnels.items():
                    values[kind].append(tunnel.tcp(False, seconds).mbit_s)
            for _ in range(1 if quick else 3):
                for kind, tunnel in tunnels.items():
                    limits[kind].append(udp_limit(tunnel, False, 400.0, 1.0))
            figures.append(figure(f"data path at both ends, TCP, {name}", "Mbit/s", values, "higher"))
            what = f"data path at both ends, UDP of 1,300 octets at up to {LOSS_PERCENT:g} % loss, {name}"
            figures.append(figure(what, "Mbit/s", limits, "higher"))
    return figures
