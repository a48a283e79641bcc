"""GatewayViews -> state data of the operational datastore, as RFC 7951 JSON.

64-bit numbers and decimals are text there (RFC 7951 section 6.1). What the model cannot name (an algorithm without an
identity, a value that is not known yet) is left out.
"""

from __future__ import annotations

from typing import Any

from netconf.mapping.sa_state import decimal, ike_sa, printable, without_none
from nf.config.snapshot import Context, CryptoTemplate, GatewaySnapshot
from nf.datapath.port import DatapathCounters
from nf.views import GatewayViews, PoolView, ServiceView, WorkerView

Json = dict[str, Any]

LARGEST_UINT64 = 2**64 - 1
"""A pool shorter than a /64 has more addresses than a YANG integer can say; the model says so."""


def state_data(views: GatewayViews, snapshot: GatewaySnapshot) -> Json:
    """The whole state subtree, to be merged with the running configuration.

    snapshot: the configuration in force. State below a list entry of the configuration is given only where the entry is
    in it, so that merging never makes an entry: pools and services of a view that is a moment older are dropped.
    """
    statistics = {
        "up-time": decimal(views.up_s),
        "process": [_process(worker) for worker in views.workers],
        "datapath": _datapath(views.datapath),
    }
    gateway: Json = {
        "openwsg-security-association:security-associations": {"ike-sa": [ike_sa(view) for view in views.ike_sas]},
        "openwsg-statistics:statistics": statistics,
    }
    pools = {(view.context, view.name): view for view in views.pools}
    services = {(view.context, view.name): view for view in views.services}
    if snapshot.contexts:
        gateway["openwsg-context:context"] = [_context(context, pools, services) for context in snapshot.contexts]
    return {"openwsg-gateway:gateway": gateway}


def template_status(template: CryptoTemplate) -> str:
    """`complete` or `incomplete` (TPL-36), by the conditions that openwsg-wsg-service has for a bind."""
    authentication = template.authentication
    complete = (
        bool(template.ikesa.transform_sets)
        and bool(template.payloads)
        and all(payload.transform_sets for payload in template.payloads)
        and authentication.local_method is not None
        and authentication.remote_method is not None
    )
    return "complete" if complete else "incomplete"


def _context(
    context: Context, pools: dict[tuple[str, str], PoolView], services: dict[tuple[str, str], ServiceView]
) -> Json:
    def in_use(family: int) -> list[Json]:
        return [
            {"name": pool.name, "state": _pool(pools[context.name, pool.name])}
            for pool in context.pools
            if pool.family == family and (context.name, pool.name) in pools
        ]

    running = [
        {"name": service.name, "state": _service(services[context.name, service.name])}
        for service in context.services
        if (context.name, service.name) in services
    ]
    templates = [
        {"name": template.name, "state": {"status": template_status(template)}} for template in context.templates
    ]
    node: Json = {"name": context.name}
    if ipv4 := in_use(4):
        node["openwsg-pool:ip"] = {"pool": ipv4}
    if ipv6 := in_use(6):
        node["openwsg-pool:ipv6"] = {"prefix-pool": ipv6}
    if templates:
        node["openwsg-crypto-template:crypto"] = {"template": templates}
    if running:
        node["openwsg-wsg-service:wsg-service"] = running
    return node


def _pool(view: PoolView) -> Json:
    counts = {"size": view.size, "used": view.used, "free": max(view.size - view.used, 0)}
    return {name: str(min(count, LARGEST_UINT64)) for name, count in counts.items()}


def _service(view: ServiceView) -> Json:
    state = {"started": view.started, "bind-address": view.bind_address, "sessions": view.sessions}
    return without_none(state)


def _process(view: WorkerView) -> Json:
    return {
        "name": printable(view.name),
        "pid": view.pid,
        "up-time": decimal(view.up_s),
        "restarts": view.restarts,
        "cpu-time": decimal(view.cpu_s),
        "resident-memory": str(view.rss_octets),
        "counter": [{"name": printable(name), "value": str(count)} for name, count in view.counters.items()],
    }


def _datapath(counters: DatapathCounters) -> Json:
    drops = []
    for name, packets in counters.drops.items():
        direction, _, reason = name.partition(".")
        if direction in ("inbound", "outbound") and reason:
            drops.append({"direction": direction, "reason": printable(reason), "packets": str(packets)})
    return {
        "sas": counters.sas,
        "packets-in": str(counters.packets_in),
        "octets-in": str(counters.octets_in),
        "packets-out": str(counters.packets_out),
        "octets-out": str(counters.octets_out),
        "drop": drops,
    }
