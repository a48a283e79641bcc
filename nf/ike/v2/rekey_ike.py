"""Rekeying an IKE SA, both roles, with simultaneous rekeys (RFC 7296 sections 1.3.2, 2.8, 2.18, 2.25.2.

RKY-13, RKY-41).
"""

from __future__ import annotations

from nf.crypto.errors import KeError
from nf.crypto.ke import KeKey
from nf.crypto.keymat import rekey_skeyseed
from nf.ike import lifecycle, misuse, retry
from nf.ike.core import Core
from nf.ike.errors import InvalidKe, InvalidSyntaxError, NoAdditionalSas, NoProposal, ProtocolError, TemporaryFailure
from nf.ike.ike_sa import IkeSa
from nf.ike.scheduler import Task, enqueue
from nf.ike.states import IkeInput, IkeState
from nf.ike.v2 import delete_ike
from nf.policy import algorithms, proposals
from nf.wire.iana import ExchangeType
from nf.wire.message import Message
from nf.wire.payloads import KePayload, NoncePayload, Payload, SaPayload

NONCE_OCTETS = 32


class RekeyIke(Task):
    """SK {SA, Ni, KEi} for a successor with the same algorithms (RKY-42).

    peer_sa, peer_nonce: when the peer rekeys the same IKE SA meanwhile, what that made, and the lower of its two
    nonces.
    """

    __slots__ = ("ke_key", "nonce", "peer_nonce", "peer_sa", "spi_local")

    exchange = ExchangeType.CREATE_CHILD_SA

    def __init__(self) -> None:
        self.nonce = b""
        self.spi_local = b""
        self.ke_key: KeKey | None = None
        self.peer_sa: IkeSa | None = None
        self.peer_nonce = b""

    def build_request(self, core: Core, sa: IkeSa, now: float) -> tuple[Payload, ...] | None:
        """Nothing to do when the IKE SA was replaced or deleted while this waited."""
        if sa.state is not IkeState.ESTABLISHED:
            return None
        sa.advance(IkeInput.START_REKEY)
        core.count("rekeys.ike.started")
        self.nonce = core.random.octets(NONCE_OCTETS)
        self.spi_local = core.reserve_ike_spi()
        self.ke_key = algorithms.ike_suite(sa.algorithms).ke.generate()
        return (
            SaPayload(proposals.ike_proposals((sa.algorithms,), self.spi_local)),
            NoncePayload(self.nonce),
            KePayload(sa.algorithms.ke_method, self.ke_key.public),
        )

    def abandon(self, core: Core, sa: IkeSa) -> None:
        """Give the SPI back."""
        core.release_ike_spi(self.spi_local)

    def rival(self) -> IkeSa | None:
        """What the peer's simultaneous rekey made, while it lives."""
        return self.peer_sa if self.peer_sa is not None and self.peer_sa.is_usable else None

    def handle_response(self, core: Core, sa: IkeSa, response: Message, now: float) -> None:
        """Make the successor, or see who won a simultaneous rekey; on a refusal, try again later."""
        self.abandon(core, sa)
        if sa.state not in (IkeState.REKEYING, IkeState.REKEYED):
            return  # deleted meanwhile
        if response.errors():
            if sa.state is IkeState.REKEYING:
                self._refused(core, sa, now)
            return
        try:
            new, nonce_r = self._accept(core, sa, response, now)
        except (ProtocolError, proposals.NoProposalChosen, KeError):
            core.count("rekeys.ike.failed")
            delete_ike.begin(core, sa, "protocol-error")
            return
        if sa.state is IkeState.REKEYED:
            delete_ike.begin(core, new, "rekeyed")  # settled already, in favour of the peer's
            return
        peer_sa = self.rival()
        if peer_sa is not None:
            core.count("rekeys.ike.collided")
            if min(self.nonce, nonce_r) < self.peer_nonce:
                # The lowest of the four nonces is in our exchange: our successor is the redundant one, and ours to
                # delete.
                lifecycle.hand_over(core, sa, peer_sa, now)
                delete_ike.begin(core, new, "rekeyed")
                return
            lifecycle.retire(core, peer_sa, now)
        core.count("rekeys.ike.succeeded")
        lifecycle.hand_over(core, sa, new, now)
        delete_ike.begin(core, sa, "rekeyed")

    def _refused(self, core: Core, sa: IkeSa, now: float) -> None:
        core.count("rekeys.ike.failed")
        peer_sa = self.rival()
        if peer_sa is not None:
            lifecycle.hand_over(core, sa, peer_sa, now)  # the peer's own rekey went through
            return
        sa.advance(IkeInput.REKEY_FAILED)
        retry.later(core, sa, now)

    def _accept(self, core: Core, sa: IkeSa, response: Message, now: float) -> tuple[IkeSa, bytes]:
        sa_payload, ke, nonce = response.first(SaPayload), response.first(KePayload), response.first(NoncePayload)
        if sa_payload is None or ke is None or nonce is None or self.ke_key is None:
            raise InvalidSyntaxError("SA, KE or nonce is missing")
        chosen = proposals.accept_ike(sa_payload.proposals, (sa.algorithms,), 8)
        if ke.method != sa.algorithms.ke_method or not any(chosen.spi):
            raise InvalidSyntaxError("another key exchange method than agreed, or no SPI")
        shared = self.ke_key.exchange(ke.key_data)
        new = _successor(sa, self.spi_local, chosen, original_initiator=True, now=now)
        new.nonce_i, new.nonce_r = self.nonce, nonce.nonce
        _finish(core, sa, new, shared, now)
        return new, nonce.nonce


def _successor(
    sa: IkeSa, spi_local: bytes, chosen: proposals.ChosenIke, *, original_initiator: bool, now: float
) -> IkeSa:
    new = IkeSa(sa.service, sa.path, spi_local, original_initiator, now)
    new.spi_remote = chosen.spi
    new.local_id, new.remote_id = sa.local_id, sa.remote_id
    new.nat_local, new.nat_remote = sa.nat_local, sa.nat_remote
    new.created_at = sa.created_at
    misuse.inherit(sa, new)
    new.fragmentation = sa.fragmentation
    lifecycle.set_algorithms(new, chosen.suite)
    return new


def _finish(core: Core, sa: IkeSa, new: IkeSa, shared: bytes, now: float) -> None:
    """Keys from the old SK_d; Message IDs begin at 0 again (section 2.18)."""
    if sa.crypto is None or sa.keys is None:
        raise RuntimeError("no keys yet")
    lifecycle.set_keys(new, rekey_skeyseed(sa.crypto.prf, sa.keys.sk_d, new.nonce_i, new.nonce_r, shared))
    core.ike_sas[new.spi_local] = new
    lifecycle.inherited(core, new, now)


def handle_request(core: Core, sa: IkeSa, request: Message, now: float) -> tuple[Payload, ...]:
    """Answer the peer's rekey of the IKE SA.

    Raises TemporaryFailure while an exchange of ours touches Child SAs or the IKE SA is on its way out (section
    2.25.2), NoAdditionalSas under `ignore-rekeying-requests` (TPL-43), NoProposal, InvalidKe.
    """
    template = sa.service.template
    flight = sa.in_flight
    task = flight.task if flight is not None else None
    if template.ikesa.ignore_rekeying_requests:
        core.count("rekeys.ike.refused")
        raise NoAdditionalSas("rekey requests are ignored (TPL-43)")
    if not sa.is_usable or (task is not None and task.touches_children):
        core.count("rekeys.ike.refused")
        raise TemporaryFailure("another exchange is under way")
    own = task if isinstance(task, RekeyIke) else None
    if own is not None and own.peer_sa is not None:
        raise TemporaryFailure("the peer has rekeyed this IKE SA already")
    sa_payload, ke, nonce = request.first(SaPayload), request.first(KePayload), request.first(NoncePayload)
    if sa_payload is None or ke is None or nonce is None:
        raise InvalidSyntaxError("SA, KE or nonce is missing")
    ours = (sa.algorithms,) if template.ikesa.disallow_param_change else (*template.ike_suites, sa.algorithms)
    try:
        chosen = proposals.choose_ike(sa_payload.proposals, ours, 8)
    except proposals.NoProposalChosen as error:
        raise NoProposal(str(error)) from None
    if ke.method != chosen.suite.ke_method:
        raise InvalidKe(chosen.suite.ke_method)
    crypto = algorithms.ike_suite(chosen.suite)
    if not any(chosen.spi) or 2 * len(nonce.nonce) < crypto.prf.octets:
        raise InvalidSyntaxError("zero SPI or a nonce that is too short")
    ke_key = crypto.ke.generate()
    try:
        shared = ke_key.exchange(ke.key_data)
    except KeError as error:
        raise InvalidSyntaxError(str(error)) from None
    new = _successor(sa, core.new_ike_spi(), chosen, original_initiator=False, now=now)
    new.nonce_i, new.nonce_r = nonce.nonce, core.random.octets(NONCE_OCTETS)
    _finish(core, sa, new, shared, now)
    core.count("rekeys.ike.answered")
    answer = (
        SaPayload(proposals.ike_answer(chosen, new.spi_local)),
        NoncePayload(new.nonce_r),
        KePayload(ke.method, ke_key.public),
    )
    if own is not None:
        # Both ends at once: who inherits the Child SAs is known with the response to our own request.
        own.peer_sa, own.peer_nonce = new, min(new.nonce_i, new.nonce_r)
        new.claims = sa
    else:
        lifecycle.hand_over(core, sa, new, now)
    return answer


def settle(core: Core, sa: IkeSa, now: float) -> None:
    """The peer works with Child SAs on an IKE SA that it made while we were rekeying too: then it has them there, and
    has won.

    Otherwise its Delete of the old IKE SA says so, or the response to our own request; but those may come later than
    this.
    """
    old = sa.claims
    if old is not None and old.state is IkeState.REKEYING:
        lifecycle.hand_over(core, old, sa, now)


def begin(core: Core, sa: IkeSa) -> bool:
    """Queue a rekey of the IKE SA; False when it is not in a state for that."""
    if sa.state is not IkeState.ESTABLISHED:
        return False
    enqueue(core, sa, RekeyIke())
    return True
