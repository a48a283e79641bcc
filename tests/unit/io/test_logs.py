"""The log of a child on its way to wsgd."""

from __future__ import annotations

import json
import logging
import os
import sys

from hypothesis import given
from hypothesis import strategies as st

from nf.io.logs import MAX_LINE_OCTETS, PipeHandler, decode_line, encode_record


def record(message: str, **extra: object) -> logging.LogRecord:
    return logging.makeLogRecord({"name": "nf.x", "levelno": logging.INFO, "msg": "%s", "args": (message,), **extra})


def test_a_record_arrives_with_its_fields() -> None:
    line = encode_record(record("ike-sa-up", fields={"peer": "192.0.2.1", "count": 3, "odd": {1}}, other=2.5))
    got = decode_line(line)
    assert got is not None
    assert (got.name, got.levelno, got.levelname, got.getMessage()) == ("nf.x", logging.INFO, "INFO", "ike-sa-up")
    assert got.fields == {"peer": "192.0.2.1", "count": 3, "odd": "{1}", "other": 2.5}


def test_a_traceback_arrives() -> None:
    try:
        raise ZeroDivisionError("x")
    except ZeroDivisionError:
        got = decode_line(encode_record(record("bug", exc_info=sys.exc_info())))
    assert got is not None
    assert "ZeroDivisionError: x" in got.fields["child_traceback"]


@given(st.text(max_size=6000), st.dictionaries(st.text(max_size=10), st.text(max_size=2000), max_size=4))
def test_a_line_is_one_line_and_bounded(message: str, fields: dict[str, str]) -> None:
    line = encode_record(record(message, fields=fields))
    assert len(line) <= MAX_LINE_OCTETS
    assert line.count(b"\n") == 1
    assert decode_line(line) is not None


FIELDS = st.dictionaries(st.sampled_from("tlnmfx"), st.none() | st.floats() | st.text(max_size=3), max_size=6)


@given(
    st.binary(max_size=100)
    | FIELDS.map(lambda entry: json.dumps(entry).encode())
    | st.from_type(type(None)).map(lambda _: b"null")
    | st.text().map(lambda t: json.dumps([t]).encode())
)
def test_anything_else_is_no_record_or_one_that_can_be_shown(line: bytes) -> None:
    got = decode_line(line)
    assert got is None or isinstance(got.getMessage(), str)


def test_a_full_pipe_drops_lines_and_tells_how_many() -> None:
    read, write = os.pipe()
    handler = PipeHandler(write)
    total = 0
    while not handler.dropped:
        handler.emit(record("x" * 400))
        total += 1
        assert total < 10_000
    handler.emit(record("x" * 400))
    assert handler.dropped == 2
    os.set_blocking(read, False)
    try:
        while os.read(read, 65536):
            pass
    except BlockingIOError:
        pass
    handler.emit(record("after"))
    got = decode_line(os.read(read, 65536).splitlines(keepends=True)[-1])
    assert got is not None
    assert got.getMessage() == "after"
    assert got.fields == {"log_lines_dropped": 2}
    os.close(read)
    handler.emit(record("nobody reads"))  # EPIPE is not raised
    os.close(write)
