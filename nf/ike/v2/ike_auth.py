"""IKE_AUTH with pre-shared keys, both roles, and the first Child SA (RFC 7296 sections 1.2, 2.15, 2.21.2)."""

from __future__ import annotations

from nf.crypto.errors import AuthenticityError
from nf.crypto.keymat import psk_auth, signed_octets, verify_psk_auth
from nf.ike import children, lifecycle
from nf.ike.actions import ClearElsewhere, EventName
from nf.ike.child_sa import ChildSa
from nf.ike.core import Core
from nf.ike.errors import AuthenticationFailed, InvalidSyntaxError, NoAdditionalSas, ProtocolError, TsUnacceptable
from nf.ike.ike_sa import IkeSa
from nf.ike.inputs import SaFilter
from nf.ike.scheduler import Task, enqueue
from nf.ike.v2 import child_policy, config_request, delete_ike
from nf.ike.v2.informational import TellFailure
from nf.policy import proposals
from nf.policy.pad import PadEntry
from nf.policy.selectors import host, of_families
from nf.wire.iana import AuthMethod, ExchangeType, NotifyType
from nf.wire.message import Message
from nf.wire.payloads import (
    AuthPayload,
    CpPayload,
    IdiPayload,
    IdPayload,
    IdrPayload,
    NotifyPayload,
    Payload,
    SaPayload,
    TsiPayload,
    TsrPayload,
)

FAILURES = {
    int(NotifyType.NO_PROPOSAL_CHOSEN): "no-proposal-chosen",
    int(NotifyType.AUTHENTICATION_FAILED): "authentication-failed",
    int(NotifyType.INVALID_SYNTAX): "invalid-syntax",
    int(NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD): "unsupported-critical-payload",
    int(NotifyType.TS_UNACCEPTABLE): "ts-unacceptable",
    int(NotifyType.INTERNAL_ADDRESS_FAILURE): "internal-address-failure",
    int(NotifyType.FAILED_CP_REQUIRED): "failed-cp-required",
    int(NotifyType.NO_ADDITIONAL_SAS): "no-additional-sas",
}
"""Notify type -> label of `setups-failed`."""


class TooManyTunnels(NoAdditionalSas):
    """The gateway has all the tunnels it may have (CTX-25)."""

    fatal = True


def maximum_share(core: Core) -> int:
    """This worker's share of `maximum-tunnels`, rounded up: with N workers the sum may be N - 1 over."""
    return -(-core.policy.maximum_tunnels // core.worker_count)


# Responder


def handle_request(core: Core, sa: IkeSa, request: Message, now: float) -> tuple[Payload, ...]:
    """Verify the peer, prove ourselves, make the first Child SA.

    Raises AuthenticationFailed, InvalidSyntaxError or TooManyTunnels, which end the IKE SA. When only the Child SA
    fails, its Notify is in the answer beside AUTH, and the IKE SA ends with a Delete unless `allow-empty-ikesa` keeps
    it (section 1.2, TPL-40).
    """
    id_i = request.first(IdiPayload)
    auth = request.first(AuthPayload)
    if id_i is None:
        raise InvalidSyntaxError("no IDi")
    sa.remote_id = (id_i.id_type, id_i.data)
    if auth is None:
        raise AuthenticationFailed("the peer wants EAP")
    sa_payload, ts_i, ts_r = request.first(SaPayload), request.first(TsiPayload), request.first(TsrPayload)
    if (sa_payload is None or ts_i is None or ts_r is None) and not sa.service.template.ikesa.allow_empty_ikesa:
        raise InvalidSyntaxError("no Child SA asked for")
    entry = sa.service.template.pad.lookup(sa.path.remote)
    if entry is None:
        raise AuthenticationFailed("the peer's address is not in a peer network")
    if core.established >= maximum_share(core):
        raise TooManyTunnels("maximum-tunnels (CTX-25)")
    _verify(sa, entry, auth, id_i, by_initiator=True)
    id_r = _own_id(sa, request.first(IdrPayload))
    answer: list[Payload] = [IdrPayload(*id_r), _own_auth(sa, entry, IdrPayload(*id_r), by_initiator=False)]
    nonces = sa.nonce_i + sa.nonce_r
    lifecycle.authenticated(core, sa, now)
    if request.notify(NotifyType.INITIAL_CONTACT) is not None and sa.service.initial_contact:
        _initial_contact(core, sa)
    if sa_payload is None or ts_i is None or ts_r is None:
        return tuple(answer)
    try:
        answer += _first_child(core, sa, request.first(CpPayload), sa_payload, ts_i, ts_r, nonces, now)
    except ProtocolError as error:
        answer.append(refuse_child(core, sa, error, first=True))
    return tuple(answer)


def _first_child(
    core: Core,
    sa: IkeSa,
    cp: CpPayload | None,
    sa_payload: SaPayload,
    ts_i: TsiPayload,
    ts_r: TsrPayload,
    nonces: bytes,
    now: float,
) -> list[Payload]:
    cp_reply = config_request.handle_request(core, sa, cp)
    plan = child_policy.select(sa, sa_payload, ts_i, ts_r, with_ke=False)
    chosen = plan.chosen
    child = ChildSa(
        sa,
        plan.payload,
        chosen.suite,
        chosen.suite_index,
        core.reserve_child_spi(),
        chosen.spi,
        plan.local_ts,
        plan.remote_ts,
        now,
    )
    keys = children.derive_keys(sa, chosen.suite, nonces)
    children.create(core, child, keys, now, exchange_initiator=False)
    children.install(core, child)
    children.announce(core, child)
    answer: list[Payload] = [cp_reply] if cp_reply is not None else []
    answer.append(SaPayload(proposals.esp_answer(chosen, child.spi_in)))
    answer += child_policy.ts_payloads(plan.remote_ts, plan.local_ts)
    return answer


def refuse_child(core: Core, sa: IkeSa, error: ProtocolError, *, first: bool) -> NotifyPayload:
    """The Notify for a Child SA that we refuse; without any Child SA the IKE SA goes as well (TPL-40)."""
    core.count("child-sas-refused.responder")
    if first:
        cause = FAILURES.get(error.notify, "peer-notify")
        core.count(f"setups-failed.{cause}")
        core.event(EventName.SETUP_FAILED, sa, cause=cause, why=error.why)
        if not sa.service.template.ikesa.allow_empty_ikesa:
            delete_ike.begin(core, sa)
    return NotifyPayload(error.notify, error.data, error.protocol, error.spi)


def _own_id(sa: IkeSa, asked: IdrPayload | None) -> tuple[int, bytes]:
    """`nai use-received-idr` gives the peer the identity that it asked for (TPL-26)."""
    if sa.service.template.use_received_idr and asked is not None:
        sa.local_id = (asked.id_type, asked.data)
    return sa.local_id


def _initial_contact(core: Core, sa: IkeSa) -> None:
    """The peer knows of no other IKE SA with us.

    End those we still have with its identity, silently (section 2.4, DUP-05).
    """
    for other in tuple(core.by_identity.get((sa.service.key, sa.remote_id), ())):
        if other is not sa:
            lifecycle.close(core, other, "initial-contact")
    if core.worker_count > 1:
        service = sa.service
        core.emit(ClearElsewhere(SaFilter(context=service.context, service=service.name, remote_id=sa.remote_text)))


# Both roles


def _signed(sa: IkeSa, identity: IdPayload, *, by_initiator: bool) -> bytes:
    if sa.crypto is None or sa.keys is None:
        raise RuntimeError("no keys yet")
    if by_initiator:
        return signed_octets(sa.crypto.prf, sa.init_request, sa.nonce_r, sa.keys.sk_pi, identity.body)
    return signed_octets(sa.crypto.prf, sa.init_response, sa.nonce_i, sa.keys.sk_pr, identity.body)


def _own_auth(sa: IkeSa, entry: PadEntry, identity: IdPayload, *, by_initiator: bool) -> AuthPayload:
    if sa.crypto is None or entry.psk_local is None:
        raise AuthenticationFailed("no pre-shared key of ours")
    signed = _signed(sa, identity, by_initiator=by_initiator)
    return AuthPayload(AuthMethod.SHARED_KEY_MIC, psk_auth(sa.crypto.prf, entry.psk_local, signed))


def _verify(sa: IkeSa, entry: PadEntry, auth: AuthPayload, identity: IdPayload, *, by_initiator: bool) -> None:
    """Raises AuthenticationFailed with the reason for our log."""
    if auth.method != AuthMethod.SHARED_KEY_MIC:
        raise AuthenticationFailed(f"authentication method {auth.method}")
    if sa.crypto is None or entry.psk_remote is None:
        raise AuthenticationFailed("no pre-shared key for the peer")
    signed = _signed(sa, identity, by_initiator=by_initiator)
    try:
        verify_psk_auth(sa.crypto.prf, entry.psk_remote, signed, auth.data)
    except AuthenticityError:
        raise AuthenticationFailed("the AUTH value is wrong: another pre-shared key") from None


# Initiator


class IkeAuth(Task):
    """SK {IDi, AUTH, [CP,] SAi2, TSi, TSr}. addresses: families of which to ask for an inner address."""

    __slots__ = ("addresses", "local_ts", "remote_ts", "spi_in")

    exchange = ExchangeType.IKE_AUTH

    def __init__(self, addresses: tuple[int, ...]) -> None:
        self.addresses = addresses
        self.spi_in = 0

    def build_request(self, core: Core, sa: IkeSa, now: float) -> tuple[Payload, ...] | None:
        """The first payload of the template is what the first Child SA follows (RKY-55)."""
        entry = sa.service.template.pad.lookup(sa.path.remote)
        if entry is None or entry.psk_local is None:
            lifecycle.close(core, sa, "authentication-failed")
            return None
        identity = IdiPayload(*sa.local_id)
        payload = sa.service.template.payloads[0]
        self.spi_in = core.reserve_child_spi()
        self.local_ts = child_policy.local_allowed(payload)
        self.remote_ts = child_policy.remote_allowed(sa, payload)
        cp = (config_request.build_request(self.addresses),) if self.addresses else ()
        return (
            identity,
            *((NotifyPayload(NotifyType.INITIAL_CONTACT),) if self._is_first_contact(core, sa) else ()),
            _own_auth(sa, entry, identity, by_initiator=True),
            *cp,
            SaPayload(proposals.esp_proposals(payload.suites, self.spi_in, with_ke=False)),
            *child_policy.ts_payloads(self.local_ts, self.remote_ts),
        )

    @staticmethod
    def _is_first_contact(core: Core, sa: IkeSa) -> bool:
        """Said only of a service that uses it, with one worker: another may have an IKE SA with the same peer."""
        return (
            sa.service.initial_contact
            and core.worker_count == 1
            and not any(
                other is not sa and other.path.remote == sa.path.remote and other.is_authenticated
                for other in core.ike_sas.values()
            )
        )

    def handle_response(self, core: Core, sa: IkeSa, response: Message, now: float) -> None:
        """Verify the responder; then its Child SA, or the reason for none."""
        id_r, auth = response.first(IdrPayload), response.first(AuthPayload)
        if id_r is None or auth is None:
            self.abandon(core, sa)
            errors = response.errors()
            cause = FAILURES.get(errors[0].notify_type, "peer-notify") if errors else "invalid-syntax"
            lifecycle.close(core, sa, cause)
            return
        entry = sa.service.template.pad.lookup(sa.path.remote)
        sa.remote_id = (id_r.id_type, id_r.data)
        try:
            if entry is None:
                raise AuthenticationFailed("the peer's address is not in a peer network")
            _verify(sa, entry, auth, id_r, by_initiator=False)
        except AuthenticationFailed as error:
            self.abandon(core, sa)
            core.event(EventName.AUTHENTICATION_FAILED, sa, why=error.why)
            enqueue(core, sa, TellFailure(NotifyType.AUTHENTICATION_FAILED))
            return
        nonces = sa.nonce_i + sa.nonce_r
        lifecycle.authenticated(core, sa, now)
        try:
            self._first_child(core, sa, response, nonces, now)
        except (ProtocolError, proposals.NoProposalChosen) as error:
            self.abandon(core, sa)
            core.count("child-sas-refused.initiator")
            cause = (
                FAILURES.get(error.notify, "peer-notify") if isinstance(error, ProtocolError) else "no-proposal-chosen"
            )
            core.count(f"setups-failed.{cause}")
            core.event(EventName.SETUP_FAILED, sa, cause=cause, why=str(error))
            if not sa.service.template.ikesa.allow_empty_ikesa:
                delete_ike.begin(core, sa)

    def _first_child(self, core: Core, sa: IkeSa, response: Message, nonces: bytes, now: float) -> None:
        sa_payload, ts_i, ts_r = response.first(SaPayload), response.first(TsiPayload), response.first(TsrPayload)
        if sa_payload is None or ts_i is None or ts_r is None:
            errors = response.errors()
            raise PeerRefused(errors[0].notify_type if errors else 0)
        payload = sa.service.template.payloads[0]
        chosen = proposals.accept_esp(sa_payload.proposals, payload.suites, with_ke=False)
        local_ts, remote_ts = child_policy.from_wire(ts_i), child_policy.from_wire(ts_r)
        child_policy.accept(self.local_ts, self.remote_ts, local_ts, remote_ts)
        config_request.handle_reply(sa, response.first(CpPayload))
        if sa.inner_addresses:
            families = frozenset(selector.family for selector in local_ts)
            own = of_families(tuple(host(address) for address in sa.inner_addresses), families)
            child_policy.accept(own, remote_ts, local_ts, remote_ts)
        child = ChildSa(
            sa, payload, chosen.suite, chosen.suite_index, self.spi_in, chosen.spi, local_ts, remote_ts, now
        )
        keys = children.derive_keys(sa, chosen.suite, nonces)
        children.create(core, child, keys, now, exchange_initiator=True)
        children.install(core, child)
        children.announce(core, child)

    def abandon(self, core: Core, sa: IkeSa) -> None:
        """No Child SA comes of it."""
        core.release_child_spi(self.spi_in)


class PeerRefused(TsUnacceptable):
    """The responder made no Child SA, and said why with this Notify."""

    def __init__(self, notify_type: int) -> None:
        super().__init__(f"the responder refused the Child SA with notify {notify_type}")
        self.notify = notify_type  # type: ignore[misc, assignment]
