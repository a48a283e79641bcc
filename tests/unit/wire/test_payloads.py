"""Every payload codec: typical, extreme and malformed bodies, written as octets by hand from RFC 7296 section 3."""

import pytest

from nf.wire.errors import WireError
from nf.wire.iana import PayloadType
from nf.wire.limits import Limits
from nf.wire.payloads import (
    DECODERS,
    Attribute,
    AuthPayload,
    CertPayload,
    CertReqPayload,
    CpAttribute,
    CpPayload,
    DeletePayload,
    EapPayload,
    IdiPayload,
    IdrPayload,
    KePayload,
    NoncePayload,
    NotifyPayload,
    Proposal,
    SaPayload,
    TrafficSelector,
    Transform,
    TsiPayload,
    TsrPayload,
    UnknownSelector,
    VendorIdPayload,
)


def octets(text):
    return bytes.fromhex(text.replace("|", " "))


T = Transform
V4 = TrafficSelector(7, 0, 0, 65535, 0, 0xFFFFFFFF)
V6 = TrafficSelector(8, 17, 53, 53, 0x20010DB8 << 96, (0x20010DB8 << 96) + 0xFFFF)

# class, body, value: `value.encode()` is `body`, and `decode(body)` is `value`.
EXACT = [
    # SA: IKE, no SPI: AES-CBC-256, PRF SHA2-256, INTEG SHA2-256-128, group 14
    (
        SaPayload,
        "00 00 00 2c | 01 01 00 04 | 03 00 00 0c 01 00 00 0c 80 0e 01 00 | 03 00 00 08 02 00 00 05"
        "| 03 00 00 08 03 00 00 0c | 00 00 00 08 04 00 00 0e",
        SaPayload((Proposal(1, 1, b"", (T(1, 12, 256), T(2, 5), T(3, 12), T(4, 14))),)),
    ),
    # two proposals: ESP with SPI, AES-GCM-16 with two key sizes, no ESN; then AH
    (
        SaPayload,
        "02 00 00 2c | 01 03 04 03 de ad be ef | 03 00 00 0c 01 00 00 14 80 0e 00 80"
        "| 03 00 00 0c 01 00 00 14 80 0e 01 00 | 00 00 00 08 05 00 00 00"
        "| 00 00 00 14 | 02 02 04 01 00 00 00 01 | 00 00 00 08 03 00 00 02",
        SaPayload(
            (
                Proposal(1, 3, b"\xde\xad\xbe\xef", (T(1, 20, 128), T(1, 20, 256), T(5, 0))),
                Proposal(2, 2, b"\0\0\0\1", (T(3, 2),)),
            )
        ),
    ),
    # IKE rekey: 8-octet SPI; no transforms at all
    (
        SaPayload,
        "00 00 00 10 ff 01 08 00 01 02 03 04 05 06 07 08",
        SaPayload((Proposal(255, 1, bytes(range(1, 9)), ()),)),
    ),
    # attributes: unknown short, unknown long, and the Key Length before them
    (
        SaPayload,
        "00 00 00 20 01 01 00 01 | 00 00 00 18 f1 00 ff ff 80 0e 00 c0 | 80 0f 00 01 | 00 10 00 04 61 62 63 64",
        SaPayload((Proposal(1, 1, b"", (T(241, 65535, 192, (Attribute(15, 1), Attribute(16, b"abcd"))),)),)),
    ),
    # Key Length 0, and a second Key Length: kept as attributes, so that nobody chooses the transform
    (
        SaPayload,
        "00 00 00 14 01 01 00 01 | 00 00 00 0c 01 00 00 0c 80 0e 00 00",
        SaPayload((Proposal(1, 1, b"", (T(1, 12, 0, (Attribute(14, 0),)),)),)),
    ),
    (
        SaPayload,
        "00 00 00 18 01 01 00 01 | 00 00 00 10 01 00 00 0c 80 0e 00 80 80 0e 01 00",
        SaPayload((Proposal(1, 1, b"", (T(1, 12, 128, (Attribute(14, 256),)),)),)),
    ),
    # an unknown protocol may have any SPI size
    (SaPayload, "00 00 00 0b 01 c9 03 00 61 62 63", SaPayload((Proposal(1, 201, b"abc", ()),))),
    (KePayload, "00 1f 00 00 01 02 03", KePayload(31, b"\1\2\3")),
    (KePayload, "ff ff 00 00", KePayload(65535, b"")),
    (IdiPayload, "02 00 00 00 61 2e 62", IdiPayload(2, b"a.b")),
    (IdrPayload, "ff 01 02 03", IdrPayload(255, b"", b"\1\2\3")),
    (CertPayload, "04 30 00", CertPayload(4, b"\x30\0")),
    (CertPayload, "ff", CertPayload(255, b"")),
    (CertReqPayload, "04" + "ab" * 40, CertReqPayload(4, b"\xab" * 40)),
    (AuthPayload, "02 00 00 00" + "11" * 32, AuthPayload(2, b"\x11" * 32)),
    (AuthPayload, "ff 00 00 00", AuthPayload(255, b"")),
    (NoncePayload, "22" * 16, NoncePayload(b"\x22" * 16)),
    (NoncePayload, "22" * 256, NoncePayload(b"\x22" * 256)),
    (NotifyPayload, "00 00 40 04" + "33" * 20, NotifyPayload(16388, b"\x33" * 20)),
    (NotifyPayload, "03 04 40 09 01 02 03 04", NotifyPayload(16393, b"", 3, b"\1\2\3\4")),
    (NotifyPayload, "03 04 00 0b 01 02 03 04 05", NotifyPayload(11, b"\5", 3, b"\1\2\3\4")),
    (NotifyPayload, "ff ff ff ff" + "44" * 255, NotifyPayload(65535, b"", 255, b"\x44" * 255)),
    (DeletePayload, "01 00 00 00", DeletePayload(1)),
    (DeletePayload, "03 04 00 02 00 00 00 01 ff ff ff ff", DeletePayload(3, (1, 0xFFFFFFFF))),
    (DeletePayload, "02 04 00 00", DeletePayload(2)),
    (VendorIdPayload, "", VendorIdPayload(b"")),
    (VendorIdPayload, "55" * 300, VendorIdPayload(b"\x55" * 300)),
    (TsiPayload, "01 00 00 00 | 07 00 00 10 00 00 ff ff 00 00 00 00 ff ff ff ff", TsiPayload((V4,))),
    (
        TsrPayload,
        "02 00 00 00 | 08 11 00 28 00 35 00 35 20 01 0d b8" + "00" * 12 + "20 01 0d b8" + "00" * 10 + "ff ff"
        "| 07 00 00 10 00 00 ff ff 00 00 00 00 ff ff ff ff",
        TsrPayload((V6, V4)),
    ),
    # OPAQUE ports, ends in the wrong order: as sent
    (
        TsiPayload,
        "01 00 00 00 | 07 ff 00 10 ff ff 00 00 0a 00 00 02 0a 00 00 01",
        TsiPayload((TrafficSelector(7, 255, 65535, 0, 0x0A000002, 0x0A000001),)),
    ),
    (
        TsrPayload,
        "02 00 00 00 | 07 00 00 10 00 00 ff ff 00 00 00 00 ff ff ff ff | 0a 00 00 06 61 62",
        TsrPayload((V4,), (UnknownSelector(10, 0, b"ab"),)),
    ),
    (CpPayload, "01 00 00 00", CpPayload(1)),
    (
        CpPayload,
        "02 00 00 00 | 00 01 00 04 0a 00 00 01 | 00 03 00 00 | 7f ff 00 01 aa",
        CpPayload(2, (CpAttribute(1, b"\n\0\0\1"), CpAttribute(3), CpAttribute(32767, b"\xaa"))),
    ),
    (EapPayload, "03 07 00 04", EapPayload(3, 7)),
    (EapPayload, "01 ff 00 06 01 61", EapPayload(1, 255, b"\1a")),
]

MALFORMED = [
    (SaPayload, "", "empty"),
    (SaPayload, "00 00 00 07 01 01 00 00", "proposal shorter than its header"),
    (SaPayload, "00 00 00 00 01 01 00 00", "length 0"),
    (SaPayload, "00 00 00 09 01 01 00 00", "proposal past the end"),
    (SaPayload, "01 00 00 08 01 01 00 00", "bad chain flag"),
    (SaPayload, "03 00 00 08 01 01 00 00", "flag of a transform on a proposal"),
    (SaPayload, "02 00 00 08 01 01 00 00", "more proposals promised"),
    (SaPayload, "00 00 00 08 01 01 00 00 00", "octets after the last"),
    (SaPayload, "00 00 00 0c 01 01 04 00 01 02 03 04", "IKE SPI of 4 octets"),
    (SaPayload, "00 00 00 08 01 03 00 00", "ESP without SPI"),
    (SaPayload, "00 00 00 10 01 03 08 00 01 02 03 04 05 06 07 08", "ESP SPI of 8 octets"),
    (SaPayload, "00 00 00 08 01 01 08 00", "SPI longer than the proposal"),
    (SaPayload, "00 00 00 08 01 01 00 01", "a transform too few"),
    (SaPayload, "00 00 00 10 01 01 00 00 00 00 00 08 02 00 00 05", "a transform too many"),
    (SaPayload, "00 00 00 10 01 01 00 01 03 00 00 08 02 00 00 05", "last transform promises more"),
    (SaPayload, "00 00 00 18 01 01 00 02 00 00 00 08 02 00 00 05 00 00 00 08 02 00 00 05", "first transform says last"),
    (SaPayload, "00 00 00 10 01 01 00 01 00 00 00 07 02 00 00 05", "transform shorter than its header"),
    (SaPayload, "00 00 00 10 01 01 00 01 00 00 00 09 02 00 00 05", "transform past the end"),
    (SaPayload, "00 00 00 12 01 01 00 01 00 00 00 0a 01 00 00 0c 80 0e", "half an attribute"),
    (SaPayload, "00 00 00 14 01 01 00 01 00 00 00 0c 01 00 00 0c 00 10 00 01", "attribute value past the end"),
    (KePayload, "", "empty"),
    (KePayload, "00 1f 00", "short header"),
    (IdiPayload, "02 00 00", "short header"),
    (IdrPayload, "", "empty"),
    (CertPayload, "", "empty"),
    (CertReqPayload, "", "empty"),
    (AuthPayload, "02 00 00", "short header"),
    (NoncePayload, "", "empty"),
    (NoncePayload, "22" * 15, "15 octets"),
    (NoncePayload, "22" * 257, "257 octets"),
    (NotifyPayload, "00 00 40", "short header"),
    (NotifyPayload, "03 04 40 09 01 02 03", "SPI past the end"),
    (DeletePayload, "01 00 00", "short header"),
    (DeletePayload, "01 08 00 01 01 02 03 04 05 06 07 08", "IKE SPIs listed"),
    (DeletePayload, "01 00 00 01", "IKE with a count"),
    (DeletePayload, "01 00 00 00 00", "octets too many"),
    (DeletePayload, "03 00 00 00", "SPI size 0 for ESP"),
    (DeletePayload, "03 08 00 01 01 02 03 04 05 06 07 08", "SPI size 8 for ESP"),
    (DeletePayload, "03 04 00 02 00 00 00 01", "an SPI too few"),
    (DeletePayload, "03 04 00 01 00 00 00 01 00", "octets too many"),
    (DeletePayload, "03 04 ff ff 00 00 00 01", "count far too large"),
    (TsiPayload, "", "empty"),
    (TsiPayload, "00 00 00 00", "no selector"),
    (TsiPayload, "01 00 00 00", "selector missing"),
    (TsiPayload, "01 00 00 00 07 00 00 03", "selector shorter than its header"),
    (TsiPayload, "01 00 00 00 07 00 00 0f 00 00 ff ff 00 00 00 00 ff ff ff", "IPv4 selector of 15 octets"),
    (TsiPayload, "01 00 00 00 08 00 00 10 00 00 ff ff 00 00 00 00 ff ff ff ff", "IPv6 selector of 16 octets"),
    (TsiPayload, "01 00 00 00 07 00 00 10 00 00 ff ff 00 00 00 00 ff ff ff ff 00", "octets too many"),
    (TsrPayload, "02 00 00 00 07 00 00 10 00 00 ff ff 00 00 00 00 ff ff ff ff", "a selector too few"),
    (CpPayload, "01 00 00", "short header"),
    (CpPayload, "01 00 00 00 00 01 00", "short attribute header"),
    (CpPayload, "01 00 00 00 00 01 00 04 0a 00 00", "value past the end"),
    (EapPayload, "03 07 00", "short header"),
    (EapPayload, "03 07 00 05", "EAP length over the body"),
    (EapPayload, "03 07 00 04 00", "EAP length under the body"),
    (EapPayload, "03 07 00 00", "EAP length 0"),
]


@pytest.mark.parametrize(("kind", "body", "value"), EXACT)
def test_exact(kind, body, value):
    """Octets to value and back; the value names its payload type and is immutable."""
    body = octets(body)
    assert kind.decode(body) == value
    assert value.encode() == body
    with pytest.raises(AttributeError):
        setattr(value, value.__struct_fields__[0], 0)


@pytest.mark.parametrize(
    ("kind", "body", "why"), MALFORMED, ids=lambda v: v if isinstance(v, str) and " " in v else None
)
def test_malformed(kind, body, why):
    """A WireError that names a place and a reason."""
    with pytest.raises(WireError) as error:
        kind.decode(octets(body))
    assert error.value.where
    assert error.value.reason


@pytest.mark.parametrize(("kind", "body", "value"), EXACT)
def test_truncation_at_every_octet(kind, body, value):
    """A body cut short is an error or another value; never anything else, and never the same value."""
    body = octets(body)
    for end in range(len(body)):
        try:
            got = kind.decode(body[:end])
        except WireError:
            continue
        assert got != value


def test_reserved_octets_are_ignored_on_receipt():
    """RFC 7296 section 2.5: RESERVED is sent as zero and not looked at, in every structure that has it."""
    for kind, dirty, clean in (
        (KePayload, "00 1f ff ff 01", "00 1f 00 00 01"),
        (AuthPayload, "02 ff ff ff 01", "02 00 00 00 01"),
        (CpPayload, "01 ff ff ff 80 01 00 00", "01 00 00 00 00 01 00 00"),
        (
            TsiPayload,
            "01 ff ff ff 07 00 00 10 00 00 ff ff 00 00 00 00 ff ff ff ff",
            "01 00 00 00 07 00 00 10 00 00 ff ff 00 00 00 00 ff ff ff ff",
        ),
        (
            SaPayload,
            "00 ff 00 10 01 01 00 01 00 ff 00 08 02 ff 00 05",
            "00 00 00 10 01 01 00 01 00 00 00 08 02 00 00 05",
        ),
    ):
        assert kind.decode(octets(dirty)).encode() == octets(clean)


def test_id_reserved_octets_are_kept():
    """They are covered by AUTH as they were sent (RFC 7296 section 2.15)."""
    identity = IdiPayload.decode(octets("02 aa bb cc 61"))
    assert identity.body == octets("02 aa bb cc 61")
    assert IdiPayload(2, b"a").body == octets("02 00 00 00 61")


def test_kinds_are_not_equal():
    """Two types with the same fields are different values."""
    assert IdiPayload(2, b"a") != IdrPayload(2, b"a")
    assert TsiPayload((V4,)) != TsrPayload((V4,))
    assert hash(IdiPayload(2, b"a")) == hash(IdiPayload(2, b"a"))


def test_secrets_are_not_in_repr():
    """Nonces, AUTH data and EAP data."""
    for payload in (NoncePayload(b"\x5a" * 16), AuthPayload(2, b"\x5a" * 16), EapPayload(1, 1, b"\x5a" * 16)):
        assert "ZZ" not in repr(payload)


def sa_with(proposals, transforms, attributes):
    transform = T(1, 12, 0, tuple(Attribute(15, 1) for _ in range(attributes)))
    return SaPayload(tuple(Proposal(i, 1, b"", (transform,) * transforms) for i in range(proposals)))


LIMITS = Limits(proposals=3, transforms=4, attributes=2, selectors=3, spis=5, cp_attributes=6)
CAPS = [
    (lambda n: sa_with(n, 1, 0), 3),
    (lambda n: sa_with(1, n, 0), 4),
    (lambda n: sa_with(1, 1, n), 2),
    (lambda n: TsiPayload((V4,) * n), 3),
    (lambda n: TsrPayload((), (UnknownSelector(10, 0, b""),) * n), 3),
    (lambda n: DeletePayload(3, tuple(range(n))), 5),
    (lambda n: CpPayload(1, (CpAttribute(1),) * n), 6),
]


@pytest.mark.parametrize(("make", "most"), CAPS)
def test_caps_on_both_sides(make, most):
    """As many as the limit are read, one more is refused."""
    value = make(most)
    assert type(value).decode(value.encode(), LIMITS) == value
    with pytest.raises(WireError):
        type(value).decode(make(most + 1).encode(), LIMITS)


def test_default_caps_on_both_sides():
    """The defaults: 32 proposals, 64 transforms, 4 attributes, 64 selectors, 256 SPIs, 64 CP attributes."""
    for make, most in zip((c[0] for c in CAPS), (32, 64, 4, 64, 64, 256, 64), strict=True):
        value = make(most)
        assert type(value).decode(value.encode()) == value
        with pytest.raises(WireError):
            type(value).decode(make(most + 1).encode())


def test_transform_cache_holds_no_errors_and_respects_limits():
    """The same octets are refused each time, and read under one limit do not pass under a smaller one."""
    body = sa_with(1, 1, 2).encode()
    for _ in range(2):
        assert SaPayload.decode(body, LIMITS) == sa_with(1, 1, 2)
        with pytest.raises(WireError):
            SaPayload.decode(body, Limits(attributes=1))


def test_numbers_that_do_not_fit_are_not_cut_off():
    """Encoding a value that no decoder gives is our mistake and fails aloud."""
    for value in (KePayload(65536, b""), DeletePayload(3, (1 << 32,)), NotifyPayload(1, b"", 0, bytes(256))):
        with pytest.raises(Exception, match=r".*"):
            value.encode()
    with pytest.raises(OverflowError):
        TsiPayload((TrafficSelector(7, 0, 0, 0, 1 << 32, 0),)).encode()
    with pytest.raises(WireError):
        TsiPayload((TrafficSelector(9, 0, 0, 0, 0, 0),)).encode()


def test_decoder_table():
    """A decoder for every payload type of RFC 7296 but SK, each giving its own type."""
    assert set(DECODERS) == {int(t) for t in PayloadType if 33 <= t <= 48} - {int(PayloadType.SK)}
    for kind, body, _ in EXACT:
        assert type(DECODERS[kind.payload_type](octets(body), Limits())) is kind


def test_proposal_and_cp_lookup():
    """`of` keeps the sender's order."""
    proposal = Proposal(1, 3, b"\0\0\0\1", (T(1, 20, 256), T(5, 0), T(1, 20, 128)))
    assert proposal.of(1) == (T(1, 20, 256), T(1, 20, 128))
    assert proposal.of(3) == ()
    cp = CpPayload(1, (CpAttribute(3, b"a"), CpAttribute(1), CpAttribute(3, b"b")))
    assert cp.of(3) == (CpAttribute(3, b"a"), CpAttribute(3, b"b"))
