"""The Encrypted payload: layout on the wire, what is verified first, and what is refused after."""

import hmac

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from nf.crypto.errors import AuthenticityError
from nf.crypto.keymat import IkeKeys
from nf.crypto.suite import IkeSuite
from nf.wire import sk
from nf.wire.errors import IntegrityError, InvalidMajorVersion, InvalidSyntax, UnsupportedCriticalPayload, WireError
from nf.wire.limits import Limits
from nf.wire.message import Header, Message
from nf.wire.payloads import (
    AuthPayload,
    DeletePayload,
    IdiPayload,
    NotifyPayload,
    Proposal,
    SaPayload,
    Transform,
    UnknownPayload,
    VendorIdPayload,
)

HEADER = Header(bytes(range(8)), bytes(range(8, 16)), 35, 1, True, False)
PAYLOADS = (
    IdiPayload(2, b"peer.example"),
    AuthPayload(2, b"\x11" * 32),
    SaPayload((Proposal(1, 3, b"\0\0\0\1", (Transform(1, 20, 256), Transform(5, 0))),)),
)
SUITES = [
    (20, 128, 5, 0),
    (20, 192, 6, 0),
    (20, 256, 7, 0),
    (28, 0, 5, 0),
    (12, 128, 2, 2),
    (12, 192, 6, 13),
    (12, 256, 5, 12),
    (12, 256, 7, 14),
]


def cipher_of(suite):
    s = IkeSuite.of(*suite, 31)
    e, a = s.encr.key_octets, s.integ.key_octets if s.integ else 0
    return s.ciphers(IkeKeys(b"", b"a" * a, b"A" * a, b"e" * e, b"E" * e, b"", b""))[0]


class NullCipher:
    """No encryption and no ICV to speak of: reaches what is behind it."""

    iv_octets = 0
    block_octets = 1
    icv_octets = 1

    def seal(self, aad, iv, plaintext):
        return plaintext + b"\x77"

    def open(self, aad, sealed):
        if sealed[-1:] != b"\x77":
            raise AuthenticityError("null")
        return sealed[:-1]


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("payloads", [PAYLOADS, (), (NotifyPayload(16384),), (DeletePayload(1),)])
def test_seal_and_open(suite, payloads):
    """What goes in comes out, marked as protected."""
    cipher = cipher_of(suite)
    datagram = sk.seal(HEADER, payloads, cipher, b"\x01" * cipher.iv_octets)
    header = Header.decode(datagram)
    assert header == HEADER
    assert sk.open(datagram, header, cipher) == Message(HEADER, payloads, protected=True)


def test_gcm_layout_by_hand():
    """RFC 5282: header, generic header, IV, ciphertext with one pad-length octet, tag; the nonce is salt and IV."""
    cipher = cipher_of((20, 256, 5, 0))
    datagram = sk.seal(HEADER, (NotifyPayload(16384),), cipher, b"IVIVIVIV")
    inner = bytes.fromhex("00 00 0008 00 00 4000 00")
    length = 28 + 4 + 8 + len(inner) + 16
    aad = bytes(range(16)) + bytes.fromhex("2e 20 23 08 00000001") + length.to_bytes(4, "big")
    aad += bytes.fromhex("29 00") + (length - 28).to_bytes(2, "big")
    assert datagram == aad + b"IVIVIVIV" + AESGCM(b"e" * 32).encrypt(b"eeee" + b"IVIVIVIV", inner, aad)


def test_cbc_layout_by_hand():
    """Section 3.14: padded to the block, MAC over everything from the IKE header to the ciphertext."""
    cipher = cipher_of((12, 256, 5, 12))
    iv = bytes(range(16))
    datagram = sk.seal(HEADER, (NotifyPayload(16384),), cipher, iv)
    inner = bytes.fromhex("00 00 0008 00 00 4000 00000000000000 07")
    length = 28 + 4 + 16 + 16 + 16
    head = bytes(range(16)) + bytes.fromhex("2e 20 23 08 00000001") + length.to_bytes(4, "big")
    head += bytes.fromhex("29 00") + (length - 28).to_bytes(2, "big")
    encryptor = Cipher(algorithms.AES(b"e" * 32), modes.CBC(iv)).encryptor()
    body = head + iv + encryptor.update(inner) + encryptor.finalize()
    assert datagram == body + hmac.digest(b"a" * 32, body, "sha256")[:16]


@pytest.mark.parametrize("suite", [(12, 256, 5, 12), (12, 128, 2, 2)])
def test_cbc_padding_of_every_length(suite):
    """The shortest padding for each length of the inside, and a whole number of blocks."""
    cipher = cipher_of(suite)
    for n in range(40):
        payloads = (VendorIdPayload(b"v" * n),)
        datagram = sk.seal(HEADER, payloads, cipher, bytes(16))
        octets = len(datagram) - 32 - 16 - cipher.icv_octets
        assert octets == (4 + n + 1 + 15) // 16 * 16
        assert sk.open(datagram, Header.decode(datagram), cipher).payloads == payloads


@pytest.mark.parametrize("suite", SUITES)
def test_every_changed_octet_is_an_integrity_error(suite):
    """One octet changed: IntegrityError, or a WireError where the outer framing breaks; never a message."""
    cipher = cipher_of(suite)
    datagram = sk.seal(HEADER, PAYLOADS, cipher, b"\x05" * cipher.iv_octets)
    for at in range(len(datagram)):
        for bit in (1, 0x80):
            changed = bytearray(datagram)
            changed[at] ^= bit
            with pytest.raises(WireError) as error:
                sk.open(bytes(changed), Header.decode(bytes(changed)), cipher)
            framing = at in (16, *range(24, 28), 30, 31) or (at == 17)
            assert type(error.value) is IntegrityError or framing, at


@pytest.mark.parametrize("suite", SUITES)
def test_truncation_at_every_octet(suite):
    """Cut short, with both lengths corrected so that only the cipher can notice."""
    cipher = cipher_of(suite)
    datagram = sk.seal(HEADER, PAYLOADS, cipher, b"\x05" * cipher.iv_octets)
    for end in range(len(datagram)):
        with pytest.raises(WireError):
            sk.open(datagram[:end], HEADER, cipher)
        if end >= 32:
            cut = (
                datagram[:24]
                + end.to_bytes(4, "big")
                + datagram[28:30]
                + (end - 28).to_bytes(2, "big")
                + datagram[32:end]
            )
            with pytest.raises(WireError):
                sk.open(cut, Header.decode(cut), cipher)


def test_the_other_direction_and_other_keys_are_refused():
    """Both ciphers of one SA differ, and a cipher of another SA opens nothing."""
    s = IkeSuite.of(20, 256, 5, 0, 31)
    ours, theirs = s.ciphers(IkeKeys(b"", b"", b"", b"e" * 36, b"E" * 36, b"", b""))
    datagram = sk.seal(HEADER, PAYLOADS, ours, bytes(8))
    with pytest.raises(IntegrityError):
        sk.open(datagram, HEADER.decode(datagram), theirs)


def sealed(first, plaintext, prefix=b"", prefix_type=None):
    """A datagram for NullCipher with any plaintext, padding included; prefix: payload octets before SK."""
    body = bytes((first, 0)) + (4 + len(plaintext) + 1).to_bytes(2, "big") + plaintext + b"\x77"
    head = HEADER.encode(46 if prefix_type is None else prefix_type, 28 + len(prefix) + len(body))
    return head + prefix + body


def opened(datagram, limits=None):
    header = Header.decode(datagram)
    return sk.open(datagram, header, NullCipher(), *([limits] if limits else []))


def test_null_cipher_reaches_the_inside():
    """The helper itself: a plain message inside."""
    assert opened(sealed(41, bytes.fromhex("00 00 0008 00 00 4000 00"))).payloads == (NotifyPayload(16384),)
    assert opened(sealed(41, bytes.fromhex("00 00 0008 00 00 4000 aabb 02"))).payloads == (NotifyPayload(16384),)
    assert opened(sealed(0, b"\0")).payloads == ()


def test_padding_on_both_sides_of_the_edge():
    """Any padding content and any length up to all there is; one more is refused, after the ICV."""
    for pad in (0, 1, 5, 255):
        assert opened(sealed(0, b"\xee" * pad + bytes((pad,)))).payloads == ()
    for pad in (1, 255):
        with pytest.raises(InvalidSyntax):
            opened(sealed(0, b"\xee" * (pad - 1) + bytes((pad,))))


def test_errors_inside_say_that_they_were_authenticated():
    """InvalidSyntax for whatever is malformed inside; an unknown critical payload keeps its own class."""
    for first, plaintext in (
        (41, "00 00 0007 00 00 40 00"),
        (41, "00 00 0009 00 00 4000 00"),
        (0, "00 00"),
        (43, "00"),
        (40, "00 00 0005 aa 00"),
        (46, "00 00 0004 00 00"),
    ):
        with pytest.raises(InvalidSyntax):
            opened(sealed(first, bytes.fromhex(plaintext)))
    with pytest.raises(UnsupportedCriticalPayload):
        opened(sealed(200, bytes.fromhex("00 80 0004 00")))
    assert opened(sealed(200, bytes.fromhex("00 00 0004 00"))).payloads == (UnknownPayload(200, b""),)


def test_payload_cap_inside():
    """Limits count inside too, on both sides of the edge."""
    inside = bytes.fromhex("2b 00 0004") * 2 + bytes.fromhex("00 00 0004 00")
    assert len(opened(sealed(43, inside), Limits(payloads=3)).payloads) == 3
    with pytest.raises(InvalidSyntax):
        opened(sealed(43, inside), Limits(payloads=2))


def test_payloads_outside_are_refused_after_the_icv():
    """A payload before SK is covered by the ICV but may not be there; with a wrong ICV the answer is IntegrityError."""
    datagram = sealed(0, b"\0", prefix=bytes.fromhex("2e 00 0004"), prefix_type=43)
    with pytest.raises(InvalidSyntax):
        opened(datagram)
    with pytest.raises(IntegrityError):
        opened(datagram[:-1] + b"\x78")


def test_no_sk_payload():
    """A message in clear, or none at all, is a WireError and no IntegrityError."""
    for datagram in (Message(HEADER, ()).encode(), Message(HEADER, (NotifyPayload(16384),)).encode()):
        with pytest.raises(WireError) as error:
            sk.open(datagram, Header.decode(datagram), NullCipher())
        assert type(error.value) is WireError


def test_sk_must_be_last():
    """Octets after SK, and an SK payload cut short by its own length."""
    datagram = sealed(0, b"\0")
    longer = HEADER.encode(46, len(datagram) + 4) + datagram[28:] + bytes(4)
    for bad in (longer, datagram[:30] + b"\0\5" + datagram[32:]):
        with pytest.raises(WireError):
            opened(bad)


def test_iv_of_another_size_and_other_versions():
    """seal is called by us only: ValueError. open refuses version 1."""
    for n in (0, 7, 9, 16):
        with pytest.raises(ValueError):
            sk.seal(HEADER, (), cipher_of((20, 128, 5, 0)), bytes(n))
    raw = bytearray(sealed(0, b"\0"))
    raw[17] = 0x10
    with pytest.raises(InvalidMajorVersion):
        opened(bytes(raw))


@pytest.mark.parametrize("suite", SUITES)
def test_too_short_for_the_cipher(suite):
    """From no octets up to one less than the least: a WireError; the least itself reaches the ICV."""
    cipher = cipher_of(suite)
    least = cipher.iv_octets + cipher.block_octets + cipher.icv_octets
    for n in (*range(least), least):
        datagram = HEADER.encode(46, 32 + n) + b"\0\0" + (4 + n).to_bytes(2, "big") + bytes(n)
        with pytest.raises(WireError) as error:
            sk.open(datagram, HEADER.decode(datagram), cipher)
        assert (type(error.value) is IntegrityError) == (n == least)
