"""The control protocol of charon (vici; packet and element numbers as in its README), as far as test peers need it."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Value = str | list[str] | Mapping[str, Any]

_REQUEST, _RESPONSE, _UNKNOWN, _REGISTER, _UNREGISTER, _CONFIRM, _EVENT_UNKNOWN, _EVENT = range(8)
_SECTION_START, _SECTION_END, _KEY_VALUE, _LIST_START, _LIST_ITEM, _LIST_END = range(1, 7)


class ViciError(Exception):
    """charon refused a command; the text is its own."""


def encode(message: Mapping[str, Value]) -> bytes:
    """A message as octets: strings, lists of strings and nested mappings."""
    out = bytearray()
    for key, value in message.items():
        name = bytes([len(key)]) + key.encode()
        if isinstance(value, Mapping):
            out += bytes([_SECTION_START]) + name + encode(value) + bytes([_SECTION_END])
        elif isinstance(value, list):
            out += bytes([_LIST_START]) + name
            for item in value:
                out += bytes([_LIST_ITEM]) + struct.pack(">H", len(item.encode())) + item.encode()
            out.append(_LIST_END)
        else:
            out += bytes([_KEY_VALUE]) + name + struct.pack(">H", len(str(value).encode())) + str(value).encode()
    return bytes(out)


def decode(data: bytes) -> dict[str, Any]:
    """The message in octets that charon sent."""
    root: dict[str, Any] = {}
    stack: list[dict[str, Any]] = [root]
    items: list[str] = []
    at = 0

    def name() -> str:
        nonlocal at
        length = data[at]
        at += 1 + length
        return data[at - length : at].decode()

    def value() -> str:
        nonlocal at
        (length,) = struct.unpack_from(">H", data, at)
        at += 2 + length
        return data[at - length : at].decode(errors="replace")

    while at < len(data):
        kind = data[at]
        at += 1
        if kind == _SECTION_START:
            stack.append(stack[-1].setdefault(name(), {}))
        elif kind == _SECTION_END:
            stack.pop()
        elif kind == _KEY_VALUE:
            key = name()
            stack[-1][key] = value()
        elif kind == _LIST_START:
            items = stack[-1].setdefault(name(), [])
        elif kind == _LIST_ITEM:
            items.append(value())
    return root


class Vici:
    """One connection to charon's vici socket. Not for two threads at once."""

    def __init__(self, path: Path, timeout_s: float = 30.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        self._socket.connect(str(path))

    def close(self) -> None:
        self._socket.close()

    def command(self, name: str, message: Mapping[str, Value] | None = None) -> dict[str, Any]:
        """One command, one reply. Raises ViciError when the reply says no."""
        self._send(_REQUEST, name, encode(message or {}))
        kind, data = self._receive()
        if kind != _RESPONSE:
            raise ViciError(f"{name}: unexpected reply {kind}")
        reply = decode(data)
        if reply.get("success") == "no":
            raise ViciError(f"{name}: {reply.get('errmsg', 'refused')}")
        return reply

    def stream(self, name: str, event: str, message: Mapping[str, Value] | None = None) -> list[dict[str, Any]]:
        """One command that answers by a series of events."""
        self._send(_REGISTER, event, b"")
        kind, _ = self._receive()
        if kind != _CONFIRM:
            raise ViciError(f"{event}: not registered")
        found: list[dict[str, Any]] = []
        self._send(_REQUEST, name, encode(message or {}))
        while True:
            kind, data = self._receive()
            if kind == _RESPONSE:
                break
            if kind == _EVENT:
                found.append(decode(data[1 + data[0] :]))
        self._send(_UNREGISTER, event, b"")
        while self._receive()[0] != _CONFIRM:
            pass
        return found

    def _send(self, kind: int, name: str, body: bytes) -> None:
        data = bytes([kind, len(name)]) + name.encode() + body
        self._socket.sendall(struct.pack(">I", len(data)) + data)

    def _receive(self) -> tuple[int, bytes]:
        (length,) = struct.unpack(">I", self._exactly(4))
        data = self._exactly(length)
        return data[0], data[1:]

    def _exactly(self, count: int) -> bytes:
        out = b""
        while len(out) < count:
            part = self._socket.recv(count - len(out))
            if not part:
                raise ViciError("charon closed the connection")
            out += part
        return out
