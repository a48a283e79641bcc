"""Messages outside any IKE SA: IKE_SA_INIT, and versions that are not ours (RFC 7296 sections 2.5, 2.6, 2.21.1.

Area 21).
"""

from __future__ import annotations

from nf.ike import scheduler
from nf.ike.core import Core
from nf.ike.errors import ProtocolError
from nf.ike.ike_sa import ZERO_SPI, IkeSa
from nf.ike.inputs import NetworkPath
from nf.ike.rate import TokenBucket
from nf.ike.scheduler import count_notifies
from nf.ike.states import IkeState
from nf.ike.v2 import ike_auth, ike_sa_init
from nf.ike.v2.ike_sa_init import IkeSaInit
from nf.wire import rules
from nf.wire.errors import UnsupportedCriticalPayload, WireError
from nf.wire.iana import NotifyType
from nf.wire.message import Header, Message
from nf.wire.payloads import NotifyPayload

HALF_OPEN_LIMIT = 65536
"""Half-open IKE SAs of a worker.

Bounds what a flood of IKE_SA_INIT costs where no cookie challenge is configured (DOS-14).
"""

SOURCE_LIMIT = 16384
"""Half-open IKE SAs of one source address; many peers may share one behind a NAT."""


class Doorkeeper:
    """Judges who may begin an IKE SA, and answers in clear what has to be answered so."""

    def __init__(self, core: Core, now: float, half_open_limit: int, source_limit: int) -> None:
        self.core = core
        self.half_open_limit = half_open_limit
        self.source_limit = source_limit
        # Unprotected error answers: cheap, but no more of them than this, whoever asks.
        self._errors = TokenBucket(rate=50.0, burst=100.0, now=now)

    def _drop(self, reason: str) -> None:
        self.core.counters[f"dropped.{reason}"] += 1

    def other_version(self, header: Header, path: NetworkPath, now: float) -> None:
        """Higher versions are told ours where the template says so (RFC 7296 section 2.5, TPL-49)."""
        self._drop("bad-version")
        service = self.core.policy.services.get(path.local)
        if service is None or header.major < 2 or header.response or not self._errors.take(now):
            return
        if service.template.ikesa.notify_invalid_major_version:
            notify = NotifyPayload(NotifyType.INVALID_MAJOR_VERSION)
            answer = Header(header.spi_i, header.spi_r, header.exchange, header.message_id, False, True)
            scheduler.send(self.core, path, Message(answer, (notify,)).encode())
            count_notifies(self.core, (notify,), "notifies-out")

    def init_request(self, datagram: bytes, header: Header, path: NetworkPath, now: float) -> None:
        """Somebody wants an IKE SA: make one, challenge, refuse, or drop."""
        core = self.core
        if header.spi_r != ZERO_SPI or header.spi_i == ZERO_SPI or header.message_id or not header.original_initiator:
            self._drop("malformed")
            return
        service = core.policy.services.get(path.local)
        if service is None:
            self._drop("no-service")
            return
        known = core.init_requests.get(datagram)
        if known is not None:
            if known.source != path.remote or known.path.remote_port != path.remote_port:
                self._drop("replay")
                return
            core.count("retransmits.response")
            scheduler.send(core, path, known.init_response)
            return
        if service.template.pad.lookup(path.remote) is None:
            self._drop("peer-not-allowed")
            return
        try:
            message = Message.decode(datagram, header)
            rules.check(message)
            core.count("requests-in.ike-sa-init")
            count_notifies(core, message.payloads, "notifies-in")
            if ike_sa_init.challenged(core, service, message, path, now) or not self._admit(path):
                return
            core.count("setups-attempted.responder")
            ike_sa_init.handle_request(core, service, message, datagram, path, now)
        except UnsupportedCriticalPayload as error:
            core.count("setups-failed.unsupported-critical-payload")
            self._refuse(header, NotifyPayload(error.notify, error.notify_data), path, now)
        except WireError:
            self._drop("malformed")
            if service.template.ikesa.notify_invalid_syntax:
                self._refuse(header, NotifyPayload(NotifyType.INVALID_SYNTAX), path, now)
        except ProtocolError as error:
            core.count(f"setups-failed.{ike_auth.FAILURES.get(error.notify, 'invalid-ke-payload')}")
            self._refuse(header, NotifyPayload(error.notify, error.data), path, now, always=True)

    def _admit(self, path: NetworkPath) -> bool:
        core = self.core
        if core.established >= ike_auth.maximum_share(core):
            self._drop("maximum-tunnels")
        elif core.half_open >= self.half_open_limit:
            self._drop("half-open-limit")
        elif core.half_open_by_source.get(path.remote, 0) >= self.source_limit:
            self._drop("source-limit")
        else:
            return True
        return False

    def _refuse(
        self, header: Header, notify: NotifyPayload, path: NetworkPath, now: float, *, always: bool = False
    ) -> None:
        if always or self._errors.take(now):
            ike_sa_init.answer(self.core, header, (notify,), path)

    def init_response(self, sa: IkeSa, datagram: bytes, header: Header, path: NetworkPath, now: float) -> None:
        """An answer to our own IKE_SA_INIT, if it is one."""
        flight = sa.in_flight
        if (
            sa.state is not IkeState.INIT_SENT
            or flight is None
            or not isinstance(flight.task, IkeSaInit)
            or not header.response
            or header.message_id
            or (path.remote, path.remote_port) != (sa.path.remote, sa.path.remote_port)
        ):
            self._drop("unexpected")
            return
        try:
            message = Message.decode(datagram, header)
            rules.check(message)
        except WireError:
            self._drop("malformed")
            return
        self.core.count("responses-in.ike-sa-init")
        count_notifies(self.core, message.payloads, "notifies-in")
        ike_sa_init.handle_response(self.core, sa, flight.task, message, datagram, now)
