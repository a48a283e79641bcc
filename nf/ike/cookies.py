"""Stateless COOKIE challenges (RFC 7296 section 2.6; TPL-14 to TPL-16, DOS-10, DOS-11)."""

from __future__ import annotations

import hmac
from hashlib import sha256

from nf.config.snapshot import CookieChallenge
from nf.crypto.random import Random

_SECRET_OCTETS = 32
_ROTATE_S = 120.0
_TAG_OCTETS = 24


class CookieJar:
    """Makes and checks cookies. The secret changes every two minutes, and the one before stays good for as long again.

    A cookie is the secret's generation octet and a MAC of Ni, the initiator's SPI and its address and port: nothing is
    kept for it.
    """

    __slots__ = ("_generation", "_new", "_old", "_random", "_rotate_at")

    def __init__(self, random: Random, now: float) -> None:
        self._random = random
        self._generation = 0
        self._new = random.octets(_SECRET_OCTETS)
        self._old = random.octets(_SECRET_OCTETS)
        self._rotate_at = now + _ROTATE_S

    def make(self, nonce_i: bytes, spi_i: bytes, remote: str, remote_port: int, now: float) -> bytes:
        """25 octets of Notification Data for a COOKIE."""
        self._rotate(now)
        return self._cookie(self._generation, self._new, nonce_i, spi_i, remote, remote_port)

    def check(self, cookie: bytes, nonce_i: bytes, spi_i: bytes, remote: str, remote_port: int, now: float) -> bool:
        """Whether we made this cookie for this initiator not long ago."""
        self._rotate(now)
        if len(cookie) != 1 + _TAG_OCTETS:
            return False
        age = (self._generation - cookie[0]) & 0xFF
        if age > 1:
            return False
        secret = self._old if age else self._new
        return hmac.compare_digest(cookie, self._cookie(cookie[0], secret, nonce_i, spi_i, remote, remote_port))

    def _rotate(self, now: float) -> None:
        if now < self._rotate_at:
            return
        # After a long silence the old secret has to go as well.
        stale = now >= self._rotate_at + _ROTATE_S
        self._old = self._random.octets(_SECRET_OCTETS) if stale else self._new
        self._new = self._random.octets(_SECRET_OCTETS)
        self._generation = (self._generation + 1) & 0xFF
        self._rotate_at = (now if stale else self._rotate_at) + _ROTATE_S

    @staticmethod
    def _cookie(generation: int, secret: bytes, nonce_i: bytes, spi_i: bytes, remote: str, remote_port: int) -> bytes:
        mac = hmac.new(secret, spi_i + f"{remote} {remote_port} ".encode() + nonce_i, sha256)
        return bytes((generation,)) + mac.digest()[:_TAG_OCTETS]


class Challenge:
    """Whether a template's new peers are challenged: on at `start` half-open IKE SAs, off at `stop`.

    Start 0 is always on.
    """

    __slots__ = ("on",)

    def __init__(self) -> None:
        self.on = False

    def update(self, limits: CookieChallenge | None, half_open: int) -> bool:
        """Judge by the number of half-open IKE SAs now; True when the state changed."""
        before = self.on
        if limits is None:
            self.on = False
        elif half_open >= limits.start:
            self.on = True
        elif half_open <= limits.stop:
            self.on = False
        return self.on != before
