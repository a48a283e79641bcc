"""NETCONF framing over SSH (RFC 6242 section 4): octets to messages and back. Sans-I/O."""

from __future__ import annotations

END_OF_MESSAGE = b"]]>]]>"
END_OF_CHUNKS = b"\n##\n"
MAX_CHUNK = 4294967295
"""RFC 6242 section 4.2."""
MAX_MESSAGE = 16 * 1024 * 1024
"""Default bound of one message, octets."""
_MAX_HEADER = len("\n#4294967295\n")


class FramingError(Exception):
    """Octets that are no NETCONF framing, or a message over the limit. The session cannot go on (RFC 6242 section
    4.2)."""


class Decoder:
    """Collects octets and gives whole messages, first in end-of-message framing; `switch_to_chunks` after the hello."""

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        """max_message: octets of one message, framing not counted; one more raises FramingError."""
        self._max = max_message
        self._buffer = bytearray()
        self._searched = 0
        self._chunked = False
        self._message = bytearray()
        self._missing = 0

    def feed(self, octets: bytes) -> None:
        """Add what came in."""
        self._buffer += octets

    def switch_to_chunks(self) -> None:
        """Expect chunked framing (base:1.1 on both sides) from the next message on."""
        self._chunked = True
        self._searched = 0

    def next_message(self) -> bytes | None:
        """The next whole message, or None until more octets come; raises FramingError."""
        return self._next_chunked() if self._chunked else self._next_marked()

    def _next_marked(self) -> bytes | None:
        end = self._buffer.find(END_OF_MESSAGE, self._searched)
        if end > self._max or (end < 0 and len(self._buffer) > self._max + len(END_OF_MESSAGE) - 1):
            raise FramingError(f"a message is longer than {self._max} octets")
        if end < 0:
            self._searched = max(0, len(self._buffer) - len(END_OF_MESSAGE) + 1)
            return None
        message = bytes(self._buffer[:end])
        del self._buffer[: end + len(END_OF_MESSAGE)]
        self._searched = 0
        return message

    def _next_chunked(self) -> bytes | None:
        while True:
            if self._missing:
                if not self._buffer:
                    return None
                piece = self._buffer[: self._missing]
                del self._buffer[: len(piece)]
                self._message += piece
                self._missing -= len(piece)
                continue
            header = self._header()
            if header is None:
                return None
            if header == 0:
                message = bytes(self._message)
                self._message.clear()
                return message
            if len(self._message) + header > self._max:
                raise FramingError(f"a message is longer than {self._max} octets")
            self._missing = header

    def _header(self) -> int | None:
        """The size of the next chunk, 0 for end-of-chunks, None when it is not all there."""
        head = bytes(self._buffer[:_MAX_HEADER])
        if not b"\n#".startswith(head[:2]):
            raise FramingError("a chunk does not begin with LF #")
        if len(head) < 3:
            return None
        if head[2:3] == b"#":
            if len(head) < 4:
                return None
            if head[3:4] != b"\n":
                raise FramingError("end-of-chunks does not end with LF")
            if not self._message:
                raise FramingError("a message without a chunk")
            del self._buffer[:4]
            return 0
        end = head.find(b"\n", 2)
        digits = head[2:end] if end >= 0 else head[2:]
        if not digits.isdigit() or digits.startswith(b"0"):
            raise FramingError("a chunk size is not a number from 1 without leading zeros")
        if end < 0:
            if len(head) == _MAX_HEADER:
                raise FramingError("a chunk size is too long")
            return None
        size = int(digits)
        if size > MAX_CHUNK:
            raise FramingError(f"a chunk size is over {MAX_CHUNK}")
        del self._buffer[: end + 1]
        return size


def encode_marked(message: bytes) -> bytes:
    """One message in end-of-message framing; raises FramingError when it holds the mark itself."""
    if END_OF_MESSAGE in message:
        raise FramingError("the end-of-message mark occurs inside a message")
    return message + END_OF_MESSAGE


def encode_chunked(message: bytes) -> bytes:
    """One message as chunks; an empty message cannot be framed."""
    if not message:
        raise FramingError("an empty message has no chunked form")
    return b"\n#%d\n" % len(message) + message + END_OF_CHUNKS
