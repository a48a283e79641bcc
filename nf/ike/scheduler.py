"""Requests of ours, one at a time, and the cache of our last response (RFC 7296 sections 2.1 to 2.4).

A task is one exchange that we begin. Tasks wait in the queue of their IKE SA; the window is 1. A request of the peer
that comes again, octet for octet, gets the cached response; anything else with that Message ID is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from nf.ike import fragments
from nf.ike.actions import SendDatagram
from nf.ike.core import NOTIFY_LABELS, Core
from nf.ike.ike_sa import IkeSa
from nf.ike.inputs import NetworkPath
from nf.ike.retransmit import RetransmitPlan
from nf.ike.states import IkeState
from nf.ike.timers import TimerKind
from nf.wire import sk, skf
from nf.wire.iana import ExchangeType, NotifyType
from nf.wire.message import Header, Message
from nf.wire.payloads import NotifyPayload, Payload

MAXIMUM_MESSAGE_ID = 0xFFFFFFFF

EXCHANGE_LABELS = {
    int(ExchangeType.IKE_SA_INIT): "ike-sa-init",
    int(ExchangeType.IKE_AUTH): "ike-auth",
    int(ExchangeType.CREATE_CHILD_SA): "create-child-sa",
    int(ExchangeType.INFORMATIONAL): "informational",
}

_NOTIFY_NAMES = {int(kind): NOTIFY_LABELS.get(kind.name, "other") for kind in NotifyType}


class Task:
    """One exchange that we begin. Tasks are synchronous; what they learn they put into the SAs."""

    __slots__ = ()

    exchange: ExchangeType = ExchangeType.INFORMATIONAL
    touches_children = False
    """Whether it makes, rekeys or deletes Child SAs.

    Such a one refuses the peer's rekey of the IKE SA (section 2.25.2).
    """

    def build_request(self, core: Core, sa: IkeSa, now: float) -> tuple[Payload, ...] | None:
        """The payloads of the request; None when there is nothing left to do."""
        raise NotImplementedError

    def handle_response(self, core: Core, sa: IkeSa, response: Message, now: float) -> None:
        """Take the response, error Notifies included."""
        raise NotImplementedError

    def abandon(self, core: Core, sa: IkeSa) -> None:
        """The IKE SA ends first: give back what build_request reserved."""

    def rival(self) -> IkeSa | None:
        """For a rekey of the IKE SA: what the peer's simultaneous rekey made."""
        return None

    def plan(self, sa: IkeSa) -> RetransmitPlan:
        """When to send again; the template's rule unless the task has its own."""
        parameters = sa.service.template.ikesa
        return RetransmitPlan(parameters.retransmission_timeout_ms / 1000, parameters.max_retransmissions)


@dataclass(slots=True)
class InFlight:
    """The request that waits for its response. datagrams: it, or all its fragments."""

    task: Task
    message_id: int
    datagrams: tuple[bytes, ...]
    plan: RetransmitPlan
    repetitions: int = 0


def count_notifies(core: Core, payloads: Sequence[Payload], direction: str) -> None:
    """Count Notify payloads; direction is notifies-in or notifies-out."""
    for payload in payloads:
        if isinstance(payload, NotifyPayload):
            core.count(f"{direction}.{_NOTIFY_NAMES.get(payload.notify_type, 'other')}")


def digest(datagram: bytes) -> bytes:
    """What is kept of a request to know it again."""
    return blake2b(datagram, digest_size=16).digest()


def header_for(sa: IkeSa, exchange: int, message_id: int, *, response: bool) -> Header:
    """The header of a message that we send on this IKE SA."""
    return Header(sa.spi_i, sa.spi_r, exchange, message_id, sa.original_initiator, response)


def seal(core: Core, sa: IkeSa, header: Header, payloads: tuple[Payload, ...], path: NetworkPath) -> tuple[bytes, ...]:
    """A protected message on this IKE SA: a datagram, or fragments where it is too large for one on this path."""
    cipher = sa.cipher_out
    if cipher is None:
        raise RuntimeError("no keys yet")
    whole = sk.seal(header, payloads, cipher, core.random.octets(cipher.iv_octets))
    limit = fragments.sending_limit(sa, path)
    if not sa.fragmentation or len(whole) <= limit:
        return (whole,)
    core.count("fragmented-out")
    return skf.seal(header, payloads, cipher, limit, core.random.octets)


def enqueue(core: Core, sa: IkeSa, task: Task, *, first: bool = False) -> None:
    """Add a task; `pump` starts it when its turn comes."""
    if sa.state is IkeState.CLOSED:
        return
    if first:
        sa.queue.appendleft(task)
    else:
        sa.queue.append(task)
    core.wake(sa)


def pump(core: Core, sa: IkeSa, now: float) -> None:
    """Send the next request if none is under way."""
    while sa.in_flight is None and sa.queue and sa.state is not IkeState.CLOSED:
        task = sa.queue.popleft()
        payloads = task.build_request(core, sa, now)
        if payloads is None:
            continue
        datagrams = seal(core, sa, header_for(sa, task.exchange, sa.next_id, response=False), payloads, sa.path)
        count_notifies(core, payloads, "notifies-out")
        launch(core, sa, task, datagrams, now)


def launch(core: Core, sa: IkeSa, task: Task, datagrams: tuple[bytes, ...], now: float) -> None:
    """Send a request, or all its fragments, and watch for its response."""
    plan = task.plan(sa)
    sa.in_flight = InFlight(task, sa.next_id, datagrams, plan)
    core.count(f"requests-out.{EXCHANGE_LABELS[task.exchange]}")
    send_all(core, sa.path, datagrams)
    core.set_timer(sa, TimerKind.RETRANSMIT, now + (plan.wait(0) or 0.0))


def landed(core: Core, sa: IkeSa) -> None:
    """The response is here: the window is free again."""
    core.timers.cancel(sa, TimerKind.RETRANSMIT)
    sa.in_flight = None
    fragments.settled(core, sa, True)
    sa.next_id += 1
    core.wake(sa)


def retransmit(core: Core, sa: IkeSa, now: float) -> bool:
    """The retransmission timer fired. False when the peer has been asked often enough."""
    flight = sa.in_flight
    if flight is None:
        return True
    flight.repetitions += 1
    wait = flight.plan.wait(flight.repetitions)
    if wait is None:
        return False
    core.count("retransmits.request")
    send_all(core, sa.path, flight.datagrams)
    core.set_timer(sa, TimerKind.RETRANSMIT, now + wait)
    return True


def reply(
    core: Core, sa: IkeSa, request: bytes, header: Header, payloads: tuple[Payload, ...], path: NetworkPath
) -> None:
    """Send a protected response, keep it for a repeated request, and expect the next Message ID."""
    answer = seal(core, sa, header_for(sa, header.exchange, header.message_id, response=True), payloads, path)
    count_notifies(core, payloads, "notifies-out")
    sa.reply = answer
    sa.reply_digest = digest(request)
    sa.expected_id = header.message_id + 1
    fragments.settled(core, sa, False)
    core.count(f"responses-out.{EXCHANGE_LABELS.get(header.exchange, 'informational')}")
    send_all(core, path, answer)


def send_all(core: Core, path: NetworkPath, datagrams: tuple[bytes, ...]) -> None:
    """Queue a message: a datagram, or all its fragments, in their order."""
    if len(datagrams) > 1:
        core.count("fragments-out", len(datagrams))
    for datagram in datagrams:
        send(core, path, datagram)


def send(core: Core, path: NetworkPath, datagram: bytes) -> None:
    """Queue a datagram."""
    core.counters["datagrams-out"] += 1
    core.actions.append(SendDatagram(path, datagram))
