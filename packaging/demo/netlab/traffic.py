"""ping and iperf3 between namespaces."""

from __future__ import annotations

import itertools
import json
import re
import signal
from dataclasses import dataclass
from pathlib import Path

from .net import LabError, Namespace, Process, wait_for

UNDER_WAY = 5
"""Requests of a steady ping that may be unanswered when it is ended."""

_numbers = itertools.count(1)


@dataclass(frozen=True)
class PingResult:
    """What a ping run saw. average_ms is None when no answer came."""

    sent: int
    received: int
    average_ms: float | None

    @property
    def lost(self) -> int:
        return self.sent - self.received


def _parse_ping(text: str) -> PingResult:
    found = re.search(r"(\d+) packets transmitted, (\d+) (?:packets )?received", text)
    if not found:
        raise LabError(f"ping said: {text[-300:]}")
    times = re.search(r"= [\d.]+/([\d.]+)/", text)
    return PingResult(int(found[1]), int(found[2]), float(times[1]) if times else None)


def ping(namespace: Namespace, target: str, source: str | None = None, count: int = 3, size: int = 56) -> PingResult:
    """Send a few echo requests, 0.1 s apart."""
    argv = ["ping", "-n", "-q", "-c", str(count), "-i", "0.1", "-W", "2", "-s", str(size)]
    argv += ["-I", source] if source else []
    return _parse_ping(namespace.run(*argv, target, check=False, timeout_s=count * 0.1 + 10))


def reach(namespace: Namespace, target: str, source: str | None = None, timeout_s: float = 8.0) -> None:
    """Wait until one echo request is answered. Raises LabError when none is in time."""
    argv = ["ping", "-n", "-q", "-c", "1", "-W", "1", *(["-I", source] if source else []), target]

    def once() -> bool:
        return _parse_ping(namespace.run(*argv, check=False)).received > 0

    wait_for(f"an answer of {target} to ping in {namespace.name}", once, timeout_s)


class SteadyPing:
    """A ping that runs until `stop`, to see whether anything is lost meanwhile."""

    def __init__(self, namespace: Namespace, target: str, source: str | None = None, every_ms: int = 10) -> None:
        self._log = namespace.lab.directory / f"ping-{next(_numbers)}-{namespace.name}.log"
        argv = ["ping", "-n", "-i", f"{every_ms / 1000:.3f}", *(["-I", source] if source else []), target]
        self._process = namespace.spawn(*argv, log=self._log)

    def answers(self) -> int:
        """How many echo replies came so far."""
        return _text(self._log).count(" bytes from ")

    def go_on(self, more: int = 20) -> None:
        """Wait for so many further replies."""
        goal = self.answers() + more
        wait_for(f"{more} more replies to ping", lambda: self.answers() >= goal)

    def stop(self) -> PingResult:
        """End it and give the counts. Up to UNDER_WAY requests that nothing came after were cut off, not lost."""
        self._process.stop(signal.SIGINT)
        text = self._log.read_text()
        result = _parse_ping(text)
        last = max((int(found) for found in re.findall(r"icmp_seq=(\d+)", text)), default=0)
        cut_off = result.sent - last
        return PingResult(last, result.received, result.average_ms) if cut_off <= UNDER_WAY else result


@dataclass(frozen=True)
class Throughput:
    """One iperf3 run: payload at the receiver; loss only for UDP."""

    mbit_s: float
    packets_s: float | None = None
    loss_percent: float | None = None


class IperfServer:
    """An iperf3 server on an address."""

    def __init__(self, namespace: Namespace, address: str, port: int = 5201) -> None:
        self.address, self.port = address, port
        self._log = namespace.lab.directory / f"iperf3-{namespace.name}-{port}.log"
        self.process: Process = namespace.spawn(
            "iperf3", "-s", "-B", address, "-p", str(port), "--forceflush", log=self._log
        )
        wait_for("iperf3 to listen", lambda: "Server listening" in _text(self._log))

    def stop(self) -> None:
        self.process.stop(signal.SIGINT)


def iperf(
    namespace: Namespace,
    server: IperfServer,
    source: str,
    seconds: float = 3.0,
    reverse: bool = False,
    udp_mbit_s: float | None = None,
    length: int = 1300,
    omit_s: int = 0,
) -> Throughput:
    """Run an iperf3 client against a server. reverse: the server sends. udp_mbit_s: UDP at that rate instead of TCP."""
    argv = [
        "iperf3",
        "-J",
        "-c",
        server.address,
        "-p",
        str(server.port),
        "-B",
        source,
        "-t",
        f"{seconds:g}",
        "--connect-timeout",
        "5000",
    ]
    argv += ["-O", str(omit_s)] if omit_s else []
    argv += ["-R"] if reverse else []
    argv += ["-u", "-l", str(length), "-b", f"{udp_mbit_s}M/16", "-w", "2M"] if udp_mbit_s else []
    text = namespace.run(*argv, check=False, timeout_s=seconds + 25)
    try:
        report = json.loads(text)
    except ValueError as error:
        raise LabError(f"iperf3 said: {text[-500:]}") from error
    if "error" in report:
        raise LabError(f"iperf3 to {server.address}: {report['error']}")
    end = report["end"]
    if udp_mbit_s is None:
        return Throughput(end["sum_received"]["bits_per_second"] / 1e6)
    total = end["sum"]
    arrived = total["packets"] - total["lost_packets"]
    return Throughput(
        arrived * length * 8 / total["seconds"] / 1e6, arrived / total["seconds"], float(total["lost_percent"])
    )


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
