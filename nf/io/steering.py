"""Which socket of a reuseport group gets a datagram: a classic BPF program, and the same as a function.

The gateway's own IKE SPI begins with the worker's index (`nf.ike.spi`), so the program finds the owner: with the I flag
set the sender is the original initiator and our SPI is the responder's; clear, ours is the initiator's (RFC 7296
section 3.1). A zero responder SPI begins an IKE SA: the last octet of the initiator SPI spreads those. On port 4500
a zero non-ESP marker means IKE (RFC 3948 section 2.2) and anything else is the data path's.

The kernel's rules that this stands on: offset 0 is the first octet of the UDP payload; the result is an index in bind
order; a load past the end of a datagram ends the program with index 0; an index outside the group falls back to the
hash of the flow.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from dataclasses import dataclass

_SO_ATTACH_REUSEPORT_CBPF = 51
_LD_W, _LD_B, _LD_LEN = 0x20, 0x30, 0x80
_JA, _JEQ, _JGE, _JSET = 0x05, 0x15, 0x35, 0x45
_MOD, _RET_K, _RET_A = 0x94, 0x06, 0x16

_FLAG_INITIATOR = 0x08
MARKER_OCTETS = 4
IKE_HEADER_OCTETS = 28


@dataclass(frozen=True, slots=True)
class _Line:
    """One instruction before assembly; jumps name labels, and an empty label is the next line."""

    code: int
    k: int = 0
    yes: str = ""
    no: str = ""
    label: str = ""


def ike_program(workers: int) -> bytes:
    """For port 500: the group has `workers` sockets, bound in the order of their indices."""
    return _assemble(_ike_lines(workers, 0))


def natt_program(workers: int) -> bytes:
    """For port 4500: `workers` sockets and then the data path's."""
    front = (
        _Line(_LD_LEN),
        _Line(_JGE, MARKER_OCTETS, yes="marker", no="datapath"),  # a NAT keepalive is one octet (RFC 3948 section 2.3)
        _Line(_LD_W, 0, label="marker"),
        _Line(_JEQ, 0, yes="ike", no="datapath"),
        _Line(_RET_K, workers, label="datapath"),
    )
    return _assemble(front + _ike_lines(workers, MARKER_OCTETS))


def _ike_lines(workers: int, offset: int) -> tuple[_Line, ...]:
    return (
        _Line(_LD_B, offset + 19, label="ike"),  # flags
        _Line(_JSET, _FLAG_INITIATOR, yes="from-initiator", no="from-responder"),
        _Line(_LD_B, offset, label="from-responder"),
        _Line(_JA, yes="modulo"),
        _Line(_LD_W, offset + 8, label="from-initiator"),
        _Line(_JEQ, 0, no="owned"),
        _Line(_LD_W, offset + 12),
        _Line(_JEQ, 0, no="owned"),
        _Line(_LD_B, offset + 7),  # a new IKE SA
        _Line(_JA, yes="modulo"),
        _Line(_LD_B, offset + 8, label="owned"),
        _Line(_MOD, workers, label="modulo"),
        _Line(_RET_A),
    )


def _assemble(lines: tuple[_Line, ...]) -> bytes:
    labels = {line.label: number for number, line in enumerate(lines) if line.label}
    octets = b""
    for number, line in enumerate(lines):
        yes = labels[line.yes] - number - 1 if line.yes else 0
        no = labels[line.no] - number - 1 if line.no else 0
        if line.code == _JA:
            octets += struct.pack("HBBI", line.code, 0, 0, yes)
        else:
            octets += struct.pack("HBBI", line.code, yes, no, line.k)
    return octets


def attach(member: socket.socket, program: bytes) -> None:
    """Give a reuseport group its program, through any member; raises OSError where the kernel refuses."""
    buffer = ctypes.create_string_buffer(program, len(program))
    value = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
    member.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, value)


def steered_index(datagram: bytes, workers: int) -> int:
    """Where ike_program sends `datagram` (of port 500, or of 4500 without its marker)."""
    if len(datagram) < 20:
        return 0
    if not datagram[19] & _FLAG_INITIATOR:
        return datagram[0] % workers
    return (datagram[8] if any(datagram[8:16]) else datagram[7]) % workers
