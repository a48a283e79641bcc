"""Peer authorization and identities (TPL-30, AUT-09, TPL-17, TPL-27)."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nf.crypto.secret import Secret
from nf.policy.identity import IdentityError, address_identity, encode_identity, identity_text, type_name
from nf.policy.pad import Pad, PadEntry
from nf.wire.iana import IdType

DEFAULT, ONE, TWO, SIX = (PadEntry(Secret(key), Secret(key)) for key in (b"d", b"1", b"2", b"6"))


def test_longest_prefix_wins() -> None:
    """AUT-09."""
    pad = Pad(
        [
            (ip_network("10.0.0.0/8"), ONE),
            (ip_network("10.1.0.0/16"), TWO),
            (ip_network("2001:db8::/32"), SIX),
            (ip_network("10.1.2.3/32"), DEFAULT),
        ],
        DEFAULT,
    )
    assert pad.lookup("10.2.0.1") is ONE
    assert pad.lookup("10.1.255.255") is TWO
    assert pad.lookup("10.1.2.3") is DEFAULT
    assert pad.lookup("2001:db8::9") is SIX
    for outside in ("9.255.255.255", "11.0.0.0", "2001:db7:ffff::", "::ffff:10.1.2.3"):
        assert pad.lookup(outside) is None


def test_no_networks_let_everybody_in() -> None:
    """TPL-30."""
    assert Pad([], DEFAULT).lookup("192.0.2.1") is DEFAULT
    assert Pad([(ip_network("0.0.0.0/0"), ONE)], DEFAULT).lookup("192.0.2.1") is ONE


@pytest.mark.parametrize(
    ("keyword", "value", "id_type", "octets"),
    [
        ("fqdn", "gw.example", IdType.FQDN, b"gw.example"),
        ("rfc822-addr", "a@b.example", IdType.RFC822_ADDR, b"a@b.example"),
        ("ip-addr", "192.0.2.1", IdType.IPV4_ADDR, bytes((192, 0, 2, 1))),
        ("ip-addr", "::1", IdType.IPV6_ADDR, bytes(15) + b"\1"),
        ("key-id", "box-7", IdType.KEY_ID, b"box-7"),
        ("key-id", "0x00ff", IdType.KEY_ID, b"\x00\xff"),
        ("der-asn1-gn", "0x8203676777", IdType.DER_ASN1_GN, bytes.fromhex("8203676777")),
    ],
)
def test_configured_identities(keyword: str, value: str, id_type: IdType, octets: bytes) -> None:
    assert encode_identity(keyword, value) == (id_type, octets)
    assert type_name(id_type) == keyword


def test_distinguished_names() -> None:
    """Text in, DER on the wire, text in the order of the certificate out."""
    id_type, octets = encode_identity("der-asn1-dn", "CN=gw,O=Example\\, Inc.,C=DE")
    assert id_type == IdType.DER_ASN1_DN
    assert octets[0] == 0x30
    assert identity_text(id_type, octets) == "C=DE, O=Example\\, Inc., CN=gw"


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("ip-addr", "gw"),
        ("key-id", "0xzz"),
        ("der-asn1-dn", "no name"),
        ("der-asn1-gn", "x"),
        ("nonsense", "x"),
        ("fqdn", ""),
    ],
)
def test_refused_identities(keyword: str, value: str) -> None:
    with pytest.raises(IdentityError):
        encode_identity(keyword, value)


def test_the_default_is_the_address() -> None:
    assert identity_text(*address_identity("2001:db8::1")) == "2001:db8::1"


@given(st.integers(0, 255), st.binary(max_size=600))
def test_any_identity_has_a_text(id_type: int, octets: bytes) -> None:
    """A peer may send anything: printable, bounded, never raising; two that differ do not look the same."""
    text = identity_text(id_type, octets)
    assert text.isprintable()
    assert 0 < len(text) <= 256
    assert identity_text(id_type, octets + b"\xff") != text
