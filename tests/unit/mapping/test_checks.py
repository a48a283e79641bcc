"""What XPath cannot say: order and overlap of ranges, the form of identities."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from netconf.mapping.checks import check_tree

Json = dict[str, Any]
Complete = Callable[[Json], Json]


def span(start: str, end: str) -> Json:
    return {"start-address": start, "end-address": end}


def tags(tree: Json) -> list[str]:
    return [fault.app_tag for fault in check_tree(tree)]


def test_the_demo_has_no_fault(demo: Json, complete: Complete) -> None:
    assert check_tree(complete(demo)) == []


def test_an_empty_tree_has_no_fault(complete: Complete) -> None:
    assert check_tree(complete({})) == []


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([span("10.0.0.0", "10.0.0.0")], [], []),  # TPL-64: A <= B
        ([span("10.0.0.1", "10.0.0.0")], [], ["range-order"]),
        ([span("9.255.255.255", "10.0.0.0")], [], []),  # numbers, not text
        ([span("2001:db8::2", "2001:db8::1")], [], ["range-order"]),
        ([span("2001:db8::9", "2001:db8::a")], [], []),
        ([span("10.0.0.0", "10.0.0.9"), span("10.0.0.10", "10.0.0.19")], [], []),  # TPL-66
        ([span("10.0.0.0", "10.0.0.10"), span("10.0.0.10", "10.0.0.19")], [], ["tsr-overlap"]),
        ([span("10.0.0.0", "10.0.0.9")], [span("10.0.0.10", "10.0.0.19")], []),
        ([span("10.0.0.0", "10.0.0.9")], [span("10.0.0.9", "10.0.0.19")], ["tsr-overlap"]),  # TPL-68
        (
            [span("10.0.0.0", "10.0.0.9")],
            [span("10.0.0.3", "10.0.0.4"), span("10.0.0.5", "10.0.0.6")],
            ["tsr-overlap"] * 2,
        ),
        ([span("0.0.0.0", "255.255.255.255")], [span("::", "ffff::")], []),  # families never overlap
    ],
)
def test_traffic_selectors(
    demo: Json, ran: Json, complete: Complete, one: list[Json], other: list[Json], expected: list[str]
) -> None:
    template = ran["openwsg-crypto-template:crypto"]["template"][0]
    template["payload"][0] |= {"match": "any", "tsr": one}
    template["payload"].append({"name": "second", "ipsec": {"transform-set": ["esp-modern"]}, "tsr": other})
    assert tags(complete(demo)) == expected


def test_templates_may_overlap(demo: Json, ran: Json, complete: Complete) -> None:
    """Exclusive selectors are a rule of one template: another one is for other peers."""
    template = ran["openwsg-crypto-template:crypto"]["template"]
    template[1]["payload"][0]["tsr"] = template[0]["payload"][0]["tsr"]
    assert tags(complete(demo)) == []


def test_a_fault_says_where(demo: Json, ran: Json, complete: Complete, yang: Any) -> None:
    ran["openwsg-crypto-template:crypto"]["template"][0]["payload"][0]["tsr"] = [span("10.0.0.1", "10.0.0.0")]
    (fault,) = check_tree(complete(demo))
    assert fault.path == (
        "context[name='ran']",
        "crypto",
        "template[name='enodeb']",
        "payload[name='s1']",
        "tsr[start-address='10.0.0.1']",
    )
    assert fault.message == "The start of the range 10.0.0.1 to 10.0.0.0 is above its end."
    error_path = yang.error_path_of(fault.path)
    assert error_path.xpath == (
        "/openwsg-gateway:gateway/openwsg-context:context[openwsg-context:name='ran']/openwsg-crypto-template:crypto"
        "/openwsg-crypto-template:template[openwsg-crypto-template:name='enodeb']"
        "/openwsg-crypto-template:payload[openwsg-crypto-template:name='s1']"
        "/openwsg-crypto-template:tsr[openwsg-crypto-template:start-address='10.0.0.1']"
    )
    assert dict(error_path.namespaces)["openwsg-crypto-template"] == "urn:openwsg:yang:openwsg-crypto-template"


@pytest.mark.parametrize(
    ("ranges", "expected"),
    [
        ([span("10.99.0.0", "10.99.0.255")], []),
        ([span("10.98.255.255", "10.99.0.1")], ["pool-range"]),
        ([span("10.99.0.1", "10.99.1.0")], ["pool-range"]),
        ([span("10.99.0.9", "10.99.0.10"), span("10.99.0.11", "10.99.0.12")], []),
        ([span("10.99.0.9", "10.99.0.11"), span("10.99.0.11", "10.99.0.12")], ["pool-range"]),
        ([span("10.99.0.9", "10.99.0.8")], ["range-order"]),
    ],
)
def test_pool_ranges(demo: Json, ran: Json, complete: Complete, ranges: list[Json], expected: list[str]) -> None:
    """CTX-16."""
    ran["openwsg-pool:ip"]["pool"][0]["range"] = ranges
    assert tags(complete(demo)) == expected


@pytest.mark.parametrize(
    ("prefix", "ranges", "expected"),
    [
        ("10.98.0.0/16", [], []),
        ("10.99.1.0/24", [], []),
        ("10.96.0.0/14", [], ["pool-overlap"]),
        ("10.99.0.128/25", [], ["pool-overlap"]),
        ("10.96.0.0/14", [span("10.98.0.0", "10.98.255.255")], []),  # what counts is what is given out
        ("10.96.0.0/14", [span("10.98.0.0", "10.99.0.0")], ["pool-overlap"]),
    ],
)
def test_pools_do_not_overlap(
    demo: Json, ran: Json, complete: Complete, prefix: str, ranges: list[Json], expected: list[str]
) -> None:
    ran["openwsg-pool:ip"]["pool"].append({"name": "b", "prefix": prefix, "range": ranges})
    assert tags(complete(demo)) == expected


@pytest.mark.parametrize(
    ("prefix", "kind"),
    [
        ("127.0.0.0/8", "loopback"),
        ("126.0.0.0/7", "loopback"),
        ("126.0.0.0/8", None),
        ("128.0.0.0/24", None),
        ("224.0.0.0/24", "multicast"),
        ("223.255.255.0/24", None),
        ("255.255.255.0/24", "reserved"),
        ("0.0.0.0/30", "unspecified"),
        ("1.0.0.0/24", None),
    ],
)
def test_pools_are_of_unicast_addresses(
    demo: Json, ran: Json, complete: Complete, prefix: str, kind: str | None
) -> None:
    """CTX-16: what no peer can use is refused with the kind in the message."""
    ran["openwsg-pool:ip"]["pool"].append({"name": "b", "prefix": prefix})
    faults = check_tree(complete(demo))
    assert [fault.app_tag for fault in faults] == (["pool-not-unicast"] if kind else [])
    if kind:
        assert kind in faults[0].message
        assert faults[0].path[-2:] == ("pool[name='b']", "prefix")


@pytest.mark.parametrize(("prefix", "ok"), [("fe80::/64", False), ("ff05::/112", False), ("2001:db8::/64", True)])
def test_ipv6_pools_are_of_unicast_addresses(demo: Json, ran: Json, complete: Complete, prefix: str, ok: bool) -> None:
    """CTX-17."""
    ran["openwsg-pool:ipv6"]["prefix-pool"].append({"name": "b", "prefix": prefix})
    assert tags(complete(demo)) == ([] if ok else ["pool-not-unicast"])


def test_ipv6_pools_do_not_overlap(demo: Json, ran: Json, complete: Complete) -> None:
    """CTX-17."""
    ran["openwsg-pool:ipv6"]["prefix-pool"].append({"name": "b", "prefix": "fd00:99::8000/113"})
    (fault,) = check_tree(complete(demo))
    assert (fault.app_tag, fault.path) == ("pool-overlap", ("context[name='ran']", "ipv6", "prefix-pool[name='b']"))


def test_pools_of_two_contexts_may_overlap(demo: Json, ran: Json, complete: Complete) -> None:
    """A context is a routing domain of its own (CTX-01)."""
    contexts = demo["openwsg-gateway:gateway"]["openwsg-context:context"]
    contexts.append({"name": "b", "openwsg-pool:ip": ran["openwsg-pool:ip"]})
    assert tags(complete(demo)) == []


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("ip-addr", "192.0.2.1", []),
        ("ip-addr", "2001:db8::1", []),
        ("ip-addr", "192.0.2.256", ["identity-form"]),
        ("key-id", "0x00ff", []),
        ("key-id", "0x0", ["identity-form"]),
        ("der-asn1-dn", "CN=gw,O=Example", []),
        ("der-asn1-dn", "no name", ["identity-form"]),
        ("der-asn1-gn", "text", ["identity-form"]),
    ],
)
@pytest.mark.parametrize("where", ["identity", "nai"])
def test_identities(
    demo: Json, ran: Json, complete: Complete, where: str, kind: str, value: str, expected: list[str]
) -> None:
    """TPL-27."""
    leaf = "local" if where == "identity" else "idr"
    ran["openwsg-crypto-template:crypto"]["template"][0][where] = {leaf: {"id-type": kind, "id": value}}
    assert tags(complete(demo)) == expected


def test_two_services_of_a_context_on_one_address(demo: Json, ran: Json, complete: Complete) -> None:
    """WSG-02: one address answers IKE for one service."""
    ran["openwsg-wsg-service:wsg-service"][1]["bind"]["address"] = "192.0.2.1"
    (fault,) = check_tree(complete(demo))
    assert fault.app_tag == "bind-address-in-use"
    assert fault.path == ("context[name='ran']", "wsg-service[name='clients']", "bind", "address")
    assert fault.message == "Service sites of context ran is bound to 192.0.2.1 already."


@pytest.mark.parametrize(("spelling", "expected"), [("2001:DB8:0::1", ["bind-address-in-use"]), ("2001:db8::2", [])])
def test_two_contexts_on_one_address(
    demo: Json, ran: Json, complete: Complete, spelling: str, expected: list[str]
) -> None:
    """Sockets of all contexts are in one network namespace, so the address is unique in the gateway."""
    other = copy.deepcopy(ran)
    other["name"] = "other"
    del other["openwsg-wsg-service:wsg-service"][1]
    for context, address in ((ran, "2001:db8::1"), (other, spelling)):
        context["interface"][0]["ipv6"] = {"address": [{"ip": address, "prefix-length": 64}]}
        context["openwsg-wsg-service:wsg-service"][0]["bind"]["address"] = address
    demo["openwsg-gateway:gateway"]["openwsg-context:context"].append(other)
    assert tags(complete(demo)) == expected


def test_a_service_of_the_same_name_in_two_contexts(demo: Json, ran: Json, complete: Complete) -> None:
    other = {"name": "other", "openwsg-wsg-service:wsg-service": [{"name": "sites"}]}
    demo["openwsg-gateway:gateway"]["openwsg-context:context"].append(other)
    assert tags(complete(demo)) == []


def test_one_pool_over_many_blames_each_that_comes_later(demo: Json, ran: Json, complete: Complete) -> None:
    pools = ran["openwsg-pool:ip"]["pool"]
    pools += [
        {"name": "all", "prefix": "10.0.0.0/8"},
        {"name": "low", "prefix": "10.1.0.0/16"},
        {"name": "high", "prefix": "10.200.0.0/16"},
        {"name": "apart", "prefix": "172.16.0.0/16"},
    ]
    faults = check_tree(complete(demo))
    assert {fault.path[-1] for fault in faults} == {"pool[name='all']", "pool[name='low']", "pool[name='high']"}
    assert {fault.app_tag for fault in faults} == {"pool-overlap"}


def address(ip: str, family: str = "ipv4") -> Json:
    return {family: {"address": [{"ip": ip, "prefix-length": 32}]}}


def faults(tree: Json) -> list[tuple[str, str]]:
    return [("/".join(fault.path), fault.app_tag) for fault in check_tree(tree)]


def test_an_address_on_two_interfaces(demo: Json, ran: Json, complete: Complete) -> None:
    """CTX-05: both entries are named, as either can be the wrong one."""
    ran["interface"].append({"name": "b", **address("192.0.2.1")})
    assert faults(complete(demo)) == [
        (f"context[name='ran']/interface[name='{name}']/ipv4/address[ip='192.0.2.1']/ip", "address-not-unique")
        for name in ("outside", "b")
    ]
    assert check_tree(complete(demo))[0].message == "The IPv4 address is on another interface of the context already."


def test_an_ipv6_address_on_two_interfaces_in_two_spellings(demo: Json, ran: Json, complete: Complete) -> None:
    """CTX-06."""
    ran["interface"].append({"name": "b", **address("2001:db8::1", "ipv6")})
    ran["interface"].append({"name": "c", **address("2001:DB8:0::0:1", "ipv6")})
    assert tags(complete(demo)) == ["address-not-unique"] * 2


def test_the_next_address_or_another_context_is_free(demo: Json, ran: Json, complete: Complete) -> None:
    ran["interface"].append({"name": "b", **address("192.0.2.3")})
    contexts = demo["openwsg-gateway:gateway"]["openwsg-context:context"]
    contexts.append({"name": "other", "interface": [{"name": "c", **address("192.0.2.1")}]})
    assert tags(complete(demo)) == []


KEY = {"pre-shared-key": {"key": "secret"}}
NO_KEY: Json = {"pre-shared-key": {}}


@pytest.mark.parametrize(
    ("local", "remote", "networks", "sides"),
    [
        (NO_KEY, NO_KEY, ["k", "k"], []),
        (NO_KEY, NO_KEY, ["k", None], ["local", "remote"]),
        (NO_KEY, NO_KEY, [], ["local", "remote"]),
        (KEY, NO_KEY, ["k", None], ["remote"]),
        (NO_KEY, KEY, ["k", None], ["local"]),
        (KEY, KEY, ["k", None], []),
        (KEY, KEY, [], []),
        (KEY, NO_KEY, [None], ["remote"]),
        (KEY, NO_KEY, ["k"], []),
    ],
)
def test_a_pre_shared_key_is_somewhere(
    demo: Json, ran: Json, complete: Complete, local: Json, remote: Json, networks: list[str | None], sides: list[str]
) -> None:
    """AUT-07."""
    template = ran["openwsg-crypto-template:crypto"]["template"][0]
    template["authentication"] = {"local": local, "remote": remote}
    template["peer"] = {
        "network": [
            {"prefix": f"10.{i}.0.0/16"} | ({"pre-shared-key": key} if key else {}) for i, key in enumerate(networks)
        ]
    }
    where = "context[name='ran']/crypto/template[name='enodeb']/authentication"
    assert faults(complete(demo)) == [(f"{where}/{side}/pre-shared-key", "pre-shared-key-missing") for side in sides]
    for side, fault in zip(sides, check_tree(complete(demo)), strict=True):
        assert fault.message.startswith(f"{side.capitalize()} authentication with a pre-shared key needs a key")


def test_an_unfinished_template_needs_no_key(demo: Json, ran: Json, complete: Complete) -> None:
    ran["openwsg-crypto-template:crypto"]["template"].append({"name": "later"})
    assert tags(complete(demo)) == []


@pytest.mark.parametrize("kind", ["addresses", "networks"])
def test_ten_times_the_entries_cost_no_hundred_times_the_work(demo: Json, ran: Json, yang: Any, kind: str) -> None:
    """libyang's part and ours together; the square of the entries would give a factor of 100."""

    def seconds(number: int) -> float:
        spread = [f"10.{i >> 8}.{i & 255}" for i in range(number)]
        if kind == "addresses":
            ran["interface"][1:] = [{"name": f"i{i}", **address(f"{net}.1")} for i, net in enumerate(spread)]
        else:
            template = ran["openwsg-crypto-template:crypto"]["template"][0]
            template["peer"] = {"network": [{"prefix": f"{net}.0/24", "pre-shared-key": "k"} for net in spread]}
        tree = yang.parse(json.dumps(demo), "json")
        started = time.process_time()
        tree.validate()
        assert check_tree(json.loads(tree.print("json", defaults=True))) == []
        return time.process_time() - started

    few = min(seconds(100) for _ in range(3))
    assert min(seconds(1000) for _ in range(3)) < 40 * few
