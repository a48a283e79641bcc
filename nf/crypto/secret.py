"""Secret: octets that do not show themselves."""

from __future__ import annotations

import hmac
from typing import Final


class Secret:
    """Octets that are redacted in repr and str, compare in constant time, and do not hash or pickle.

    `octets` is the one way to the value: grep for it to see who reads secrets.
    """

    __slots__ = ("octets",)
    __hash__ = None  # type: ignore[assignment]  # a hash table would compare and keep secrets by value

    octets: Final[bytes]  # type: ignore[misc]

    def __init__(self, octets: bytes) -> None:
        object.__setattr__(self, "octets", bytes(octets))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("Secret is immutable")

    def __len__(self) -> int:
        return len(self.octets)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.octets, other.octets)

    def __repr__(self) -> str:
        return "Secret(<redacted>)"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled; send its octets on purpose or not at all")
