"""One datagram.

To which IKE SA it belongs, whether it may be looked at, and who answers it (RFC 7296 sections 2.1 to 2.5, 2.21).
"""

from __future__ import annotations

from nf.crypto.errors import KeError
from nf.ike import children, fragments, lifecycle, misuse, scheduler
from nf.ike.actions import EventName
from nf.ike.core import Core
from nf.ike.doorkeeper import Doorkeeper
from nf.ike.errors import AuthenticationFailed, ProtocolError, RekeyRateExceeded
from nf.ike.ike_sa import IkeSa
from nf.ike.inputs import NetworkPath
from nf.ike.scheduler import EXCHANGE_LABELS, count_notifies, digest
from nf.ike.states import IkeState
from nf.ike.v2 import create_child, delete_child, delete_ike, ike_auth, ike_sa_init, rekey_ike
from nf.wire import rules, sk, skf
from nf.wire.errors import IntegrityError, InvalidSyntax, UnsupportedCriticalPayload, WireError
from nf.wire.iana import ExchangeType, NotifyType, ProtocolId
from nf.wire.limits import DEFAULT_LIMITS
from nf.wire.message import Header, Message
from nf.wire.payloads import DeletePayload, NotifyPayload, Payload

_IKE_SA_INIT = int(ExchangeType.IKE_SA_INIT)
_IKE_AUTH = int(ExchangeType.IKE_AUTH)
_CREATE_CHILD_SA = int(ExchangeType.CREATE_CHILD_SA)


class Receiver:
    """Takes datagrams for a Core."""

    def __init__(self, core: Core, doorkeeper: Doorkeeper) -> None:
        self.core = core
        self._door = doorkeeper
        self._fragment = False
        """Whether the datagram in hand is a fragment, so that its drop is counted as one too."""

    def receive(self, datagram: bytes, path: NetworkPath, now: float) -> None:
        """Take one datagram. Raises Blamed for a bug met in an authenticated message, anything else before that."""
        core = self.core
        core.counters["datagrams-in"] += 1
        self._fragment = False
        if len(datagram) > DEFAULT_LIMITS.datagram_octets:
            self._drop("too-big")
            return
        try:
            header = Header.decode(datagram)
        except WireError:
            self._drop("malformed")
            return
        if header.major != 2:
            self._door.other_version(header, path, now)
            return
        if header.exchange == _IKE_SA_INIT and not header.response:
            self._door.init_request(datagram, header, path, now)
            return
        if skf.is_fragment(header):
            self._fragment = header.exchange != _IKE_SA_INIT  # which is never fragmented (FRG-04)
            core.count("fragments-in", int(self._fragment))
        spi = header.spi_r if header.original_initiator else header.spi_i
        sa = core.ike_sas.get(spi)
        if sa is None:
            self._of_the_dead(spi, datagram, header, path, now)
            return
        if sa.original_initiator == header.original_initiator or path.local != sa.path.local:
            self._drop("unexpected")
            return
        if header.exchange == _IKE_SA_INIT:
            self._door.init_response(sa, datagram, header, path, now)
            return
        if sa.spi_remote != (header.spi_i if header.original_initiator else header.spi_r):
            self._drop("unknown-spi")
            return
        if not self._fragment and not misuse.fits_queue(core, sa):
            self._drop("message-queue")
            return
        if header.response:
            self._response(sa, datagram, header, path, now)
            return
        self._request(sa, datagram, header, path, now)

    def _drop(self, reason: str) -> None:
        self.core.counters[f"dropped.{reason}"] += 1
        if self._fragment:
            self.core.counters["fragments-dropped.other"] += 1

    def _of_the_dead(self, spi: bytes, datagram: bytes, header: Header, path: NetworkPath, now: float) -> None:
        """A peer that did not get our last response may ask for it again; anything else is for nobody we know."""
        stone = self.core.tombstones.get(spi)
        if stone is None or header.response:
            self._drop("unknown-spi")
            return
        if stone.until > now and stone.digest == digest(datagram):
            self.core.count("retransmits.response")
            scheduler.send_all(self.core, path, stone.reply)
        else:
            self._drop("unknown-spi")

    # Protected requests

    def _request(self, sa: IkeSa, datagram: bytes, header: Header, path: NetworkPath, now: float) -> None:
        core = self.core
        if sa.state in (IkeState.INIT_SENT, IkeState.AUTH_SENT):
            self._drop("unexpected")
            return
        if header.message_id != sa.expected_id:
            self._out_of_turn(sa, datagram, header, path)
            return
        if (sa.state is IkeState.HALF_OPEN) != (header.exchange == _IKE_AUTH):
            self._drop("unexpected")
            return
        if sa.cipher_in is None:
            try:
                ike_sa_init.derive_keys(sa)
            except KeError:
                lifecycle.close(core, sa, "invalid-ke-payload")
                self._drop("malformed")
                return
        if sa.cipher_in is None:
            self._drop("unexpected")
            return
        try:
            if not self._fragment:
                message = sk.open(datagram, header, sa.cipher_in)
            else:
                whole = fragments.gather(core, sa, datagram, header, path, now)
                if whole is None:
                    return
                self._fragment, datagram = False, whole.first
                message = whole.message(header)
            rules.check(message)
        except IntegrityError:
            self._drop("integrity")
            misuse.undecryptable(core, sa)
            return
        except (InvalidSyntax, UnsupportedCriticalPayload) as error:
            self._bad_request(sa, datagram, header, error, path, now)
            return
        except WireError:
            self._drop("malformed")
            return
        self._heard(sa, path, now)
        core.count(f"requests-in.{EXCHANGE_LABELS[header.exchange]}")
        count_notifies(core, message.payloads, "notifies-in")
        try:
            payloads, cause = self._handle(sa, message, now)
        except ProtocolError as error:
            payloads = (self._notify_of(sa, error),)
            cause = None
            if error.fatal or sa.state is IkeState.HALF_OPEN:
                cause = (
                    "protocol-error" if sa.is_authenticated else ike_auth.FAILURES.get(error.notify, "internal-error")
                )
        except Exception as error:
            raise Blamed(sa) from error
        if sa.state is not IkeState.CLOSED:
            scheduler.reply(core, sa, datagram, header, payloads, path)
            if cause is not None:
                core.bury(sa, now)
                lifecycle.close(core, sa, cause)
            elif header.message_id == scheduler.MAXIMUM_MESSAGE_ID:
                lifecycle.close(core, sa, "expired")  # RKY-64

    def _handle(self, sa: IkeSa, message: Message, now: float) -> tuple[tuple[Payload, ...], str | None]:
        """(the response's payloads, the cause to close the IKE SA with or None)."""
        core = self.core
        exchange = message.header.exchange
        if exchange == _IKE_AUTH:
            try:
                return ike_auth.handle_request(core, sa, message, now), None
            except AuthenticationFailed as error:
                core.event(EventName.AUTHENTICATION_FAILED, sa, why=error.why)
                raise
        if sa.claims is not None and (exchange == _CREATE_CHILD_SA or _names_children(message)):
            rekey_ike.settle(core, sa, now)
        if exchange == _CREATE_CHILD_SA:
            return create_child.dispatch(core, sa, message, now), None
        if any(payload.protocol == ProtocolId.IKE for payload in message.all(DeletePayload)):
            return (), delete_ike.handle_request(core, sa, now)
        if message.notify(NotifyType.AUTHENTICATION_FAILED) is not None:
            return (), "peer-delete"  # the initiator does not accept us (section 2.21.2)
        return delete_child.handle_request(core, sa, message, now), None

    def _notify_of(self, sa: IkeSa, error: ProtocolError) -> NotifyPayload:
        """Without `use-rfc5996-notification` its two notifies are not sent (TPL-53).

        NO_PROPOSAL_CHOSEN refuses as well. The limit of rekeys is another switch: what it says is sent (DOS-07).
        """
        if error.notify in (NotifyType.TEMPORARY_FAILURE, NotifyType.CHILD_SA_NOT_FOUND):
            if not (sa.service.template.ikesa.use_rfc5996_notification or isinstance(error, RekeyRateExceeded)):
                return NotifyPayload(NotifyType.NO_PROPOSAL_CHOSEN)
        elif sa.is_authenticated and error.notify != NotifyType.INVALID_SYNTAX:
            self.core.count("child-sas-refused.responder")
        return NotifyPayload(error.notify, error.data, error.protocol, error.spi)

    def _bad_request(
        self, sa: IkeSa, datagram: bytes, header: Header, error: WireError, path: NetworkPath, now: float
    ) -> None:
        """Authenticated, but no message: say so. INVALID_SYNTAX ends the IKE SA at both ends (section 2.21.3)."""
        core = self.core
        self._drop("malformed")
        self._heard(sa, path, now)
        scheduler.reply(core, sa, datagram, header, (NotifyPayload(error.notify, error.notify_data),), path)
        if isinstance(error, InvalidSyntax) or not sa.is_authenticated:
            core.bury(sa, now)
            failed = "invalid-syntax" if isinstance(error, InvalidSyntax) else "unsupported-critical-payload"
            lifecycle.close(core, sa, "protocol-error" if sa.is_authenticated else failed)

    def _out_of_turn(self, sa: IkeSa, datagram: bytes, header: Header, path: NetworkPath) -> None:
        """Not the request that is due.

        The last one again gets its response again, all else is dropped (section 2.2).
        """
        core = self.core
        if header.message_id != sa.expected_id - 1 or not sa.reply:
            self._drop("message-id")
            return
        if digest(datagram) != sa.reply_digest:
            try:
                again = self._fragment and fragments.repeats(sa, datagram, header)
            except WireError:
                again = False
            if not again:
                self._drop("replay")
                return
        core.count("retransmits.response")
        scheduler.send_all(core, path, sa.reply)

    def _heard(self, sa: IkeSa, path: NetworkPath, now: float) -> None:
        """An authenticated message: the peer lives, and behind a NAT it may have moved (section 2.23)."""
        sa.last_heard = now
        sa.seen_exchange = True
        misuse.decrypted(sa)
        if path == sa.path:
            return
        if sa.state is IkeState.HALF_OPEN:
            sa.path = path  # IKE_AUTH may come on port 4500
        elif sa.nat_remote and sa.is_usable:
            sa.path = path
            children.update_paths(self.core, sa)

    # Protected responses

    def _response(self, sa: IkeSa, datagram: bytes, header: Header, path: NetworkPath, now: float) -> None:
        core = self.core
        flight = sa.in_flight
        if flight is None or header.message_id != flight.message_id or header.exchange != flight.task.exchange:
            self._drop("unexpected")
            return
        if sa.cipher_in is None:
            self._drop("unexpected")
            return
        try:
            if not self._fragment:
                message = sk.open(datagram, header, sa.cipher_in)
            else:
                whole = fragments.gather(core, sa, datagram, header, path, now)
                if whole is None:
                    return
                self._fragment = False
                message = whole.message(header)
            rules.check(message)
        except IntegrityError:
            self._drop("integrity")
            misuse.undecryptable(core, sa)
            return
        except (InvalidSyntax, UnsupportedCriticalPayload):
            self._drop("malformed")
            self._bad_response(sa)
            return
        except WireError:
            self._drop("malformed")
            return
        sa.last_heard = now
        sa.seen_exchange = True
        misuse.decrypted(sa)
        core.count(f"responses-in.{EXCHANGE_LABELS[header.exchange]}")
        count_notifies(core, message.payloads, "notifies-in")
        scheduler.landed(core, sa)
        try:
            flight.task.handle_response(core, sa, message, now)
            delete_child.after_response(core, sa)
        except Exception as error:
            raise Blamed(sa) from error
        if sa.is_authenticated and message.notify(NotifyType.INVALID_SYNTAX) is not None:
            lifecycle.close(core, sa, "protocol-error")  # fatal at both ends (section 2.21.3)
        elif sa.next_id > scheduler.MAXIMUM_MESSAGE_ID:
            lifecycle.close(core, sa, "expired")  # RKY-64

    def _bad_response(self, sa: IkeSa) -> None:
        """Authenticated, but no response to what we asked.

        Nothing more can be agreed with this peer (section 2.21.3).
        """
        lifecycle.close(self.core, sa, "protocol-error" if sa.is_authenticated else "invalid-syntax")


def _names_children(message: Message) -> bool:
    return any(payload.protocol == ProtocolId.ESP for payload in message.all(DeletePayload))


class Blamed(Exception):
    """A bug of ours while an authenticated message was handled: the IKE SA that has to go is in it."""

    def __init__(self, sa: IkeSa) -> None:
        super().__init__("unexpected exception")
        self.sa = sa
