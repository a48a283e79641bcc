"""Seal and open the Encrypted payload (RFC 7296 section 3.14; RFC 5282 for combined-mode ciphers)."""

from __future__ import annotations

import struct

from nf.crypto.errors import AuthenticityError
from nf.crypto.sk_cipher import SkCipher
from nf.wire.cursor import chain
from nf.wire.errors import IntegrityError, InvalidMajorVersion, InvalidSyntax, WireError
from nf.wire.iana import PayloadType
from nf.wire.limits import DEFAULT_LIMITS, Limits
from nf.wire.message import (
    GENERIC_HEADER_OCTETS,
    HEADER_OCTETS,
    Header,
    Message,
    decode_chain,
    encode_chain,
    first_type,
)
from nf.wire.payloads import Payload

_GENERIC = struct.Struct(">BBH")
_SK = int(PayloadType.SK)
_SEALED_AT = HEADER_OCTETS + GENERIC_HEADER_OCTETS


def seal(header: Header, payloads: tuple[Payload, ...], cipher: SkCipher, iv: bytes) -> bytes:
    """The datagram with `payloads` inside an Encrypted payload, which is its only one.

    cipher: of our direction (`IkeSuite.ciphers`). iv: cipher.iv_octets octets of Random, used once: unpredictable for
    CBC, never repeated under a key for combined modes (64 random bits: 2^-39 to collide in a day's 2^13 messages).
    Padding is the shortest the cipher allows. Raise ValueError for an IV of another size.
    """
    if len(iv) != cipher.iv_octets:
        raise ValueError(f"IV of {len(iv)} octets, {cipher.iv_octets} wanted")
    plaintext = padded(encode_chain(payloads), cipher)
    sealed_octets = cipher.iv_octets + len(plaintext) + cipher.icv_octets
    aad = header.encode(_SK, _SEALED_AT + sealed_octets) + _GENERIC.pack(
        first_type(payloads), 0, GENERIC_HEADER_OCTETS + sealed_octets
    )
    return aad + cipher.seal(aad, iv, plaintext)


def open(datagram: bytes, header: Header, cipher: SkCipher, limits: Limits = DEFAULT_LIMITS) -> Message:
    """The message inside the Encrypted payload, its ICV verified before anything inside is looked at.

    header: what `Header.decode` gave for this datagram. cipher: of the peer's direction.
    Raise IntegrityError when the ICV is wrong; WireError when there is no Encrypted payload, it is not the last or too
    short. What is raised after the ICV verified is of class InvalidSyntax or UnsupportedCriticalPayload, and may
    be answered in a protected response; before it, nothing may.
    """
    if header.major != 2:
        raise InvalidMajorVersion(header.major)
    first_inner, sealed_at = _find(datagram, header, limits)
    plaintext = verified(datagram, sealed_at, cipher)
    if sealed_at != _SEALED_AT:
        raise InvalidSyntax("SK", "payloads outside the Encrypted payload")
    return message(header, first_inner, unpadded(plaintext), limits)


def message(header: Header, first_inner: int, content: bytes, limits: Limits = DEFAULT_LIMITS) -> Message:
    """The message whose Encrypted payload had this content, which has been verified.

    Raise InvalidSyntax or UnsupportedCriticalPayload.
    """
    try:
        payloads = decode_chain(content, 0, first_inner, limits)
    except WireError as error:
        if type(error) is WireError:  # say by the class that the octets were authenticated
            raise InvalidSyntax(error.where, error.reason) from error
        raise
    return Message(header, payloads, protected=True)


def padded(content: bytes, cipher: SkCipher) -> bytes:
    """The plaintext to seal: content, the shortest padding the cipher allows, Pad Length."""
    pad = -(len(content) + 1) % cipher.block_octets
    return content + bytes(pad) + bytes((pad,))


def unpadded(plaintext: bytes) -> bytes:
    """The content of a plaintext that was verified, which is never empty. Raise InvalidSyntax for too much padding."""
    end = len(plaintext) - 1 - plaintext[-1]
    if end < 0:
        raise InvalidSyntax("SK", "more padding than octets")
    return plaintext[:end]


def verified(datagram: bytes, sealed_at: int, cipher: SkCipher) -> bytes:
    """The padded plaintext of what is sealed from this offset on; what is before it is authenticated too.

    Raise WireError when its size cannot be right, IntegrityError when the ICV is wrong.
    """
    sealed = datagram[sealed_at:]
    octets = len(sealed) - cipher.iv_octets - cipher.icv_octets
    if octets <= 0 or octets % cipher.block_octets:
        raise WireError("SK", f"{octets} octets of ciphertext")
    try:
        return cipher.open(datagram[:sealed_at], sealed)
    except AuthenticityError:
        raise IntegrityError from None


def _find(datagram: bytes, header: Header, limits: Limits) -> tuple[int, int]:
    """(type of the first payload inside, offset of the IV) of the Encrypted payload; others before it are passed."""
    raw, first_inner = chain(datagram, HEADER_OCTETS, header.next_payload, _SK, limits.payloads)
    if not raw or raw[-1][0] != _SK:
        raise WireError("SK", "no Encrypted payload")
    return first_inner, len(datagram) - len(raw[-1][2])
