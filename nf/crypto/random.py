"""Where nonces, SPIs, cookies and IVs come from: injected, so that tests can seed it."""

from __future__ import annotations

from typing import Protocol


class Random(Protocol):
    """A cryptographic random source. Key exchange private keys are not from here: the crypto library makes them."""

    def octets(self, n: int) -> bytes:
        """`n` unpredictable octets."""
