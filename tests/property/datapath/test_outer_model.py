"""What inner and outer headers owe each other, against the RFC's own table and a plain count of octets (RFC 6040,
RFC 4301 section 5.1.2, WSG-08)."""

from __future__ import annotations

import pytest
from esp_model import MACS, SUITES, key_octets
from hypothesis import given, settings
from hypothesis import strategies as st

from nf.datapath._rust import EspOutbound, decapsulate

NOT_ECT, ECT_1, ECT_0, CE = 0, 1, 2, 3
FIGURE_4 = {
    NOT_ECT: {NOT_ECT: NOT_ECT, ECT_0: NOT_ECT, ECT_1: NOT_ECT, CE: None},
    ECT_0: {NOT_ECT: ECT_0, ECT_0: ECT_0, ECT_1: ECT_1, CE: CE},
    ECT_1: {NOT_ECT: ECT_1, ECT_0: ECT_1, ECT_1: ECT_1, CE: CE},
    CE: {NOT_ECT: CE, ECT_0: CE, ECT_1: CE, CE: CE},
}
"""RFC 6040 figure 4: inner field -> outer field -> what goes on; None is a drop."""


def header(v6: bool, traffic_class: int, addresses: bytes, payload: bytes) -> bytes:
    """A packet, with its checksum counted anew."""
    if v6:
        first = (6 << 28 | traffic_class << 20 | 0xABCDE).to_bytes(4, "big")
        return first + len(payload).to_bytes(2, "big") + b"\x3b\x40" + addresses + payload
    octets = bytes([0x45, traffic_class]) + (20 + len(payload)).to_bytes(2, "big") + b"\x12\x34\x40\0\x40\x11"
    words = octets + addresses[:8]
    total = sum(int.from_bytes(words[i : i + 2], "big") for i in range(0, len(words), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return octets + (total ^ 0xFFFF).to_bytes(2, "big") + addresses[:8] + payload


@given(
    v6=st.booleans(),
    dscp=st.integers(0, 63),
    inner=st.integers(0, 3),
    outer=st.integers(0, 255),
    addresses=st.binary(min_size=32, max_size=32),
    payload=st.binary(max_size=20),
)
@settings(max_examples=400, deadline=None)
def test_decapsulation(v6: bool, dscp: int, inner: int, outer: int, addresses: bytes, payload: bytes) -> None:
    """The inner DSCP stays whatever the outer one is; ECN is combined; nothing else changes."""
    ecn = FIGURE_4[inner][outer & 3]
    expected = None if ecn is None else header(v6, dscp << 2 | ecn, addresses, payload)
    assert decapsulate(header(v6, dscp << 2 | inner, addresses, payload), outer) == expected


@given(data=st.binary(max_size=60), outer=st.integers(0, 255))
def test_anything_is_taken(data: bytes, outer: int) -> None:
    result = decapsulate(data, outer)
    assert result is None or len(result) == len(data)


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_the_largest_inner_packet_that_fits(suite: tuple[int, int, int]) -> None:
    """Both sides of every edge: header, IV, least padding and ICV counted from the RFCs."""
    encr, _, integ = suite
    iv = {20: 8, 28: 8, 12: 16, 11: 0}[encr]
    icv = 16 if encr in (20, 28) else MACS[integ][2]
    align = 16 if encr == 12 else 4

    def octets(payload: int) -> int:
        return 8 + iv + -(-(payload + 2) // align) * align + icv

    encr_key, integ_key = (bytes(size) for size in key_octets(suite))
    esp = EspOutbound(1, *suite, encr_key, integ_key, False)
    for limit in range(120, 1600):
        room = esp.payload_room(limit)
        assert octets(room) <= limit < octets(room + 1)
    assert len(esp.seal(1, 4, bytes(1000), bytes(iv))) == octets(1000)
