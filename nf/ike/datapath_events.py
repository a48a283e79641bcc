"""What the data path reports of an SA, and what follows."""

from __future__ import annotations

from nf.datapath.port import DatapathEvent, EventKind
from nf.ike import children, expiry
from nf.ike.child_sa import ChildSa
from nf.ike.core import Core
from nf.ike.inputs import NetworkPath


def take(core: Core, child: ChildSa, event: DatapathEvent, now: float) -> None:
    """Act on one event of a Child SA's inbound or outbound SA. Coming twice does no harm."""
    kind = event.kind
    if kind is EventKind.FIRST_PACKET:
        child.traffic_seen = True
        children.peer_ready(core, child)  # RKY-08: the peer sends on the new one
    elif kind is EventKind.SOFT_EXPIRED:
        expiry.soft_expired(core, child, now, by_volume=True)
    elif kind in (EventKind.HARD_EXPIRED, EventKind.SEQUENCE_EXHAUSTED):
        expiry.hard_expired(core, child)
    elif kind is EventKind.PEER_MOVED:
        _moved(core, child, event)


def _moved(core: Core, child: ChildSa, event: DatapathEvent) -> None:
    """A good packet from a new address or port.

    The NAT in front of the peer has a new mapping (RFC 7296 section 2.23).
    """
    sa = child.ike_sa
    if not child.udp_encapsulated or not sa.nat_remote or not event.remote:
        return
    path = NetworkPath(sa.path.local, sa.path.local_port, event.remote, event.remote_port)
    if path != sa.path:
        sa.path = path
        children.update_paths(core, sa)
