"""Reading octets: the length checks of `nf.wire` are here, and in decoders whose whole body has one right size."""

from __future__ import annotations

import struct
from typing import Any

from nf.wire.errors import WireError

_GENERIC = struct.Struct(">BBH")


class Reader:
    """Takes values from the front of `data[start:end]`; raises WireError(where, ...) when there are too few octets."""

    __slots__ = ("_data", "_end", "_pos", "where")

    def __init__(self, data: bytes, where: str, start: int = 0, end: int | None = None) -> None:
        """where: names the structure in errors. Raise WireError when start and end are not inside `data`."""
        size = len(data)
        if end is None:
            end = size
        if not 0 <= start <= end <= size:
            raise WireError(where, "bounds outside the datagram")
        self._data = data
        self._pos = start
        self._end = end
        self.where = where

    @property
    def position(self) -> int:
        """Offset in the data of the next octet."""
        return self._pos

    @property
    def remaining(self) -> int:
        """Octets left."""
        return self._end - self._pos

    def _advance(self, n: int) -> int:
        pos = self._pos
        if n < 0 or n > self._end - pos:
            raise WireError(self.where, f"truncated: {n} octets wanted, {self._end - pos} left")
        self._pos = pos + n
        return pos

    def u8(self) -> int:
        """One octet."""
        return self._data[self._advance(1)]

    def u16(self) -> int:
        """Two octets, network order."""
        pos = self._advance(2)
        return self._data[pos] << 8 | self._data[pos + 1]

    def u32(self) -> int:
        """Four octets, network order."""
        pos = self._advance(4)
        return int.from_bytes(self._data[pos : pos + 4], "big")

    def number(self, octets: int) -> int:
        """An unsigned number of `octets` octets, network order."""
        pos = self._advance(octets)
        return int.from_bytes(self._data[pos : pos + octets], "big")

    def fields(self, layout: struct.Struct) -> tuple[Any, ...]:
        """The values of a fixed layout at once: several times faster than one by one."""
        return layout.unpack_from(self._data, self._advance(layout.size))

    def take(self, n: int) -> bytes:
        """The next `n` octets."""
        pos = self._advance(n)
        return self._data[pos : pos + n]

    def skip(self, n: int) -> None:
        """Pass over `n` octets."""
        self._advance(n)

    def rest(self) -> bytes:
        """All octets left."""
        return self.take(self._end - self._pos)

    def sub(self, n: int, where: str) -> Reader:
        """A reader over the next `n` octets, which this one passes over."""
        pos = self._advance(n)
        return Reader(self._data, where, pos, pos + n)

    def expect_end(self) -> None:
        """Raise WireError when octets are left."""
        if self._pos != self._end:
            raise WireError(self.where, f"{self._end - self._pos} octets too many")


def head(layout: struct.Struct, body: bytes, where: str) -> tuple[Any, ...]:
    """The fixed fields at the front of `body`. Raise WireError when it is shorter than they are."""
    if len(body) < layout.size:
        raise WireError(where, f"{len(body)} octets, {layout.size} wanted")
    return layout.unpack_from(body)


def chain(data: bytes, start: int, payload_type: int, last: int, most: int) -> tuple[list[tuple[int, int, bytes]], int]:
    """The payloads of `data[start:]` as (type, flags, body), by their generic headers (RFC 7296 section 3.2).

    payload_type: of the first. last: the type that ends the chain whatever its Next Payload says.
    Returns them with the Next Payload of the last one. Raise WireError when lengths are wrong, octets are left, or
    there are more than `most`. Not written with a Reader, as this is the hottest loop of all.
    """
    payloads: list[tuple[int, int, bytes]] = []
    end = len(data)
    at = start
    current = 0
    while payload_type and current != last:
        if len(payloads) == most:
            raise WireError("payload chain", f"more than {most} payloads")
        current = payload_type
        if end - at < _GENERIC.size:
            raise WireError("payload chain", "truncated header")
        payload_type, flags, length = _GENERIC.unpack_from(data, at)
        if not _GENERIC.size <= length <= end - at:
            raise WireError("payload chain", f"payload {current} of length {length}, {end - at} octets left")
        payloads.append((current, flags, data[at + _GENERIC.size : at + length]))
        at += length
    if at != end:
        raise WireError("payload chain", f"{end - at} octets too many")
    return payloads, payload_type
