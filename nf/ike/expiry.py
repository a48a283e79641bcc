"""What each timer does when it fires."""

from __future__ import annotations

from nf.ike import children, fragments, lifecycle, scheduler
from nf.ike.child_sa import ChildSa
from nf.ike.core import Core
from nf.ike.ike_sa import IkeSa
from nf.ike.states import ChildState, IkeState
from nf.ike.timers import TimerKind, TimerOwner
from nf.ike.v2 import delete_child, delete_ike, liveness, rekey_child, rekey_ike
from nf.ike.v2.liveness import Liveness


def fired(core: Core, kind: TimerKind, owner: TimerOwner, now: float) -> None:
    """A timer of an SA is due."""
    if isinstance(owner, IkeSa):
        _of_ike_sa(core, kind, owner, now)
    elif isinstance(owner, ChildSa):
        _of_child_sa(core, kind, owner, now)


def _of_ike_sa(core: Core, kind: TimerKind, sa: IkeSa, now: float) -> None:
    if kind is TimerKind.RETRANSMIT:
        if not scheduler.retransmit(core, sa, now):
            _give_up(core, sa)
    elif kind is TimerKind.HALF_OPEN:
        core.count(f"half-open-expired.{'exchange' if sa.seen_exchange else 'none'}")
        lifecycle.close(core, sa, "half-open-timeout")
    elif kind is TimerKind.SETUP:
        lifecycle.close(core, sa, "setup-timeout")
    elif kind is TimerKind.LIVENESS:
        liveness.timer_fired(core, sa, now)
    elif kind is TimerKind.SOFT_LIFETIME:
        rekey_ike.begin(core, sa)
    elif kind is TimerKind.HARD_LIFETIME:
        delete_ike.begin(core, sa, "expired")
    elif kind is TimerKind.GUARD:
        delete_ike.begin(core, sa, "rekeyed")
    elif kind is TimerKind.REASSEMBLY:
        fragments.expire(core, sa, now)


def _give_up(core: Core, sa: IkeSa) -> None:
    """No response after the last repetition: the peer is gone (RFC 7296 section 2.4, RKY-62)."""
    flight = sa.in_flight
    if flight is not None and isinstance(flight.task, Liveness):
        core.count("dpd.failed")
    if not sa.is_authenticated:
        lifecycle.close(core, sa, "retransmissions")
    elif sa.state is IkeState.DELETING and flight is not None and isinstance(flight.task, delete_ike.DeleteIke):
        lifecycle.close(core, sa, flight.task.cause)
    else:
        lifecycle.close(core, sa, "dead-peer")


def _of_child_sa(core: Core, kind: TimerKind, child: ChildSa, now: float) -> None:
    if kind is TimerKind.SOFT_LIFETIME:
        soft_expired(core, child, now)
    elif kind is TimerKind.HARD_LIFETIME:
        hard_expired(core, child)
    elif kind is TimerKind.GUARD:
        _guard(core, child)


def soft_expired(core: Core, child: ChildSa, now: float, *, by_volume: bool = False) -> None:
    """Rekey it, if that is on; without `keepalive` only when it carried traffic (TPL-61)."""
    payload = child.payload
    if payload.rekey and (payload.rekey_keepalive or child.traffic_seen or by_volume):
        rekey_child.begin(core, child)


def hard_expired(core: Core, child: ChildSa) -> None:
    """Its time is over: nothing passes any more, and the peer is told (RKY-01, RKY-36)."""
    delete_child.begin(core, child)
    children.stop_inbound(core, child)


def _guard(core: Core, child: ChildSa) -> None:
    """The overlap of a rekey has lasted long enough (RKY-07, RKY-12)."""
    if child.state is ChildState.WAITING:
        children.install(core, child)
    else:
        successor = child.successor
        if successor is not None:
            children.peer_ready(core, successor)
        delete_child.begin(core, child)
