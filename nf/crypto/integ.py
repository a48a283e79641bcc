"""Integrity algorithms: truncated HMACs (RFC 2404, RFC 4868)."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import HashAlgorithm
from cryptography.hazmat.primitives.hmac import HMAC

from nf.wire.iana import IntegId


@dataclass(frozen=True, slots=True)
class Integ:
    """key_octets: the fixed key size; icv_octets: the truncated MAC."""

    integ_id: IntegId
    algorithm: HashAlgorithm
    key_octets: int
    icv_octets: int

    def mac(self, key: bytes, data: bytes) -> bytes:
        """The truncated MAC. Compare it with `hmac.compare_digest` only."""
        mac = HMAC(key, self.algorithm)
        mac.update(data)
        return mac.finalize()[: self.icv_octets]
