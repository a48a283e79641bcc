"""Views become families; counters of children that die stay in the sums."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from nf.datapath.port import DatapathCounters
from nf.ike import counters
from nf.views import GatewayViews
from telemetry import catalog
from telemetry.collector import Collector
from telemetry.engine import DRIVER_FAMILIES, ENGINE_FAMILIES
from telemetry.families import Family, Histogram
from telemetry.inputs import COMMIT_BUCKETS_S, ManagementView


def collected(
    collector: Collector, views: GatewayViews, management: ManagementView | None = None
) -> dict[str, dict[tuple[str, ...], float]]:
    """family name -> label values -> value."""
    families = collector.collect(views, management or ManagementView(), revision=7, ready=True)
    return {samples.family.name: dict(samples.rows) for samples in families}  # type: ignore[arg-type]


@pytest.fixture
def collector() -> Collector:
    return Collector("0.1.0")


def test_every_family_of_the_catalogue_is_collected_in_its_order(collector: Collector, views: GatewayViews) -> None:
    families = collector.collect(views, ManagementView(), revision=0, ready=False)
    assert tuple(samples.family for samples in families) == catalog.CATALOG


def test_the_engine_table_covers_the_engine_and_nothing_else() -> None:
    assert set(ENGINE_FAMILIES) - set(DRIVER_FAMILIES) == set(counters.FAMILIES)
    assert not set(DRIVER_FAMILIES) & set(counters.FAMILIES)


def test_the_driver_table_covers_what_the_driver_counts() -> None:
    """Read from the sources: each name is written out where it is counted."""
    sources = "".join(path.read_text() for path in (Path(__file__).parents[3] / "nf" / "io").glob("*.py"))
    counted = set(re.findall(r'"((?:udp|driver)\.[a-z-]+)"', sources))
    known = {
        f"{name}.{value}"
        for name, family in DRIVER_FAMILIES.items()
        for value in family.labels[0].values or ()
        if value != "other"
    }
    assert counted == known


def test_sums_over_workers(collector: Collector, views: GatewayViews) -> None:
    found = collected(collector, views)
    assert found["ipsec_ike_setups_attempted"] == {("initiator",): 0, ("responder",): 12}
    assert found["ipsec_ike_sas"] == {("half-open",): 1, ("established",): 6}
    assert found["ipsec_child_sas"] == {(): 8}
    assert found["ipsec_rekeys"][("child", "succeeded")] == 3
    assert found["ipsec_rekeys"][("ike", "started")] == 0, "a series exists before its first event"


def test_services_pools_and_the_data_path(collector: Collector, views: GatewayViews) -> None:
    found = collected(collector, views)
    assert found["ipsec_service_started"] == {("ran", "north"): 1}
    assert found["ipsec_service_sessions"] == {("ran", "north"): 6}
    assert found["ipsec_pool_addresses"] == {("ran", "cells"): 254}
    assert found["ipsec_pool_used_addresses"] == {("ran", "cells"): 6}
    assert found["ipsec_esp_packets"] == {("inbound",): 10, ("outbound",): 20}
    assert found["ipsec_esp_bytes"] == {("inbound",): 1000, ("outbound",): 3000}
    assert found["ipsec_esp_dropped_packets"][("inbound", "replay")] == 4
    assert found["ipsec_datapath_sas"] == {(): 16}


def test_processes(collector: Collector, views: GatewayViews) -> None:
    found = collected(collector, views)
    assert found["openwsg_worker_up"] == {("ipsecmgr-0",): 1, ("ipsecmgr-1",): 1, ("datapath",): 1}
    assert found["openwsg_worker_restarts"][("ipsecmgr-0",)] == 1
    assert found["openwsg_worker_cpu_seconds"][("datapath",)] == 0.25
    assert found["openwsg_build"] == {("0.1.0",): 1}
    assert found["openwsg_uptime_seconds"] == {(): 62.5}
    assert found["openwsg_configuration_revision"] == {(): 7}


def test_a_worker_that_is_down_has_no_cpu_but_its_counters_stay(collector: Collector, views: GatewayViews) -> None:
    collected(collector, views)
    down = replace(views.workers[0], pid=0, counters={}, gauges={})
    found = collected(collector, replace(views, workers=(down, *views.workers[1:])))
    assert found["openwsg_worker_up"][("ipsecmgr-0",)] == 0
    assert ("ipsecmgr-0",) not in found["openwsg_worker_cpu_seconds"]
    assert found["ipsec_ike_setups_attempted"][("responder",)] == 12
    assert found["ipsec_ike_sas"] == {("established",): 2, ("half-open",): 0}


@pytest.mark.parametrize("after_restart", [0, 1, 5, 9])
def test_sums_do_not_fall_when_a_worker_starts_again(
    collector: Collector, views: GatewayViews, after_restart: int
) -> None:
    """Even where the new process has already counted past the old one: the pid tells."""
    collected(collector, views)
    again = replace(
        views.workers[0], pid=200, counters={**counters.fresh(), "setups-attempted.responder": after_restart}
    )
    found = collected(collector, replace(views, workers=(again, *views.workers[1:])))
    assert found["ipsec_ike_setups_attempted"][("responder",)] == 12 + after_restart
    assert found["ipsec_rekeys"][("child", "succeeded")] == 3
    found = collected(collector, replace(views, workers=(again, *views.workers[1:])))
    assert found["ipsec_ike_setups_attempted"][("responder",)] == 12 + after_restart, (
        "the same scrape again adds nothing"
    )


def test_sums_do_not_fall_when_the_data_path_starts_again(collector: Collector, views: GatewayViews) -> None:
    collected(collector, views)
    workers = (*views.workers[:2], replace(views.workers[2], pid=300))
    found = collected(collector, replace(views, workers=workers, datapath=DatapathCounters(packets_in=1)))
    assert found["ipsec_esp_packets"][("inbound",)] == 11
    assert found["ipsec_esp_bytes"][("outbound",)] == 3000


def test_a_process_that_did_not_answer_in_time_changes_nothing(collector: Collector, views: GatewayViews) -> None:
    """Its zeros must not be taken for a restart: all it had counted would be counted twice."""
    before = collected(collector, views)
    silent = tuple(replace(worker, counters={}) for worker in views.workers)
    found = collected(collector, replace(views, workers=silent, datapath=DatapathCounters()))
    assert found["ipsec_esp_packets"] == before["ipsec_esp_packets"]
    after = collected(collector, views)
    for family in ("ipsec_esp_packets", "ipsec_esp_bytes", "ipsec_esp_dropped_packets", "ipsec_ike_setups_attempted"):
        assert after[family] == before[family]


def test_an_unknown_counter_is_reported_once_and_not_exposed(
    collector: Collector, views: GatewayViews, caplog: pytest.LogCaptureFixture
) -> None:
    odd = replace(views.workers[0], counters={"no-such-family.x": 1, "dropped": 2})
    for _ in range(2):
        found = collected(collector, replace(views, workers=(odd,)))
    assert sum(record.getMessage() == "counter-not-in-catalogue" for record in caplog.records) == 2
    assert sum(found["ipsec_ike_dropped_datagrams"].values()) == 0


def test_management_numbers(collector: Collector, views: GatewayViews) -> None:
    counts = (1,) + (0,) * len(COMMIT_BUCKETS_S)
    view = ManagementView(
        sessions=2,
        sessions_opened=9,
        operations={("commit", "ok"): 3, ("commit", "lock-denied"): 1, ("evil-rpc", "ok"): 4, ("get", "my-tag"): 5},
        commit_counts=counts,
        commit_sum_s=0.5,
    )
    found = collected(collector, views, view)
    assert found["openwsg_netconf_sessions"] == {(): 2}
    assert found["openwsg_netconf_operations"] == {
        ("commit", "ok"): 3,
        ("commit", "lock-denied"): 1,
        ("other", "ok"): 4,
        ("get", "other"): 5,
    }
    assert found["openwsg_commit_duration_seconds"] == {(): Histogram(counts, 0.5)}


def test_the_agents_statistics_fit() -> None:
    """wsg hands the agent's numbers over field by field; the two tables of buckets are one."""
    from netconf.stats import Stats
    from wsg.management_view import management_view

    stats = Stats()
    stats.sessions_current = 3
    stats.count_operation("edit-config", "ok")
    stats.observe_commit(0.02)
    view = management_view(stats.view())
    assert view.sessions == 3
    assert view.operations == {("edit-config", "ok"): 1}
    assert sum(view.commit_counts) == 1
    assert len(view.commit_counts) == len(COMMIT_BUCKETS_S) + 1


def test_the_drop_reasons_are_those_of_the_data_path() -> None:
    """Read from the source of the crate, where they are a closed enum."""
    source = (Path(__file__).parents[3] / "nf/datapath/rust/pipeline/src/totals.rs").read_text()
    names = re.findall(r'Self::\w+ => "([a-z-]+)"', source.partition("impl Reason")[2])
    assert (*names, "other") == catalog.ESP_DROP_REASONS


def test_closed_sets_have_a_place_for_the_rest() -> None:
    """A label that others fill in (the agent, the data path) must be able to say "other"."""
    for family in (catalog.NETCONF_OPERATIONS, catalog.ESP_DROPS):
        assert isinstance(family, Family)
        for label in family.labels:
            assert label.name == "direction" or (label.values and "other" in label.values)
