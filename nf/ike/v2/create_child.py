"""CREATE_CHILD_SA: which of its three uses a request is, and new Child SAs in both roles (RFC 7296 section 1.3.

RKY-50 to RKY-57).
"""

from __future__ import annotations

from nf.crypto.errors import KeError
from nf.crypto.ke import KeKey
from nf.crypto.keymat import ChildKeys
from nf.ike import children, misuse
from nf.ike.child_sa import ChildSa
from nf.ike.core import Core
from nf.ike.errors import InvalidSyntaxError, NoAdditionalSas, ProtocolError, TemporaryFailure
from nf.ike.ike_sa import IkeSa
from nf.ike.scheduler import Task, enqueue
from nf.ike.states import IkeState
from nf.ike.v2 import child_keys, child_policy, delete_child, delete_ike, rekey_child, rekey_ike
from nf.policy import proposals
from nf.policy.tables import PayloadPolicy
from nf.wire.iana import ExchangeType, NotifyType, ProtocolId
from nf.wire.message import Message
from nf.wire.payloads import KePayload, NoncePayload, Payload, SaPayload, TsiPayload, TsrPayload


def dispatch(core: Core, sa: IkeSa, request: Message, now: float) -> tuple[Payload, ...]:
    """Answer a CREATE_CHILD_SA request; raises ProtocolError to refuse it."""
    sa_payload = request.first(SaPayload)
    if sa_payload is None or not sa_payload.proposals:
        raise InvalidSyntaxError("no SA payload")
    if sa_payload.proposals[0].protocol == ProtocolId.IKE:
        misuse.check_rekey(core, sa, "ike", now)
        return rekey_ike.handle_request(core, sa, request, now)
    rekey = request.notify(NotifyType.REKEY_SA)
    if rekey is not None:
        misuse.check_rekey(core, sa, "child", now)
        return rekey_child.handle_request(core, sa, request, rekey, now)
    return handle_request(core, sa, request, now)


def handle_request(core: Core, sa: IkeSa, request: Message, now: float) -> tuple[Payload, ...]:
    """Make a further Child SA for the peer; over the limit, `overload action terminate` ends the session (TPL-23)."""
    if sa.state is not IkeState.ESTABLISHED:
        raise TemporaryFailure("the IKE SA is being rekeyed or deleted")
    sa_payload, nonce = request.first(SaPayload), request.first(NoncePayload)
    ts_i, ts_r = request.first(TsiPayload), request.first(TsrPayload)
    if sa_payload is None or nonce is None or ts_i is None or ts_r is None:
        raise InvalidSyntaxError("SA, nonce or selectors are missing")
    try:
        plan = child_policy.select(sa, sa_payload, ts_i, ts_r, with_ke=True)
    except NoAdditionalSas:
        if sa.service.template.overload_terminate:
            delete_ike.begin(core, sa, "policy")
        raise
    chosen = plan.chosen
    ke_answer, shared = child_keys.answer(chosen.suite.ke_method, request.first(KePayload))
    child_keys.check_nonce(sa, nonce.nonce)
    nonce_r = core.random.octets(child_keys.NONCE_OCTETS)
    spi_in = core.reserve_child_spi()
    child = ChildSa(
        sa, plan.payload, chosen.suite, chosen.suite_index, spi_in, chosen.spi, plan.local_ts, plan.remote_ts, now
    )
    keys = children.derive_keys(sa, chosen.suite, nonce.nonce + nonce_r, shared)
    children.create(core, child, keys, now, exchange_initiator=False)
    children.install(core, child)
    children.announce(core, child)
    return (
        SaPayload(proposals.esp_answer(chosen, spi_in)),
        NoncePayload(nonce_r),
        *ke_answer,
        *child_policy.ts_payloads(plan.remote_ts, plan.local_ts),
    )


class CreateChild(Task):
    """SK {SA, Ni, [KEi,] TSi, TSr} for a further Child SA with a payload of the template."""

    __slots__ = ("ke_key", "ke_method", "nonce", "payload", "spi_in", "tries")

    exchange = ExchangeType.CREATE_CHILD_SA
    touches_children = True

    def __init__(self, payload: PayloadPolicy) -> None:
        self.payload = payload
        self.nonce = b""
        self.spi_in = 0
        self.ke_method = payload.suites[0].ke_method
        self.ke_key: KeKey | None = None
        self.tries = 0

    def build_request(self, core: Core, sa: IkeSa, now: float) -> tuple[Payload, ...] | None:
        """Offer all transform sets of the payload."""
        if not sa.is_usable:
            return None
        self.tries += 1
        self.nonce = core.random.octets(child_keys.NONCE_OCTETS)
        self.spi_in = core.reserve_child_spi()
        self.ke_key = child_keys.generate(self.ke_method)
        return (
            SaPayload(proposals.esp_proposals(self.payload.suites, self.spi_in, with_ke=True)),
            NoncePayload(self.nonce),
            *child_keys.ke_payload(self.ke_method, self.ke_key),
            *child_policy.ts_payloads(
                child_policy.local_allowed(self.payload), child_policy.remote_allowed(sa, self.payload)
            ),
        )

    def abandon(self, core: Core, sa: IkeSa) -> None:
        """Give the SPI back."""
        core.release_child_spi(self.spi_in)

    def handle_response(self, core: Core, sa: IkeSa, response: Message, now: float) -> None:
        """Make the Child SA, or come back with another key exchange method, or leave it."""
        if not sa.is_usable:
            self.abandon(core, sa)
            return
        other = response.notify(NotifyType.INVALID_KE_PAYLOAD)
        if other is not None and self.tries == 1:
            method = int.from_bytes(other.data, "big")
            self.abandon(core, sa)
            if method and any(suite.ke_method == method for suite in self.payload.suites):
                self.ke_method = method
                enqueue(core, sa, self, first=True)
                return
        try:
            child, keys = self._accept(sa, response, now)
        except (ProtocolError, proposals.NoProposalChosen, KeError):
            self.abandon(core, sa)
            core.count("child-sas-refused.initiator")
            delete_child.close_if_empty(core, sa)
            return
        children.create(core, child, keys, now, exchange_initiator=True)
        children.install(core, child)
        children.announce(core, child)

    def _accept(self, sa: IkeSa, response: Message, now: float) -> tuple[ChildSa, ChildKeys]:
        sa_payload, nonce = response.first(SaPayload), response.first(NoncePayload)
        ts_i, ts_r = response.first(TsiPayload), response.first(TsrPayload)
        if response.errors() or sa_payload is None or nonce is None or ts_i is None or ts_r is None:
            raise InvalidSyntaxError("refused, or SA, nonce or selectors are missing")
        payload = self.payload
        chosen = proposals.accept_esp(sa_payload.proposals, payload.suites, with_ke=True)
        shared = child_keys.shared_as_initiator(chosen.suite.ke_method, self.ke_key, response.first(KePayload))
        local_ts, remote_ts = child_policy.from_wire(ts_i), child_policy.from_wire(ts_r)
        proposed = child_policy.local_allowed(payload), child_policy.remote_allowed(sa, payload)
        child_policy.accept(*proposed, local_ts, remote_ts)
        child = ChildSa(
            sa, payload, chosen.suite, chosen.suite_index, self.spi_in, chosen.spi, local_ts, remote_ts, now
        )
        return child, children.derive_keys(sa, chosen.suite, self.nonce + nonce.nonce, shared)
