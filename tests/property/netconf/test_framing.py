"""Arbitrary octets give messages or FramingError and nothing else; what was encoded comes back however it was split."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from netconf.framing import END_OF_MESSAGE, Decoder, FramingError, encode_chunked, encode_marked

messages = st.lists(st.binary(min_size=1, max_size=200), max_size=5)
near = st.lists(
    st.sampled_from([b"\n#", b"\n##\n", b"]]>]]>", b"]]>", b"#", b"\n", b"1", b"20", b"4294967295", b"0", b"abc"])
    | st.binary(max_size=8),
    max_size=12,
).map(b"".join)


def run(decoder: Decoder, octets: bytes, cuts: list[int]) -> tuple[list[bytes], bool]:
    found: list[bytes] = []
    edges = [0, *sorted(cut % (len(octets) + 1) for cut in cuts), len(octets)]
    try:
        for start, end in itertools.pairwise(edges):
            decoder.feed(octets[start:end])
            while (message := decoder.next_message()) is not None:
                found.append(message)
    except FramingError:
        return found, True
    return found, False


def decoder(chunked: bool, limit: int = 1000) -> Decoder:
    made = Decoder(limit)
    if chunked:
        made.switch_to_chunks()
    return made


@given(messages, st.lists(st.integers(min_value=0), max_size=6))
def test_round_trip_chunked(sent: list[bytes], cuts: list[int]) -> None:
    assert run(decoder(True), b"".join(map(encode_chunked, sent)), cuts) == (sent, False)


@given(messages, st.lists(st.integers(min_value=0), max_size=6))
def test_round_trip_marked(sent: list[bytes], cuts: list[int]) -> None:
    # A message that ends in a part of the mark would make another mark with ours: XML never ends so.
    sent = [message for message in sent if (message + END_OF_MESSAGE).find(END_OF_MESSAGE) == len(message)]
    assert run(decoder(False), b"".join(map(encode_marked, sent)), cuts) == (sent, False)


@settings(max_examples=300)
@given(near | st.binary(max_size=300), st.booleans(), st.lists(st.integers(min_value=0), max_size=6))
def test_any_octets_and_any_split_give_the_same(octets: bytes, chunked: bool, cuts: list[int]) -> None:
    whole, failed = run(decoder(chunked, 64), octets, [])
    split, failed_split = run(decoder(chunked, 64), octets, cuts)
    assert (split, failed_split) == (whole, failed)
    assert all(len(message) <= 64 for message in whole)
