"""Caps on what one datagram may make us hold, so that no message costs memory out of proportion."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Largest accepted counts; one more is a WireError. The defaults are several times what known peers send."""

    datagram_octets: int = 65535
    payloads: int = 64
    proposals: int = 32
    transforms: int = 64
    """In one proposal."""
    attributes: int = 4
    """In one transform."""
    selectors: int = 64
    """In one Traffic Selector payload; the field allows 255."""
    spis: int = 256
    """In one Delete payload."""
    cp_attributes: int = 64


DEFAULT_LIMITS = Limits()
