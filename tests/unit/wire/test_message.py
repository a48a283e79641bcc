"""Header, payload chain and critical bit (RFC 7296 sections 2.5, 3.1, 3.2), with octets written by hand."""

import dataclasses

import pytest

from nf.wire.errors import InvalidMajorVersion, UnsupportedCriticalPayload, WireError
from nf.wire.iana import NotifyType
from nf.wire.limits import Limits
from nf.wire.message import ZERO_SPI, Header, Message
from nf.wire.payloads import (
    KePayload,
    NoncePayload,
    NotifyPayload,
    Proposal,
    SaPayload,
    SkPayload,
    Transform,
    TsiPayload,
    TsPayload,
    UnknownPayload,
    VendorIdPayload,
)

SPI_I = bytes(range(0x11, 0x19))
INIT = Message(
    Header(SPI_I, ZERO_SPI, 34, 0, True, False),
    (
        SaPayload((Proposal(1, 1, b"", (Transform(1, 20, 256), Transform(2, 5), Transform(4, 31))),)),
        KePayload(31, b"\xaa" * 32),
        NoncePayload(b"\xbb" * 16),
        NotifyPayload(NotifyType.NAT_DETECTION_SOURCE_IP, b"\xcc" * 20),
        NotifyPayload(NotifyType.NAT_DETECTION_DESTINATION_IP, b"\xdd" * 20),
        VendorIdPayload(b"ww"),
    ),
)
INIT_OCTETS = bytes.fromhex(
    "1112131415161718 0000000000000000 21 20 22 08 00000000 000000be"
    "22 00 0028 | 00 00 0024 01 01 00 03 | 03 00 000c 01 00 0014 800e 0100"
    "03 00 0008 02 00 0005 | 00 00 0008 04 00 001f"
    "28 00 0028 001f 0000".replace("|", "")
    + "aa" * 32
    + "29 00 0014"
    + "bb" * 16
    + "29 00 001c 00 00 4004"
    + "cc" * 20
    + "2b 00 001c 00 00 4005"
    + "dd" * 20
    + "00 00 0006 7777"
)


def header_octets(next_payload=0, flags=0x08, version=0x20, length=28, exchange=34):
    return SPI_I + ZERO_SPI + bytes((next_payload, version, exchange, flags)) + bytes(4) + length.to_bytes(4, "big")


def message_octets(first, chain, flags=0x08):
    return header_octets(first, flags, length=28 + len(chain)) + chain


def test_ike_sa_init_octet_by_octet():
    """One whole message, both ways."""
    assert INIT.encode() == INIT_OCTETS
    assert Message.decode(INIT_OCTETS) == INIT
    header = Header.decode(INIT_OCTETS)
    assert Message.decode(INIT_OCTETS, header) == INIT
    assert (header.next_payload, header.length, header.major, header.minor) == (33, len(INIT_OCTETS), 2, 0)


@pytest.mark.parametrize("flags", range(256))
def test_every_flag_octet(flags):
    """I is 0x08, V 0x10, R 0x20; the X bits are ignored on receipt and sent as zero."""
    header = Header.decode(header_octets(flags=flags))
    assert (header.original_initiator, header.higher_version, header.response) == (
        bool(flags & 8),
        bool(flags & 16),
        bool(flags & 32),
    )
    assert header.encode(0, 28)[19] == flags & 0x38


def test_header_extremes():
    """All ones survive, and SPIs of another size are not padded or cut."""
    raw = b"\xff" * 24 + (28).to_bytes(4, "big")
    header = Header.decode(raw)
    assert (header.message_id, header.exchange, header.major, header.minor) == (0xFFFFFFFF, 255, 15, 15)
    assert header.encode(255, 28)[:19] == raw[:19]
    for bad in (b"", b"1234567", b"123456789"):
        with pytest.raises(ValueError):
            dataclasses.replace(header, spi_i=bad).encode(0, 28)


@pytest.mark.parametrize("size", range(28))
def test_short_datagrams(size):
    """Fewer than 28 octets are no header."""
    with pytest.raises(WireError):
        Header.decode(header_octets()[:size])


def test_length_field_on_both_sides():
    """The Length is the datagram's, not less and not more."""
    for length in (0, 27, 29, 0xFFFFFFFF):
        with pytest.raises(WireError):
            Header.decode(header_octets(length=length))
    with pytest.raises(WireError):
        Header.decode(header_octets() + b"\0")
    Header.decode(header_octets())


def test_datagram_cap_on_both_sides():
    """Limits.datagram_octets counts the whole datagram; a NAT-T one can be 65,535 less headers, never more."""
    for most, datagram in ((190, INIT_OCTETS), (65535, message_octets(43, b"\0\0\xff\xe3" + bytes(65503)))):
        Message.decode(datagram, limits=Limits(datagram_octets=most))
        with pytest.raises(WireError):
            Message.decode(datagram, limits=Limits(datagram_octets=len(datagram) - 1))


def test_payload_cap_on_both_sides():
    """64 payloads by default."""

    def message(n):
        return Message(INIT.header, (VendorIdPayload(b""),) * n)

    assert Message.decode(message(64).encode()) == message(64)
    with pytest.raises(WireError):
        Message.decode(message(65).encode())


def test_truncation_at_every_octet():
    """Cut short with its Length left alone or corrected: an error each time, or a message with fewer payloads."""
    for end in range(len(INIT_OCTETS)):
        with pytest.raises(WireError):
            Message.decode(INIT_OCTETS[:end])
        if end >= 28:
            corrected = INIT_OCTETS[:24] + end.to_bytes(4, "big") + INIT_OCTETS[28:end]
            with pytest.raises(WireError):
                Message.decode(corrected)


def test_unknown_payloads():
    """Section 2.5: non-critical is kept and passed over, critical refuses the message and names the type."""
    for kind in (1, 32, 49, 53, 54, 128, 255):
        got = Message.decode(
            message_octets(kind, bytes.fromhex("29 00 0006 6162") + bytes.fromhex("00 00 0008 00 00 4000"))
        )
        assert got.payloads == (UnknownPayload(kind, b"ab"), NotifyPayload(16384))
        assert Message.decode(got.encode()) == got
        with pytest.raises(UnsupportedCriticalPayload) as error:
            Message.decode(
                message_octets(kind, bytes.fromhex("29 80 0006 6162") + bytes.fromhex("00 00 0008 00 00 4000"))
            )
        assert error.value.payload_type == kind
        assert error.value.notify_data == bytes((kind,))
        assert error.value.notify is NotifyType.UNSUPPORTED_CRITICAL_PAYLOAD


def test_critical_bit_of_known_payloads_is_ignored():
    """Section 2.5; the other seven bits are RESERVED."""
    for flags in (0x00, 0x80, 0x7F, 0xFF):
        got = Message.decode(message_octets(41, bytes((0, flags)) + bytes.fromhex("0008 00 00 4000")))
        assert got.payloads == (NotifyPayload(16384),)


def test_a_broken_known_payload_is_an_error_before_a_later_critical_one_is_seen():
    """Any of the two errors is right; it must be one, and a WireError."""
    with pytest.raises(WireError):
        Message.decode(message_octets(34, bytes.fromhex("c8 00 0005 00") + bytes.fromhex("00 80 0004")))


def test_chain_that_does_not_fit():
    """Length under 4, past the end, octets after the last payload, payloads promised that are not there."""
    for first, chain in (
        (43, "00 00 0003"),
        (43, "00 00 0000"),
        (43, "00 00 0005"),
        (43, "00 00 ffff"),
        (43, "2b 00 0004"),
        (43, "00 00 0004 00"),
        (43, ""),
        (0, "00"),
        (46, "21 00 0004 00 00 0004"),
    ):
        with pytest.raises(WireError):
            Message.decode(message_octets(first, bytes.fromhex(chain)))


def test_versions():
    """Other major versions are an error of their own; a higher minor one is read (section 2.5)."""
    for version in (0x00, 0x10, 0x30, 0xF0):
        assert Header.decode(header_octets(version=version)).major == version >> 4
        with pytest.raises(InvalidMajorVersion) as error:
            Message.decode(header_octets(version=version))
        assert error.value.notify is NotifyType.INVALID_MAJOR_VERSION
    assert Message.decode(header_octets(version=0x2F)).header.minor == 15


def test_sealed_message_keeps_its_sk_payload():
    """In clear the SK payload ends the chain; what its Next Payload names is inside it. Encoding gives it back."""
    datagram = message_octets(46, bytes.fromhex("23 00 0008 01020304"))
    message = Message.decode(datagram)
    assert message.payloads == (SkPayload(35, b"\1\2\3\4"),)
    assert message.encode() == datagram
    assert not message.protected


def test_lookup():
    """first, all, notify, notifies, errors."""
    n = NotifyPayload
    message = Message(INIT.header, (n(16388, b"a"), n(24), n(16388, b"b"), n(9999), TsiPayload(())))
    assert message.first(NotifyPayload) == n(16388, b"a")
    assert message.first(KePayload) is None
    assert message.first(TsPayload) == TsiPayload(())
    assert message.all(NotifyPayload) == (n(16388, b"a"), n(24), n(16388, b"b"), n(9999))
    assert message.notify(16388) == n(16388, b"a")
    assert message.notify(NotifyType.COOKIE) is None
    assert message.notifies(16388) == (n(16388, b"a"), n(16388, b"b"))
    assert message.errors() == (n(24), n(9999))
    assert n(16383).is_error
    assert not n(16384).is_error


def test_empty_message():
    """A header alone, as an INFORMATIONAL in clear would be."""
    message = Message(INIT.header, ())
    assert message.encode() == header_octets()
    assert Message.decode(header_octets()) == message
