"""The NETCONF agent's statistics as telemetry's input: neither side imports the other."""

from __future__ import annotations

from netconf.stats import COMMIT_BUCKETS_S, NetconfStats
from telemetry import inputs

if COMMIT_BUCKETS_S != inputs.COMMIT_BUCKETS_S:  # pragma: no cover - a mistake in the source, found at import
    raise ImportError("the agent and the metrics catalogue disagree about the buckets of commit durations")


def management_view(stats: NetconfStats) -> inputs.ManagementView:
    """What the agent counted, for a scrape."""
    return inputs.ManagementView(
        sessions=stats.sessions_current,
        sessions_opened=stats.sessions_opened,
        sessions_refused=stats.sessions_refused,
        sessions_dropped=stats.sessions_dropped,
        login_failures=stats.login_failures,
        bad_rpcs=stats.in_bad_rpcs,
        operations=stats.operations,
        commit_counts=stats.commit_durations_s.counts,
        commit_sum_s=stats.commit_durations_s.total,
    )
