"""Key derivation against RFC 7296 written down a second time with `hmac` and slices, and the order of the keys."""

import hmac
import itertools

import pytest

from nf.crypto.errors import AuthenticityError, KeymatError, UnsupportedTransform
from nf.crypto.keymat import (
    derive_child_keymat,
    derive_ike_keys,
    psk_auth,
    psk_key,
    rekey_skeyseed,
    signed_octets,
    skeyseed,
    verify_psk_auth,
)
from nf.crypto.secret import Secret
from nf.crypto.suite import ChildSuite, IkeSuite
from nf.wire.iana import Encr, IntegId, KeMethod, PrfId

HASH = {
    PrfId.HMAC_SHA1: "sha1",
    PrfId.HMAC_SHA2_256: "sha256",
    PrfId.HMAC_SHA2_384: "sha384",
    PrfId.HMAC_SHA2_512: "sha512",
}
ENCR_OCTETS = {
    (Encr.AES_CBC, 128): 16,
    (Encr.AES_CBC, 192): 24,
    (Encr.AES_CBC, 256): 32,
    (Encr.AES_GCM_16, 128): 20,
    (Encr.AES_GCM_16, 192): 28,
    (Encr.AES_GCM_16, 256): 36,
    (Encr.CHACHA20_POLY1305, 0): 36,
}
INTEG_OCTETS = {
    0: 0,
    IntegId.HMAC_SHA1_96: 20,
    IntegId.HMAC_SHA2_256_128: 32,
    IntegId.HMAC_SHA2_384_192: 48,
    IntegId.HMAC_SHA2_512_256: 64,
}
SUITES = [
    (encr, prf, integ)
    for encr, prf, integ in itertools.product(ENCR_OCTETS, HASH, INTEG_OCTETS)
    if (encr[0] == Encr.AES_CBC) == bool(integ)
]


def slow_prf_plus(name, key, seed, octets):
    """Section 2.13, block by block."""
    blocks, out = [b""], b""
    while len(out) < octets:
        blocks.append(hmac.new(key, blocks[-1] + seed + bytes([len(blocks)]), name).digest())
        out += blocks[-1]
    return out


@pytest.mark.parametrize(("encr", "prf_id", "integ"), SUITES)
def test_ike_keys_in_the_order_of_the_rfc(random, encr, prf_id, integ):
    """{SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} (section 2.14), for every IKE suite we have."""
    suite = IkeSuite.of(*encr, prf_id, integ, KeMethod.CURVE25519)
    nonce_i, nonce_r, shared = random.octets(32), random.octets(48), random.octets(32)
    spi_i, spi_r = random.octets(8), random.octets(8)
    seed = skeyseed(suite.prf, nonce_i, nonce_r, shared)
    assert seed == hmac.new(nonce_i + nonce_r, shared, HASH[prf_id]).digest()
    keys = derive_ike_keys(suite, seed, nonce_i, nonce_r, spi_i, spi_r)
    d, a, e = len(seed), INTEG_OCTETS[integ], ENCR_OCTETS[encr]
    stream = slow_prf_plus(HASH[prf_id], seed, nonce_i + nonce_r + spi_i + spi_r, 3 * d + 2 * a + 2 * e)
    assert (keys.sk_d, keys.sk_ai, keys.sk_ar) == (stream[:d], stream[d : d + a], stream[d + a : d + 2 * a])
    rest = stream[d + 2 * a :]
    assert (keys.sk_ei, keys.sk_er) == (rest[:e], rest[e : 2 * e])
    assert (keys.sk_pi, keys.sk_pr) == (rest[2 * e : 2 * e + d], rest[2 * e + d : 2 * e + 2 * d])
    assert "\\x" not in repr(keys)
    toward_responder, toward_initiator = suite.ciphers(keys)
    pad = bytes(16)
    iv = bytes(toward_responder.iv_octets)
    assert toward_responder.open(b"", toward_responder.seal(b"", iv, pad)) == pad
    with pytest.raises(AuthenticityError):
        toward_initiator.open(b"", toward_responder.seal(b"", iv, pad))


@pytest.mark.parametrize("shared", [b"", b"z" * 256], ids=["no-ke", "pfs"])
@pytest.mark.parametrize(("encr", "prf_id", "integ"), SUITES)
def test_child_keys_in_the_order_of_the_rfc(random, encr, prf_id, integ, shared):
    """KEYMAT = prf+(SK_d, g^ir (new) | Ni | Nr); initiator first, encryption before integrity (section 2.17)."""
    prf = IkeSuite.of(Encr.AES_GCM_16, 128, prf_id, 0, KeMethod.CURVE25519).prf
    suite = ChildSuite.of(*encr, integ)
    sk_d, nonces = random.octets(prf.octets), random.octets(64)
    keys = derive_child_keymat(prf, suite, sk_d, nonces, shared)
    e, a = ENCR_OCTETS[encr], INTEG_OCTETS[integ]
    stream = slow_prf_plus(HASH[prf_id], sk_d, shared + nonces, 2 * (e + a))
    assert (keys.encr_i, keys.integ_i) == (stream[:e], stream[e : e + a])
    assert (keys.encr_r, keys.integ_r) == (stream[e + a : 2 * e + a], stream[2 * e + a : 2 * (e + a)])
    assert "\\x" not in repr(keys)


@pytest.mark.parametrize("prf_id", HASH)
def test_rekeyed_skeyseed(random, prf_id):
    """SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr) (section 2.18): the shared secret comes first here."""
    prf = IkeSuite.of(Encr.AES_GCM_16, 128, prf_id, 0, KeMethod.CURVE25519).prf
    sk_d, nonce_i, nonce_r, shared = (random.octets(n) for n in (prf.octets, 32, 40, 32))
    expected = hmac.new(sk_d, shared + nonce_i + nonce_r, HASH[prf_id]).digest()
    assert rekey_skeyseed(prf, sk_d, nonce_i, nonce_r, shared) == expected


@pytest.mark.parametrize("prf_id", HASH)
def test_psk_auth(random, prf_id):
    """AUTH = prf(prf(PSK, "Key Pad for IKEv2"), message | nonce | prf(SK_p, ID')) (section 2.15)."""
    name = HASH[prf_id]
    prf = IkeSuite.of(Encr.AES_GCM_16, 128, prf_id, 0, KeMethod.CURVE25519).prf
    message, nonce, sk_p, id_body = random.octets(300), random.octets(32), random.octets(32), b"\x02\0\0\0peer"
    signed = signed_octets(prf, message, nonce, sk_p, id_body)
    assert signed == message + nonce + hmac.new(sk_p, id_body, name).digest()
    psk = Secret(b"a shared secret")
    inner = hmac.new(b"a shared secret", b"Key Pad for IKEv2", name).digest()
    assert psk_key(prf, psk) == Secret(inner)
    auth = psk_auth(prf, psk, signed)
    assert auth == hmac.new(inner, signed, name).digest()
    verify_psk_auth(prf, psk, signed, auth)
    wrong = (auth[:-1], auth + b"\0", b"", bytes(len(auth)), bytes((auth[0] ^ 1,)) + auth[1:])
    for bad in wrong:
        with pytest.raises(AuthenticityError):
            verify_psk_auth(prf, psk, signed, bad)
    with pytest.raises(AuthenticityError):
        verify_psk_auth(prf, Secret(b"a shared secreT"), signed, auth)


def test_suites_refuse_what_makes_no_sense():
    """Integrity beside a combined mode, none beside CBC, NULL for IKE, unknown numbers."""
    for bad in (
        (Encr.AES_GCM_16, 256, PrfId.HMAC_SHA2_256, IntegId.HMAC_SHA2_256_128, 31),
        (Encr.AES_CBC, 256, PrfId.HMAC_SHA2_256, 0, 31),
        (Encr.NULL, 0, PrfId.HMAC_SHA2_256, IntegId.HMAC_SHA2_256_128, 31),
        (Encr.AES_CBC, 0, PrfId.HMAC_SHA2_256, IntegId.HMAC_SHA2_256_128, 31),
        (Encr.AES_GCM_16, 256, 99, 0, 31),
        (Encr.AES_GCM_16, 256, PrfId.HMAC_SHA2_256, 0, 0),
    ):
        with pytest.raises(UnsupportedTransform):
            IkeSuite.of(*bad)
    for bad_child in (
        (Encr.AES_CBC, 128, 0),
        (Encr.NULL, 0, 0),
        (Encr.AES_GCM_16, 128, 12),
        (Encr.AES_CBC, 128, 12, 2),
    ):
        with pytest.raises(UnsupportedTransform):
            ChildSuite.of(*bad_child)
    assert ChildSuite.of(Encr.NULL, 0, IntegId.HMAC_SHA2_256_128).encr.key_octets == 0
    assert ChildSuite.of(Encr.AES_CBC, 128, 12, 14).ke is not None


def test_keymat_is_bounded():
    """KeymatError is what prf+ raises past 255 blocks; no suite we have comes near it."""
    suite = IkeSuite.of(Encr.AES_CBC, 256, PrfId.HMAC_SHA1, IntegId.HMAC_SHA2_512_256, 31)
    derive_ike_keys(suite, bytes(20), bytes(256), bytes(256), bytes(8), bytes(8))
    with pytest.raises(KeymatError):
        suite.prf.plus(bytes(20), b"", 255 * 20 + 1)
