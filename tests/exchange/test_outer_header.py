"""What of the configuration reaches the data path about outer headers (TPL-12, WSG-08, QOS-21)."""

from __future__ import annotations

import exchange_world as world
import pytest

from nf.config.snapshot import NatTraversal
from nf.datapath.port import Direction


@pytest.mark.parametrize("mode", ["clear-bit", "copy-bit", "set-bit"])
@pytest.mark.parametrize("natt", [None, NatTraversal(), NatTraversal(include_header=True)])
def test_the_outbound_sa_knows_its_outer_header(mode: str, natt: NatTraversal | None) -> None:
    """The responder's template and service decide over what it sends."""
    ours = world.snapshot(
        world.B,
        crypto=world.template(control_dont_fragment=mode, natt=natt),
        wsg=world.service(world.B, pre_fragment_mtu=1234),
    )
    pair = world.World(world.snapshot(world.A), ours)
    pair.establish()
    (sa,) = pair.b.datapath.of(Direction.OUTBOUND)
    counts = natt is not None and natt.include_header
    assert (sa.dont_fragment, sa.pre_fragment, sa.count_udp_header) == (mode, 1234, counts)
    (other,) = pair.a.datapath.of(Direction.OUTBOUND)
    assert (other.dont_fragment, other.pre_fragment, other.count_udp_header) == ("copy-bit", 1400, False)
