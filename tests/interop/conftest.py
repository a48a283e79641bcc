"""Fixtures of the interoperability tests: a network, a gateway in it, and strongSwan as its peers.

OPENWSG_INTEROP_GATEWAY=strongswan runs the same scenarios with strongSwan as the gateway too: what fails then is the
fault of the laboratory, not ours.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "packaging" / "demo"))

from netlab.field import Field, Gateway, make_gateway  # noqa: E402
from netlab.topology import Topology  # noqa: E402


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.root)
            item.add_marker(pytest.mark.peer)
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="network namespaces need root"))
            elif not shutil.which("charon-systemd"):
                item.add_marker(pytest.mark.skip(reason="strongSwan is not installed: make peers"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    """The network, one for a module."""
    with Topology("it", tmp_path_factory.mktemp("lab")) as found:
        yield found


@pytest.fixture(scope="module")
def shared_gateway(place: Topology) -> Iterator[Gateway]:
    """The gateway, one for a module."""
    found = make_gateway(place)
    yield found
    found.stop()


@pytest.fixture
def field(place: Topology, shared_gateway: Gateway, request: pytest.FixtureRequest) -> Iterator[Field]:
    """The network with the gateway; the peers that a test makes end with it."""
    found = Field(place, shared_gateway)
    failed_before = request.session.testsfailed
    yield found
    if request.session.testsfailed > failed_before:
        print(f"--- gateway\n{shared_gateway.tail()}")
        for one in found.peers:
            print(f"--- {one.name}\n{one.tail(40)}")
    found.end_of_test()


@pytest.fixture
def only_wsgd(shared_gateway: Gateway) -> None:
    """For what strongSwan as the gateway does otherwise."""
    if shared_gateway.kind != "wsgd":
        pytest.skip("about wsgd only")
