"""Data tree -> snapshot: every field, defaults, sharing with the snapshot before, secrets by reference only."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from netconf.mapping.snapshot import build_snapshot
from nf.config.snapshot import (
    AddressPool,
    AddressRange,
    Authentication,
    CookieChallenge,
    CryptoTemplate,
    Endpoint,
    GatewaySnapshot,
    IkeIdentity,
    IkeSaParameters,
    IkeTransformSet,
    Interface,
    IpsecTransformSet,
    Keepalive,
    LocalUser,
    NatTraversal,
    Payload,
    PeerNetwork,
    System,
    WsgService,
)

Json = dict[str, Any]
Complete = Callable[[Json], Json]

IKE_MODERN = IkeTransformSet("ike-modern", 20, 256, 5, 0, 31)
IKE_CLASSIC = IkeTransformSet("ike-classic", 12, 256, 5, 12, 14)
ESP_MODERN = IpsecTransformSet("esp-modern", 20, 256, 0, 31, "tunnel", True)
ESP_CLASSIC = IpsecTransformSet("esp-classic", 12, 256, 12, 14)
TEMPLATE_PATH = "/gateway/context[name='ran']/crypto/template[name='{}']"
NETWORK_PATH = TEMPLATE_PATH.format("enodeb") + "/peer/network[prefix='{}']/pre-shared-key"
KEY_PATH = TEMPLATE_PATH.format("client") + "/authentication/{}/pre-shared-key/key"


def build(
    tree: Json, previous: GatewaySnapshot | None = None, unseal: Callable[[str], bytes] = str.encode
) -> GatewaySnapshot:
    return build_snapshot(tree, previous, unseal)[0]


def test_system(demo: Json, complete: Complete) -> None:
    demo["openwsg-gateway:gateway"]["openwsg-system:system"] |= {
        "maximum-tunnels": 7,
        "ipsec-managers": 3,
        "user": [
            {"name": "ops", "password": "$5$salt$" + "x" * 43, "authorized-key": ["ssh-rsa AAAA b", "ssh-rsa AAAA a"]}
        ],
    }
    assert build(complete(demo)).system == System(
        hostname="segw.demo.example",
        netconf_ssh=(Endpoint("::", 830, "default"),),
        metrics=(Endpoint("127.0.0.1", 9814, "default"),),
        users=(LocalUser("ops", "$5$salt$" + "x" * 43, ("ssh-rsa AAAA b", "ssh-rsa AAAA a")),),
        ipsec_managers=3,
        maximum_tunnels=7,
    )


def test_factory_default_is_the_default_system(factory: Json, complete: Complete) -> None:
    """What the packaged configuration says is what the contracts call the default (architecture section 8)."""
    snapshot = build(complete(factory))
    named = System(
        netconf_ssh=tuple(dataclasses.replace(end, name="default") for end in System().netconf_ssh),
        metrics=tuple(dataclasses.replace(end, name="default") for end in System().metrics),
    )
    assert snapshot == GatewaySnapshot(1, named)


def test_empty_configuration_listens_nowhere(complete: Complete) -> None:
    assert build(complete({})) == GatewaySnapshot(1, System(netconf_ssh=(), metrics=()))


def test_context(demo: Json, ran: Json, complete: Complete) -> None:
    ran["interface"][0]["ipv6"] = {"address": [{"ip": "2001:DB8::0:1", "prefix-length": 64}]}
    ran["interface"].append({"name": "lo/1", "loopback": True})
    ran["openwsg-transform-set:ipsec"]["replay"] = {"window-size": 128}
    (context,) = build(complete(demo)).contexts
    assert (context.name, context.index, context.replay_window) == ("ran", 1, 128)
    assert context.name_servers == ("10.0.0.53",)
    assert context.interfaces == (
        Interface("outside", False, ("192.0.2.1/24", "192.0.2.2/24", "2001:db8::1/64")),
        Interface("lo/1", True, ()),
    )


def test_replay_off_is_window_0(demo: Json, ran: Json, complete: Complete) -> None:
    """ESN-01."""
    ran["openwsg-transform-set:ipsec"]["replay"] = {"enabled": False, "window-size": 512}
    assert build(complete(demo)).contexts[0].replay_window == 0


def test_pools(demo: Json, ran: Json, complete: Complete) -> None:
    """CTX-16, CTX-17."""
    ran["openwsg-pool:ip"]["pool"].append(
        {
            "name": "parts",
            "prefix": "10.98.0.9/16",
            "range": [
                {"start-address": "10.98.1.0", "end-address": "10.98.1.9"},
                {"start-address": "10.98.0.1", "end-address": "10.98.0.1"},
            ],
        }
    )
    assert build(complete(demo)).contexts[0].pools == (
        AddressPool("ran", "clients", 4, "10.99.0.0/24", (AddressRange("10.99.0.0", "10.99.0.255"),)),
        AddressPool(
            "ran",
            "parts",
            4,
            "10.98.0.0/16",
            (AddressRange("10.98.0.1", "10.98.0.1"), AddressRange("10.98.1.0", "10.98.1.9")),
        ),
        AddressPool("ran", "clients6", 6, "fd00:99::/112", (AddressRange("fd00:99::", "fd00:99::ffff"),)),
    )


def test_templates_of_the_demo(demo: Json, complete: Complete) -> None:
    enodeb, client = build(complete(demo)).contexts[0].templates
    ikesa = IkeSaParameters(transform_sets=(IKE_MODERN, IKE_CLASSIC), rekey=True)
    assert enodeb == CryptoTemplate(
        context="ran",
        name="enodeb",
        ikesa=ikesa,
        local_identity=IkeIdentity("fqdn", "segw.demo.example"),
        peer_networks=(
            PeerNetwork("192.0.2.0/25", NETWORK_PATH.format("192.0.2.0/25")),
            PeerNetwork("198.51.100.0/24", NETWORK_PATH.format("198.51.100.0/24")),
        ),
        payloads=(
            Payload(
                name="s1",
                match="ipv4",
                transform_sets=(ESP_MODERN, ESP_CLASSIC),
                lifetime_s=3600,
                rekey=True,
                tsr=(AddressRange("10.0.0.0", "10.0.255.255"),),
            ),
        ),
        keepalive=Keepalive(30, 10, 2),
        natt=NatTraversal(),
    )
    assert client == CryptoTemplate(
        context="ran",
        name="client",
        ikesa=ikesa,
        authentication=Authentication(local_psk=KEY_PATH.format("local"), remote_psk=KEY_PATH.format("remote")),
        local_identity=IkeIdentity("fqdn", "vpn.demo.example"),
        payloads=(Payload(name="inner", transform_sets=(ESP_MODERN, ESP_CLASSIC), lifetime_s=3600, rekey=True),),
        keepalive=Keepalive(30, 10, 2),
        natt=NatTraversal(),
    )


def test_template_defaults_are_those_of_the_snapshot(demo: Json, ran: Json, complete: Complete) -> None:
    """An empty template in YANG is a CryptoTemplate() with no authentication: the two lists of defaults agree."""
    ran["openwsg-crypto-template:crypto"]["template"].append({"name": "t", "payload": [{"name": "p"}]})
    *_, template = build(complete(demo)).contexts[0].templates
    none = Authentication(local_method=None, remote_method=None)
    assert template == CryptoTemplate("ran", "t", authentication=none, payloads=(Payload("p"),))


def test_every_leaf_of_a_template(demo: Json, ran: Json, complete_with_features: Complete) -> None:
    ran["openwsg-crypto-template:crypto"]["template"].append(
        {
            "name": "t",
            "type": "ikev2-vendor",
            "ikev2-ikesa": {
                "transform-set": ["ike-classic"],
                "allow-empty-ikesa": True,
                "ignore-notify-protocol-id": True,
                "ignore-rekeying-requests": True,
                "keepalive-user-activity": True,
                "max-retransmissions": 7,
                "retransmission-timeout": 700,
                "setup-timer": 17,
                "rekey": {"enabled": True, "disallow-param-change": True},
                "policy": {
                    "error-notification": {
                        "invalid-major-version": True,
                        "invalid-message-id": True,
                        "invalid-syntax": True,
                    },
                    "use-rfc5996-notification": True,
                },
                "ddos": {
                    "half-open-sa-timer": "disabled",
                    "decrypt-fail-count": "disabled",
                    "rekey-rate": 50,
                    "message-queue-size": "disabled",
                },
                "fragmentation": False,
            },
            "nai": {"idr": {"id": "me@example", "id-type": "rfc822-addr"}},
            "peer": {"network": [{"prefix": "2001:db8::5/32"}]},
            "payload": [
                {
                    "name": "p",
                    "match": "ipv6",
                    "ipsec": {"transform-set": ["esp-classic", "esp-modern"]},
                    "lifetime": {"seconds": "disabled", "kilo-bytes": 1000},
                    "rekey": {"enabled": True, "disallow-param-change": True, "keepalive": True},
                    "ignore-rekeying-requests": True,
                    "maximum-child-sa": 5,
                    "tsi": "endpoint",
                    "tsr": [{"start-address": "2001:db8::", "end-address": "2001:DB8::00ff"}],
                }
            ],
            "keepalive": {"interval": 11, "timeout": 12, "num-retry": 3},
            "max-childsa": {"maximum": 5, "overload-action": "terminate"},
            "dos": {"cookie-challenge": {"half-open-sess-count": {"start": 20, "stop": 10}}},
            "dns-handling": "custom",
            "control-dont-fragment": "set-bit",
            "natt": {"include-header": True, "send-keepalive": {"idle-interval": 21, "interval": 22}},
            "ip": {"mtu": 1400, "ikev2-mtu": 1000},
            "ipv6": {"mtu": 1300, "ikev2-mtu": 1200},
        }
    )
    *_, template = build(complete_with_features(demo)).contexts[0].templates
    assert template == CryptoTemplate(
        context="ran",
        name="t",
        template_type="ikev2-vendor",
        ikesa=IkeSaParameters(
            (IKE_CLASSIC,),
            True,
            True,
            True,
            True,
            7,
            700,
            17,
            True,
            True,
            True,
            True,
            True,
            True,
            None,
            False,
            None,
            50,
            None,
        ),
        authentication=Authentication(local_method=None, remote_method=None),
        nai_idr=IkeIdentity("rfc822-addr", "me@example"),
        peer_networks=(PeerNetwork("2001:db8::/32"),),
        payloads=(
            Payload(
                name="p",
                match="ipv6",
                transform_sets=(ESP_CLASSIC, ESP_MODERN),
                lifetime_s=None,
                lifetime_kilobytes=1000,
                rekey=True,
                rekey_keepalive=True,
                ignore_rekeying_requests=True,
                disallow_param_change=True,
                maximum_child_sa=5,
                tsi="endpoint",
                tsr=(AddressRange("2001:db8::", "2001:db8::ff"),),
            ),
        ),
        keepalive=Keepalive(11, 12, 3),
        max_childsa=5,
        overload_action="terminate",
        cookie_challenge=CookieChallenge(20, 10),
        dns_handling="custom",
        control_dont_fragment="set-bit",
        natt=NatTraversal(True, True, 21, 22),
        ip_mtu=1400,
        ipv6_mtu=1300,
        ip_ikev2_mtu=1000,
        ipv6_ikev2_mtu=1200,
    )


def test_use_received_idr(demo: Json, ran: Json, complete: Complete) -> None:
    """TPL-26."""
    ran["openwsg-crypto-template:crypto"]["template"][0]["nai"] = {"use-received-idr": True}
    assert build(complete(demo)).contexts[0].templates[0].use_received_idr is True


def test_services(demo: Json, ran: Json, complete: Complete) -> None:
    ran["openwsg-wsg-service:wsg-service"] += [
        {"name": "later"},
        {"name": "unbound", "deployment-mode": "site-to-site"},
    ]
    ran["openwsg-wsg-service:wsg-service"][0]["initial-contact"] = True
    assert build(complete(demo)).contexts[0].services == (
        WsgService("ran", "sites", "site-to-site", "192.0.2.1", "enodeb", initial_contact=True),
        WsgService("ran", "clients", "remote-access", "192.0.2.2", "client", "clients", "clients6"),
        WsgService("ran", "unbound", "site-to-site"),
    )


def test_what_is_behind_a_feature(demo: Json, ran: Json, complete_with_features: Complete) -> None:
    ran["openwsg-wsg-service:wsg-service"][0]["pre-fragment"] = {"mtu": 1300}
    ran["openwsg-transform-set:ipsec"]["transform-set"][0]["mode"] = "transport"
    ran["openwsg-pool:ip"]["pool"][0]["kind"] = "static"
    (context,) = build(complete_with_features(demo)).contexts
    assert context.services[0].pre_fragment_mtu == 1300
    assert context.templates[0].payloads[0].transform_sets[0].mode == "transport"
    assert context.pools[0].kind == "static"


def test_features_that_are_off_leave_the_defaults(
    demo: Json, complete: Complete, complete_with_features: Complete
) -> None:
    assert build(complete(demo)) == build(complete_with_features(demo))


def test_an_equal_tree_gives_the_same_object(demo: Json, complete: Complete) -> None:
    first = build(complete(demo))
    assert build(complete(copy.deepcopy(demo)), first) is first


def test_an_edit_leaves_the_rest_the_same_objects(demo: Json, ran: Json, complete: Complete) -> None:
    """Architecture section 3: unchanged objects are shared with the predecessor."""
    demo["openwsg-gateway:gateway"]["openwsg-context:context"].append({"name": "other", "name-server": ["192.0.2.9"]})
    old = build(complete(demo))
    ran["openwsg-crypto-template:crypto"]["template"][0]["keepalive"]["interval"] = 31
    new = build(complete(demo), old)
    assert new.revision == old.revision + 1
    assert new.system is old.system
    before, after = old.contexts[0], new.contexts[0]
    assert new.contexts[1] is old.contexts[1]
    assert after is not before
    for shared in ("interfaces", "name_servers", "pools", "services"):
        assert getattr(after, shared) is getattr(before, shared)
    assert after.templates[1] is before.templates[1]
    assert after.templates[0] == dataclasses.replace(before.templates[0], keepalive=Keepalive(31, 10, 2))
    assert after.templates[0].payloads[0].transform_sets[0] is before.templates[0].payloads[0].transform_sets[0]


def test_a_transform_set_reaches_the_templates_that_use_it(demo: Json, ran: Json, complete: Complete) -> None:
    old = build(complete(demo))
    ran["openwsg-crypto-template:crypto"]["template"][1]["payload"][0]["ipsec"]["transform-set"] = ["esp-classic"]
    old = build(complete(demo), old)
    ran["openwsg-transform-set:ipsec"]["transform-set"][0]["esn"] = False
    new = build(complete(demo), old)
    assert new.contexts[0].templates[0].payloads[0].transform_sets[0] == dataclasses.replace(ESP_MODERN, esn=False)
    assert new.contexts[0].templates[1] is old.contexts[0].templates[1]


def test_context_index_is_stable(complete: Complete) -> None:
    """An index stays with its context, and is not given on in the commit that frees it."""

    def contexts(*names: str) -> Json:
        return complete({"openwsg-gateway:gateway": {"openwsg-context:context": [{"name": name} for name in names]}})

    first = build(contexts("b", "c"))
    assert {c.name: c.index for c in first.contexts} == {"b": 1, "c": 2}
    second = build(contexts("a", "c"), first)
    assert {c.name: c.index for c in second.contexts} == {"a": 3, "c": 2}
    third = build(contexts("a", "c", "d"), second)
    assert {c.name: c.index for c in third.contexts} == {"a": 3, "c": 2, "d": 1}


def test_secrets_travel_beside_the_snapshot(demo: Json, complete: Complete) -> None:
    snapshot, secrets = build_snapshot(complete(demo), None, str.encode)
    assert secrets == {
        NETWORK_PATH.format("192.0.2.0/25"): b"demo eNodeB key, replace me",
        NETWORK_PATH.format("198.51.100.0/24"): b"demo second site key, replace me",
        KEY_PATH.format("local"): b"demo client key, replace me",
        KEY_PATH.format("remote"): b"demo client key, replace me",
    }
    assert "replace me" not in repr(snapshot)


def test_a_new_key_is_a_new_snapshot(demo: Json, ran: Json, complete: Complete) -> None:
    """A changed PSK changes the reference, so that what compares snapshots sees it; the key stays out of sight."""
    clear = {"$8$AAAA": b"one", "$8$BBBB": b"two"}
    key = ran["openwsg-crypto-template:crypto"]["template"][1]["authentication"]["remote"]["pre-shared-key"]

    def unseal(text: str) -> bytes:
        return clear.get(text, b"other")

    key["key"] = "$8$AAAA"
    old, _ = build_snapshot(complete(demo), None, unseal)
    key["key"] = "$8$BBBB"
    new, secrets = build_snapshot(complete(demo), old, unseal)
    reference = new.contexts[0].templates[1].authentication.remote_psk
    assert reference is not None
    assert reference.startswith(KEY_PATH.format("remote") + "#")
    assert reference != old.contexts[0].templates[1].authentication.remote_psk
    assert secrets[reference] == b"two"
    assert "$8$" not in repr(new)
    assert new.contexts[0].templates[0] is old.contexts[0].templates[0]
    key["key"] = "$8$BBBB"
    assert build_snapshot(complete(demo), new, unseal)[0] is new


def test_what_unseal_raises_passes_through(demo: Json, complete: Complete) -> None:
    def unseal(text: str) -> bytes:
        raise LookupError("no key for this")

    with pytest.raises(LookupError, match="no key for this"):
        build(complete(demo), unseal=unseal)


def test_addresses_are_spelled_as_ipaddress_does(demo: Json, ran: Json, complete: Complete) -> None:
    """libyang writes an IPv4-mapped address with dots; the snapshot has one spelling only."""
    ran["interface"][0]["ipv6"] = {"address": [{"ip": "::ffff:192.0.2.1", "prefix-length": 128}]}
    assert "::ffff:c000:201/128" in build(complete(demo)).contexts[0].interfaces[0].addresses
