"""Random schedules.

Whatever is commanded, lost, doubled and reordered, both ends agree when all is quiet (RFC 7296 section 2.25).
"""

from __future__ import annotations

import random

import exchange_world as world
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nf.config.snapshot import Keepalive
from nf.datapath.port import Direction, EventKind
from nf.ike.inputs import ClearSas, CreateChildSa, Initiate, RekeyChildSa, RekeyIkeSa, SaFilter

COMMANDS = ("initiate", "create", "rekey-child", "rekey-ike", "delete-child", "delete-ike", "packet", "wait")

STEPS = st.lists(
    st.tuples(
        st.sampled_from("ab"), st.sampled_from(COMMANDS), st.integers(0, 7), st.sampled_from((0.0, 0.005, 0.02, 0.7))
    ),
    min_size=1,
    max_size=14,
)


def command(node: world.Node, what: str, choice: int) -> None:
    """One operator command or data path event on a node, on one of its SAs."""
    views, children = node.views, node.children
    if what == "initiate":
        if len(views) < 3:
            node.command(Initiate("ran", "wsg", node.world.other(node).address))
    elif what == "create" and views:
        node.command(CreateChildSa(views[choice % len(views)].local_spi, ("four", "six")[choice % 2]))
    elif what == "rekey-child" and children:
        node.command(RekeyChildSa(children[choice % len(children)].spi_in))
    elif what == "rekey-ike" and views:
        node.command(RekeyIkeSa(views[choice % len(views)].local_spi))
    elif what == "delete-child" and children:
        node.command(ClearSas(SaFilter(child_spi=children[choice % len(children)].spi_in)))
    elif what == "delete-ike" and views and choice < 2:
        node.command(ClearSas(SaFilter(spi=views[choice % len(views)].local_spi)))
    elif what == "packet":
        inbound = node.datapath.of(Direction.INBOUND)
        if inbound:
            sa = inbound[choice % len(inbound)]
            # A packet comes in only on what the peer sends on.
            other = node.world.other(node)
            if any(out.spi == sa.spi for out in other.datapath.of(Direction.OUTBOUND)):
                node.datapath_event(EventKind.FIRST_PACKET, sa.sa_id)


def run(seed: int, steps: list[tuple[str, str, int, float]], loss: float, rfc5996: bool, allow_empty: bool) -> None:
    crypto = world.template(
        payloads=(
            world.payload(name="four", match="ipv4", maximum_child_sa=2),
            world.payload(name="six", match="ipv6", transform_sets=(world.ESP_GCM_PFS,), maximum_child_sa=2),
        ),
        max_childsa=4,
        keepalive=Keepalive(20, 5, 3),
        ikesa_use_rfc5996_notification=rfc5996,
        ikesa_allow_empty_ikesa=allow_empty,
    )
    pair = world.World(world.snapshot(world.A, crypto), world.snapshot(world.B, crypto), seed=seed)
    pair.establish()
    rng = random.Random(seed)
    pair.drop = lambda node, data: rng.random() < loss
    pair.copies = lambda node, data: 1 + (rng.random() < 0.2)
    pair.delay = lambda node, data: rng.choice((0.001, 0.01, 0.01, 0.02, 0.3))
    for name, what, choice, wait in steps:
        command(getattr(pair, name), what, choice)
        pair.run(wait)
    pair.drop = lambda node, data: False
    pair.copies = lambda node, data: 1
    pair.run(600)  # guards, retransmissions and liveness have all had their time
    pair.agree()
    for node in (pair.a, pair.b):
        assert {view.state for view in node.views} <= {"established"}
        assert {child.state for child in node.children} <= {"installed"}
        assert len(node.datapath.sas) == 2 * len(node.children)
        assert len(node.datapath.routes) == len(node.children)
        core = node.engine._core
        assert not core.reserved_spis
        assert not core.reserved_ike_spis
        assert core.timers.held <= 2 * len(core.timers) + 100
        assert core.half_open == 0
        assert sum(len(sas) for sas in core.by_identity.values()) == core.established == len(node.views)
        # A Child SA has one newest outbound SA a policy_id: traffic has one way to go.
        outbound = node.datapath.of(Direction.OUTBOUND)
        assert len({sa.policy_id for sa in outbound}) == len(outbound)


DELETE_OVERTAKES_CREATION = [("a", "create", 1, 0.005), ("b", "delete-child", 5, 0.02), ("a", "rekey-child", 2, 0.0)]
NEW_IKE_SA_IS_USED_BEFORE_THE_OLD_IS_DELETED = [
    ("a", "rekey-child", 6, 0.005),
    ("b", "rekey-child", 7, 0.7),
    ("a", "wait", 1, 0.02),
    ("a", "rekey-child", 0, 0.0),
    ("a", "wait", 0, 0.0),
    ("a", "rekey-ike", 0, 0.005),
    ("a", "rekey-ike", 1, 0.02),
    ("b", "rekey-ike", 6, 0.02),
    ("b", "wait", 5, 0.005),
    ("b", "delete-child", 4, 0.7),
    ("b", "rekey-ike", 4, 0.7),
]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10_000),
    steps=STEPS,
    loss=st.sampled_from((0.0, 0.0, 0.2, 0.4)),
    rfc5996=st.booleans(),
    allow_empty=st.booleans(),
)
@example(seed=115, steps=DELETE_OVERTAKES_CREATION, loss=0.0, rfc5996=False, allow_empty=False)
@example(seed=20643, steps=NEW_IKE_SA_IS_USED_BEFORE_THE_OLD_IS_DELETED, loss=0.0, rfc5996=True, allow_empty=True)
def test_both_ends_agree_at_rest(
    seed: int, steps: list[tuple[str, str, int, float]], loss: float, rfc5996: bool, allow_empty: bool
) -> None:
    """The same SAs with fitting keys at both ends, nothing half done, nothing leaked."""
    run(seed, steps, loss, rfc5996, allow_empty)
