"""Fuzz entry of `nf.wire`: give `fuzz_one` to a fuzzer (atheris: `Setup(sys.argv, fuzz_one)`), or any octets by hand.

Besides the decoders it drives what is behind the Encrypted payload through a null cipher, so that it does not stop at
the ICV. Anything but a WireError that comes out is a finding; so is a value that encoding and decoding change.
"""

from __future__ import annotations

from nf.crypto.errors import AuthenticityError
from nf.crypto.registry import sk_cipher
from nf.crypto.sk_cipher import SkCipher
from nf.crypto.suite import IkeSuite
from nf.wire import rules, sk
from nf.wire.errors import WireError
from nf.wire.limits import DEFAULT_LIMITS
from nf.wire.message import HEADER_OCTETS, Header, Message
from nf.wire.payloads import DECODERS


class NullCipher:
    """Neither encrypts nor authenticates, but for one octet that makes the path of a wrong ICV reachable."""

    iv_octets = 0
    block_octets = 1
    icv_octets = 1

    def seal(self, aad: bytes, iv: bytes, plaintext: bytes) -> bytes:
        return plaintext + b"\x77"

    def open(self, aad: bytes, sealed: bytes) -> bytes:
        if sealed[-1:] != b"\x77":
            raise AuthenticityError("null")
        return sealed[:-1]


NULL = NullCipher()
_KINDS = sorted(DECODERS)


def _suites() -> list[SkCipher]:
    ciphers: list[SkCipher] = []
    for encr, bits, prf, integ in ((20, 256, 5, 0), (28, 0, 5, 0), (12, 256, 5, 12)):
        suite = IkeSuite.of(encr, bits, prf, integ, 31)
        octets = suite.integ.key_octets if suite.integ else 0
        ciphers.append(sk_cipher(suite.encr, bytes(suite.encr.key_octets), suite.integ, bytes(octets)))
    return ciphers


_CIPHERS = _suites()


def fuzz_one(data: bytes) -> None:
    """First octet: which entry; the rest: its input. Returns on a value or a WireError; raises on a finding."""
    if not data:
        return
    entry, body = data[0], data[1:]
    try:
        if entry < 128:
            _payload(_KINDS[entry % len(_KINDS)], body)
        elif entry < 160:
            _message(body)
        elif entry < 192:
            _opened(body, NULL)
        elif entry < 224:
            _message(_framed(body))
        elif entry < 240:
            _opened(_sealed(body), NULL)
        else:
            _opened(_sealed(body), _CIPHERS[entry % len(_CIPHERS)])
    except WireError as error:
        if not (error.where and error.reason):
            raise AssertionError("an error without place or reason") from error


def _payload(kind: int, body: bytes) -> None:
    value = DECODERS[kind](body, DEFAULT_LIMITS)
    again = value.encode()
    assert DECODERS[kind](again, DEFAULT_LIMITS) == value
    repr(value)


def _message(datagram: bytes) -> None:
    message = Message.decode(datagram, Header.decode(datagram))
    again = message.encode()
    assert Message.decode(again) == message
    rules.check(message)


def _opened(datagram: bytes, cipher: SkCipher) -> None:
    message = sk.open(datagram, Header.decode(datagram), cipher)
    assert message.protected
    again = sk.seal(message.header, message.payloads, cipher, bytes(cipher.iv_octets))
    assert sk.open(again, Header.decode(again), cipher) == message
    rules.check(message)


def _framed(body: bytes) -> bytes:
    """A right header before any chain: exchange, flags and first payload type from the input."""
    first, exchange, flags = (body + b"\0\0\0")[:3]
    chain = body[3:]
    header = Header(bytes(8), bytes(8), 34 + exchange % 4, 0, flags & 1 == 0, flags & 2 != 0)
    return header.encode(first, HEADER_OCTETS + len(chain)) + chain


def _sealed(body: bytes) -> bytes:
    """A right header and SK payload around any sealed octets; the null cipher's ICV at its end."""
    first, exchange, flags = (body + b"\0\0\0")[:3]
    inside = body[3:65000] + b"\0\x77"
    header = Header(bytes(8), bytes(8), 34 + exchange % 4, 0, flags & 1 == 0, flags & 2 != 0)
    generic = bytes((first, 0)) + (4 + len(inside)).to_bytes(2, "big")
    return header.encode(46, HEADER_OCTETS + 4 + len(inside)) + generic + inside
