"""NETCONF: get-config and commit times with 10 and with 1,000 peers configured.

The client is the one of the command `wsg` (asyncssh): ncclient sends at its own tick of 100 ms.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from figures import Figure, median
from netlab import topology as net
from netlab.scenario import Scenario, Service
from netlab.topology import Topology
from netlab.wsgd import NETCONF_PORT, ROOT, Wsgd

sys.path.insert(0, str(ROOT))

from wsg.netconf_client import Client, Target, connect

_NS = "urn:openwsg:yang:openwsg-"


def _network(index: int) -> str:
    return f"10.{128 + index // 65536}.{index // 256 % 256}.{index % 256}/32"


def _one_more(index: int, operation: str) -> str:
    """An edit of one peer network of the template."""
    key = "" if operation == "delete" else f"<pre-shared-key>key {index}</pre-shared-key>"
    return (
        f'<gateway xmlns="{_NS}gateway"><context xmlns="{_NS}context"><name>ran</name>'
        f'<crypto xmlns="{_NS}crypto-template"><template><name>site</name><peer>'
        f'<network xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" nc:operation="{operation}">'
        f"<prefix>{_network(index)}</prefix>{key}</network></peer></template></crypto></context></gateway>"
    )


@dataclass
class Times:
    """Milliseconds of every call, by what it was."""

    ms: dict[str, list[float]] = field(default_factory=dict)

    async def of(self, what: str, call: Callable[[], Awaitable[object]]) -> None:
        began = time.perf_counter()
        await call()
        self.ms.setdefault(what, []).append((time.perf_counter() - began) * 1000)


async def _session(target: Target, peers: int, runs: int) -> Times:
    """Configure all peers but one in one go, read it all, then add the last one and take it away again and again."""
    times = Times()
    networks = {_network(index): f"key {index}" for index in range(peers - 1)}
    scenario = Scenario((Service("site", net.GATEWAY, psk=None, peers=networks),)).xml()
    async with await connect(target) as client:
        await times.of("edit-config of all peers", lambda: client.edit_config(scenario))
        await times.of("commit of all peers", lambda: client.call("commit"))
        await times.of("get-config, first after a commit", client.get_config)
        for _ in range(runs):
            await times.of("get-config, repeated", client.get_config)
            await times.of("get-config of one peer", lambda: client.get_config(subtree=_one(peers // 2)))
        for _ in range(runs):
            for operation in ("merge", "delete"):
                await _change(client, times, peers - 1, operation)
    for _ in range(runs):
        await times.of("session set-up", lambda: _come_and_go(target))
    return times


async def _change(client: Client, times: Times, index: int, operation: str) -> None:
    edit = _one_more(index, operation)
    await times.of("edit-config of one peer", lambda: client.edit_config(edit))
    await times.of("commit of one peer, durable", lambda: client.call("commit"))


async def _come_and_go(target: Target) -> None:
    client = await connect(target)
    await client.close()


def _one(index: int) -> str:
    """A subtree filter for one peer network."""
    return (
        f'<gateway xmlns="{_NS}gateway"><context xmlns="{_NS}context"><name>ran</name>'
        f'<crypto xmlns="{_NS}crypto-template"><template><name>site</name><peer><network>'
        f"<prefix>{_network(index)}</prefix></network></peer></template></crypto></context></gateway>"
    )


def _measure(peers: int, runs: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="openwsg-bench-") as directory, Topology("bm", Path(directory)) as place:
        gateway = Wsgd(place.gw).start()
        target = Target(port=NETCONF_PORT, identity=gateway.admin_key, insecure=True, timeout_s=60)
        times = place.gw.call(lambda: asyncio.run(_session(target, peers, runs)))
        assert gateway.process is not None
        memory = gateway.process.rss_octets / 2**20
    figures = []
    for name, values, unit in [
        *((what, ms, "ms") for what, ms in times.ms.items()),
        ("memory of wsgd", [memory], "MiB"),
    ]:
        what = f"{name}, {peers:,} peers"
        print(f"  {what}: {median(values):.1f} {unit} (of {len(values)})", flush=True)
        figures.append(Figure(what, unit, median(values), spread=tuple(values)))
    return figures


def run(quick: bool, kinds: tuple[str, ...] = ("wsgd",)) -> list[Figure]:
    """10 peers, then 1,000 (100 in a quick run)."""
    if "wsgd" not in kinds:
        return []
    return [*_measure(10, 3 if quick else 20), *_measure(100 if quick else 1000, 3 if quick else 20)]
