"""IKE_SA_INIT, both roles (RFC 7296 sections 1.2, 2.6, 2.7, 2.21.1, 2.23)."""

from __future__ import annotations

from nf.crypto.errors import KeError
from nf.crypto.keymat import skeyseed
from nf.ike import lifecycle
from nf.ike.cookies import Challenge
from nf.ike.core import Core
from nf.ike.errors import InvalidKe, InvalidSyntaxError, NoProposal, ProtocolError
from nf.ike.ike_sa import ZERO_SPI, IkeSa
from nf.ike.inputs import NetworkPath
from nf.ike.scheduler import Task, count_notifies, enqueue, landed, launch, send
from nf.ike.states import IkeInput
from nf.ike.timers import TimerKind
from nf.ike.v2 import nat_detection
from nf.ike.v2.ike_auth import IkeAuth
from nf.policy import algorithms, proposals
from nf.policy.tables import ServicePolicy
from nf.wire.iana import ExchangeType, NotifyType
from nf.wire.message import Header, Message
from nf.wire.payloads import KePayload, NoncePayload, NotifyPayload, Payload, SaPayload

NONCE_OCTETS = 32
_MAXIMUM_TRIES = 5
_IKE_SA_INIT = int(ExchangeType.IKE_SA_INIT)
_FRAGMENTATION = NotifyPayload(NotifyType.IKEV2_FRAGMENTATION_SUPPORTED)


def _announces_fragmentation(message: Message) -> bool:
    """It is used when both ends say so (RFC 7383 section 2.3, FRG-03)."""
    return message.notify(NotifyType.IKEV2_FRAGMENTATION_SUPPORTED) is not None


# Responder


def challenged(core: Core, service: ServicePolicy, message: Message, path: NetworkPath, now: float) -> bool:
    """Whether the initiator has to come back with a cookie first.

    If so it has been told, and nothing is kept (DOS-11).
    """
    template = service.template
    if template.cookie is None:
        return False
    challenge = core.challenges.get(template.key)
    if challenge is None:
        challenge = core.challenges[template.key] = Challenge()
    if challenge.update(template.cookie, core.half_open):
        core.challenge_event(template.key, challenge)
    if not challenge.on:
        return False
    nonce = message.first(NoncePayload)
    if nonce is None:
        raise InvalidSyntaxError("no nonce")
    spi_i = message.header.spi_i
    notify = message.notify(NotifyType.COOKIE)
    if notify is not None:
        if core.cookies.check(notify.data, nonce.nonce, spi_i, path.remote, path.remote_port, now):
            core.count("cookies.accepted")
            return False
        core.count("cookies.rejected")
    cookie = core.cookies.make(nonce.nonce, spi_i, path.remote, path.remote_port, now)
    core.count("cookies.sent")
    answer(core, message.header, (NotifyPayload(NotifyType.COOKIE, cookie),), path)
    return True


def answer(core: Core, header: Header, payloads: tuple[Payload, ...], path: NetworkPath) -> None:
    """Send an IKE_SA_INIT response that makes no IKE SA: the responder SPI is zero, and nothing is kept."""
    count_notifies(core, payloads, "notifies-out")
    response = Message(Header(header.spi_i, ZERO_SPI, _IKE_SA_INIT, 0, False, True), payloads)
    send(core, path, response.encode())


def handle_request(
    core: Core, service: ServicePolicy, message: Message, datagram: bytes, path: NetworkPath, now: float
) -> IkeSa:
    """Make a half-open IKE SA and answer. Raises ProtocolError to refuse, with nothing kept."""
    sa_payload, ke, nonce = message.first(SaPayload), message.first(KePayload), message.first(NoncePayload)
    if sa_payload is None or ke is None or nonce is None:
        raise InvalidSyntaxError("SA, KE or nonce is missing")
    template = service.template
    try:
        chosen = proposals.choose_ike(sa_payload.proposals, template.ike_suites)
    except proposals.NoProposalChosen as error:
        raise NoProposal(str(error)) from None
    crypto = algorithms.ike_suite(chosen.suite)
    if ke.method != chosen.suite.ke_method:
        raise InvalidKe(chosen.suite.ke_method)
    if len(ke.key_data) != crypto.ke.public_octets:
        raise InvalidSyntaxError("KE of a wrong size")
    if 2 * len(nonce.nonce) < crypto.prf.octets:
        raise InvalidSyntaxError("the nonce is shorter than half the key of the PRF")
    sa = IkeSa(service, path, core.new_ike_spi(), False, now)
    sa.spi_remote = message.header.spi_i
    lifecycle.set_algorithms(sa, chosen.suite)
    sa.ke_key = crypto.ke.generate()
    sa.peer_public = ke.key_data  # the costly half waits for IKE_AUTH
    sa.nonce_i, sa.nonce_r = nonce.nonce, core.random.octets(NONCE_OCTETS)
    payloads: tuple[Payload, ...] = (
        SaPayload(proposals.ike_answer(chosen)),
        KePayload(ke.method, sa.ke_key.public),
        NoncePayload(sa.nonce_r),
    )
    if template.natt is not None and nat_detection.detect(sa, message, ZERO_SPI, path):
        payloads = (*payloads, *nat_detection.payloads(sa.spi_i, sa.spi_r, path))
    if template.ikesa.fragmentation and _announces_fragmentation(message):
        sa.fragmentation = True
        payloads = (*payloads, _FRAGMENTATION)
    response = Message(Header(sa.spi_i, sa.spi_r, _IKE_SA_INIT, 0, False, True), payloads)
    sa.init_request = datagram
    sa.init_response = response.encode()
    sa.expected_id = 1
    sa.advance(IkeInput.ANSWER_INIT)
    core.ike_sas[sa.spi_local] = sa
    core.init_requests[datagram] = sa
    core.half_open_changed(sa, +1)
    _arm(core, sa, now)
    core.count("responses-out.ike-sa-init")
    count_notifies(core, payloads, "notifies-out")
    send(core, path, sa.init_response)
    return sa


def _arm(core: Core, sa: IkeSa, now: float) -> None:
    """The half-open timer bounds the time to IKE_AUTH.

    Where it is switched off the set-up timer does (DOS-01, TPL-47).
    """
    parameters = sa.service.template.ikesa
    if parameters.half_open_sa_timer_s is not None:
        core.set_timer(sa, TimerKind.HALF_OPEN, now + parameters.half_open_sa_timer_s)
    else:
        core.set_timer(sa, TimerKind.SETUP, now + parameters.setup_timer_s)


def derive_keys(sa: IkeSa) -> None:
    """Do the second half of the key exchange, once; raises KeError for a public value that is no good."""
    if sa.ke_key is None or sa.crypto is None:
        raise RuntimeError("no key exchange under way")
    shared = sa.ke_key.exchange(sa.peer_public)
    lifecycle.set_keys(sa, skeyseed(sa.crypto.prf, sa.nonce_i, sa.nonce_r, shared))
    sa.ke_key = None


# Initiator


class IkeSaInit(Task):
    """HDR, SAi1, KEi, Ni; again with a COOKIE or another key exchange method when the responder says so."""

    __slots__ = ("addresses", "cookie", "ke_method", "tries")

    exchange = ExchangeType.IKE_SA_INIT

    def __init__(self, ke_method: int, addresses: tuple[int, ...]) -> None:
        self.ke_method = ke_method
        self.addresses = addresses
        self.cookie: bytes | None = None
        self.tries = 0


def start(core: Core, service: ServicePolicy, path: NetworkPath, addresses: tuple[int, ...], now: float) -> IkeSa:
    """Begin an IKE SA as initiator. addresses: families of which to ask for an inner address."""
    sa = IkeSa(service, path, core.new_ike_spi(), True, now)
    core.ike_sas[sa.spi_local] = sa
    sa.nonce_i = core.random.octets(NONCE_OCTETS)
    core.count("setups-attempted.initiator")
    core.set_timer(sa, TimerKind.SETUP, now + service.template.ikesa.setup_timer_s)
    _send_request(core, sa, IkeSaInit(service.template.ike_suites[0].ke_method, addresses), now)
    return sa


def _send_request(core: Core, sa: IkeSa, task: IkeSaInit, now: float) -> None:
    task.tries += 1
    template = sa.service.template
    suite = next(s for s in template.ike_suites if s.ke_method == task.ke_method)
    sa.ke_key = algorithms.ike_suite(suite).ke.generate() if sa.ke_key is None else sa.ke_key
    payloads: list[Payload] = []
    if task.cookie is not None:
        payloads.append(NotifyPayload(NotifyType.COOKIE, task.cookie))
    payloads += [
        SaPayload(proposals.ike_proposals(template.ike_suites)),
        KePayload(task.ke_method, sa.ke_key.public),
        NoncePayload(sa.nonce_i),
    ]
    if template.natt is not None:
        payloads += nat_detection.payloads(sa.spi_local, ZERO_SPI, sa.path)
    if template.ikesa.fragmentation:
        payloads.append(_FRAGMENTATION)
    header = Header(sa.spi_local, ZERO_SPI, _IKE_SA_INIT, 0, True, False)
    sa.init_request = Message(header, tuple(payloads)).encode()
    sa.advance(IkeInput.SEND_INIT)
    sa.next_id = 0
    count_notifies(core, payloads, "notifies-out")
    launch(core, sa, task, (sa.init_request,), now)


def handle_response(core: Core, sa: IkeSa, task: IkeSaInit, message: Message, datagram: bytes, now: float) -> None:
    """Take the responder's answer: go on to IKE_AUTH, come back with what it wants, or give up."""
    if sa.peer_public or sa.in_flight is None:
        return
    cookie = message.notify(NotifyType.COOKIE)
    other = message.notify(NotifyType.INVALID_KE_PAYLOAD)
    if cookie is not None or other is not None:
        landed(core, sa)
        if task.tries >= _MAXIMUM_TRIES or not _adapt(sa, task, cookie, other):
            lifecycle.close(core, sa, "peer-notify")
            return
        _send_request(core, sa, task, now)
        return
    if message.errors():
        # Not protected, so it may be a lie; but a lie can stop an exchange that has no keys in many ways.
        lifecycle.close(
            core, sa, "no-proposal-chosen" if message.notify(NotifyType.NO_PROPOSAL_CHOSEN) else "peer-notify"
        )
        return
    try:
        _accept(sa, task, message)
    except (ProtocolError, KeError):
        lifecycle.close(core, sa, "invalid-syntax")
        return
    landed(core, sa)
    sa.init_response = datagram
    sa.fragmentation = sa.service.template.ikesa.fragmentation and _announces_fragmentation(message)
    sa.advance(IkeInput.INIT_ANSWERED)
    path = sa.path
    if sa.service.template.natt is not None:
        nat_detection.detect(sa, message, message.header.spi_r, path)
        if sa.nat_local or sa.nat_remote:
            sa.path = NetworkPath(path.local, 4500, path.remote, 4500)
    enqueue(core, sa, IkeAuth(task.addresses))


def _adapt(sa: IkeSa, task: IkeSaInit, cookie: NotifyPayload | None, other: NotifyPayload | None) -> bool:
    """Change the request as the responder wants; False when that is not acceptable."""
    if cookie is not None:
        if not 1 <= len(cookie.data) <= 64:
            return False
        task.cookie = cookie.data
    if other is not None:
        method = int.from_bytes(other.data, "big")
        if method == task.ke_method or all(suite.ke_method != method for suite in sa.service.template.ike_suites):
            return False
        task.ke_method = method
        sa.ke_key = None
    return True


def _accept(sa: IkeSa, task: IkeSaInit, message: Message) -> None:
    sa_payload, ke, nonce = message.first(SaPayload), message.first(KePayload), message.first(NoncePayload)
    if sa_payload is None or ke is None or nonce is None or message.header.spi_r == ZERO_SPI:
        raise InvalidSyntaxError("SA, KE, nonce or SPI is missing")
    try:
        chosen = proposals.accept_ike(sa_payload.proposals, sa.service.template.ike_suites)
    except proposals.NoProposalChosen as error:
        raise NoProposal(str(error)) from None
    if not ke.method == chosen.suite.ke_method == task.ke_method:
        raise InvalidSyntaxError("another key exchange method than agreed")
    sa.spi_remote = message.header.spi_r
    sa.nonce_r = nonce.nonce
    sa.peer_public = ke.key_data
    lifecycle.set_algorithms(sa, chosen.suite)
    derive_keys(sa)
