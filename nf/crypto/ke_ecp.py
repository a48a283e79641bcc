"""Random ECP groups 19, 20 and 21 (RFC 5903)."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from nf.crypto.errors import KeError
from nf.wire.iana import KeMethod

_UNCOMPRESSED = b"\x04"


class EcpKey:
    """A private key on one curve; the public value is x | y, the shared secret x alone (RFC 5903 sections 7 and 9)."""

    __slots__ = ("_private", "public")

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private
        self.public: bytes = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]

    def exchange(self, peer_public: bytes) -> bytes:
        """Raise KeError when the value has the wrong size or is no point of the curve (RFC 6989 section 2.3)."""
        if len(peer_public) != len(self.public):
            raise KeError(f"ECP public value of {len(peer_public)} octets, {len(self.public)} wanted")
        try:
            peer = ec.EllipticCurvePublicKey.from_encoded_point(self._private.curve, _UNCOMPRESSED + peer_public)
            return self._private.exchange(ec.ECDH(), peer)
        except ValueError:
            raise KeError("ECP public value is not on the curve") from None


@dataclass(frozen=True, slots=True)
class EcpKe:
    """One group. All three curves have cofactor 1: a point on the curve is in the group."""

    method: KeMethod
    curve: ec.EllipticCurve
    public_octets: int

    def generate(self) -> EcpKey:
        """A fresh key."""
        return EcpKey(ec.generate_private_key(self.curve))


ECP_KES = (
    EcpKe(KeMethod.ECP_256, ec.SECP256R1(), 64),
    EcpKe(KeMethod.ECP_384, ec.SECP384R1(), 96),
    EcpKe(KeMethod.ECP_521, ec.SECP521R1(), 132),
)
