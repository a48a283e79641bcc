"""INFORMATIONAL requests: what is in them decides (RFC 7296 section 1.4)."""

from __future__ import annotations

from nf.ike import lifecycle
from nf.ike.core import Core
from nf.ike.ike_sa import IkeSa
from nf.ike.scheduler import Task
from nf.wire.iana import ExchangeType, NotifyType
from nf.wire.message import Message
from nf.wire.payloads import NotifyPayload, Payload


class TellFailure(Task):
    """INFORMATIONAL {N(error)}: the initiator does not accept the responder.

    The IKE SA ends with it (section 2.21.2).
    """

    __slots__ = ("notify",)

    exchange = ExchangeType.INFORMATIONAL

    def __init__(self, notify: NotifyType) -> None:
        self.notify = notify

    def build_request(self, core: Core, sa: IkeSa, now: float) -> tuple[Payload, ...] | None:
        """One Notify."""
        return (NotifyPayload(self.notify),)

    def handle_response(self, core: Core, sa: IkeSa, response: Message, now: float) -> None:
        """Whatever it says."""
        lifecycle.close(core, sa, "authentication-failed")
