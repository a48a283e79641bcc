"""Framing of RFC 6242: both forms, split anywhere, limits on both sides of their edge."""

from __future__ import annotations

import pytest

from netconf.framing import END_OF_MESSAGE, Decoder, FramingError, encode_chunked, encode_marked


def decode(octets: bytes, *, chunked: bool, piece: int = 1 << 20, limit: int = 1000) -> list[bytes]:
    decoder = Decoder(limit)
    if chunked:
        decoder.switch_to_chunks()
    found = []
    for at in range(0, len(octets), piece):
        decoder.feed(octets[at : at + piece])
        while (message := decoder.next_message()) is not None:
            found.append(message)
    return found


@pytest.mark.parametrize("piece", range(1, 12))
def test_every_split(piece: int) -> None:
    messages = [b"<a/>", b"x" * 300, b"]]>]", b"\n##\n#"]
    assert decode(b"".join(encode_marked(m) for m in messages), chunked=False, piece=piece) == messages
    assert decode(b"".join(encode_chunked(m) for m in messages), chunked=True, piece=piece) == messages


def test_a_message_of_many_chunks() -> None:
    """The example of RFC 6242 section 4.2."""
    octets = b'\n#4\n<rpc\n#18\n message-id="102"\n\n#79\n' + b"y" * 79 + b"\n##\n"
    assert decode(octets, chunked=True) == [b'<rpc message-id="102"\n' + b"y" * 79]


@pytest.mark.parametrize(
    "octets",
    [
        b"<rpc/>",
        b"\r\n#4\nabcd",
        b"\n#0\n",
        b"\n#04\nabcd",
        b"\n#-4\n",
        b"\n# 4\n",
        b"\n#4x\n",
        b"\n#\n",
        b"\n##\n",
        b"\n#4\nabcd\n##x",
        b"\n#4\nabcde\n##\n",
        b"\n#42949672950\n",
        b"\n#4294967296\n",
        b"\n#11111111111111",
    ],
)
def test_broken_chunks(octets: bytes) -> None:
    for piece in (1, 1000):
        with pytest.raises(FramingError):
            decode(octets, chunked=True, piece=piece)


@pytest.mark.parametrize("piece", [1, 7, 5000])
def test_limit(piece: int) -> None:
    """A message of exactly the limit is taken, one octet more is not, in whichever framing and however it is split."""
    assert decode(encode_marked(b"x" * 1000), chunked=False, piece=piece) == [b"x" * 1000]
    assert decode(encode_chunked(b"x" * 1000), chunked=True, piece=piece) == [b"x" * 1000]
    assert decode(b"\n#500\n" + b"x" * 500 + encode_chunked(b"x" * 500), chunked=True, piece=piece) == [b"x" * 1000]
    for octets, chunked in (
        (encode_marked(b"x" * 1001), False),
        (b"x" * 1006, False),
        (encode_chunked(b"x" * 1001), True),
        (b"\n#500\n" + b"x" * 500 + encode_chunked(b"x" * 501), True),
        (b"\n#1001\n", True),
    ):
        with pytest.raises(FramingError):
            decode(octets, chunked=chunked, piece=piece)


def test_what_cannot_be_framed() -> None:
    with pytest.raises(FramingError):
        encode_marked(b"a" + END_OF_MESSAGE)
    with pytest.raises(FramingError):
        encode_chunked(b"")
