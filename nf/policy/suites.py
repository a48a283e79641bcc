"""Negotiated algorithms as values: what one IKE SA or one Child SA uses. Numbers are IANA transform IDs."""

from __future__ import annotations

from typing import NamedTuple


class IkeAlgorithms(NamedTuple):
    """Algorithms of an IKE SA. integ is 0 with a combined-mode cipher.

    Key_bits is 0 where the cipher has one key size.
    """

    encr: int
    key_bits: int
    prf: int
    integ: int
    ke_method: int


class EspAlgorithms(NamedTuple):
    """Algorithms of a Child SA. integ is 0 with a combined-mode cipher; ke_method is 0 without PFS.

    In policy, esn True means that either is accepted and ESN preferred (ESN-11); in a negotiated suite it is what was
    chosen.
    """

    encr: int
    key_bits: int
    integ: int
    ke_method: int
    esn: bool
