"""Views as a small gateway would give them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nf.datapath.port import DatapathCounters
from nf.ike import counters
from nf.views import GatewayViews, PoolView, ServiceView, WorkerView


@pytest.fixture
def views() -> GatewayViews:
    """Two workers and a data path, one service, one pool; some counters, different in each place."""
    worker = WorkerView(
        name="ipsecmgr-0",
        pid=100,
        up_s=60.0,
        restarts=1,
        cpu_s=1.5,
        rss_octets=40_000_000,
        counters={
            **counters.fresh(),
            "setups-attempted.responder": 5,
            "rekeys.child.succeeded": 3,
            "dropped.malformed": 2,
        },
        gauges={"ike-sas.half-open": 1, "ike-sas.established": 4, "child-sas": 6},
    )
    other = replace(
        worker,
        name="ipsecmgr-1",
        pid=101,
        restarts=0,
        counters={**counters.fresh(), "setups-attempted.responder": 7},
        gauges={"ike-sas.established": 2, "child-sas": 2},
    )
    datapath = WorkerView(name="datapath", pid=102, up_s=61.0, restarts=0, cpu_s=0.25, rss_octets=9_000_000)
    return GatewayViews(
        pools=(PoolView("ran", "cells", 254, 6),),
        services=(ServiceView("ran", "north", True, "192.0.2.1", 6),),
        workers=(worker, other, datapath),
        datapath=DatapathCounters(10, 1000, 20, 3000, {"inbound.replay": 4, "outbound.no-sa": 1}, 16),
        up_s=62.5,
    )
