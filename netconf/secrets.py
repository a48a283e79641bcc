"""Secrets at rest: leaves that carry a key are kept sealed under the master key (AUT-08).

The sealed form is text, `$8$` and the base64 of nonce (12 octets) | AES-256-GCM ciphertext | tag (16 octets), so
that it fits a YANG string and can be read back with get-config and sent again unchanged. The clear value exists in
memory only, between the decoder of an edit and the participants of a transaction.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PREFIX = "$8$"
_KEY_OCTETS = 32
_NONCE_OCTETS = 12
_TAG_OCTETS = 16


class SealError(Exception):
    """Sealed text that this master key does not open, or a master key file that is no key. Never carries the value."""


class SecretBox:
    """Seals and unseals with one master key of 32 octets."""

    def __init__(self, key: bytes) -> None:
        """Raise SealError unless `key` has 32 octets."""
        if len(key) != _KEY_OCTETS:
            raise SealError(f"a master key has {_KEY_OCTETS} octets, this one {len(key)}")
        self._aead = AESGCM(key)

    @classmethod
    def open(cls, key_file: Path) -> SecretBox:
        """The box of `key_file`: 32 raw octets, or 64 hexadecimal digits; a missing file is created, raw, mode 0600.

        Raises SealError when the file holds neither, OSError when it cannot be read or made.
        """
        try:
            content = key_file.read_bytes()
        except FileNotFoundError:
            content = _create_key(key_file)
        if len(content) != _KEY_OCTETS:
            try:
                content = bytes.fromhex(content.decode("ascii").strip())
            except ValueError:
                raise SealError(
                    f"{key_file}: neither {_KEY_OCTETS} octets nor {2 * _KEY_OCTETS} hexadecimal digits"
                ) from None
        return cls(content)

    def __repr__(self) -> str:
        return "SecretBox(...)"

    def seal(self, clear: str | bytes) -> str:
        """Sealed text of `clear` (text counts as UTF-8). A fresh nonce each time, so equal values differ."""
        octets = clear.encode() if isinstance(clear, str) else clear
        nonce = secrets.token_bytes(_NONCE_OCTETS)
        return PREFIX + base64.b64encode(nonce + self._aead.encrypt(nonce, octets, None)).decode("ascii")

    def unseal(self, text: str) -> bytes:
        """The clear octets; raises SealError for anything this key did not seal."""
        if not is_sealed(text):
            raise SealError("not sealed text")
        try:
            octets = base64.b64decode(text[len(PREFIX) :], validate=True)
        except (binascii.Error, ValueError):
            raise SealError("sealed text that is not base64") from None
        if len(octets) < _NONCE_OCTETS + _TAG_OCTETS:
            raise SealError("sealed text that is too short")
        try:
            return self._aead.decrypt(octets[:_NONCE_OCTETS], octets[_NONCE_OCTETS:], None)
        except InvalidTag:
            raise SealError("sealed text that the master key does not open") from None

    def take_in(self, given: str, existing: str | None = None) -> str:
        """What to store for a leaf that was given as `given`, clear or sealed, where `existing` is stored now.

        An equal value keeps the stored text, so that sending a configuration again is no change. Raises SealError
        for sealed text that does not open.
        """
        clear = self.unseal(given) if is_sealed(given) else given.encode()
        if existing is not None and is_sealed(existing):
            try:
                if hmac.compare_digest(self.unseal(existing), clear):
                    return existing
            except SealError:
                pass
        return given if is_sealed(given) else self.seal(clear)


def is_sealed(text: str) -> bool:
    """Whether `text` claims to be sealed; a clear secret cannot start with `$8$`."""
    return text.startswith(PREFIX)


def _create_key(key_file: Path) -> bytes:
    """Make the key durable before it is used: a sealed configuration without its key would be lost."""
    key = secrets.token_bytes(_KEY_OCTETS)
    temporary = key_file.with_name(f".{key_file.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(descriptor, key)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(temporary, key_file)
    directory = os.open(key_file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return key
