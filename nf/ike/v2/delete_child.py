"""Deleting Child SAs, by either end (RFC 7296 sections 1.4.1 and 2.25.1)."""

from __future__ import annotations

from nf.ike import children
from nf.ike.child_sa import ChildSa
from nf.ike.core import Core
from nf.ike.ike_sa import IkeSa
from nf.ike.scheduler import Task, enqueue
from nf.ike.states import ChildInput, ChildState
from nf.ike.v2 import delete_ike
from nf.wire.iana import ExchangeType, ProtocolId
from nf.wire.message import Message
from nf.wire.payloads import DeletePayload, Payload

_MAXIMUM_EARLY = 16


class DeleteChild(Task):
    """INFORMATIONAL {D(ESP, our inbound SPI)}."""

    __slots__ = ("child",)

    exchange = ExchangeType.INFORMATIONAL
    touches_children = True

    def __init__(self, child: ChildSa) -> None:
        self.child = child

    def build_request(self, core: Core, sa: IkeSa, now: float) -> tuple[Payload, ...] | None:
        """Nothing to do when the peer's own Delete came first."""
        if self.child.state is ChildState.CLOSED:
            return None
        self.child.delete_sent = True
        return (DeletePayload(ProtocolId.ESP, (self.child.spi_in,)),)

    def handle_response(self, core: Core, sa: IkeSa, response: Message, now: float) -> None:
        """Inbound ends now: the peer has heard, and named its own SPI or crossed ours with its own Delete."""
        children.remove(core, self.child)
        close_if_empty(core, sa)


def begin(core: Core, child: ChildSa) -> None:
    """Queue the Delete of a Child SA; outbound stops at once, inbound with the response."""
    if child.state in (ChildState.DELETING, ChildState.CLOSED):
        return
    child.advance(ChildInput.START_DELETE)
    core.timers.cancel_all(child)
    children.stop_outbound(core, child)
    enqueue(core, child.ike_sa, DeleteChild(child))


def close_if_empty(core: Core, sa: IkeSa) -> None:
    """Without Child SAs an IKE SA ends, unless `allow-empty-ikesa` keeps it (TPL-40, RKY-39)."""
    if sa.children or not sa.is_usable or sa.service.template.ikesa.allow_empty_ikesa:
        return
    flight = sa.in_flight
    if any(task.touches_children for task in sa.queue) or (flight is not None and flight.task.touches_children):
        return
    delete_ike.begin(core, sa)


def making(sa: IkeSa) -> bool:
    """Whether a request of ours that makes a Child SA is under way: the peer may have one that we do not know yet."""
    flight = sa.in_flight
    return flight is not None and flight.task.exchange == ExchangeType.CREATE_CHILD_SA and flight.task.touches_children


def after_response(core: Core, sa: IkeSa) -> None:
    """What the peer deleted before its response about it arrived ends now: the two had overtaken each other."""
    if not sa.early_deletes:
        return
    for spi in sa.early_deletes:
        child = sa.child_by_spi_out(spi)
        if child is not None:
            if child.successor is not None:
                children.peer_ready(core, child.successor)
            children.remove(core, child)
    sa.early_deletes = ()
    close_if_empty(core, sa)


def handle_request(core: Core, sa: IkeSa, request: Message, now: float) -> tuple[Payload, ...]:
    """Answer a Delete for Child SAs.

    The listed SPIs are inbound for the peer, so outbound for us. An unknown SPI is skipped: that is normal when both
    ends delete at once. A Child SA that our own Delete, already sent, names is left out of the answer (section 1.4.1).
    """
    spis: list[int] = []
    wanted = [
        spi for payload in request.all(DeletePayload) if payload.protocol == ProtocolId.ESP for spi in payload.spis
    ]
    for spi in dict.fromkeys(wanted):  # a peer may list one twice
        child = sa.child_by_spi_out(spi)
        if child is None:
            if making(sa) and len(sa.early_deletes) < _MAXIMUM_EARLY:
                sa.early_deletes = (*sa.early_deletes, spi)
            continue
        if child.delete_sent:
            children.stop_outbound(core, child)  # crossed: our own request covers inbound
            continue
        spis.append(child.spi_in)
        if child.successor is not None:
            # RKY-10: the Delete of the old one triggers the switch. Before it goes: there is always one to send on.
            children.peer_ready(core, child.successor)
        children.remove(core, child)
    close_if_empty(core, sa)
    return (DeletePayload(ProtocolId.ESP, tuple(spis)),) if spis else ()
