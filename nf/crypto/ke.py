"""Key exchange methods: the interface of Transform Type 4 (RFC 7296 sections 2.14 and 3.4, RFC 9370)."""

from __future__ import annotations

from typing import Protocol

from nf.wire.iana import KeMethod


class KeKey(Protocol):
    """An ephemeral private key, for one exchange. It has no repr of the secret and is dropped after `exchange`."""

    @property
    def public(self) -> bytes:
        """Key Exchange Data to send."""

    def exchange(self, peer_public: bytes) -> bytes:
        """The shared secret with the peer's Key Exchange Data, in the octets that the method defines.

        Raise KeError when the peer's value has the wrong size or fails the checks of RFC 6989 or RFC 7748.
        """


class Ke(Protocol):
    """One key exchange method."""

    @property
    def method(self) -> KeMethod:
        """Transform Type 4 ID."""

    @property
    def public_octets(self) -> int:
        """Size of the Key Exchange Data."""

    def generate(self) -> KeKey:
        """A fresh private key from the crypto library's own generator."""
