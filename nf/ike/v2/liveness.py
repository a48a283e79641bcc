"""Liveness checks: an empty INFORMATIONAL exchange (RFC 7296 section 2.4; TPL-21, RED-25, RED-26)."""

from __future__ import annotations

from nf.ike.core import Core
from nf.ike.ike_sa import IkeSa
from nf.ike.retransmit import RetransmitPlan
from nf.ike.scheduler import Task, enqueue
from nf.ike.timers import TimerKind
from nf.wire.iana import ExchangeType
from nf.wire.message import Message
from nf.wire.payloads import Payload


class Liveness(Task):
    """Ask whether the peer is there. Any response will do."""

    __slots__ = ()

    exchange = ExchangeType.INFORMATIONAL

    def build_request(self, core: Core, sa: IkeSa, now: float) -> tuple[Payload, ...] | None:
        """Not when the peer has been heard while this waited in the queue."""
        if not sa.is_usable:
            return None
        core.count("dpd.sent")
        return ()

    def handle_response(self, core: Core, sa: IkeSa, response: Message, now: float) -> None:
        """It is there."""

    def plan(self, sa: IkeSa) -> RetransmitPlan:
        """`timeout` between the tries, `num-retry` repetitions."""
        keepalive = sa.service.template.keepalive
        if keepalive is None:
            return Task.plan(self, sa)
        return RetransmitPlan(
            float(keepalive.timeout_s), keepalive.num_retry, factor=1.0, longest_s=float(keepalive.timeout_s)
        )


def timer_fired(core: Core, sa: IkeSa, now: float) -> None:
    """Ask when the peer has been silent for the interval; else come back when it will have been."""
    keepalive = sa.service.template.keepalive
    if keepalive is None or not sa.is_usable:
        return
    due = sa.last_heard + keepalive.interval_s
    if due <= now:
        if sa.in_flight is None and not sa.queue:  # any other request of ours is a check as well
            enqueue(core, sa, Liveness())
        due = now + keepalive.interval_s
    core.set_timer(sa, TimerKind.LIVENESS, due)
