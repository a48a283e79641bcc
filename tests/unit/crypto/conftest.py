"""Fixtures for the crypto tests: published vectors and a seeded Random."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).parents[2] / "vectors" / "crypto"


class SeededRandom:
    """A deterministic `nf.crypto.random.Random`: SHA-256 of seed and counter, block after block."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._blocks = 0
        self._pool = b""

    def octets(self, n: int) -> bytes:
        while len(self._pool) < n:
            self._pool += hashlib.sha256(self._seed + self._blocks.to_bytes(8, "big")).digest()
            self._blocks += 1
        out, self._pool = self._pool[:n], self._pool[n:]
        return out


@pytest.fixture
def random() -> SeededRandom:
    return SeededRandom(b"nf.crypto")


@pytest.fixture(scope="session")
def vectors() -> Callable[[str], list[dict[str, Any]]]:
    def load(name: str) -> list[dict[str, Any]]:
        cases: list[dict[str, Any]] = json.loads((VECTORS / name).read_text())
        assert cases
        return cases

    return load
