"""One run of the main job: two strongSwan peers through the gateway, in network namespaces made for it.

    make demo          everything, then away with it
    make demo KEEP=1   leaves it running, and says how to look around and how to remove it

Ends with status 0 when every step did what it should, else 1 after saying what failed and where to see more.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from netlab import topology as net
from netlab.net import LabError, end_on_signals, remove_namespaces, wait_for
from netlab.strongswan import StrongSwan
from netlab.topology import Topology
from netlab.traffic import IperfServer, Throughput, iperf, ping, reach
from netlab.wsgd import ROOT, Wsgd

HERE = Path(__file__).resolve().parent
CONFIGURATION = ROOT / "docs" / "examples" / "demo.xml"
STEPS = 9
METRICS = (
    "ipsec_ike_sas",
    "ipsec_child_sas",
    "ipsec_esp_packets_total",
    "ipsec_esp_bytes_total",
    "ipsec_esp_dropped_packets_total",
    "ipsec_pool_used_addresses",
    "openwsg_configuration_revision",
    "openwsg_worker_resident_memory_bytes",
)


class Demo:
    """The steps, in order; each prints one line."""

    def __init__(self, place: Topology) -> None:
        self.place = place
        self.gateway = Wsgd(place.gw)
        self.enb = StrongSwan(place.enb, "enb")
        self.ue = StrongSwan(place.ue, "ue")
        self.inner = ""
        self.inner6 = ""
        self.throughput: dict[str, Throughput] = {}
        self._step = 1

    @contextmanager
    def step(self, what: str) -> Iterator[Callable[[str], None]]:
        """Print what is done, and whether and how fast it was."""
        self._step += 1
        with step_line(self._step, what) as note:
            yield note

    def run(self) -> None:
        with self.step("starting wsgd in the gateway's namespace"):
            self.gateway.start()
        with self.step("starting two strongSwan peers: an eNodeB gateway and a client"):
            for peer, file in ((self.enb, "enb.swanctl.conf"), (self.ue, "ue.swanctl.conf")):
                peer.start()
                peer.load_file(HERE / file)
        with self.step("pushing the configuration over NETCONF (lock, edit, validate, commit)"):
            client = self.gateway.netconf()
            client.push(CONFIGURATION.read_text())
            client.close()
        with self.step("eNodeB gateway: site-to-site tunnel") as note:
            self.enb.initiate("core")
            (ike_sa,) = self.enb.established()
            note(f"{ike_sa['encr-alg']}-{ike_sa['encr-keysize']}, {ike_sa['dh-group']}")
        with self.step("client: remote-access tunnel, address from the pool") as note:
            self.ue.initiate("core")
            addresses = self.ue.established()[0].get("local-vips", [])
            if len(addresses) != 2:
                raise LabError(f"the client has the addresses {addresses}, not one of each family")
            self.inner, self.inner6 = sorted(addresses, key=lambda text: ":" in text)
            note(f"{self.inner}, {self.inner6}")
        with self.step("pings through both tunnels, both ways") as note:
            note(self._pings())
        with self.step("iperf3 through both tunnels, both ways"):
            self._throughput()
        with self.step("reading the tunnels and the metrics"):
            tunnels = self.gateway.wsg("show", "tunnels")
            wait_for("metrics that count both Child SAs", self._counted, 5)
            metrics = self._metrics()
        self._report(tunnels, metrics)

    def _pings(self) -> str:
        place = self.place
        ways = [
            (place.enb, net.CORE, net.ENB_INNER),
            (place.core, net.ENB_INNER, None),
            (place.ue, net.CORE, self.inner),
            (place.core, self.inner, None),
        ]
        answered = 0
        for namespace, target, source in ways:
            reach(namespace, target, source)
            result = ping(namespace, target, source, count=5)
            if result.lost:
                raise LabError(f"{result.lost} of {result.sent} pings from {namespace.name} to {target} were lost")
            answered += result.received
        return f"{answered} of {answered} answered"

    def _throughput(self) -> None:
        server = IperfServer(self.place.core, net.CORE)
        try:
            for name, where, source in (
                ("eNodeB", self.place.enb, net.ENB_INNER),
                ("client", self.place.ue, self.inner),
            ):
                self.throughput[f"{name} to core"] = iperf(where, server, source, seconds=2)
                self.throughput[f"core to {name}"] = iperf(where, server, source, seconds=2, reverse=True)
        finally:
            server.stop()

    def _counted(self) -> bool:
        return self.gateway.metrics().get("ipsec_child_sas") == 2

    def _metrics(self) -> list[str]:
        text = self.gateway.http("/metrics")
        lines = [line for line in text.splitlines() if line.partition("{")[0].partition(" ")[0] in METRICS]
        return [line for line in lines if "dropped" not in line or not re.search(r" 0(\.0)?$", line)]

    def _report(self, tunnels: str, metrics: list[str]) -> None:
        print("\nTunnels (wsg show tunnels)")
        print(_indent(tunnels.rstrip()))
        print("\nThroughput (iperf3, one TCP stream, peers and gateway on this machine)")
        for way, result in self.throughput.items():
            print(f"  {way:16} {result.mbit_s:8.0f} Mbit/s")
        print("\nMetrics (http://127.0.0.1:9814/metrics in the gateway's namespace)")
        print(_indent("\n".join(metrics)), flush=True)

    def look_around(self) -> str:
        """What to type after KEEP=1."""
        place, gateway = self.place, self.gateway
        inside = f"ip netns exec {place.gw.full_name}"
        python = sys.executable
        return f"""
It is still running. To look around:
  {inside} {" ".join(gateway.wsg_command)} show tunnels
  {inside} curl -s http://127.0.0.1:9814/metrics
  {inside} ssh -i {gateway.admin_key} -p 830 admin@127.0.0.1 -s netconf
  ip netns exec {place.enb.full_name} ping -I {net.ENB_INNER} {net.CORE}
  ip netns exec {place.ue.full_name} iperf3 -c {net.CORE} -B {self.inner}   (iperf3 -s in {place.core.full_name} first)
  swanctl --list-sas --uri unix://{self.enb.socket}
  tail -f {gateway.log} {self.enb.log} {self.ue.log}
To remove it:
  {python} {Path(__file__).resolve()} --remove {place.lab.directory}"""

    def logs(self) -> str:
        """The ends of all logs, for a failure."""
        parts = []
        for name, log in (
            ("wsgd", self.gateway.log),
            ("eNodeB's charon", self.enb.log),
            ("client's charon", self.ue.log),
        ):
            if log.exists():
                end = "\n".join(log.read_text(errors="replace").splitlines()[-12:])
                parts.append(f"--- end of the log of {name} ({log})\n{_indent(end)}")
        return "\n".join(parts)


@contextmanager
def step_line(number: int, what: str) -> Iterator[Callable[[str], None]]:
    """One line for a step: its number, what it does, then ok with the time and notes, or FAILED."""
    print(f"[{number:2}/{STEPS}] {what:75} ", end="", flush=True)
    notes: list[str] = []
    began = time.monotonic()
    try:
        yield notes.append
    except BaseException:
        print("FAILED", flush=True)
        raise
    print(f"ok {time.monotonic() - began:5.1f} s  {' '.join(notes)}".rstrip(), flush=True)


def _indent(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def remove(directory: Path) -> int:
    """Take away what a run with --keep left."""
    try:
        names = json.loads((directory / "lab.json").read_text())["namespaces"]
    except (OSError, ValueError, KeyError) as error:
        print(f"{directory} is not the directory of a demonstration: {error}", file=sys.stderr)
        return 1
    remove_namespaces(names)
    shutil.rmtree(directory)
    return 0


def main() -> int:
    arguments = argparse.ArgumentParser(description="Two strongSwan peers through the gateway, in network namespaces.")
    arguments.add_argument("--keep", action="store_true", help="leave everything running at the end")
    arguments.add_argument("--remove", type=Path, metavar="DIR", help="remove what an earlier run with --keep left")
    options = arguments.parse_args()
    if options.remove:
        return remove(options.remove)
    directory = Path(tempfile.mkdtemp(prefix="openwsg-demo-"))
    demo: Demo | None = None
    place: Topology | None = None
    status, kept_logs = 1, False
    try:
        with end_on_signals():
            with step_line(1, "making network namespaces: gateway, core, eNodeB gateway, client"):
                place = Topology("demo", directory, keep=options.keep)
            demo = Demo(place)
            demo.run()
            status = 0
    except KeyboardInterrupt:
        print("\ninterrupted: everything is being removed", file=sys.stderr)
        options.keep = False
    except Exception as error:  # whatever a step met: it is told, with the logs, and the status says so
        text = str(error) or type(error).__name__
        print(f"\n{type(error).__name__}: {text}\n{demo.logs() if demo else ''}", file=sys.stderr)
        more = "" if options.keep else " `make demo KEEP=1` leaves everything running for a look."
        print(f"\nAll logs are in {directory}.{more}", file=sys.stderr)
        kept_logs = True
    keep = options.keep and demo is not None
    if place is not None:
        names = [namespace.full_name for namespace in place.lab.namespaces.values()]
        (directory / "lab.json").write_text(json.dumps({"namespaces": names}))
        place.lab.keep = keep
        place.close()
    if keep and demo is not None:
        print(demo.look_around())
    elif not kept_logs:
        shutil.rmtree(directory)
    return status


if __name__ == "__main__":
    sys.exit(main())
