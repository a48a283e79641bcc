"""What the NETCONF agent has counted, as frozen values for the metrics (telemetry reads these through wsg, never
netconf itself)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

COMMIT_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the commit duration histogram, seconds; the last bucket, without a bound, follows."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram in Prometheus' sense.

    bounds: upper bounds in ascending order; counts: observations at or below each bound, not cumulative, with one
    more entry for those above the last bound; total: sum of the observed values.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float

    @property
    def count(self) -> int:
        """All observations."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class NetconfStats:
    """Counters since the agent started; sessions_current is a gauge.

    operations: (operation name, "ok" or an error-tag) -> replies. Operation names are those of the loaded models, an
    unknown one is "unknown", so the set is closed. commit_durations_s: validated to durable, successful commits
    only. running_revision: of the configuration in force, 0 before the first load.
    """

    sessions_current: int = 0
    sessions_opened: int = 0
    sessions_dropped: int = 0
    """Ended by a framing error, a bad hello, a limit or kill-session."""
    sessions_refused: int = 0
    """Refused at the limit of sessions."""
    login_failures: int = 0
    in_bad_hellos: int = 0
    in_rpcs: int = 0
    in_bad_rpcs: int = 0
    out_rpc_errors: int = 0
    operations: dict[tuple[str, str], int] = field(default_factory=dict)
    commit_durations_s: Histogram = field(
        default_factory=lambda: Histogram(COMMIT_BUCKETS_S, (0,) * (len(COMMIT_BUCKETS_S) + 1), 0.0)
    )
    running_revision: int = 0


class Stats:
    """The live counters; `view` freezes them. One event loop writes, so no locks."""

    def __init__(self) -> None:
        self.sessions_current = 0
        self.sessions_opened = 0
        self.sessions_dropped = 0
        self.sessions_refused = 0
        self.login_failures = 0
        self.in_bad_hellos = 0
        self.in_rpcs = 0
        self.in_bad_rpcs = 0
        self.out_rpc_errors = 0
        self.running_revision = 0
        self._operations: Counter[tuple[str, str]] = Counter()
        self._commit_counts = [0] * (len(COMMIT_BUCKETS_S) + 1)
        self._commit_total_s = 0.0

    def count_operation(self, name: str, outcome: str) -> None:
        """Count one reply; outcome is "ok" or the error-tag of the first error."""
        self._operations[name, outcome] += 1

    def observe_commit(self, duration_s: float) -> None:
        """Count one successful commit."""
        index = next((i for i, bound in enumerate(COMMIT_BUCKETS_S) if duration_s <= bound), len(COMMIT_BUCKETS_S))
        self._commit_counts[index] += 1
        self._commit_total_s += duration_s

    def view(self) -> NetconfStats:
        """The counters now."""
        return NetconfStats(
            sessions_current=self.sessions_current,
            sessions_opened=self.sessions_opened,
            sessions_dropped=self.sessions_dropped,
            sessions_refused=self.sessions_refused,
            login_failures=self.login_failures,
            in_bad_hellos=self.in_bad_hellos,
            in_rpcs=self.in_rpcs,
            in_bad_rpcs=self.in_bad_rpcs,
            out_rpc_errors=self.out_rpc_errors,
            operations=dict(self._operations),
            commit_durations_s=Histogram(COMMIT_BUCKETS_S, tuple(self._commit_counts), self._commit_total_s),
            running_revision=self.running_revision,
        )
