"""Key exchange methods: published vectors, agreement with Python's own arithmetic, and refusal of bad public values."""

import warnings

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from nf.crypto import registry
from nf.crypto.errors import KeError
from nf.crypto.ke_ecp import EcpKe, EcpKey
from nf.crypto.ke_modp import MODP_KES
from nf.crypto.ke_x25519 import X25519Key
from nf.wire.iana import KeMethod

SIZES = {14: 256, 15: 384, 16: 512, 19: 64, 20: 96, 21: 132, 31: 32}
MODP_CONSTANTS = {14: (2048, 124476), 15: (3072, 1690314), 16: (4096, 240904)}


def key_of(method, private):
    ke = registry.ke(method)
    if isinstance(ke, EcpKe):
        return EcpKey(ec.derive_private_key(int.from_bytes(private, "big"), ke.curve))
    return X25519Key(X25519PrivateKey.from_private_bytes(private))


def test_published_vectors(vectors):
    """RFC 7748 section 6.1 and RFC 5903 section 8: both public values and the secret from both ends."""
    for case in vectors("ke.json"):
        a, b = (key_of(case["method"], bytes.fromhex(case[k])) for k in ("private_a", "private_b"))
        assert (a.public.hex(), b.public.hex()) == (case["public_a"].lower(), case["public_b"].lower()), case["source"]
        assert a.exchange(b.public).hex() == b.exchange(a.public).hex() == case["shared"].lower(), case["source"]


def test_registry_is_complete():
    """The methods of this release, each under its own number."""
    assert {int(m): ke.public_octets for m, ke in registry.KES.items()} == SIZES
    assert all(ke.method == m for m, ke in registry.KES.items())


@pytest.mark.parametrize("method", SIZES)
def test_two_keys_agree(method):
    """Fresh keys each time, public values of the right size, the same secret at both ends."""
    ke = registry.ke(method)
    a, b = ke.generate(), ke.generate()
    assert a.public != b.public
    assert len(a.public) == len(b.public) == SIZES[method]
    assert a.exchange(b.public) == b.exchange(a.public)
    assert a.public.hex() not in repr(a)


@pytest.mark.parametrize("method", SIZES)
def test_wrong_sizes_are_refused(method):
    """One octet less, one more, none."""
    ke = registry.ke(method)
    key, peer = ke.generate(), ke.generate().public
    for bad in (b"", peer[:-1], peer + b"\0", b"\0" + peer):
        with pytest.raises(KeError):
            key.exchange(bad)


def pi_times_2_to(bits):
    """floor(pi * 2^bits) by Machin's formula."""
    guard = bits + 64

    def atan_inverse(x):
        total = term = (1 << guard) // x
        n, sign = 3, -1
        while term:
            term //= x * x
            total += sign * (term // n)
            n, sign = n + 2, -sign
        return total

    return (16 * atan_inverse(5) - 4 * atan_inverse(239)) >> 64


@pytest.mark.parametrize("ke", MODP_KES, ids=lambda ke: ke.method.name)
def test_modp_primes_follow_the_formula(ke):
    """p = 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) pi) + c) (RFC 3526 sections 3 to 5)."""
    n, c = MODP_CONSTANTS[ke.method]
    assert ke.p == 2**n - 2 ** (n - 64) - 1 + 2**64 * (pi_times_2_to(n - 130) + c)
    if n == 2048:
        assert pow(2, ke.p - 1, ke.p) == 1
        assert pow(3, (ke.p - 1) // 2 - 1, (ke.p - 1) // 2) == 1


@pytest.mark.parametrize("ke", MODP_KES, ids=lambda ke: ke.method.name)
def test_modp_agrees_with_python(ke):
    """Public value and secret are what `pow` gives, in the prime's size; the exponent is twice the group's strength."""
    a, b = ke.generate(), ke.generate()
    x = a._private.private_numbers().x
    assert x.bit_length() > {14: 190, 15: 240, 16: 290}[ke.method]
    assert a.public == pow(2, x, ke.p).to_bytes(ke.public_octets, "big")
    assert a.exchange(b.public) == pow(int.from_bytes(b.public, "big"), x, ke.p).to_bytes(ke.public_octets, "big")


@pytest.mark.parametrize("ke", MODP_KES, ids=lambda ke: ke.method.name)
def test_modp_secret_keeps_leading_zeros(ke):
    """RFC 7296 section 2.14: g^ir has the length of the modulus. A peer value of 2 gives back our own public value."""
    key = ke.generate()
    assert key.exchange((2).to_bytes(ke.public_octets, "big")) == key.public
    p = ke.p
    peer = pow(2, -1, p).to_bytes(ke.public_octets, "big")
    expected = pow(int.from_bytes(key.public, "big"), -1, p)
    assert key.exchange(peer) == expected.to_bytes(ke.public_octets, "big")


def test_modp_short_secret_is_padded():
    """A secret of three bits has 255 zero octets in front; its peer value is worked out from our exponent."""
    ke = MODP_KES[0]
    key = ke.generate()
    x = key._private.private_numbers().x
    inverse = pow(x, -1, (ke.p - 1) // 2)
    small = 4  # a square, so in the subgroup of order q: (4^(1/x))^x = 4
    peer = pow(small, inverse, ke.p)
    assert key.exchange(peer.to_bytes(256, "big")) == small.to_bytes(256, "big")


@pytest.mark.parametrize("ke", MODP_KES, ids=lambda ke: ke.method.name)
def test_modp_range_check(ke):
    """RFC 6989 section 2.1: 1 < y < p-1, both sides of both edges."""
    key = ke.generate()
    for y in (0, 1, ke.p - 1, ke.p, ke.p + 1, 2 ** (8 * ke.public_octets) - 1):
        with pytest.raises(KeError):
            key.exchange(y.to_bytes(ke.public_octets, "big"))
    for y in (2, ke.p - 2):
        assert len(key.exchange(y.to_bytes(ke.public_octets, "big"))) == ke.public_octets


def test_modp_is_silent_and_leaves_the_filters_alone():
    """The library's deprecation warning does not reach the log, and no filter of the process is changed."""
    before = list(warnings.filters)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        ke = registry.ke(KeMethod.MODP_2048)
        ke.generate().exchange(ke.generate().public)
    assert [w for w in seen if "Diffie" in str(w.message)] == []
    assert list(warnings.filters) == before


@pytest.mark.parametrize("method", [19, 20, 21])
def test_ecp_refuses_points_off_the_curve(method):
    """RFC 6989 section 2.3: a changed y, coordinates out of range, zero, and all ones."""
    ke = registry.ke(method)
    key, peer = ke.generate(), ke.generate().public
    half = len(peer) // 2
    for bad in (
        peer[:-1] + bytes((peer[-1] ^ 1,)),
        bytes(len(peer)),
        b"\xff" * len(peer),
        peer[:half] + bytes(half),
        b"\xff" * half + peer[half:],
    ):
        with pytest.raises(KeError):
            key.exchange(bad)


LOW_ORDER = [
    bytes(32),
    (1).to_bytes(32, "little"),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    (2**255 - 20).to_bytes(32, "little"),
    (2**255 - 19).to_bytes(32, "little"),
    (2**255 - 18).to_bytes(32, "little"),
]


@pytest.mark.parametrize("point", LOW_ORDER, ids=lambda p: p.hex()[:8])
def test_x25519_refuses_points_of_low_order(point):
    """The all-zero secret is refused (RFC 7748 section 6.1, RFC 8031 section 2)."""
    with pytest.raises(KeError):
        registry.ke(31).generate().exchange(point)
