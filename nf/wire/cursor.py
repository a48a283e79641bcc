"""Reader and Writer over octets. Every length check of `nf.wire` is made here."""

from __future__ import annotations

import struct
from typing import Any

from nf.wire.errors import WireError

_ZEROS = bytes(256)


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


class Writer:
    """Builds octets. A number that does not fit its field is our own mistake: OverflowError or ValueError."""

    __slots__ = ("_buf",)

    def __init__(self) -> None:
        self._buf = bytearray()

    def __len__(self) -> int:
        return len(self._buf)

    def u8(self, value: int) -> None:
        """One octet."""
        self._buf.append(value)

    def u16(self, value: int) -> None:
        """Two octets, network order."""
        self._buf += value.to_bytes(2, "big")

    def u32(self, value: int) -> None:
        """Four octets, network order."""
        self._buf += value.to_bytes(4, "big")

    def number(self, value: int, octets: int) -> None:
        """An unsigned number in `octets` octets, network order."""
        self._buf += value.to_bytes(octets, "big")

    def put(self, octets: bytes) -> None:
        """Octets as they are."""
        self._buf += octets

    def zeros(self, n: int) -> None:
        """`n` zero octets, for RESERVED fields."""
        self._buf += _ZEROS[:n] if n <= len(_ZEROS) else bytes(n)

    def set_u8(self, position: int, value: int) -> None:
        """Overwrite one octet written before."""
        self._buf[position] = value

    def set_u16(self, position: int, value: int) -> None:
        """Overwrite two octets written before: a length known only at the end."""
        self._buf[position : position + 2] = value.to_bytes(2, "big")

    def set_u32(self, position: int, value: int) -> None:
        """Overwrite four octets written before."""
        self._buf[position : position + 4] = value.to_bytes(4, "big")

    def getvalue(self) -> bytes:
        """Everything written."""
        return bytes(self._buf)
