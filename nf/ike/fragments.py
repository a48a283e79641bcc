"""Putting received fragments together, and how large those may be that we send (RFC 7383 sections 2.5 and 2.6).

An IKE SA puts together one request and one response at a time, as its window is 1. Nothing is held that was not
verified (FRG-17), and never more than 255 pieces and 10,000 octets of a message, for 10 seconds at most.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from nf.ike.core import Core
from nf.ike.ike_sa import IkeSa
from nf.ike.inputs import NetworkPath
from nf.ike.timers import TimerKind
from nf.wire import sk, skf
from nf.wire.message import Header, Message
from nf.wire.payloads import SkfPayload

TIMER_S: Final = 10.0
"""From the first piece of a set on (FRG-12)."""
MAXIMUM_OCTETS: Final = 10_000
"""Of the payloads of a message that is put together (FRG-16)."""
MAXIMUM_FRAGMENT_IPV4: Final = 1932
MAXIMUM_FRAGMENT_IPV6: Final = 1912
"""Octets of a fragment, from its IKE header on (FRG-15)."""
NON_ESP_MARKER_OCTETS: Final = 4


@dataclass(slots=True)
class Pieces:
    """What has come of one message. octets: of their contents together."""

    header: Header
    total: int
    until: float
    contents: dict[int, bytes] = field(default_factory=dict)
    octets: int = 0
    first_inner: int = 0
    first: bytes = b""


@dataclass(frozen=True, slots=True)
class Whole:
    """A message put together. first: the datagram of its first fragment, by which it is known when it is repeated."""

    first: bytes
    first_inner: int
    content: bytes = field(repr=False)

    def message(self, header: Header) -> Message:
        """Raises InvalidSyntax or UnsupportedCriticalPayload."""
        return sk.message(header, self.first_inner, self.content)


def sending_limit(sa: IkeSa, path: NetworkPath) -> int:
    """Octets of the largest message that goes out in one piece, from the IKE header on (FRG-07, FRG-10, FRG-11).

    The non-ESP marker counts: the payload of the UDP datagram is what the configured size is about.
    """
    template = sa.service.template
    octets = template.ipv6_ikev2_mtu if ":" in path.remote else template.ip_ikev2_mtu
    return octets - NON_ESP_MARKER_OCTETS if path.local_port == 4500 else octets


def gather(core: Core, sa: IkeSa, datagram: bytes, header: Header, path: NetworkPath, now: float) -> Whole | None:
    """Take a fragment of the message that is due: the whole, when this was the last that was missing.

    A fragment that has no place is dropped and counted here. Raises WireError for one that is malformed or does not
    verify.
    """
    payload = skf.peek(datagram, header)
    pieces = sa.pieces.get(header.response)
    if pieces is not None and pieces.header.exchange != header.exchange:
        pieces = None  # another request with this Message ID; which one the peer means its ICV will say
    refused = _refusal(sa, datagram, payload, pieces, path)
    if refused is not None:
        _drop(core, refused)
        return None
    if sa.cipher_in is None:
        raise RuntimeError("no keys yet")
    fragment = skf.open(datagram, header, sa.cipher_in)
    if pieces is None or fragment.total > pieces.total:
        forget(core, sa, header.response, "replaced")  # the peer has cut it smaller (section 2.6)
        pieces = sa.pieces[header.response] = Pieces(header, fragment.total, now + TIMER_S)
        _arm(core, sa)
    if pieces.octets + len(fragment.content) > MAXIMUM_OCTETS:
        _drop(core, "message-too-big")
        forget(core, sa, header.response, "message-too-big")
        return None
    pieces.contents[fragment.number] = fragment.content
    pieces.octets += len(fragment.content)
    if fragment.number == 1:
        pieces.first, pieces.first_inner = datagram, fragment.first_inner
    if len(pieces.contents) < pieces.total:
        return None
    core.count("fragmented-in")
    settled(core, sa, header.response)
    content = b"".join(pieces.contents[number] for number in range(1, pieces.total + 1))
    return Whole(pieces.first, pieces.first_inner, content)


def _refusal(sa: IkeSa, datagram: bytes, payload: SkfPayload, pieces: Pieces | None, path: NetworkPath) -> str | None:
    """Why a fragment is dropped before any work is put into it; None to go on."""
    if not sa.fragmentation:
        return "not-negotiated"  # FRG-02, FRG-03
    if len(datagram) > (MAXIMUM_FRAGMENT_IPV6 if ":" in path.remote else MAXIMUM_FRAGMENT_IPV4):
        return "too-big"
    if payload.total > skf.MAXIMUM_FRAGMENTS:
        return "too-many"
    if pieces is not None:
        if payload.total < pieces.total:
            return "replaced"
        if payload.total == pieces.total and payload.number in pieces.contents:
            return "duplicate"  # FRG-13
    return None


def repeats(sa: IkeSa, datagram: bytes, header: Header) -> bool:
    """Whether this is the peer's first fragment of the request that was answered last, cut otherwise than before.

    Only the first one asks for the response again (RFC 7383 section 2.6.1). Raises WireError for what does not verify.
    """
    if sa.cipher_in is None or not sa.fragmentation or not skf.is_fragment(header):
        return False
    return skf.peek(datagram, header).number == 1 and skf.open(datagram, header, sa.cipher_in).number == 1


def settled(core: Core, sa: IkeSa, response: bool) -> None:
    """The message is here, whole or put together: nothing more of it is held."""
    sa.pieces.pop(response, None)
    _arm(core, sa)


def forget(core: Core, sa: IkeSa, response: bool, why: str) -> None:
    """Drop what is held of a message."""
    pieces = sa.pieces.pop(response, None)
    if pieces is not None:
        core.count(f"fragments-dropped.{why}", len(pieces.contents))
        _arm(core, sa)


def expire(core: Core, sa: IkeSa, now: float) -> None:
    """The timer fired: what has waited for its rest for too long is dropped."""
    for response, pieces in tuple(sa.pieces.items()):
        if pieces.until <= now:
            forget(core, sa, response, "timeout")
    _arm(core, sa)


def _arm(core: Core, sa: IkeSa) -> None:
    if sa.pieces:
        core.set_timer(sa, TimerKind.REASSEMBLY, min(pieces.until for pieces in sa.pieces.values()))
    else:
        core.timers.cancel(sa, TimerKind.REASSEMBLY)


def _drop(core: Core, why: str) -> None:
    core.count("dropped.fragment")
    core.count(f"fragments-dropped.{why}")
