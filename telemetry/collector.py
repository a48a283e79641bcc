"""Views -> families, at each scrape."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from itertools import product

from nf.views import GatewayViews, WorkerView
from telemetry import catalog
from telemetry.engine import ENGINE_FAMILIES
from telemetry.families import Family, Histogram, Samples
from telemetry.inputs import ManagementView

log = logging.getLogger(__name__)


class _Totals:
    """Counters summed over processes that may be started again.

    A child that dies takes its counters with it. If the sum then fell, Prometheus would see a reset and count all that
    the other children had counted once more; so what a dead process had reached stays in the sum.
    """

    def __init__(self) -> None:
        self._pids: dict[str, int] = {}
        self._last: dict[str, dict[str, int]] = {}
        self._gone: dict[str, int] = {}

    def update(self, process: str, pid: int, counters: Mapping[str, int]) -> None:
        """Take the counters of a live process. One that did not answer in time shows zeros: that is no reading."""
        last = self._last.get(process, {})
        if pid != self._pids.get(process, pid):
            for name, value in last.items():
                self._gone[name] = self._gone.get(name, 0) + value
        elif any(counters.get(name, 0) < value for name, value in last.items()):
            return
        self._pids[process] = pid
        self._last[process] = dict(counters)

    def values(self) -> dict[str, int]:
        """name -> the sum; it never falls."""
        totals = dict(self._gone)
        for counters in self._last.values():
            for name, value in counters.items():
                totals[name] = totals.get(name, 0) + value
        return totals


def _with_zeros(family: Family, rows: dict[tuple[str, ...], int]) -> Samples:
    """Samples with a 0 for each combination of closed labels that has none: a rate() needs the series before its first
    event.
    """
    present = Samples.of(family, rows.items())
    sets = [label.values or () for label in family.labels]
    found = {values for values, _ in present.rows}
    missing = (values for values in product(*sets) if values not in found and "other" not in values)
    return Samples(family, (*present.rows, *((values, 0) for values in missing)))


class Collector:
    """Makes the families of a scrape. One object for the life of the process: it remembers what dead children had
    counted.
    """

    def __init__(self, version: str) -> None:
        self._version = version
        self._engine = _Totals()
        self._datapath = _Totals()
        self._unknown: set[str] = set()

    def collect(self, views: GatewayViews, management: ManagementView, *, revision: int, ready: bool) -> list[Samples]:
        """The families, in the order of the catalogue. Costs the same with one tunnel and with 100,000."""
        return [
            *self._ike(views),
            *self._services(views),
            *self._esp(views),
            *self._workers(views),
            *self._management(management),
            Samples(catalog.BUILD, (((self._version,), 1),)),
            Samples.single(catalog.UPTIME, views.up_s),
            Samples.single(catalog.REVISION, revision),
            Samples.single(catalog.READY, int(ready)),
        ]

    def _ike(self, views: GatewayViews) -> Iterator[Samples]:
        gauges: dict[str, int] = {}
        for worker in views.workers:
            for name, value in worker.gauges.items():
                gauges[name] = gauges.get(name, 0) + value
            if worker.pid and worker.counters:
                self._engine.update(worker.name, worker.pid, worker.counters)
        states: dict[tuple[str, ...], int] = {
            (name.removeprefix("ike-sas."),): value for name, value in gauges.items() if name.startswith("ike-sas.")
        }
        yield _with_zeros(catalog.IKE_SAS, states)
        yield Samples.single(catalog.CHILD_SAS, gauges.get("child-sas", 0))
        rows: dict[str, dict[tuple[str, ...], int]] = {name: {} for name in ENGINE_FAMILIES}
        for name, value in self._engine.values().items():
            owner, *labels = name.split(".")
            family = ENGINE_FAMILIES.get(owner)
            if family is not None and len(labels) == len(family.labels):
                rows[owner][tuple(labels)] = value
            elif name not in self._unknown:
                self._unknown.add(name)
                log.warning("counter-not-in-catalogue", extra={"fields": {"counter": name}})
        for name, family in ENGINE_FAMILIES.items():
            yield _with_zeros(family, rows[name])

    @staticmethod
    def _services(views: GatewayViews) -> Iterator[Samples]:
        services = views.services
        yield Samples.of(catalog.SERVICE_STARTED, (((s.context, s.name), int(s.started)) for s in services))
        yield Samples.of(catalog.SERVICE_SESSIONS, (((s.context, s.name), s.sessions) for s in services))
        yield Samples.of(catalog.POOL_SIZE, (((p.context, p.name), p.size) for p in views.pools))
        yield Samples.of(catalog.POOL_USED, (((p.context, p.name), p.used) for p in views.pools))

    def _esp(self, views: GatewayViews) -> Iterator[Samples]:
        now = views.datapath
        pid = next((worker.pid for worker in views.workers if worker.name == "datapath"), 0)
        counted = {
            "packets.inbound": now.packets_in,
            "packets.outbound": now.packets_out,
            "octets.inbound": now.octets_in,
            "octets.outbound": now.octets_out,
            **{f"drops.{key}": value for key, value in now.drops.items()},
        }
        if pid:
            self._datapath.update("datapath", pid, counted)
        totals = self._datapath.values()
        rows: dict[str, dict[tuple[str, ...], int]] = {"packets": {}, "octets": {}, "drops": {}}
        for name, value in totals.items():
            what, direction, *reason = name.split(".", 2)
            rows[what][(direction, *reason)] = value
        yield _with_zeros(catalog.ESP_PACKETS, rows["packets"])
        yield _with_zeros(catalog.ESP_BYTES, rows["octets"])
        yield _with_zeros(catalog.ESP_DROPS, rows["drops"])
        yield Samples.single(catalog.DATAPATH_SAS, now.sas)

    @staticmethod
    def _workers(views: GatewayViews) -> Iterator[Samples]:
        def rows(family: Family, value: dict[str, float], alive: tuple[WorkerView, ...]) -> Samples:
            return Samples.of(family, (((worker.name,), value[worker.name]) for worker in alive))

        every = views.workers
        alive = tuple(worker for worker in every if worker.pid)
        yield rows(catalog.WORKER_UP, {w.name: int(w.pid > 0) for w in every}, every)
        yield rows(catalog.WORKER_RESTARTS, {w.name: w.restarts for w in every}, every)
        yield rows(catalog.WORKER_CPU, {w.name: w.cpu_s for w in alive}, alive)
        yield rows(catalog.WORKER_MEMORY, {w.name: w.rss_octets for w in alive}, alive)
        yield rows(catalog.WORKER_UPTIME, {w.name: w.up_s for w in alive}, alive)

    @staticmethod
    def _management(view: ManagementView) -> Iterator[Samples]:
        yield Samples.single(catalog.NETCONF_SESSIONS, view.sessions)
        yield Samples.single(catalog.NETCONF_OPENED, view.sessions_opened)
        yield Samples.single(catalog.NETCONF_REFUSED, view.sessions_refused)
        yield Samples.single(catalog.NETCONF_DROPPED, view.sessions_dropped)
        yield Samples.single(catalog.NETCONF_LOGIN_FAILURES, view.login_failures)
        yield Samples.single(catalog.NETCONF_BAD_RPCS, view.bad_rpcs)
        yield Samples.of(catalog.NETCONF_OPERATIONS, view.operations.items())
        yield Samples.single(catalog.COMMIT_DURATION, Histogram(view.commit_counts, view.commit_sum_s))
