"""Curve25519 (RFC 8031, RFC 7748)."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from nf.crypto.errors import KeError
from nf.wire.iana import KeMethod


class X25519Key:
    """An X25519 private key; public value and shared secret are 32 octets, little-endian as RFC 7748 has them."""

    __slots__ = ("_private", "public")

    def __init__(self, private: X25519PrivateKey) -> None:
        self._private = private
        self.public: bytes = private.public_key().public_bytes_raw()

    def exchange(self, peer_public: bytes) -> bytes:
        """Raise KeError when the value is not 32 octets or the result is all zero (RFC 8031 section 2)."""
        if len(peer_public) != 32:
            raise KeError(f"Curve25519 public value of {len(peer_public)} octets")
        try:
            return self._private.exchange(X25519PublicKey.from_public_bytes(peer_public))
        except ValueError:  # the library refuses the all-zero result (RFC 7748 section 6.1)
            raise KeError("Curve25519 result is zero") from None


@dataclass(frozen=True, slots=True)
class X25519Ke:
    """The method itself."""

    method: KeMethod = field(default=KeMethod.CURVE25519)
    public_octets: int = 32

    def generate(self) -> X25519Key:
        """A fresh key."""
        return X25519Key(X25519PrivateKey.generate())


X25519 = X25519Ke()
