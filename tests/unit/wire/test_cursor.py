"""Reader: both sides of every length."""

import struct

import pytest

from nf.wire.cursor import Reader, chain, head
from nf.wire.errors import WireError


def test_reader_takes_values_in_order():
    """Numbers in network order, then octets, then the end."""
    r = Reader(bytes(range(1, 20)), "test")
    assert (r.u8(), r.u16(), r.u32()) == (1, 0x0203, 0x04050607)
    assert r.number(3) == 0x08090A
    r.skip(1)
    assert r.position == 11
    assert r.fields(struct.Struct(">BH")) == (12, 0x0D0E)
    assert r.take(2) == b"\x0f\x10"
    assert r.remaining == 3
    assert r.rest() == b"\x11\x12\x13"
    r.expect_end()


@pytest.mark.parametrize(
    ("read", "octets"),
    [
        (lambda r: r.u8(), 1),
        (lambda r: r.u16(), 2),
        (lambda r: r.u32(), 4),
        (lambda r: r.number(16), 16),
        (lambda r: r.take(5), 5),
        (lambda r: r.skip(5), 5),
        (lambda r: r.sub(5, "sub"), 5),
        (lambda r: r.fields(struct.Struct(">HHB")), 5),
        (lambda r: head(struct.Struct(">HHB"), r.rest(), "head"), 5),
    ],
)
def test_reader_lengths_on_both_sides(read, octets):
    """As many octets as are wanted suffice, one less does not."""
    read(Reader(bytes(octets), "test"))
    with pytest.raises(WireError):
        read(Reader(bytes(octets - 1), "test"))
    read(Reader(bytes(octets + 2), "test", 1, octets + 1))
    with pytest.raises(WireError):
        read(Reader(bytes(octets + 2), "test", 1, octets))


def test_reader_refuses_negative_and_outside():
    """A length that was made by subtraction may be negative; bounds may lie outside."""
    r = Reader(b"abc", "test")
    for bad in (lambda: r.take(-1), lambda: r.skip(-1), lambda: r.sub(-1, "sub")):
        with pytest.raises(WireError):
            bad()
    for start, end in ((4, None), (0, 4), (2, 1), (-1, 2)):
        with pytest.raises(WireError):
            Reader(b"abc", "test", start, end)


def test_sub_reader_ends_where_it_should():
    """A part does not read into what follows it, and the whole goes on after it."""
    r = Reader(b"abcdef", "test")
    sub = r.sub(2, "sub")
    assert sub.rest() == b"ab"
    with pytest.raises(WireError, match="sub"):
        sub.u8()
    assert r.rest() == b"cdef"
    sub.expect_end()
    with pytest.raises(WireError):
        Reader(b"a", "test").expect_end()


def test_chain_lengths_on_both_sides():
    """Generic headers: length 4 is the least, the end of the data the most."""
    assert chain(bytes.fromhex("00800004"), 0, 43, 46, 9) == ([(43, 0x80, b"")], 0)
    assert chain(bytes.fromhex("2b000005aa00000004"), 0, 43, 46, 9) == ([(43, 0, b"\xaa"), (43, 0, b"")], 0)
    assert chain(b"", 0, 0, 46, 9) == ([], 0)
    for bad in ("00000003", "00000005", "000000", "2b000004", "0000000400", "00000000"):
        with pytest.raises(WireError):
            chain(bytes.fromhex(bad), 0, 43, 46, 9)
    with pytest.raises(WireError):
        chain(b"\0", 0, 0, 46, 9)
