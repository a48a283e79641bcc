"""Traffic Selector payloads (RFC 7296 section 3.13)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from nf.wire.cursor import Reader, Writer
from nf.wire.errors import WireError
from nf.wire.iana import PayloadType, TsType
from nf.wire.limits import DEFAULT_LIMITS, Limits

_ADDRESS_OCTETS = {int(TsType.IPV4_ADDR_RANGE): 4, int(TsType.IPV6_ADDR_RANGE): 16}


@dataclass(frozen=True, slots=True)
class TrafficSelector:
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


@dataclass(frozen=True, slots=True)
class UnknownSelector:
    """A selector of a type that we do not know: it matches nothing. second is the octet after the type."""

    ts_type: int
    second: int
    data: bytes


@dataclass(frozen=True, slots=True)
class TsPayload:
    """Traffic selectors of one end, in the order sent; those of unknown type are kept apart and encoded last."""

    selectors: tuple[TrafficSelector, ...]
    unknown: tuple[UnknownSelector, ...] = ()

    @classmethod
    def decode(cls, body: bytes, limits: Limits = DEFAULT_LIMITS) -> Self:
        """Raise WireError when count and lengths disagree, on no selector, and past the limit."""
        r = Reader(body, "TS")
        count = r.u8()
        r.skip(3)
        if not 1 <= count <= limits.selectors:
            raise WireError("TS", f"{count} selectors")
        known: list[TrafficSelector] = []
        unknown: list[UnknownSelector] = []
        for _ in range(count):
            ts_type = r.u8()
            second = r.u8()
            s = r.sub(r.u16() - 4, "TS selector")
            address_octets = _ADDRESS_OCTETS.get(ts_type)
            if address_octets is None:
                unknown.append(UnknownSelector(ts_type, second, s.rest()))
                continue
            known.append(
                TrafficSelector(ts_type, second, s.u16(), s.u16(), s.number(address_octets), s.number(address_octets))
            )
            s.expect_end()
        r.expect_end()
        return cls(tuple(known), tuple(unknown))

    def encode(self, w: Writer) -> None:
        """Append the payload body. Raise WireError for a selector of unknown type among the known."""
        w.u8(len(self.selectors) + len(self.unknown))
        w.zeros(3)
        for s in self.selectors:
            address_octets = _ADDRESS_OCTETS.get(s.ts_type)
            if address_octets is None:
                raise WireError("TS", f"no address width for type {s.ts_type}")
            w.u8(s.ts_type)
            w.u8(s.protocol)
            w.u16(8 + 2 * address_octets)
            w.u16(s.first_port)
            w.u16(s.last_port)
            w.number(s.first_address, address_octets)
            w.number(s.last_address, address_octets)
        for u in self.unknown:
            w.u8(u.ts_type)
            w.u8(u.second)
            w.u16(4 + len(u.data))
            w.put(u.data)


@dataclass(frozen=True, slots=True)
class TsiPayload(TsPayload):
    """TSi: the side of this exchange's initiator."""

    payload_type: ClassVar[PayloadType] = PayloadType.TSI


@dataclass(frozen=True, slots=True)
class TsrPayload(TsPayload):
    """TSr: the side of this exchange's responder."""

    payload_type: ClassVar[PayloadType] = PayloadType.TSR
