"""What telemetry is told besides the gateway's views: the numbers of the management plane, by value.

telemetry imports nothing of netconf; `wsg` fills this in from the agent's statistics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

COMMIT_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the commit duration histogram, in seconds."""


@dataclass(frozen=True, slots=True)
class ManagementView:
    """The NETCONF agent at one moment; counters start with the process.

    sessions: open now; sessions_opened, _refused (at the limit), _dropped (by a fault or kill-session);
    login_failures: SSH log-ins that failed; bad_rpcs: messages that were no correct rpc. operations: (operation's
    name, "ok" or error-tag) -> replies. commit_counts: successful commits by duration, one count for each bound of
    COMMIT_BUCKETS_S and one for those above, not cumulative. commit_sum_s: seconds spent in them.
    """

    sessions: int = 0
    sessions_opened: int = 0
    sessions_refused: int = 0
    sessions_dropped: int = 0
    login_failures: int = 0
    bad_rpcs: int = 0
    operations: Mapping[tuple[str, str], int] = field(default_factory=dict)
    commit_counts: tuple[int, ...] = (0,) * (len(COMMIT_BUCKETS_S) + 1)
    commit_sum_s: float = 0.0
