"""The Encrypted Fragment payload: layout on the wire, how it is cut, what is refused (RFC 7383 section 2.5)."""

import struct

import pytest

from nf.crypto.keymat import IkeKeys
from nf.crypto.suite import IkeSuite
from nf.wire import sk, skf
from nf.wire.errors import IntegrityError, InvalidMajorVersion, InvalidSyntax, WireError
from nf.wire.message import Header, Message, encode_chain
from nf.wire.payloads import IdiPayload, NotifyPayload, SkfPayload, VendorIdPayload

HEADER = Header(bytes(range(8)), bytes(range(8, 16)), 35, 1, True, False)
PAYLOADS = (IdiPayload(2, b"peer.example"), VendorIdPayload(bytes(range(256)) * 4), NotifyPayload(16384))
SUITES = [(20, 128, 5, 0), (28, 0, 5, 0), (12, 128, 2, 2), (12, 256, 7, 14)]


def cipher_of(suite):
    s = IkeSuite.of(*suite, 31)
    e, a = s.encr.key_octets, s.integ.key_octets if s.integ else 0
    return s.ciphers(IkeKeys(b"", b"a" * a, b"A" * a, b"e" * e, b"E" * e, b"", b""))[0]


class Counting:
    """IVs that are all different, and known."""

    def __init__(self):
        self.given = []

    def octets(self, n):
        self.given.append(len(self.given).to_bytes(n, "big"))
        return self.given[-1]


def cut(cipher, octets=400, payloads=PAYLOADS):
    return skf.seal(HEADER, payloads, cipher, octets, Counting().octets)


def put_together(datagrams, cipher):
    pieces = [skf.open(data, Header.decode(data), cipher) for data in datagrams]
    return sk.message(HEADER, pieces[0].first_inner, b"".join(piece.content for piece in pieces))


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("octets", [200, 400, 456, 1384])
def test_round_trip_and_size(suite, octets):
    """FRG-05, FRG-07: none is larger than asked for, all but the last are full, and together they are the message."""
    cipher = cipher_of(suite)
    datagrams = cut(cipher, octets)
    assert all(len(data) <= octets for data in datagrams)
    assert all(octets - len(data) < cipher.block_octets for data in datagrams[:-1])
    assert put_together(datagrams, cipher) == Message(HEADER, PAYLOADS, protected=True)


def test_layout():
    """RFC 7383 figure 2: payload 53, its numbers, the first inner type in the first one only, an IV of its own each."""
    cipher, ivs = cipher_of(SUITES[0]), Counting()
    datagrams = skf.seal(HEADER, PAYLOADS, cipher, 400, ivs.octets)
    assert len(datagrams) == 4
    for number, data in enumerate(datagrams, 1):
        header = Header.decode(data)
        assert (header, header.next_payload) == (HEADER, 53)
        first_inner, flags, length, one, total = struct.unpack(">BBHHH", data[28:36])
        assert (first_inner, flags, length) == (35 if number == 1 else 0, 0, len(data) - 28)
        assert (one, total) == (number, 4)
        assert data[36:44] == ivs.given[number - 1]
    assert len(set(ivs.given)) == 4


def test_the_numbers_are_authenticated():
    """RFC 7383 section 2.5.3: the associated data ends after them."""
    cipher = cipher_of(SUITES[0])
    data = cut(cipher)[1]
    for numbers in ((3, 4), (2, 5), (2, 260), (258, 260)):
        changed = data[:32] + struct.pack(">HH", *numbers) + data[36:]
        with pytest.raises(IntegrityError):
            skf.open(changed, Header.decode(changed), cipher)


@pytest.mark.parametrize("suite", SUITES)
def test_every_bit_counts(suite):
    """FRG-17: whatever bit is changed, the fragment is refused."""
    cipher = cipher_of(suite)
    data = cut(cipher, 200)[2]
    for at in range(len(data)):
        for bit in (1, 128):
            changed = bytearray(data)
            changed[at] ^= bit
            with pytest.raises(WireError):
                skf.open(bytes(changed), Header.decode(bytes(changed)), cipher)


def test_at_most_255():
    """FRG-14, both sides of the edge."""
    cipher = cipher_of(SUITES[0])
    step = skf.room(100, cipher)
    filling = VendorIdPayload(bytes(255 * step - 4))
    assert len(encode_chain((filling,))) == 255 * step
    assert len(cut(cipher, 100, (filling,))) == 255
    with pytest.raises(ValueError, match="in fragments of 100"):
        cut(cipher, 100, (VendorIdPayload(bytes(255 * step - 3)),))


@pytest.mark.parametrize("suite", SUITES)
def test_least_fragment(suite):
    """One octet fits, or none."""
    cipher = cipher_of(suite)
    overhead = skf.SEALED_AT + cipher.iv_octets + cipher.icv_octets
    least = overhead + max(cipher.block_octets, 2)
    assert skf.room(least, cipher) >= 1
    assert skf.room(least - 1, cipher) < 1
    with pytest.raises(ValueError, match="in fragments"):
        cut(cipher, least - 1, (NotifyPayload(1),))


def test_no_payloads():
    """An empty message is one fragment without content."""
    cipher = cipher_of(SUITES[0])
    (data,) = cut(cipher, 400, ())
    assert put_together((data,), cipher) == Message(HEADER, (), protected=True)


@pytest.mark.parametrize(("number", "total"), [(0, 4), (5, 4), (0, 0), (1, 0), (65535, 65534)])
def test_numbers_that_cannot_be(number, total):
    """RFC 7383 section 2.6."""
    cipher = cipher_of(SUITES[0])
    data = bytearray(cut(cipher)[1])
    data[32:36] = struct.pack(">HH", number, total)
    with pytest.raises(WireError, match=f"fragment {number} of {total}"):
        skf.open(bytes(data), Header.decode(bytes(data)), cipher)
    with pytest.raises(ValueError, match=f"fragment {number} of {total}"):
        SkfPayload(0, number, total, b"").encode()


def test_body_round_trip():
    payload = SkfPayload(35, 1, 7, b"sealed")
    assert SkfPayload.decode(payload.encode(), 35) == payload
    assert "sealed" not in repr(payload).replace("sealed=", "")
    with pytest.raises(WireError):
        SkfPayload.decode(b"\0\1\0", 0)


def test_malformed():
    """Too short at every length, another length than its own, another payload, another version, a first inner type."""
    cipher = cipher_of(SUITES[0])
    whole = cut(cipher)[1]
    for size in range(28, len(whole)):
        data = HEADER.encode(53, size) + whole[28:size]
        with pytest.raises(WireError):
            skf.open(data, Header.decode(data), cipher)
    data = whole[:28] + b"\x23" + whole[29:]
    with pytest.raises(WireError, match="next payload 35"):
        skf.open(data, Header.decode(data), cipher)
    other = sk.seal(HEADER, PAYLOADS, cipher, bytes(8))
    assert not skf.is_fragment(Header.decode(other))
    with pytest.raises(WireError, match="no Encrypted Fragment"):
        skf.open(other, Header.decode(other), cipher)
    data = whole[:17] + b"\x30" + whole[18:]
    with pytest.raises(InvalidMajorVersion):
        skf.open(data, Header.decode(data), cipher)


def test_padding_longer_than_the_piece_is_no_syntax_error_to_answer():
    """One piece that verified is still no message: nothing is answered."""
    cipher = cipher_of(SUITES[0])
    aad = HEADER.encode(53, 36 + 8 + 1 + 16) + struct.pack(">BBHHH", 0, 0, 33, 2, 2)
    data = aad + cipher.seal(aad, bytes(8), b"\x05")
    with pytest.raises(WireError, match="more padding") as caught:
        skf.open(data, Header.decode(data), cipher)
    assert not isinstance(caught.value, InvalidSyntax)
