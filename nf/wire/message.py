"""IKE header and payload chain (RFC 7296 sections 3.1 and 3.2), with the critical-bit rule of section 2.5.

A datagram is read in steps, each as late as possible: `Header.decode` for demultiplexing, then `Message.decode` for a
message in clear, or `nf.wire.sk.open` for one that is sealed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final, TypeVar

from nf.wire.cursor import chain, head
from nf.wire.errors import InvalidMajorVersion, UnsupportedCriticalPayload, WireError
from nf.wire.iana import PayloadType
from nf.wire.limits import DEFAULT_LIMITS, Limits
from nf.wire.payloads import DECODERS, NotifyPayload, Payload, SkPayload, UnknownPayload

HEADER_OCTETS: Final = 28
GENERIC_HEADER_OCTETS: Final = 4
ZERO_SPI: Final = bytes(8)

_HEADER = struct.Struct(">8s8sBBBBII")
_GENERIC = struct.Struct(">BBH")
_ORIGINAL_INITIATOR = 0x08
_HIGHER_VERSION = 0x10
_RESPONSE = 0x20
_CRITICAL = 0x80
_SK = int(PayloadType.SK)

P = TypeVar("P", bound=Payload)


@dataclass(frozen=True, slots=True)
class Header:
    """The IKE header (RFC 7296 section 3.1).

    spi_i, spi_r: 8 octets each. exchange: an ExchangeType or any other number.
    original_initiator: the I flag: the sender began the IKE SA. response: the R flag, of this exchange.
    higher_version: the V flag. next_payload and length are what was received; encoding works them out anew.
    """

    spi_i: bytes
    spi_r: bytes
    exchange: int
    message_id: int
    original_initiator: bool
    response: bool
    higher_version: bool = False
    major: int = 2
    minor: int = 0
    next_payload: int = field(default=0, compare=False)
    length: int = field(default=0, compare=False)

    @classmethod
    def decode(cls, datagram: bytes, limits: Limits = DEFAULT_LIMITS) -> Header:
        """The header alone; the rest of the datagram is only measured.

        Raise WireError when the datagram is under 28 octets, over the limit, or not as long as its Length says.
        Any version is accepted here, so that the caller can answer INVALID_MAJOR_VERSION or pass version 1 on.
        """
        size = len(datagram)
        if size > limits.datagram_octets:
            raise WireError("IKE header", f"datagram of {size} octets")
        spi_i, spi_r, next_payload, version, exchange, flags, message_id, length = head(_HEADER, datagram, "IKE header")
        if length != size:
            raise WireError("IKE header", f"length {length} in a datagram of {size} octets")
        return cls(
            spi_i,
            spi_r,
            exchange,
            message_id,
            flags & _ORIGINAL_INITIATOR != 0,
            flags & _RESPONSE != 0,
            flags & _HIGHER_VERSION != 0,
            version >> 4,
            version & 15,
            next_payload,
            length,
        )

    def encode(self, next_payload: int, length: int) -> bytes:
        """The 28 octets with these two fields."""
        if len(self.spi_i) != 8 or len(self.spi_r) != 8:
            raise ValueError("an IKE SPI has 8 octets")  # struct would pad or cut it without a word
        flags = (
            (_ORIGINAL_INITIATOR if self.original_initiator else 0)
            | (_RESPONSE if self.response else 0)
            | (_HIGHER_VERSION if self.higher_version else 0)
        )
        version = self.major << 4 | self.minor
        return _HEADER.pack(
            self.spi_i, self.spi_r, next_payload, version, self.exchange, flags, self.message_id, length
        )


@dataclass(frozen=True, slots=True)
class Message:
    """A header with its payloads, in order. protected: they came out of an Encrypted payload that verified."""

    header: Header
    payloads: tuple[Payload, ...]
    protected: bool = False

    @classmethod
    def decode(cls, datagram: bytes, header: Header | None = None, limits: Limits = DEFAULT_LIMITS) -> Message:
        """A message in clear; a sealed one gives its SkPayload, unopened, as last payload.

        header: what `Header.decode` gave for this very datagram, to save decoding it again.
        Raise WireError; UnsupportedCriticalPayload and InvalidMajorVersion carry their own Notify.
        """
        if header is None:
            header = Header.decode(datagram, limits)
        if header.major != 2:
            raise InvalidMajorVersion(header.major)
        return cls(header, decode_chain(datagram, HEADER_OCTETS, header.next_payload, limits))

    def encode(self) -> bytes:
        """The datagram, in clear. `nf.wire.sk.seal` encodes a protected one."""
        chain_octets = encode_chain(self.payloads)
        return self.header.encode(first_type(self.payloads), HEADER_OCTETS + len(chain_octets)) + chain_octets

    def first(self, kind: type[P]) -> P | None:
        """The first payload of a class, or None."""
        for payload in self.payloads:
            if isinstance(payload, kind):
                return payload
        return None

    def all(self, kind: type[P]) -> tuple[P, ...]:
        """Every payload of a class, in order."""
        return tuple(payload for payload in self.payloads if isinstance(payload, kind))

    def notify(self, notify_type: int) -> NotifyPayload | None:
        """The first Notify payload of a type, or None."""
        for payload in self.payloads:
            if isinstance(payload, NotifyPayload) and payload.notify_type == notify_type:
                return payload
        return None

    def notifies(self, notify_type: int) -> tuple[NotifyPayload, ...]:
        """Every Notify payload of a type, in order."""
        return tuple(n for n in self.all(NotifyPayload) if n.notify_type == notify_type)

    def errors(self) -> tuple[NotifyPayload, ...]:
        """Every Notify payload of an error type, unknown ones included."""
        return tuple(n for n in self.all(NotifyPayload) if n.is_error)


def first_type(payloads: tuple[Payload, ...]) -> int:
    """What the Next Payload field before these payloads says."""
    return int(payloads[0].payload_type) if payloads else 0


def decode_chain(data: bytes, start: int, next_payload: int, limits: Limits = DEFAULT_LIMITS) -> tuple[Payload, ...]:
    """The payloads in `data[start:]`, the first of type `next_payload`; an Encrypted payload ends the chain.

    Raise WireError when lengths or count are wrong or octets are left, UnsupportedCriticalPayload for an unknown
    critical type.
    """
    raw, next_payload = chain(data, start, next_payload, _SK, limits.payloads)
    payloads: list[Payload] = []
    for payload_type, flags, body in raw:
        decode = DECODERS.get(payload_type)
        if decode is not None:  # the critical bit of a known type says nothing (section 2.5)
            payloads.append(decode(body, limits))
        elif payload_type == _SK:
            payloads.append(SkPayload(next_payload, body))
        elif flags & _CRITICAL:
            raise UnsupportedCriticalPayload(payload_type)
        else:
            payloads.append(UnknownPayload(payload_type, body))
    return tuple(payloads)


def encode_chain(payloads: tuple[Payload, ...]) -> bytes:
    """Payloads with their generic headers; the critical bit is 0, as all types we send are of RFC 7296.

    An SkPayload must be the last: its Next Payload field names what is inside.
    """
    parts: list[bytes] = []
    next_payload = 0
    for payload in reversed(payloads):
        body = payload.encode()
        if isinstance(payload, SkPayload):
            next_payload = payload.first_inner
        parts.append(body)
        parts.append(_GENERIC.pack(next_payload, 0, GENERIC_HEADER_OCTETS + len(body)))
        next_payload = payload.payload_type
    parts.reverse()
    return b"".join(parts)
