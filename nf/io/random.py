"""The system's random source, for the engine."""

from __future__ import annotations

import os


class SystemRandom:
    """`nf.crypto.random.Random` over the kernel's generator."""

    def octets(self, n: int) -> bytes:
        """`n` unpredictable octets."""
        return os.urandom(n)
