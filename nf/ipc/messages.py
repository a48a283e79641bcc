"""What the gateway's processes say to each other (architecture section 2): frozen, typed, MessagePack by msgspec.

Three channels use them: wsgd with each ipsecmgr, wsgd with the data path process, and each ipsecmgr with the data
path process. A request is answered with the message named in its docstring, or with Failure. The dataclasses of the
contracts travel as they are.
"""

from __future__ import annotations

import msgspec

from nf.config.snapshot import GatewaySnapshot
from nf.datapath.port import DatapathCounters, DatapathEvent, Sa, SaCounters, Selector
from nf.ike.actions import Event
from nf.ike.inputs import NetworkPath, SaFilter
from nf.views import IkeSaView, PoolView


class Struct(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of every message: immutable, tagged with its class name, fields by position."""


# --- answers


class Done(Struct, frozen=True):
    """The request was carried out. count: of what, where the request says so."""

    count: int = 0


class Failure(Struct, frozen=True):
    """The request was refused. kind: "prepare", "datapath" or "internal"; path and error_tag as in PrepareError, for
    "prepare" only."""

    kind: str
    why: str
    path: tuple[str, ...] = ()
    error_tag: str = "operation-failed"
    app_tag: str | None = None


# --- a child to wsgd


class Hello(Struct, frozen=True):
    """A child is up, unprivileged, and listens. Notice."""

    name: str
    pid: int


class Handover(Struct, frozen=True):
    """An IKE datagram (without the non-ESP marker) that another worker owns: wsgd passes it on as Deliver. Notice."""

    owner: int
    path: NetworkPath
    data: bytes


class RoutesAdded(Struct, frozen=True):
    """Inner networks that a policy_id protects. Notice."""

    context_index: int
    policy_id: int
    remote_ts: tuple[Selector, ...]


class RoutesRemoved(Struct, frozen=True):
    """The policy_id is gone. Notice."""

    context_index: int
    policy_id: int


class EventReport(Struct, frozen=True):
    """The engine's event, for the log and its counters. Notice."""

    event: Event


class ClearOthers(Struct, frozen=True):
    """Every other worker is to delete these IKE SAs (DUP-05). Notice."""

    which: SaFilter


# --- wsgd to any child


class Ping(Struct, frozen=True):
    """Is the child's loop alive? Answer: Done."""


# --- wsgd to an ipsecmgr


class Prepare(Struct, frozen=True):
    """Compile and keep a configuration under plan_id. Answer: Done or Failure("prepare")."""

    plan_id: int
    snapshot: GatewaySnapshot
    secrets: dict[str, bytes]

    def __repr__(self) -> str:
        return f"Prepare(plan_id={self.plan_id}, revision={self.snapshot.revision})"


class Commit(Struct, frozen=True):
    """Put the plan in force. Answer: Done."""

    plan_id: int


class Abort(Struct, frozen=True):
    """Forget the plan. Answer: Done."""

    plan_id: int


class AttachSockets(Struct, frozen=True):
    """The worker's sockets of a bind address: descriptors are UDP 500, then UDP 4500. Answer: Done.

    read_natt is False where the 4500 socket is shared with the data path and only for sending.
    """

    address: str
    read_natt: bool = True


class DetachSockets(Struct, frozen=True):
    """Close them, after what is queued has been sent. Answer: Done."""

    address: str


class AttachDatapath(Struct, frozen=True):
    """A direct channel to the data path, as one descriptor. A second one means that the data path was started anew, and
    that what was installed is gone. Answer: Done.
    """


class Deliver(Struct, frozen=True):
    """A datagram that arrived elsewhere and is this worker's. Notice."""

    path: NetworkPath
    data: bytes


class Clear(Struct, frozen=True):
    """Delete the matching SAs. Answer: Done with their number."""

    which: SaFilter


class Initiate(Struct, frozen=True):
    """Set up an IKE SA as initiator. Answer: Done."""

    context: str
    service: str
    remote: str


class RekeyIke(Struct, frozen=True):
    """Rekey an IKE SA now. Answer: Done."""

    spi: str


class RekeyChild(Struct, frozen=True):
    """Rekey a Child SA now. Answer: Done."""

    child_spi: int


class GetViews(Struct, frozen=True):
    """One page of a worker's views; offset 0 takes them anew. sas: with IKE SAs. Answer: ViewsPage."""

    sas: bool = True
    offset: int = 0


class ViewsPage(Struct, frozen=True):
    """IKE SAs from offset on; everything else comes on the first page. next_offset is None on the last.

    sessions: (context, service, established IKE SAs). counters and gauges are WorkerView's.
    """

    ike_sas: tuple[IkeSaView, ...] = ()
    pools: tuple[PoolView, ...] = ()
    sessions: tuple[tuple[str, str, int], ...] = ()
    counters: dict[str, int] = {}
    gauges: dict[str, int] = {}
    next_offset: int | None = None


class Stop(Struct, frozen=True):
    """Delete the SAs, telling the peers, then exit. grace_s: how long to wait for their answers. Answer: Done, when
    nothing is left."""

    grace_s: float


# --- wsgd to the data path process


class AttachTun(Struct, frozen=True):
    """The TUN of a context, one descriptor a queue. Answer: Done."""

    context_index: int
    mtu: int


class AttachEsp(Struct, frozen=True):
    """ESP sockets of a bind address: descriptors are UDP 4500, then raw IP protocol 50. Answer: Done."""

    context_index: int
    address: str


class DetachEsp(Struct, frozen=True):
    """Close them. Answer: Done."""

    context_index: int
    address: str


class DetachContext(Struct, frozen=True):
    """Take a context's TUN, sockets and SAs away. Answer: Done."""

    context_index: int


class AttachWorker(Struct, frozen=True):
    """A direct channel of a worker, as one descriptor. SAs that its predecessor left are removed. Answer: Done with
    their number."""

    worker: int


class GetDatapathCounters(Struct, frozen=True):
    """Answer: DatapathTotals."""


class DatapathTotals(Struct, frozen=True):
    """Totals of the data path process. unowned_events: of SAs whose worker has no channel, or does not read it."""

    counters: DatapathCounters
    unowned_events: int = 0
    handovers_dropped: int = 0


class GetSaCounters(Struct, frozen=True):
    """One page of the counters of all SAs; offset 0 takes them anew. Answer: SaCountersPage."""

    offset: int = 0


class SaCountersPage(Struct, frozen=True):
    """next_offset is None on the last page."""

    counters: tuple[SaCounters, ...]
    next_offset: int | None = None


# --- an ipsecmgr to the data path process, and back


class Install(Struct, frozen=True):
    """Add an SA. Answer: Done or Failure("datapath")."""

    sa: Sa


class Remove(Struct, frozen=True):
    """Remove an SA. Answer: Done."""

    sa_id: int


class UpdatePath(Struct, frozen=True):
    """New outer addresses of an SA. Answer: Done or Failure("datapath")."""

    sa_id: int
    local: str
    remote: str
    encap_local_port: int
    encap_remote_port: int


class DatapathEvents(Struct, frozen=True):
    """Events of the worker's SAs, oldest first. Notice."""

    events: tuple[DatapathEvent, ...]


Message = (
    Done
    | Failure
    | Hello
    | Handover
    | RoutesAdded
    | RoutesRemoved
    | EventReport
    | ClearOthers
    | Ping
    | Prepare
    | Commit
    | Abort
    | AttachSockets
    | DetachSockets
    | AttachDatapath
    | Deliver
    | Clear
    | Initiate
    | RekeyIke
    | RekeyChild
    | GetViews
    | ViewsPage
    | Stop
    | AttachTun
    | AttachEsp
    | DetachEsp
    | DetachContext
    | AttachWorker
    | GetDatapathCounters
    | DatapathTotals
    | GetSaCounters
    | SaCountersPage
    | Install
    | Remove
    | UpdatePath
    | DatapathEvents
)
"""Everything that may be in a frame."""
