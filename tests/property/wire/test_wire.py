"""Properties of the codecs: round trip; arbitrary octets give a value or WireError and nothing else."""

import struct

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nf.crypto.keymat import IkeKeys
from nf.crypto.suite import IkeSuite
from nf.wire import sk
from nf.wire.errors import IntegrityError, WireError
from nf.wire.limits import DEFAULT_LIMITS
from nf.wire.message import Header, Message
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
    UnknownPayload,
    UnknownSelector,
    VendorIdPayload,
)

u8 = st.integers(0, 255)
u16 = st.integers(0, 65535)
u32 = st.integers(0, 2**32 - 1)
octets = st.binary(max_size=40)


def several(strategy, least=0, most=4):
    return st.lists(strategy, min_size=least, max_size=most).map(tuple)


# The decoder gives a Key Length as key_bits, so an Attribute is never one unless a value came before it or it is 0.
attribute_types = st.integers(0, 32767).filter(lambda t: t != 14)
attributes = st.builds(Attribute, attribute_types, u16 | octets)
transforms = st.builds(Transform, u8, u16, u16, several(attributes, most=3))
proposals = st.one_of(
    st.builds(Proposal, u8, st.sampled_from((2, 3)), st.binary(min_size=4, max_size=4), several(transforms)),
    st.builds(Proposal, u8, st.just(1), st.just(b"") | st.binary(min_size=8, max_size=8), several(transforms)),
    st.builds(Proposal, u8, u8.filter(lambda p: p not in (1, 2, 3)), st.binary(max_size=255), several(transforms)),
)
selectors = st.one_of(
    st.builds(TrafficSelector, st.just(7), u8, u16, u16, u32, u32),
    st.builds(TrafficSelector, st.just(8), u8, u16, u16, *[st.integers(0, 2**128 - 1)] * 2),
)
unknown_selectors = st.builds(UnknownSelector, u8.filter(lambda t: t not in (7, 8)), u8, octets)


def ts(kind):
    return st.one_of(
        st.builds(kind, several(selectors, least=1), several(unknown_selectors)),
        st.builds(kind, several(selectors), several(unknown_selectors, least=1)),
    )


payloads = st.one_of(
    st.builds(SaPayload, several(proposals, least=1)),
    st.builds(KePayload, u16, octets),
    st.builds(IdiPayload, u8, octets, st.binary(min_size=3, max_size=3)),
    st.builds(IdrPayload, u8, octets),
    st.builds(CertPayload, u8, octets),
    st.builds(CertReqPayload, u8, octets),
    st.builds(AuthPayload, u8, octets),
    st.builds(NoncePayload, st.binary(min_size=16, max_size=256)),
    st.builds(NotifyPayload, u16, octets, u8, st.binary(max_size=255)),
    st.builds(DeletePayload, u8.filter(lambda p: p != 1), several(u32)) | st.just(DeletePayload(1)),
    st.builds(VendorIdPayload, octets),
    ts(TsiPayload),
    ts(TsrPayload),
    st.builds(CpPayload, u8, several(st.builds(CpAttribute, st.integers(0, 32767), octets))),
    st.builds(EapPayload, u8, u8, octets),
    st.builds(UnknownPayload, u8.filter(lambda t: t and t not in DECODERS and t != 46), octets),
)
spis = st.binary(min_size=8, max_size=8)
headers = st.builds(
    Header, spis, spis, u8, u32, st.booleans(), st.booleans(), st.booleans(), st.just(2), st.integers(0, 15)
)


def cipher_of(*suite):
    s = IkeSuite.of(*suite, 31)
    e, a = s.encr.key_octets, s.integ.key_octets if s.integ else 0
    return s.ciphers(IkeKeys(b"", b"a" * a, b"A" * a, b"e" * e, b"E" * e, b"", b""))[0]


CIPHERS = [cipher_of(20, 256, 5, 0), cipher_of(28, 0, 5, 0), cipher_of(12, 128, 2, 2), cipher_of(12, 256, 5, 12)]


@given(payloads)
def test_payload_round_trip(payload):
    """decode(encode(value)) is the value, for every value that fits its fields."""
    if not isinstance(payload, UnknownPayload):
        assert DECODERS[payload.payload_type](payload.encode(), DEFAULT_LIMITS) == payload


@given(headers, several(payloads, most=8))
def test_message_round_trip(header, inside):
    """The same for whole messages in clear."""
    message = Message(header, inside)
    assert Message.decode(message.encode()) == message


@given(headers, several(payloads, most=6), st.sampled_from(CIPHERS), st.binary(min_size=16, max_size=16))
def test_sealed_round_trip(header, inside, cipher, iv):
    """The same for sealed messages, with each kind of cipher."""
    datagram = sk.seal(header, inside, cipher, iv[: cipher.iv_octets])
    assert sk.open(datagram, Header.decode(datagram), cipher) == Message(header, inside, protected=True)


@given(st.sampled_from(sorted(DECODERS)), st.binary(max_size=300))
def test_arbitrary_octets_to_each_decoder(kind, body):
    """A value that encodes to something that decodes to itself, or WireError."""
    try:
        value = DECODERS[kind](body, DEFAULT_LIMITS)
    except WireError:
        return
    assert DECODERS[kind](value.encode(), DEFAULT_LIMITS) == value


@given(st.binary(max_size=400))
def test_arbitrary_octets_as_a_datagram(datagram):
    """Header and message, with the Length put right or left as it is."""
    for raw in (datagram, datagram[:24] + struct.pack(">I", len(datagram)) + datagram[28:]):
        try:
            Message.decode(raw, Header.decode(raw))
        except WireError:
            continue


@given(headers, several(payloads, least=1, most=5), st.data())
def test_a_message_with_changed_octets(header, inside, data):
    """Near misses find more than noise: a valid message with some octets changed is a message or a WireError."""
    raw = bytearray(Message(header, inside).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(u8)
    try:
        Message.decode(bytes(raw))
    except WireError:
        pass


@given(headers, u8, st.binary(max_size=300), st.sampled_from(CIPHERS))
def test_arbitrary_ciphertext(header, first, body, cipher):
    """Right framing around any octets: WireError always, as nobody guesses an ICV."""
    datagram = header.encode(46, 32 + len(body)) + bytes((first, 0)) + struct.pack(">H", 4 + len(body)) + body
    inside = len(body) - cipher.iv_octets - cipher.icv_octets
    whole = inside > 0 and inside % cipher.block_octets == 0
    with pytest.raises(IntegrityError if whole else WireError):
        sk.open(datagram, Header.decode(datagram), cipher)


@given(headers, u8, st.binary(max_size=200), st.sampled_from(CIPHERS))
def test_arbitrary_octets_behind_a_right_icv(header, first, plaintext, cipher):
    """What a peer with the keys may put inside: a message or a WireError."""
    plaintext += bytes(-len(plaintext) % 16 or 16)
    length = 32 + cipher.iv_octets + len(plaintext) + cipher.icv_octets
    aad = header.encode(46, length) + bytes((first, 0)) + struct.pack(">H", length - 28)
    datagram = aad + cipher.seal(aad, bytes(cipher.iv_octets), plaintext)
    try:
        assert sk.open(datagram, Header.decode(datagram), cipher).protected
    except IntegrityError:
        raise AssertionError("the ICV was right") from None
    except WireError:
        pass


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300))
def test_fuzz_entry(fuzz, data):
    """The entry that a fuzzer drives, with what hypothesis thinks of."""
    fuzz.fuzz_one(data)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(entry=st.integers(128, 255), header=headers, inside=several(payloads, most=5))
def test_fuzz_entry_with_messages(fuzz, entry, header, inside):
    """The same from valid messages: its own assertions hold on them."""
    first = int(inside[0].payload_type) if inside else 0
    chain = Message(header, inside).encode()[28:]
    fuzz.fuzz_one(bytes((entry, first, header.exchange, header.response)) + chain)
    fuzz.fuzz_one(bytes((entry,)) + Message(header, inside).encode())
