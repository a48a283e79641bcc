"""Explicit tables: IANA transform ID -> implementation. Nothing registers itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from nf.crypto.encr import EncrSpec
from nf.crypto.errors import UnsupportedTransform
from nf.crypto.integ import Integ
from nf.crypto.ke import Ke
from nf.crypto.ke_ecp import ECP_KES
from nf.crypto.ke_modp import MODP_KES
from nf.crypto.ke_x25519 import X25519
from nf.crypto.prf import Prf
from nf.crypto.sk_cipher import AeadCipher, CbcHmacCipher, SkCipher
from nf.wire.iana import Encr, IntegId, PrfId

ENCRS: Mapping[tuple[int, int], EncrSpec] = MappingProxyType(
    {
        (int(spec.encr_id), spec.key_bits): spec
        for spec in (
            # encr_id, key_bits, key_octets, salt_octets, iv_octets, block_octets, icv_octets, ike
            EncrSpec(Encr.NULL, 0, 0, 0, 0, 1, 0, ike=False),
            EncrSpec(Encr.AES_CBC, 128, 16, 0, 16, 16, 0, ike=True),
            EncrSpec(Encr.AES_CBC, 192, 24, 0, 16, 16, 0, ike=True),
            EncrSpec(Encr.AES_CBC, 256, 32, 0, 16, 16, 0, ike=True),
            EncrSpec(Encr.AES_GCM_16, 128, 20, 4, 8, 1, 16, ike=True),
            EncrSpec(Encr.AES_GCM_16, 192, 28, 4, 8, 1, 16, ike=True),
            EncrSpec(Encr.AES_GCM_16, 256, 36, 4, 8, 1, 16, ike=True),
            EncrSpec(Encr.CHACHA20_POLY1305, 0, 36, 4, 8, 1, 16, ike=True),
        )
    }
)
"""By (transform ID, key bits). RFC 3602, RFC 4106 with RFC 5282, RFC 7634, RFC 2410."""

PRFS: Mapping[int, Prf] = MappingProxyType(
    {
        int(prf.prf_id): prf
        for prf in (
            Prf(PrfId.HMAC_SHA1, hashes.SHA1(), 20),  # noqa: S303 (HMAC does not need collision resistance)
            Prf(PrfId.HMAC_SHA2_256, hashes.SHA256(), 32),
            Prf(PrfId.HMAC_SHA2_384, hashes.SHA384(), 48),
            Prf(PrfId.HMAC_SHA2_512, hashes.SHA512(), 64),
        )
    }
)

INTEGS: Mapping[int, Integ] = MappingProxyType(
    {
        int(integ.integ_id): integ
        for integ in (
            Integ(IntegId.HMAC_SHA1_96, hashes.SHA1(), 20, 12),  # noqa: S303
            Integ(IntegId.HMAC_SHA2_256_128, hashes.SHA256(), 32, 16),
            Integ(IntegId.HMAC_SHA2_384_192, hashes.SHA384(), 48, 24),
            Integ(IntegId.HMAC_SHA2_512_256, hashes.SHA512(), 64, 32),
        )
    }
)

KES: Mapping[int, Ke] = MappingProxyType({int(ke.method): ke for ke in (*MODP_KES, *ECP_KES, X25519)})


def encr(encr_id: int, key_bits: int) -> EncrSpec:
    """Raise UnsupportedTransform when the ID is not here with that key length."""
    try:
        return ENCRS[encr_id, key_bits]
    except KeyError:
        raise UnsupportedTransform(f"ENCR {encr_id} with {key_bits} bits") from None


def prf(prf_id: int) -> Prf:
    """Raise UnsupportedTransform when the ID is not here."""
    try:
        return PRFS[prf_id]
    except KeyError:
        raise UnsupportedTransform(f"PRF {prf_id}") from None


def integ(integ_id: int) -> Integ:
    """Raise UnsupportedTransform when the ID is not here; 0 (NONE) is not."""
    try:
        return INTEGS[integ_id]
    except KeyError:
        raise UnsupportedTransform(f"INTEG {integ_id}") from None


def ke(method: int) -> Ke:
    """Raise UnsupportedTransform when the method is not here; 0 (NONE) is not."""
    try:
        return KES[method]
    except KeyError:
        raise UnsupportedTransform(f"KE {method}") from None


def sk_cipher(spec: EncrSpec, encr_key: bytes, integ: Integ | None, integ_key: bytes) -> SkCipher:
    """The Encrypted payload's cipher for one direction. Raise UnsupportedTransform for one that IKE may not use."""
    if not spec.ike:
        raise UnsupportedTransform(f"ENCR {spec.encr_id} for IKE")
    if len(encr_key) != spec.key_octets:
        raise ValueError(f"encryption key of {len(encr_key)} octets, {spec.key_octets} wanted")
    if spec.combined:
        return AeadCipher(ChaCha20Poly1305 if spec.encr_id is Encr.CHACHA20_POLY1305 else AESGCM, encr_key)
    if integ is None:
        raise UnsupportedTransform(f"ENCR {spec.encr_id} without integrity")
    if len(integ_key) != integ.key_octets:
        raise ValueError(f"integrity key of {len(integ_key)} octets, {integ.key_octets} wanted")
    return CbcHmacCipher(encr_key, integ, integ_key)
