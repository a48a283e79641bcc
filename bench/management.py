"""NETCONF: get-config and commit times with 10 and with 1,000 peers configured, with ncclient as the client."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from figures import Figure, median
from netlab import topology as net
from netlab.netconf import NetconfClient
from netlab.scenario import Scenario, Service
from netlab.topology import Topology
from netlab.wsgd import Wsgd

_NS = "urn:openwsg:yang:openwsg-"


def _network(index: int) -> str:
    return f"10.{128 + index // 65536}.{index // 256 % 256}.{index % 256}/32"


def _one_more(index: int, operation: str = "merge") -> str:
    """An edit of one peer network of the template."""
    return (
        f'<gateway xmlns="{_NS}gateway"><context xmlns="{_NS}context"><name>ran</name>'
        f'<crypto xmlns="{_NS}crypto-template"><template><name>site</name><peer>'
        f'<network xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" nc:operation="{operation}">'
        f"<prefix>{_network(index)}</prefix>"
        + ("" if operation == "delete" else f"<pre-shared-key>key {index}</pre-shared-key>")
        + "</network></peer></template></crypto></context></gateway>"
    )


def _times(what: Callable[[], object], runs: int) -> list[float]:
    found = []
    for _ in range(runs):
        began = time.perf_counter()
        what()
        found.append((time.perf_counter() - began) * 1000)
    return found


def _measure(peers: int, runs: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="openwsg-bench-") as directory, Topology("bm", Path(directory)) as place:
        gateway = Wsgd(place.gw).start()
        networks = {_network(index): f"key {index}" for index in range(peers - 1)}  # at most 1,000 with the one to add
        scenario = Scenario((Service("site", net.GATEWAY, psk=None, peers=networks),))
        with gateway.netconf() as client:
            began = time.perf_counter()
            client.push(scenario.xml())
            first = (time.perf_counter() - began) * 1000
            whole = _times(client.get_config, runs)
            commits = _commits(client, peers, runs)
        connect = _times(lambda: gateway.netconf().close(), runs)
        assert gateway.process is not None
        memory = gateway.process.rss_octets / 2**20
    what = f"{peers:,} peers"
    rows = [
        (f"get-config, {what}", whole, "ms"),
        (f"edit-config of one peer, {what}", commits[0], "ms"),
        (f"commit of one peer, {what}", commits[1], "ms"),
        (f"all {what} in one push", [first], "ms"),
        (f"session set-up, {what}", connect, "ms"),
        (f"resident memory of wsgd, {what}", [memory], "MiB"),
    ]
    figures = []
    for name, values, unit in rows:
        print(f"  {name}: {median(values):.1f} {unit} (of {len(values)})", flush=True)
        figures.append(Figure(name, unit, median(values), spread=tuple(values)))
    return figures


def _commits(client: NetconfClient, peers: int, runs: int) -> tuple[list[float], list[float]]:
    """Add a peer and take it away again, each with its own commit; the times of the edits and of the commits."""
    edits, commits = [], []
    for _ in range(runs):
        for operation in ("merge", "delete"):
            xml = f'<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">{_one_more(peers - 1, operation)}</config>'
            edits += _times(lambda xml=xml: client.session.edit_config(target="candidate", config=xml), 1)  # type: ignore[misc]
            commits += _times(client.session.commit, 1)
    return edits, commits


def run(quick: bool, kinds: tuple[str, ...] = ("wsgd",)) -> list[Figure]:
    """10 peers, then 1,000 (100 in a quick run)."""
    if "wsgd" not in kinds:
        return []
    return [*_measure(10, 3 if quick else 20), *_measure(100 if quick else 1000, 3 if quick else 20)]
