"""Frames of the control channel: a fixed header, then one message in MessagePack. No I/O here.

Header, 10 octets, network order: u32 length of the body, u8 kind, u8 number of descriptors, u32 correlation id.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

import msgspec

from nf.ipc.messages import Message

_HEADER = struct.Struct("!IBBI")
MAX_FDS = 64
"""Descriptors that one frame may carry; the kernel's own limit is 253."""
DEFAULT_MAX_OCTETS = 64 * 1024 * 1024

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


class ChannelError(Exception):
    """What came over a channel is not of this protocol, or the channel cannot be used."""


class FrameTooLarge(ChannelError):
    """A message over the channel's bound; it was not sent."""


class FrameKind(IntEnum):
    """What a frame is to its receiver: a request wants a response with the same id; a notice wants none."""

    REQUEST = 1
    RESPONSE = 2
    NOTICE = 3


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. fds: how many descriptors came with it."""

    kind: FrameKind
    id: int
    fds: int
    message: Message


def encode_frame(
    kind: FrameKind, id: int, message: Message, fds: int = 0, max_octets: int = DEFAULT_MAX_OCTETS
) -> bytes:
    """The octets of a frame; raise FrameTooLarge when its body is over max_octets, ChannelError when it has too many
    descriptors."""
    if fds > MAX_FDS:
        raise ChannelError(f"{fds} descriptors in one frame, at most {MAX_FDS}")
    body = _encoder.encode(message)
    if len(body) > max_octets:
        raise FrameTooLarge(f"{type(message).__name__} of {len(body)} octets is over the channel's {max_octets}")
    return _HEADER.pack(len(body), kind, fds, id) + body


class FrameDecoder:
    """Cuts a stream into frames. After a ChannelError it must not be fed again: the stream has lost its frame
    boundaries."""

    def __init__(self, max_octets: int = DEFAULT_MAX_OCTETS) -> None:
        self._max_octets = max_octets
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes. Raises ChannelError for a wrong header, a body over the bound, or an
        unknown message."""
        self._buffer += data
        frames: list[Frame] = []
        start = 0
        while len(self._buffer) - start >= _HEADER.size:
            length, kind, fds, id = _HEADER.unpack_from(self._buffer, start)
            if length > self._max_octets:
                raise ChannelError(f"frame of {length} octets is over the channel's {self._max_octets}")
            if kind not in FrameKind.__members__.values() or fds > MAX_FDS:
                raise ChannelError(f"frame header with kind {kind} and {fds} descriptors")
            end = start + _HEADER.size + length
            if len(self._buffer) < end:
                break
            with memoryview(self._buffer) as view:
                frames.append(Frame(FrameKind(kind), id, fds, _decode(view[start + _HEADER.size : end])))
            start = end
        if start:
            del self._buffer[:start]
        return frames


def _decode(body: memoryview) -> Message:
    try:
        with body:
            return _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise ChannelError(f"frame body: {error}") from None
