"""Selectors: intersect and narrow (RFC 7296 section 2.9; TPL-64, TPL-70 to TPL-73)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nf.policy.selectors import (
    ANY,
    ANY_IPV4,
    ANY_IPV6,
    MAXIMUM_SELECTORS,
    TrafficSelector,
    address_range,
    contains,
    host,
    intersect,
    narrow,
    to_port,
)

SMALL = st.integers(0, 12)


@st.composite
def selectors(draw: st.DrawFn) -> TrafficSelector:
    first, last = sorted((draw(SMALL), draw(SMALL)))
    first_port, last_port = sorted((draw(SMALL), draw(SMALL)))
    return TrafficSelector(
        draw(st.sampled_from((4, 6))), draw(st.sampled_from((0, 6, 17))), first_port, last_port, first, last
    )


def points(selector: TrafficSelector) -> set[tuple[int, int, int, int]]:
    """A slow model: every packet that a small selector allows."""
    protocols = (1, 6, 17) if selector.protocol == 0 else (selector.protocol,)
    return {
        (selector.family, protocol, port, address)
        for protocol in protocols
        for port in range(selector.first_port, selector.last_port + 1)
        for address in range(selector.first, selector.last + 1)
    }


def union(many: tuple[TrafficSelector, ...] | list[TrafficSelector]) -> set[tuple[int, int, int, int]]:
    return set().union(*(points(s) for s in many)) if many else set()


@given(selectors(), selectors())
def test_intersect_is_the_intersection(a: TrafficSelector, b: TrafficSelector) -> None:
    """Against the model; and `contains` agrees with it."""
    common = intersect(a, b)
    assert (points(common) if common else set()) == points(a) & points(b)
    if contains(a, b):
        assert points(b) <= points(a)


@given(st.lists(selectors(), max_size=4), st.lists(selectors(), max_size=4))
def test_narrowing_gives_a_subset_of_both(proposed: list[TrafficSelector], allowed: list[TrafficSelector]) -> None:
    """Never more than was proposed, never more than is allowed; nothing is lost below the limit."""
    result = narrow(proposed, allowed)
    both = union(proposed) & union(allowed)
    assert union(result) <= both
    assert len(result) <= MAXIMUM_SELECTORS
    assert bool(result) == bool(both)
    if len(result) < MAXIMUM_SELECTORS:
        assert union(result) == both


def test_at_most_four() -> None:
    """TPL-72: four fit, a fifth is cut; the first, which may be the packet that woke the peer, stays."""
    five = [host(f"10.0.0.{n}") for n in (9, 1, 2, 3, 4)]
    assert narrow(five[:4], [ANY_IPV4]) == tuple(five[:4])
    assert narrow(five, [ANY_IPV4]) == tuple(five[:4])


def test_smaller_ranges_are_honoured() -> None:
    """TPL-73."""
    asked = TrafficSelector(4, 17, 100, 100, *address_range("10.2.0.1", "10.2.0.9")[4:])
    assert narrow([asked], [address_range("10.2.0.0", "10.2.255.255")]) == (asked,)


def test_one_selector_inside_another_is_left_out() -> None:
    """The specific first selector of RFC 7296 section 2.9, followed by the wide one."""
    packet = TrafficSelector(4, 6, 80, 80, *host("10.0.0.1")[4:])
    assert narrow([packet, ANY_IPV4], ANY) == (ANY_IPV4,)
    assert narrow([packet, ANY_IPV4], [host("10.0.0.1")]) == (host("10.0.0.1"),)


def test_backward_ranges_and_opaque_ports_match_nothing() -> None:
    """A peer may send anything."""
    assert narrow([TrafficSelector(4, 0, 65535, 0, 0, 9), TrafficSelector(4, 0, 0, 65535, 9, 0)], ANY) == ()


def test_ranges_of_configuration() -> None:
    """TPL-64: one family, first not above last."""
    assert address_range("::1", "::1") == host("::1")
    for first, last in (("10.0.0.2", "10.0.0.1"), ("10.0.0.1", "::1"), ("x", "10.0.0.1")):
        with pytest.raises(ValueError):
            address_range(first, last)


def test_text() -> None:
    """What the data path and people see."""
    (port,) = to_port([TrafficSelector(6, 17, 5, 6, 1, 2)])
    assert (port.protocol, port.first_port, port.last_port, port.first_address, port.last_address) == (
        17,
        5,
        6,
        "::1",
        "::2",
    )
    assert str(ANY_IPV6) == "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
    assert str(TrafficSelector(4, 6, 80, 80, 1, 1)) == "0.0.0.1-0.0.0.1[6/80-80]"
