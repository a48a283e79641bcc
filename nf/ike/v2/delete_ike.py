"""Deleting an IKE SA, by either end (RFC 7296 section 1.4.1)."""

from __future__ import annotations

from nf.ike import children, lifecycle
from nf.ike.core import Core
from nf.ike.ike_sa import IkeSa
from nf.ike.scheduler import Task, enqueue
from nf.ike.states import IkeInput, IkeState
from nf.ike.timers import TimerKind
from nf.wire.iana import ExchangeType, ProtocolId
from nf.wire.message import Message
from nf.wire.payloads import DeletePayload, Payload


class DeleteIke(Task):
    """INFORMATIONAL {D(IKE)}; the IKE SA is gone with the response, whatever it says."""

    __slots__ = ("cause",)

    exchange = ExchangeType.INFORMATIONAL

    def __init__(self, cause: str) -> None:
        self.cause = cause

    def build_request(self, core: Core, sa: IkeSa, now: float) -> tuple[Payload, ...] | None:
        """Child SAs go with it (section 1.4.1), so only the IKE SA is named."""
        return (DeletePayload(ProtocolId.IKE),)

    def handle_response(self, core: Core, sa: IkeSa, response: Message, now: float) -> None:
        """Gone at both ends."""
        lifecycle.close(core, sa, self.cause)


def begin(core: Core, sa: IkeSa, cause: str = "local-delete") -> None:
    """Queue the Delete of an IKE SA in place of all that waits; its traffic stops now.

    One not yet authenticated ends silently.
    """
    if sa.state in (IkeState.DELETING, IkeState.CLOSED):
        return
    if not sa.is_authenticated:
        lifecycle.close(core, sa, "deleted")
        return
    sa.advance(IkeInput.START_DELETE)
    for kind in (TimerKind.SOFT_LIFETIME, TimerKind.HARD_LIFETIME, TimerKind.LIVENESS, TimerKind.GUARD):
        core.timers.cancel(sa, kind)
    for child in tuple(sa.children):
        children.remove(core, child)
    sa.queue.clear()
    enqueue(core, sa, DeleteIke(cause))


def handle_request(core: Core, sa: IkeSa, now: float) -> str:
    """The peer deletes it; the cause to close it with, once the empty response is on its way.

    While we rekey it, we answer and forget our rekey (section 2.25.2): the IKE SA that the peer's own rekey made, if
    there is one, is the survivor.
    """
    rival = sa.in_flight.task.rival() if sa.in_flight is not None else None
    if rival is not None:
        lifecycle.hand_over(core, sa, rival, now)
    return "rekeyed" if sa.state is IkeState.REKEYED else "peer-delete"
