"""What an operator is shown of the IKE SAs."""

from __future__ import annotations

import exchange_world as world

from nf.ike.inputs import Initiate


def test_half_open_sas_are_counted_and_not_listed(pair: world.World) -> None:
    """DOS-14: a flood of IKE_SA_INIT must not become a flood of entries in `get`."""
    pair.a.command(Initiate("ran", "wsg", world.B))
    (request,) = pair.flights
    pair.deliver(request)  # a: IKE_SA_INIT -->    <-- IKE_SA_INIT :b, which is lost
    pair.flights.clear()
    assert pair.b.engine.summary()["half-open"] == 1
    assert pair.b.views == ()


def test_established_sas_are_listed(pair: world.World) -> None:
    """Both roles, once IKE_AUTH is through."""
    pair.establish()
    assert [node.ike_sa.state for node in (pair.a, pair.b)] == ["established", "established"]
    assert pair.b.engine.summary()["half-open"] == 0
