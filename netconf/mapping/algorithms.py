"""Algorithm identities of openwsg-types and their IANA numbers, both ways (area 2, `nf.wire.iana`).

An encryption algorithm is a pair, number and key length in bits; the length is 0 where the cipher has one key size.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from nf.wire.iana import Encr, IntegId, KeMethod, PrfId

MODULE: Final = "openwsg-types"

ENCRYPTION: Final[Mapping[str, tuple[int, int]]] = MappingProxyType(
    {
        "aes-cbc-128": (int(Encr.AES_CBC), 128),
        "aes-cbc-192": (int(Encr.AES_CBC), 192),
        "aes-cbc-256": (int(Encr.AES_CBC), 256),
        "aes-128-gcm-128": (int(Encr.AES_GCM_16), 128),
        "aes-192-gcm-128": (int(Encr.AES_GCM_16), 192),
        "aes-256-gcm-128": (int(Encr.AES_GCM_16), 256),
        "chacha20-poly1305": (int(Encr.CHACHA20_POLY1305), 0),
    }
)
PRF: Final[Mapping[str, int]] = MappingProxyType(
    {
        "sha1": int(PrfId.HMAC_SHA1),
        "sha2-256": int(PrfId.HMAC_SHA2_256),
        "sha2-384": int(PrfId.HMAC_SHA2_384),
        "sha2-512": int(PrfId.HMAC_SHA2_512),
    }
)
HMAC: Final[Mapping[str, int]] = MappingProxyType(
    {
        "none": int(IntegId.NONE),
        "sha1-96": int(IntegId.HMAC_SHA1_96),
        "sha2-256-128": int(IntegId.HMAC_SHA2_256_128),
        "sha2-384-192": int(IntegId.HMAC_SHA2_384_192),
        "sha2-512-256": int(IntegId.HMAC_SHA2_512_256),
    }
)
GROUP: Final[Mapping[str, int]] = MappingProxyType(
    {
        "none": int(KeMethod.NONE),
        "group14": int(KeMethod.MODP_2048),
        "group15": int(KeMethod.MODP_3072),
        "group16": int(KeMethod.MODP_4096),
        "group19": int(KeMethod.ECP_256),
        "group20": int(KeMethod.ECP_384),
        "group21": int(KeMethod.ECP_521),
        "group31": int(KeMethod.CURVE25519),
    }
)

_ENCRYPTION_NAMES: Final = {numbers: name for name, numbers in ENCRYPTION.items()}
_PRF_NAMES: Final = {number: name for name, number in PRF.items()}
_HMAC_NAMES: Final = {number: name for name, number in HMAC.items()}
_GROUP_NAMES: Final = {number: name for name, number in GROUP.items()}


def local_name(identity: str) -> str:
    """The name of an identity without its module."""
    return identity.rpartition(":")[2]


def encryption_identity(encr: int, key_bits: int) -> str | None:
    """The qualified identity of a cipher, or None for one that the model has no identity for."""
    return _qualified(_ENCRYPTION_NAMES.get((encr, key_bits)) or _ENCRYPTION_NAMES.get((encr, 0)))


def prf_identity(prf: int) -> str | None:
    """The qualified identity of a PRF, or None."""
    return _qualified(_PRF_NAMES.get(prf))


def hmac_identity(integ: int) -> str | None:
    """The qualified identity of an integrity algorithm (none for 0), or None for one without an identity."""
    return _qualified(_HMAC_NAMES.get(integ))


def group_identity(ke_method: int) -> str | None:
    """The qualified identity of a key exchange method (none for 0), or None for one without an identity."""
    return _qualified(_GROUP_NAMES.get(ke_method))


def _qualified(name: str | None) -> str | None:
    return None if name is None else f"{MODULE}:{name}"
