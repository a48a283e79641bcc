"""Rekeying a Child SA, both roles, with simultaneous rekeys (RFC 7296 sections 1.3.3, 2.8, 2.8.1, 2.17, 2.25.1)."""

from __future__ import annotations

from nf.crypto.errors import KeError
from nf.crypto.ke import KeKey
from nf.crypto.keymat import ChildKeys
from nf.ike import children, retry
from nf.ike.child_sa import ChildSa
from nf.ike.core import Core
from nf.ike.errors import ChildSaNotFound, InvalidSyntaxError, NoAdditionalSas, ProtocolError, TemporaryFailure
from nf.ike.ike_sa import IkeSa
from nf.ike.scheduler import Task, enqueue
from nf.ike.states import ChildInput, ChildState, IkeState
from nf.ike.timers import TimerKind
from nf.ike.v2 import child_keys, child_policy, delete_child
from nf.policy import proposals
from nf.wire.iana import ExchangeType, NotifyType, ProtocolId
from nf.wire.message import Message
from nf.wire.payloads import KePayload, NoncePayload, NotifyPayload, Payload, SaPayload, TsiPayload, TsrPayload


class RekeyChild(Task):
    """SK {N(REKEY_SA), SA, Ni, [KEi,] TSi, TSr}: the algorithms and selectors of the old Child SA (RKY-42).

    peer_child, peer_nonce: when the peer rekeys the same Child SA meanwhile, what that made, and the lower of its two
    nonces.
    """

    __slots__ = ("child", "ke_key", "nonce", "peer_child", "peer_nonce", "spi_in")

    exchange = ExchangeType.CREATE_CHILD_SA
    touches_children = True

    def __init__(self, child: ChildSa) -> None:
        self.child = child
        self.nonce = b""
        self.spi_in = 0
        self.ke_key: KeKey | None = None
        self.peer_child: ChildSa | None = None
        self.peer_nonce = b""

    def build_request(self, core: Core, sa: IkeSa, now: float) -> tuple[Payload, ...] | None:
        """Nothing to do when the Child SA was replaced or deleted while this waited."""
        child = self.child
        if child.state is not ChildState.INSTALLED or not sa.is_usable:
            return None
        child.advance(ChildInput.START_REKEY)
        core.count("rekeys.child.started")
        self.nonce = core.random.octets(child_keys.NONCE_OCTETS)
        self.spi_in = core.reserve_child_spi()
        suite = child.payload.suites[child.suite_index]
        self.ke_key = child_keys.generate(suite.ke_method)
        return (
            NotifyPayload(NotifyType.REKEY_SA, b"", ProtocolId.ESP, child.spi_in.to_bytes(4, "big")),
            SaPayload(proposals.esp_proposals((suite,), self.spi_in, with_ke=True)),
            NoncePayload(self.nonce),
            *child_keys.ke_payload(suite.ke_method, self.ke_key),
            *child_policy.ts_payloads(child.local_ts, child.remote_ts),
        )

    def abandon(self, core: Core, sa: IkeSa) -> None:
        """Give the SPI back."""
        core.release_child_spi(self.spi_in)

    def handle_response(self, core: Core, sa: IkeSa, response: Message, now: float) -> None:
        """Make the successor, or see who won a simultaneous rekey; on a refusal, try again later."""
        if not sa.is_usable:
            self.abandon(core, sa)
            return
        if response.errors():
            self.abandon(core, sa)
            self._refused(core, sa, response, now)
            return
        try:
            new, keys, nonce_r = self._accept(sa, response, now)
        except (ProtocolError, proposals.NoProposalChosen, KeError):
            # The peer has a Child SA that we cannot use; its inbound SPI is known if nothing else is.
            self.abandon(core, sa)
            core.count("rekeys.child.failed")
            self._failed(core, sa, now)
            return
        old = self.child
        rival = self.peer_child
        if rival is not None and rival.is_live:
            core.count("rekeys.child.collided")
            if min(self.nonce, nonce_r) < self.peer_nonce:
                # The lowest of the four nonces is in our exchange: our Child SA is the redundant one, and ours to
                # delete.
                children.create(core, new, keys, now, exchange_initiator=True, old=old)
                new.advance(ChildInput.LOST_COLLISION)
                if old.state is ChildState.REKEYING:
                    children.replaced(core, old, rival, now)
                children.announce(core, rival, old)
                delete_child.begin(core, new)
                return
            rival.advance(ChildInput.LOST_COLLISION)
            children.stop_outbound(core, rival)
            core.set_timer(rival, TimerKind.GUARD, now + children.GUARD_S)
        core.count("rekeys.child.succeeded")
        children.create(core, new, keys, now, exchange_initiator=True, old=old)
        children.install(core, new)
        children.announce(core, new, old)
        if old.state is ChildState.REKEYING:
            children.replaced(core, old, new, now)
            delete_child.begin(core, old)

    def _accept(self, sa: IkeSa, response: Message, now: float) -> tuple[ChildSa, ChildKeys, bytes]:
        old = self.child
        payload = old.payload
        suite = payload.suites[old.suite_index]
        sa_payload, nonce = response.first(SaPayload), response.first(NoncePayload)
        ts_i, ts_r = response.first(TsiPayload), response.first(TsrPayload)
        if sa_payload is None or nonce is None or ts_i is None or ts_r is None:
            raise InvalidSyntaxError("SA, nonce or selectors are missing")
        chosen = proposals.accept_esp(sa_payload.proposals, (suite,), with_ke=True)
        shared = child_keys.shared_as_initiator(chosen.suite.ke_method, self.ke_key, response.first(KePayload))
        local_ts, remote_ts = child_policy.from_wire(ts_i), child_policy.from_wire(ts_r)
        child_policy.accept(old.local_ts, old.remote_ts, local_ts, remote_ts)
        new = ChildSa(sa, payload, chosen.suite, old.suite_index, self.spi_in, chosen.spi, local_ts, remote_ts, now)
        keys = children.derive_keys(sa, chosen.suite, self.nonce + nonce.nonce, shared)
        return new, keys, nonce.nonce

    def _refused(self, core: Core, sa: IkeSa, response: Message, now: float) -> None:
        core.count("rekeys.child.failed")
        if response.notify(NotifyType.CHILD_SA_NOT_FOUND) is not None and self.peer_child is None:
            children.remove(core, self.child)  # RKY-38: silently; taken whatever `use-rfc5996-notification` says
            delete_child.close_if_empty(core, sa)
            return
        self._failed(core, sa, now)

    def _failed(self, core: Core, sa: IkeSa, now: float) -> None:
        child = self.child
        if child.state is ChildState.REKEYING:
            rival = self.peer_child
            if rival is not None and rival.is_live:
                children.replaced(
                    core, child, rival, now
                )  # the peer's own rekey went through, and it deletes the old one
                children.announce(core, rival, child)
            else:
                child.advance(ChildInput.REKEY_FAILED)
                retry.later(core, child, now)
        delete_child.close_if_empty(core, sa)


def handle_request(core: Core, sa: IkeSa, request: Message, rekey: NotifyPayload, now: float) -> tuple[Payload, ...]:
    """Answer the peer's rekey of a Child SA; outbound moves to the new one when the peer is seen to be ready (RKY-08).

    Raises ChildSaNotFound, TemporaryFailure (section 2.25.1), NoAdditionalSas under `ignore-rekeying-requests`
    (TPL-58), and what the choice of algorithms and selectors raises.
    """
    if rekey.protocol != ProtocolId.ESP or len(rekey.spi) != 4:
        raise InvalidSyntaxError("REKEY_SA without an ESP SPI")
    if sa.state is not IkeState.ESTABLISHED:
        core.count("rekeys.child.refused")
        raise TemporaryFailure("the IKE SA is being rekeyed or deleted")
    old = sa.child_by_spi_out(int.from_bytes(rekey.spi, "big"))
    if old is None:
        core.count("rekeys.child.refused")
        if delete_child.making(sa):
            raise TemporaryFailure("unknown, but it may be the one that we are making")
        raise ChildSaNotFound(rekey.spi)
    if old.state not in (ChildState.INSTALLED, ChildState.WAITING, ChildState.REKEYING):
        core.count("rekeys.child.refused")
        raise TemporaryFailure(f"the Child SA is {old.state.value}")
    if old.payload.ignore_rekeying_requests:
        core.count("rekeys.child.refused")
        raise NoAdditionalSas("rekey requests are ignored (TPL-58)")
    own = sa.in_flight.task if sa.in_flight is not None else None
    if isinstance(own, RekeyChild) and own.child is old and own.peer_child is not None and own.peer_child.is_live:
        raise TemporaryFailure("the peer has rekeyed this Child SA already")
    sa_payload, nonce = request.first(SaPayload), request.first(NoncePayload)
    if sa_payload is None or nonce is None:
        raise InvalidSyntaxError("SA or nonce is missing")
    plan = child_policy.select_rekey(old, sa_payload, request.first(TsiPayload), request.first(TsrPayload))
    chosen = plan.chosen
    ke_answer, shared = child_keys.answer(chosen.suite.ke_method, request.first(KePayload))
    child_keys.check_nonce(sa, nonce.nonce)
    nonce_r = core.random.octets(child_keys.NONCE_OCTETS)
    spi_in = core.reserve_child_spi()
    new = ChildSa(
        sa, plan.payload, chosen.suite, chosen.suite_index, spi_in, chosen.spi, plan.local_ts, plan.remote_ts, now
    )
    keys = children.derive_keys(sa, chosen.suite, nonce.nonce + nonce_r, shared)
    children.create(core, new, keys, now, exchange_initiator=False, old=old)
    children.hold(core, new, now)
    core.count("rekeys.child.answered")
    if isinstance(own, RekeyChild) and own.child is old:
        # Both ends at once: which Child SA stays is known with the response to our own request (section 2.8.1).
        own.peer_child, own.peer_nonce = new, min(nonce.nonce, nonce_r)
        old.successor = new
    else:
        children.peer_ready(core, old)  # should it still wait itself
        children.replaced(core, old, new, now)
        children.announce(core, new, old)
    return (
        SaPayload(proposals.esp_answer(chosen, spi_in)),
        NoncePayload(nonce_r),
        *ke_answer,
        *child_policy.ts_payloads(plan.remote_ts, plan.local_ts),
    )


def begin(core: Core, child: ChildSa) -> bool:
    """Queue a rekey of a Child SA; False when it is not in a state for that."""
    if child.state is not ChildState.INSTALLED or not child.ike_sa.is_usable:
        return False
    enqueue(core, child.ike_sa, RekeyChild(child))
    return True
