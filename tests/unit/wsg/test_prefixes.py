"""Ranges of traffic selectors as prefixes."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nf.datapath.port import Selector
from wsg.routes import prefixes_of


def selector(first: object, last: object) -> Selector:
    return Selector(0, 0, 65535, str(first), str(last))


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("10.0.0.0", "10.0.0.255", ["10.0.0.0/24"]),
        ("10.0.0.7", "10.0.0.7", ["10.0.0.7/32"]),
        ("10.0.0.1", "10.0.0.2", ["10.0.0.1/32", "10.0.0.2/32"]),
        ("0.0.0.0", "255.255.255.255", ["0.0.0.0/0"]),
        ("2001:db8::", "2001:db8::ffff", ["2001:db8::/112"]),
    ],
)
def test_examples(first: str, last: str, expected: list[str]) -> None:
    assert [str(prefix) for prefix in prefixes_of([selector(first, last), selector(first, last)])] == expected


@given(st.sampled_from([ipaddress.IPv4Address, ipaddress.IPv6Address]), st.data())
def test_the_prefixes_cover_the_range_and_nothing_else(family, data) -> None:
    top = 2**32 - 1 if family is ipaddress.IPv4Address else 2**128 - 1
    first, last = sorted((data.draw(st.integers(0, top)), data.draw(st.integers(0, top))))
    prefixes = prefixes_of([selector(family(first), family(last))])
    assert sum(prefix.num_addresses for prefix in prefixes) == last - first + 1
    assert min(int(prefix.network_address) for prefix in prefixes) == first
    assert max(int(prefix.broadcast_address) for prefix in prefixes) == last


@pytest.mark.parametrize(("first", "last"), [("10.0.0.2", "10.0.0.1"), ("10.0.0.1", "::1"), ("x", "10.0.0.1")])
def test_what_is_no_range_raises_value_error(first: str, last: str) -> None:
    with pytest.raises(ValueError):
        prefixes_of([selector(first, last)])
