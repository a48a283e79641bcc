"""When a failed rekey is tried again (RKY-33 to RKY-36).

After half of what remains of the lifetime, eight times at most, and only while that half is two minutes or more; then
the SA ends at its hard lifetime. We do so after any refusal, not only TEMPORARY_FAILURE: an SA that is not rekeyed is
lost either way.
"""

from __future__ import annotations

from nf.ike.child_sa import ChildSa
from nf.ike.core import Core
from nf.ike.ike_sa import IkeSa
from nf.ike.timers import TimerKind

MAXIMUM_RETRIES = 8
LEAST_WAIT_S = 120.0


def later(core: Core, sa: IkeSa | ChildSa, now: float) -> bool:
    """Set the soft lifetime timer for the next try; False when there will be none."""
    if sa.hard_at is None:
        return False
    wait = (sa.hard_at - now) / 2
    if sa.retries >= MAXIMUM_RETRIES or wait < LEAST_WAIT_S:
        sa.soft_at = None
        return False
    sa.retries += 1
    sa.soft_at = now + wait
    core.set_timer(sa, TimerKind.SOFT_LIFETIME, sa.soft_at)
    return True
