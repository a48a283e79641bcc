"""Ciphers of the Encrypted payload against published vectors, and that no changed octet passes."""

import pytest

from nf.crypto import registry
from nf.crypto.errors import AuthenticityError, UnsupportedTransform
from nf.wire.iana import Encr, IntegId

ALL = [
    (Encr.AES_CBC, 128, IntegId.HMAC_SHA1_96),
    (Encr.AES_CBC, 192, IntegId.HMAC_SHA2_384_192),
    (Encr.AES_CBC, 256, IntegId.HMAC_SHA2_256_128),
    (Encr.AES_CBC, 256, IntegId.HMAC_SHA2_512_256),
    (Encr.AES_GCM_16, 128, None),
    (Encr.AES_GCM_16, 192, None),
    (Encr.AES_GCM_16, 256, None),
    (Encr.CHACHA20_POLY1305, 0, None),
]


def make(encr_id, bits, integ_id):
    spec = registry.encr(encr_id, bits)
    integ = registry.integ(integ_id) if integ_id else None
    return registry.sk_cipher(
        spec, bytes(range(spec.key_octets)), integ, bytes(range(integ.key_octets)) if integ else b""
    )


def test_cbc_vectors(vectors):
    """RFC 3602 section 4 and SP 800-38A; what follows the ciphertext is the MAC over all before it."""
    integ = registry.integ(IntegId.HMAC_SHA2_256_128)
    for case in vectors("cbc.json"):
        key, iv, plaintext, ciphertext = (bytes.fromhex(case[k]) for k in ("key", "iv", "plaintext", "ciphertext"))
        cipher = registry.sk_cipher(registry.encr(Encr.AES_CBC, 8 * len(key)), key, integ, bytes(32))
        sealed = cipher.seal(b"aad", iv, plaintext)
        assert sealed == iv + ciphertext + integ.mac(bytes(32), b"aad" + iv + ciphertext), case["source"]
        assert cipher.open(b"aad", sealed) == plaintext


def test_aead_vectors(vectors):
    """GCM and ChaCha20-Poly1305, the nonce split into salt and IV (RFC 5282 section 4, RFC 7634 section 2)."""
    for case in vectors("aead.json"):
        key, nonce, aad, plaintext, ciphertext, tag = (
            bytes.fromhex(case[k]) for k in ("key", "nonce", "aad", "plaintext", "ciphertext", "tag")
        )
        bits = 8 * len(key) if case["encr"] == Encr.AES_GCM_16 else 0
        cipher = registry.sk_cipher(registry.encr(case["encr"], bits), key + nonce[:4], None, b"")
        sealed = cipher.seal(aad, nonce[4:], plaintext)
        assert sealed == nonce[4:] + ciphertext + tag, case["source"]
        assert cipher.open(aad, sealed) == plaintext


@pytest.mark.parametrize("suite", ALL)
def test_every_changed_octet_is_noticed(suite):
    """IV, ciphertext, ICV and associated data, one octet at a time, and every truncation."""
    cipher = make(*suite)
    aad = b"header of 32 octets, more or less"
    sealed = cipher.seal(aad, bytes(range(cipher.iv_octets)), bytes(32))
    assert cipher.open(aad, sealed) == bytes(32)
    for at in range(len(sealed)):
        with pytest.raises(AuthenticityError):
            cipher.open(aad, sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :])
        with pytest.raises(AuthenticityError):
            cipher.open(aad, sealed[:at])
    for at in range(len(aad)):
        with pytest.raises(AuthenticityError):
            cipher.open(aad[:at] + bytes((aad[at] ^ 128,)) + aad[at + 1 :], sealed)


@pytest.mark.parametrize("suite", ALL)
def test_sizes_agree_with_the_table(suite):
    """What the registry says of IV, block and ICV is what the cipher does; no key shows in its repr."""
    cipher = make(*suite)
    spec = registry.encr(*suite[:2])
    assert (cipher.iv_octets, cipher.block_octets) == (spec.iv_octets, spec.block_octets)
    assert len(cipher.seal(b"", bytes(cipher.iv_octets), bytes(48))) == cipher.iv_octets + 48 + cipher.icv_octets
    assert "\\x0" not in repr(cipher)


def test_wrong_combinations_are_refused():
    """CBC without integrity, NULL encryption for IKE, and keys of another size."""
    cbc = registry.encr(Encr.AES_CBC, 128)
    with pytest.raises(UnsupportedTransform):
        registry.sk_cipher(cbc, bytes(16), None, b"")
    with pytest.raises(UnsupportedTransform):
        registry.sk_cipher(registry.encr(Encr.NULL, 0), b"", registry.integ(12), bytes(32))
    with pytest.raises(ValueError):
        registry.sk_cipher(cbc, bytes(17), registry.integ(12), bytes(32))
    with pytest.raises(ValueError):
        registry.sk_cipher(cbc, bytes(16), registry.integ(12), bytes(31))
