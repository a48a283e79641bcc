"""ESP in the plainest way (RFC 4303), with the primitives of `cryptography`: the oracle for the data path."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

MACS = {2: ("sha1", 20, 12), 12: ("sha256", 32, 16), 13: ("sha384", 48, 24), 14: ("sha512", 64, 32)}
"""integ -> hash, key octets, ICV octets."""

SUITES = (
    [(20, bits, 0) for bits in (128, 192, 256)]
    + [(28, 256, 0)]
    + [(12, bits, integ) for bits in (128, 192, 256) for integ in MACS]
    + [(11, 0, integ) for integ in MACS]
)
"""Every (encr, key_bits, integ) of the data path."""


def key_octets(suite: tuple[int, int, int]) -> tuple[int, int]:
    """Octets of encr_key (with salt) and integ_key."""
    encr, bits, integ = suite
    return bits // 8 + (4 if encr in (20, 28) else 0), MACS[integ][1] if integ else 0


def iv_octets(encr: int) -> int:
    return {20: 8, 28: 8, 12: 16, 11: 0}[encr]


@dataclass
class Model:
    """One direction of one SA."""

    suite: tuple[int, int, int]
    encr_key: bytes
    integ_key: bytes
    esn: bool

    def seal(self, spi: int, sequence: int, next_header: int, payload: bytes, iv: bytes) -> bytes:
        """The packet for a payload, with the least padding."""
        pad = -(len(payload) + 2) % (16 if self.suite[0] == 12 else 4)
        return self.protect(spi, sequence, payload + bytes(range(1, pad + 1)) + bytes([pad, next_header]), iv)

    def protect(self, spi: int, sequence: int, plain: bytes, iv: bytes) -> bytes:
        """The packet for a payload with a trailer already on it."""
        encr, _, integ = self.suite
        header = spi.to_bytes(4, "big") + (sequence & 0xFFFFFFFF).to_bytes(4, "big")
        high = (sequence >> 32).to_bytes(4, "big") if self.esn else b""
        if encr in (20, 28):
            aead = AESGCM if encr == 20 else ChaCha20Poly1305
            key, salt = self.encr_key[:-4], self.encr_key[-4:]
            aad = header[:4] + high + header[4:]
            return header + iv + aead(key).encrypt(salt + iv, plain, aad)
        if encr == 12:
            cipher = Cipher(AES(self.encr_key), CBC(iv)).encryptor()
            plain = cipher.update(plain) + cipher.finalize()
        name, _, icv_octets = MACS[integ]
        icv = hmac.digest(self.integ_key, header + iv + plain + high, name)[:icv_octets]
        return header + iv + plain + icv
