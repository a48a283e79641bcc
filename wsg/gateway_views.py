"""The operational state, put together from what every child tells."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from nf.config.snapshot import GatewaySnapshot
from nf.datapath.port import SaCounters
from nf.ipc.messages import ViewsPage
from nf.views import ChildSaView, IkeSaView, PoolView, ServiceView, WorkerView
from wsg.supervisor import Child

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def with_counters(ike_sa: IkeSaView, counters: Mapping[int, SaCounters]) -> IkeSaView:
    """The view with the data path's counters in its Child SAs."""
    return replace(ike_sa, children=tuple(_child_with_counters(child, counters) for child in ike_sa.children))


def _child_with_counters(child: ChildSaView, counters: Mapping[int, SaCounters]) -> ChildSaView:
    inbound, outbound = counters.get(child.sa_id_in), counters.get(child.sa_id_out)
    if inbound is not None:
        child = replace(
            child,
            packets_in=inbound.packets,
            octets_in=inbound.octets,
            replay_drops=inbound.replay_drops,
            integrity_failures=inbound.integrity_failures,
        )
    if outbound is not None:
        child = replace(child, packets_out=outbound.packets, octets_out=outbound.octets)
    return child


def sum_pools(pages: Iterable[ViewsPage]) -> tuple[PoolView, ...]:
    """Every worker has a share of every pool."""
    totals: dict[tuple[str, str], PoolView] = {}
    for page in pages:
        for pool in page.pools:
            key = (pool.context, pool.name)
            so_far = totals.get(key)
            totals[key] = (
                pool if so_far is None else replace(so_far, size=so_far.size + pool.size, used=so_far.used + pool.used)
            )
    return tuple(totals.values())


def services(snapshot: GatewaySnapshot, bound: Iterable[str], pages: Iterable[ViewsPage]) -> tuple[ServiceView, ...]:
    """Every configured service (WSG-20); started is bound, with a template."""
    sessions: Counter[tuple[str, str]] = Counter()
    for page in pages:
        for context, service, count in page.sessions:
            sessions[(context, service)] += count
    addresses = set(bound)
    return tuple(
        ServiceView(
            context.name,
            service.name,
            service.bind_address in addresses and service.template is not None,
            service.bind_address,
            sessions[(context.name, service.name)],
        )
        for context in snapshot.contexts
        for service in context.services
    )


def process_view(child: Child, page: ViewsPage | None) -> WorkerView:
    """A child's process, from /proc, with what its engine counted; pid 0 while it is down."""
    pid = child.pid if child.up.is_set() else 0
    cpu_s, rss_octets = process_usage(pid) if pid else (0.0, 0)
    return WorkerView(
        child.name,
        pid,
        time.monotonic() - child.up_since if pid else 0.0,
        child.restarts,
        cpu_s,
        rss_octets,
        page.counters if page is not None else {},
        page.gauges if page is not None else {},
    )


def process_usage(pid: int) -> tuple[float, int]:
    """CPU seconds and resident octets; zeros when the process has just gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0, 0
    return (int(stat[11]) + int(stat[12])) / _TICKS, resident * _PAGE
