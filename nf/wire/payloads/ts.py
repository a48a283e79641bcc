"""Traffic Selector payloads (RFC 7296 section 3.13)."""

from __future__ import annotations

import struct
from typing import ClassVar, Self

from msgspec import Struct

from nf.wire.cursor import Reader, head
from nf.wire.errors import WireError
from nf.wire.iana import PayloadType, TsType
from nf.wire.limits import DEFAULT_LIMITS, Limits

_HEAD = struct.Struct(">B3x")
_SELECTOR = struct.Struct(">BBH")
_PORTS = struct.Struct(">HH")
_ADDRESS_OCTETS = {int(TsType.IPV4_ADDR_RANGE): 4, int(TsType.IPV6_ADDR_RANGE): 16}


class TrafficSelector(Struct, frozen=True, gc=False):
    """An address range with ports and protocol, as it was sent: ends are inclusive, and may be in the wrong order.

    ts_type: IPV4_ADDR_RANGE or IPV6_ADDR_RANGE, which gives the width of the addresses; protocol: 0 is any.
    first_port 65535 with last_port 0 is OPAQUE (section 3.13.1).
    """

    ts_type: int
    protocol: int
    first_port: int
    last_port: int
    first_address: int
    last_address: int


class UnknownSelector(Struct, frozen=True, gc=False):
    """A selector of a type that we do not know: it matches nothing. second is the octet after the type."""

    ts_type: int
    second: int
    data: bytes


class TsPayload(Struct, frozen=True, gc=False):
    """Traffic selectors of one end, in the order sent; those of unknown type are kept apart and encoded last."""

    selectors: tuple[TrafficSelector, ...]
    unknown: tuple[UnknownSelector, ...] = ()

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> Self:
        """Raise WireError when count and lengths disagree, on no selector, and past the limit."""
        (count,) = head(_HEAD, body, "TS")
        if not 1 <= count <= limits.selectors:
            raise WireError("TS", f"{count} selectors")
        r = Reader(body, "TS", _HEAD.size)
        known: list[TrafficSelector] = []
        unknown: list[UnknownSelector] = []
        for _ in range(count):
            ts_type, second, length = r.fields(_SELECTOR)
            data = r.take(length - _SELECTOR.size)
            octets = _ADDRESS_OCTETS.get(ts_type)
            if octets is None:
                unknown.append(UnknownSelector(ts_type, second, data))
                continue
            if len(data) != _PORTS.size + 2 * octets:
                raise WireError("TS", f"selector of type {ts_type} with length {length}")
            first_port, last_port = _PORTS.unpack_from(data)
            first = int.from_bytes(data[4 : 4 + octets], "big")
            last = int.from_bytes(data[4 + octets :], "big")
            known.append(TrafficSelector(ts_type, second, first_port, last_port, first, last))
        r.expect_end()
        return cls(tuple(known), tuple(unknown))

    def encode(self) -> bytes:
        """The payload body. Raise WireError for a selector of unknown type among the known."""
        parts = [_HEAD.pack(len(self.selectors) + len(self.unknown))]
        for s in self.selectors:
            octets = _ADDRESS_OCTETS.get(s.ts_type)
            if octets is None:
                raise WireError("TS", f"no address width for type {s.ts_type}")
            parts.append(_SELECTOR.pack(s.ts_type, s.protocol, 8 + 2 * octets))
            parts.append(_PORTS.pack(s.first_port, s.last_port))
            parts.append(s.first_address.to_bytes(octets, "big"))
            parts.append(s.last_address.to_bytes(octets, "big"))
        for u in self.unknown:
            parts.append(_SELECTOR.pack(u.ts_type, u.second, _SELECTOR.size + len(u.data)))
            parts.append(u.data)
        return b"".join(parts)


class TsiPayload(TsPayload, frozen=True, gc=False):
    """TSi: the side of this exchange's initiator."""

    payload_type: ClassVar[PayloadType] = PayloadType.TSI


class TsrPayload(TsPayload, frozen=True, gc=False):
    """TSr: the side of this exchange's responder."""

    payload_type: ClassVar[PayloadType] = PayloadType.TSR
