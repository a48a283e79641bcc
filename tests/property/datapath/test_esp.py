"""The Rust ESP against a plain Python model, and against anything at all (RFC 4303)."""

from __future__ import annotations

import pytest
from esp_model import SUITES, Model, iv_octets, key_octets
from hypothesis import given, settings
from hypothesis import strategies as st

from nf.datapath._rust import EspInbound, EspOutbound, ReplayWindow
from nf.datapath.port import DatapathError

suites = st.sampled_from(SUITES)


def keys(suite: tuple[int, int, int], seed: int) -> tuple[bytes, bytes]:
    encr, integ = key_octets(suite)
    return bytes((seed + 3 * n) % 256 for n in range(encr)), bytes((seed + 7 * n) % 256 for n in range(integ))


@pytest.mark.parametrize("suite", SUITES, ids=str)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_every_suite_seals_and_opens_as_the_model(suite: tuple[int, int, int], data: st.DataObject) -> None:
    encr_key, integ_key = keys(suite, data.draw(st.integers(0, 255)))
    esn = data.draw(st.booleans())
    sequence = data.draw(st.integers(1, 2**64 - 2 if esn else 2**32 - 1))
    payload = data.draw(st.binary(max_size=90))
    next_header = data.draw(st.integers(0, 255))
    iv = data.draw(st.binary(min_size=iv_octets(suite[0]), max_size=iv_octets(suite[0])))
    spi = data.draw(st.integers(1, 2**32 - 1))
    expected = Model(suite, encr_key, integ_key, esn).seal(spi, sequence, next_header, payload, iv)
    sealed = EspOutbound(spi, *suite, encr_key, integ_key, esn).seal(sequence, next_header, payload, iv)
    assert sealed == expected
    if not esn or sequence < 2**32 - 1000:  # a fresh window stands at 0: higher subspaces cannot be inferred
        inbound = EspInbound(*suite, encr_key, integ_key, esn, 64)
        assert inbound.open(expected) == (payload, next_header, sequence)
        with pytest.raises(DatapathError, match="replay"):
            inbound.open(expected)


@given(suite=suites, esn=st.booleans(), packet=st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_arbitrary_octets_are_an_error_and_nothing_else(suite: tuple[int, int, int], esn: bool, packet: bytes) -> None:
    with pytest.raises(DatapathError, match=r"malformed|replay|integrity"):
        EspInbound(*suite, *keys(suite, 1), esn, 64).open(packet)


@given(suite=suites, at=st.integers(0, 10**6), bit=st.integers(0, 7), payload=st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_one_wrong_bit_is_refused(suite: tuple[int, int, int], at: int, bit: int, payload: bytes) -> None:
    encr_key, integ_key = keys(suite, 5)
    good = Model(suite, encr_key, integ_key, False).seal(9, 77, 4, payload, bytes(iv_octets(suite[0])))
    bad = bytearray(good)
    bad[at % len(bad)] ^= 1 << bit
    inbound = EspInbound(*suite, encr_key, integ_key, False, 64)
    with pytest.raises(DatapathError, match="integrity"):
        inbound.open(bytes(bad))
    assert inbound.open(good) == (payload, 4, 77)


@given(
    suite=suites,
    plain=st.binary(min_size=2, max_size=64),
)
@settings(max_examples=200, deadline=None)
def test_any_authenticated_trailer_is_handled(suite: tuple[int, int, int], plain: bytes) -> None:
    """A peer with the keys may still send nonsense inside: the payload comes out, or it is malformed."""
    encr_key, integ_key = keys(suite, 9)
    # as many octets as the trailer's alignment asks for, with the trailer that hypothesis chose
    align = 16 if suite[0] == 12 else 4
    plain = plain + bytes(-len(plain) % align)
    model = Model(suite, encr_key, integ_key, False)
    packet = model.protect(9, 77, plain, bytes(iv_octets(suite[0])))
    pad = plain[-2]
    good = pad + 2 <= len(plain) and plain[-2 - pad : -2] == bytes(range(1, pad + 1))
    inbound = EspInbound(*suite, encr_key, integ_key, False, 64)
    if good:
        assert inbound.open(packet) == (plain[: -2 - pad], plain[-1], 77)
    else:
        with pytest.raises(DatapathError, match="malformed"):
            inbound.open(packet)


@given(
    size=st.sampled_from([32, 64, 128, 256, 384, 512]),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 700)), max_size=200),
)
@settings(max_examples=100, deadline=None)
def test_the_replay_window_agrees_with_a_set(size: int, steps: list[tuple[bool, int]]) -> None:
    """ESN-02, ESN-04: everything seen, and a left edge."""
    window, seen, top = ReplayWindow(size, False), set[int](), 0
    for forward, by in steps:
        sequence = top + by if forward else max(top - by, 0)
        good = sequence > 0 and sequence not in seen and sequence > top - size
        assert window.check(sequence) == good
        assert window.accept(sequence) == good
        if good:
            seen.add(sequence)
            top = max(top, sequence)


@given(
    top=st.one_of(st.integers(1, 2**63), st.integers(1, 200), st.integers(2**32 - 100, 2**32 + 100)),
    offset=st.one_of(st.integers(-63, 2**31), st.integers(-63, 63)),
)
@settings(max_examples=300, deadline=None)
def test_the_high_half_is_inferred(top: int, offset: int) -> None:
    """ESN-16: the number on the wire means the one in the window or ahead of it (RFC 4303 appendix A2.2)."""
    window = ReplayWindow(64, True)
    assert window.accept(top)
    sequence = top + offset
    if sequence >= 0:
        assert window.infer(sequence & 0xFFFFFFFF) == sequence
