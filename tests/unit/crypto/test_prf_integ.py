"""HMAC PRFs, prf+ and truncated MACs against RFC 2202, RFC 4231, RFC 4868 and a slow model of RFC 7296 section 2.13."""

import hmac

import pytest

from nf.crypto import registry
from nf.crypto.errors import KeymatError, UnsupportedTransform
from nf.wire.iana import IntegId, PrfId

PRF_HASH = {
    PrfId.HMAC_SHA1: "sha1",
    PrfId.HMAC_SHA2_256: "sha256",
    PrfId.HMAC_SHA2_384: "sha384",
    PrfId.HMAC_SHA2_512: "sha512",
}
INTEG_HASH = {
    IntegId.HMAC_SHA1_96: ("sha1", 20, 12),
    IntegId.HMAC_SHA2_256_128: ("sha256", 32, 16),
    IntegId.HMAC_SHA2_384_192: ("sha384", 48, 24),
    IntegId.HMAC_SHA2_512_256: ("sha512", 64, 32),
}


def test_prf_and_integ_vectors(vectors):
    """Every vector through the PRF, and cut through the integrity algorithm of the same hash."""
    prfs = {name: registry.prf(i) for i, name in PRF_HASH.items()}
    integs = {name: registry.integ(i) for i, (name, _, _) in INTEG_HASH.items()}
    for case in vectors("hmac.json"):
        key, data, mac = (bytes.fromhex(case[k]) for k in ("key", "data", "mac"))
        assert prfs[case["hash"]].prf(key, data) == mac, case["source"]
        assert integs[case["hash"]].mac(key, data) == mac[: integs[case["hash"]].icv_octets], case["source"]


@pytest.mark.parametrize("prf_id", PRF_HASH)
@pytest.mark.parametrize("octets", [0, 1, 19, 20, 32, 33, 64, 65, 300])
def test_prf_plus_is_the_recursion_of_the_rfc(prf_id, octets):
    """T1 = prf(K, S | 0x01), Tn = prf(K, Tn-1 | S | n), written down again with another HMAC."""
    key, seed = b"k" * 33, b"s" * 80
    block, out = b"", b""
    for n in range(1, 20):
        block = hmac.digest(key, block + seed + bytes((n,)), PRF_HASH[prf_id])
        out += block
    assert registry.prf(prf_id).plus(key, seed, octets) == out[:octets]


@pytest.mark.parametrize("prf_id", PRF_HASH)
def test_prf_plus_stops_at_255_blocks(prf_id):
    """Both sides of the edge of RFC 7296 section 2.13."""
    prf = registry.prf(prf_id)
    assert len(prf.plus(b"k", b"s", 255 * prf.octets)) == 255 * prf.octets
    with pytest.raises(KeymatError):
        prf.plus(b"k", b"s", 255 * prf.octets + 1)


@pytest.mark.parametrize(("integ_id", "sizes"), INTEG_HASH.items())
def test_integ_sizes(integ_id, sizes):
    """Key and ICV sizes of RFC 2404 and RFC 4868 section 2.1."""
    integ = registry.integ(integ_id)
    assert (integ.key_octets, integ.icv_octets) == sizes[1:]
    assert len(integ.mac(bytes(integ.key_octets), b"")) == integ.icv_octets


def test_unknown_transforms_are_refused():
    """No registry function returns None: RFC 8247 algorithms we lack, and 0."""
    for lookup, number in (
        (registry.prf, PrfId.HMAC_MD5),
        (registry.prf, 0),
        (registry.integ, IntegId.NONE),
        (registry.integ, 65535),
        (registry.ke, 0),
        (registry.ke, 2),
    ):
        with pytest.raises(UnsupportedTransform):
            lookup(number)
    for encr_id, bits in ((12, 0), (12, 127), (20, 0), (28, 256), (3, 0)):
        with pytest.raises(UnsupportedTransform):
            registry.encr(encr_id, bits)
