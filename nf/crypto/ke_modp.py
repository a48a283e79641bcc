"""MODP groups 14, 15 and 16 (RFC 3526).

Exponents are the crypto library's own: for these groups OpenSSL draws 225, 275 and 325 bits, twice the strength of the
group, as RFC 7919 section 5.2 and RFC 3526 section 8 allow. With them group 14 costs 0.33 ms for each half. A longer
exponent of our own would pass through Python numbers, which are not constant-time and stay in memory.

The library (version 50) warns that finite-field Diffie-Hellman will leave it. Nothing outside this file knows where the
arithmetic is done, so it can move into the Rust extension.
"""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import dh
from cryptography.utils import CryptographyDeprecationWarning

from nf.crypto.errors import KeError
from nf.wire.iana import KeMethod

_P2048 = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AACAA68FFFFFFFFFFFFFFFF",
    16,
)
_P3072 = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7"
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C"
    "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    16,
)
_P4096 = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7"
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C"
    "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A92108011A723C12A787E6D7"
    "88719A10BDBA5B2699C327186AF4E23C1A946834B6150BDA2583E9CA2AD44CE8DBBBC2DB04DE8EF92E8EFC141FBECAA6"
    "287C59474E6BC05D99B2964FA090C3A2233BA186515BE7ED1F612970CEE2D7AFB81BDD762170481CD0069127D5B05AA9"
    "93B4EA988D8FDDC186FFB7DC90A6C08F4DF435C934063199FFFFFFFFFFFFFFFF",
    16,
)


class ModpKey:
    """A private key of one group.

    Public value and shared secret have the prime's size, zeros in front (RFC 7296 sections 2.14 and 3.4).
    """

    __slots__ = ("_numbers", "_octets", "_private", "public")

    def __init__(self, private: dh.DHPrivateKey, numbers: dh.DHParameterNumbers, octets: int) -> None:
        self._private = private
        self._numbers = numbers
        self._octets = octets
        self.public: bytes = private.public_key().public_numbers().y.to_bytes(octets, "big")

    def exchange(self, peer_public: bytes) -> bytes:
        """Raise KeError when the value has the wrong size or is not in 2 .. p-2 (RFC 6989 section 2.1)."""
        if len(peer_public) != self._octets:
            raise KeError(f"MODP public value of {len(peer_public)} octets, {self._octets} wanted")
        y = int.from_bytes(peer_public, "big")
        if not 1 < y < self._numbers.p - 1:
            raise KeError("MODP public value out of range")
        try:
            with warnings.catch_warnings(action="ignore", category=CryptographyDeprecationWarning):
                peer = dh.DHPublicNumbers(y, self._numbers).public_key()
            return self._private.exchange(peer)
        except ValueError:
            raise KeError("MODP public value refused") from None


@dataclass(frozen=True, slots=True)
class ModpKe:
    """One group; generator 2, prime p. p is a safe prime, so the range check suffices where keys are not reused."""

    method: KeMethod
    p: int = field(repr=False)

    @property
    def public_octets(self) -> int:
        """Size of p."""
        return self.p.bit_length() // 8

    def generate(self) -> ModpKey:
        """A fresh key."""
        numbers, parameters = _parameters(self.p)
        return ModpKey(parameters.generate_private_key(), numbers, self.public_octets)


@functools.cache
def _parameters(p: int) -> tuple[dh.DHParameterNumbers, dh.DHParameters]:
    """The library's objects for a prime of the table below: made on first use, kept for good."""
    with warnings.catch_warnings(action="ignore", category=CryptographyDeprecationWarning):
        numbers = dh.DHParameterNumbers(p, 2)
        return numbers, numbers.parameters()


MODP_KES = (
    ModpKe(KeMethod.MODP_2048, _P2048),
    ModpKe(KeMethod.MODP_3072, _P3072),
    ModpKe(KeMethod.MODP_4096, _P4096),
)
