"""Data paths back to back, for the tests beside this file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from ends import End, Pair


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two ends, nothing installed."""
    both = Pair(End(), End())
    yield both
    both.close()


@pytest.fixture
def tunnel(pair: Pair) -> Pair:
    """Two ends with one Child SA between them."""
    pair.connect()
    return pair
