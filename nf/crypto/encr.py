"""Encryption algorithms as sizes: what IKE and the Child SA key derivation need to know of them."""

from __future__ import annotations

from dataclasses import dataclass

from nf.wire.iana import Encr


@dataclass(frozen=True, slots=True)
class EncrSpec:
    """One encryption transform with one key size.

    key_bits: the Key Length attribute, 0 where the transform has none.
    key_octets: drawn from KEYMAT, the salt included. icv_octets: of a combined mode, 0 otherwise.
    ike: whether it can protect the IKE SA; all can be in an ESP suite.
    """

    encr_id: Encr
    key_bits: int
    key_octets: int
    salt_octets: int
    iv_octets: int
    block_octets: int
    icv_octets: int
    ike: bool

    @property
    def combined(self) -> bool:
        """Whether it authenticates too, so that no integrity transform goes with it."""
        return self.icv_octets > 0
