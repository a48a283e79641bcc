"""What can go wrong in `nf.crypto`. None of these messages contains key material."""

from __future__ import annotations


class CryptoError(Exception):
    """Base of the errors below."""


class UnsupportedTransform(CryptoError):
    """A transform ID, or a key length of it, that is not in the registry."""


class AuthenticityError(CryptoError):
    """An ICV or a tag does not verify. It says nothing more on purpose."""


class KeError(CryptoError):
    """A peer's public value of the wrong size, or one that fails the checks of RFC 6989 or RFC 7748."""


class KeymatError(CryptoError):
    """More key material asked for than prf+ gives (RFC 7296 section 2.13)."""
