"""Puts the simulated world beside the tests on the path; `pair` is two site-to-site gateways with one template."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import exchange_world as world


@pytest.fixture
def pair() -> world.World:
    """a and b, both site-to-site, nothing set up yet."""
    return world.World(world.snapshot(world.A), world.snapshot(world.B))


@pytest.fixture
def tunnel(pair: world.World) -> world.World:
    """a and b with one IKE SA and one Child SA; a began."""
    pair.establish()
    pair.agree()
    return pair
