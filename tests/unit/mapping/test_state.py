"""Views -> state data that the schema accepts, and commands from their operations."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from netconf.mapping.actions import CLEAR, clear_reply, sa_filter
from netconf.mapping.snapshot import build_snapshot
from netconf.mapping.state import state_data, template_status
from nf.config.snapshot import (
    Authentication,
    CryptoTemplate,
    GatewaySnapshot,
    IkeSaParameters,
    IkeTransformSet,
    IpsecTransformSet,
    Payload,
)
from nf.datapath.port import DatapathCounters, Selector
from nf.ike.inputs import SaFilter
from nf.views import ChildSaView, GatewayViews, IkeSaView, PoolView, ServiceView, WorkerView

Json = dict[str, Any]
Complete = Callable[[Json], Json]

CHILD = ChildSaView(
    spi_in=1,
    spi_out=2**32 - 1,
    payload="s1",
    state="established",
    mode="tunnel",
    encr=20,
    key_bits=256,
    integ=0,
    ke_method=0,
    esn=True,
    encapsulation="udp",
    local_ts=(Selector(0, 0, 65535, "10.0.0.0", "10.0.255.255"),),
    remote_ts=(Selector(17, 100, 200, "2001:db8::", "2001:db8::ff"), Selector(0, 0, 65535, "10.1.0.0", "10.1.0.255")),
    sa_id_in=1,
    sa_id_out=2,
    age_s=1.23456,
    soft_in_s=3000.5,
    hard_in_s=None,
    packets_in=2**63,
    octets_in=2**64 - 1,
)
IKE = IkeSaView(
    context="ran",
    service="sites",
    template="enodeb",
    worker=0,
    spi_i="0000000000000001",
    spi_r="00000000000000ff",
    local_spi="00000000000000ff",
    original_initiator=False,
    state="established",
    local="192.0.2.1",
    local_port=4500,
    remote="2001:db8::9",
    remote_port=4500,
    local_id="segw.demo.example",
    remote_id="enb \x00\ud800 <&> é",
    remote_id_type="fqdn",
    encr=12,
    key_bits=256,
    prf=5,
    integ=12,
    ke_method=31,
    nat_local=False,
    nat_remote=True,
    age_s=0.0,
    rekey_in_s=77.0,
    inner_addresses=("10.99.0.1", "fd00:99::1"),
    children=(CHILD, replace(CHILD, spi_in=2, encr=999, integ=999, ke_method=999)),
    queue_drops=1,
    ike_rekeys_refused=2,
    child_rekeys_refused=3,
    decrypt_drops=4,
    fragmentation=True,
)
VIEWS = GatewayViews(
    ike_sas=(IKE, replace(IKE, local_spi="00000000000000fe", children=(), rekey_in_s=None, inner_addresses=())),
    pools=(PoolView("ran", "clients", 254, 2), PoolView("ran", "clients6", 2**65, 2), PoolView("gone", "p", 1, 1)),
    services=(ServiceView("ran", "sites", True, "192.0.2.1", 2), ServiceView("ran", "gone", False, None, 0)),
    workers=(WorkerView("ipsecmgr-0", 17, 1.5, 2, 0.25, 2**33, {"sa.established": 2**40}),),
    datapath=DatapathCounters(1, 2, 3, 4, {"inbound.replay": 5, "outbound.no-policy": 6}, 4),
    up_s=12.0,
)


@pytest.fixture
def snapshot(demo: Json, complete: Complete) -> GatewaySnapshot:
    return build_snapshot(complete(demo), None, str.encode)[0]


def read_back(yang: Any, demo: Json, state: Json) -> Json:
    """`state`, accepted by libyang, merged with the configuration and valid there, as the agent's `get` prints it."""
    tree = yang.parse(json.dumps(demo), "json")
    tree.merge(yang.parse(json.dumps(state), "json", state=True))
    printed: Json = json.loads(tree.print("json"))
    return printed["openwsg-gateway:gateway"]  # type: ignore[no-any-return]


def test_ike_sa(yang: Any, demo: Json, snapshot: GatewaySnapshot) -> None:
    """SHO-29, TRF-04: every leaf, and text from a peer that XML can carry."""
    got = read_back(yang, demo, state_data(VIEWS, snapshot))
    first, second = got["openwsg-security-association:security-associations"]["ike-sa"]
    children = first.pop("child-sa")
    assert first == {
        "local-spi": "00000000000000ff",
        "initiator-spi": "0000000000000001",
        "responder-spi": "00000000000000ff",
        "original-initiator": False,
        "state": "established",
        "context": "ran",
        "wsg-service": "sites",
        "crypto-template": "enodeb",
        "ipsec-manager": 0,
        "local": {"address": "192.0.2.1", "port": 4500, "identity": "segw.demo.example", "behind-nat": False},
        "remote": {
            "address": "2001:db8::9",
            "port": 4500,
            "identity": "enb \ufffd\ufffd <&> é",
            "identity-type": "fqdn",
            "behind-nat": True,
        },
        "encryption": "openwsg-types:aes-cbc-256",
        "prf": "openwsg-types:sha2-256",
        "hmac": "openwsg-types:sha2-256-128",
        "group": "openwsg-types:group31",
        "fragmentation-supported": True,
        "age": "0.0",
        "rekey-in": "77.0",
        "inner-address": ["10.99.0.1", "fd00:99::1"],
        "misuse": {
            "queue-drops": "1",
            "ike-rekeys-refused": "2",
            "child-rekeys-refused": "3",
            "decryption-drops": "4",
        },
    }
    assert [child["spi-in"] for child in children] == [1, 2]
    assert "rekey-in" not in second
    assert "child-sa" not in second


def test_child_sa(yang: Any, demo: Json, snapshot: GatewaySnapshot) -> None:
    """SHO-31, STA-91, TPL-81."""
    got = read_back(yang, demo, state_data(VIEWS, snapshot))
    child, unknown = got["openwsg-security-association:security-associations"]["ike-sa"][0]["child-sa"]
    assert child == {
        "spi-in": 1,
        "spi-out": 2**32 - 1,
        "payload": "s1",
        "state": "established",
        "mode": "tunnel",
        "encapsulation": "udp",
        "encryption": "openwsg-types:aes-256-gcm-128",
        "hmac": "openwsg-types:none",
        "group": "openwsg-types:none",
        "esn": True,
        "local-selector": [
            {
                "protocol": 0,
                "start-port": 0,
                "end-port": 65535,
                "start-address": "10.0.0.0",
                "end-address": "10.0.255.255",
            }
        ],
        "remote-selector": [
            {
                "protocol": 17,
                "start-port": 100,
                "end-port": 200,
                "start-address": "2001:db8::",
                "end-address": "2001:db8::ff",
            },
            {
                "protocol": 0,
                "start-port": 0,
                "end-port": 65535,
                "start-address": "10.1.0.0",
                "end-address": "10.1.0.255",
            },
        ],
        "age": "1.235",
        "soft-expiry-in": "3000.5",
        "statistics": {
            "packets-in": str(2**63),
            "octets-in": str(2**64 - 1),
            "packets-out": "0",
            "octets-out": "0",
            "replay-drops": "0",
            "integrity-failures": "0",
        },
    }
    assert not {"encryption", "hmac", "group"} & set(unknown)


def test_state_inside_the_configuration(yang: Any, demo: Json, snapshot: GatewaySnapshot) -> None:
    """CTX-18, WSG-20, TPL-36; what is no longer configured does not come back by its state."""
    (ran,) = read_back(yang, demo, state_data(VIEWS, snapshot))["openwsg-context:context"]
    assert ran["openwsg-pool:ip"]["pool"][0]["state"] == {"size": "254", "used": "2", "free": "252"}
    assert ran["openwsg-pool:ipv6"]["prefix-pool"][0]["state"]["size"] == str(2**64 - 1)
    services = {service["name"]: service.get("state") for service in ran["openwsg-wsg-service:wsg-service"]}
    assert services == {"sites": {"started": True, "bind-address": "192.0.2.1", "sessions": 2}, "clients": None}
    states = [template["state"] for template in ran["openwsg-crypto-template:crypto"]["template"]]
    assert states == [{"status": "complete"}, {"status": "complete"}]


def test_statistics(yang: Any, demo: Json, snapshot: GatewaySnapshot) -> None:
    assert read_back(yang, demo, state_data(VIEWS, snapshot))["openwsg-statistics:statistics"] == {
        "up-time": "12.0",
        "process": [
            {
                "name": "ipsecmgr-0",
                "pid": 17,
                "up-time": "1.5",
                "restarts": 2,
                "cpu-time": "0.25",
                "resident-memory": str(2**33),
                "counter": [{"name": "sa.established", "value": str(2**40)}],
            }
        ],
        "datapath": {
            "sas": 4,
            "packets-in": "1",
            "octets-in": "2",
            "packets-out": "3",
            "octets-out": "4",
            "drop": [
                {"direction": "inbound", "reason": "replay", "packets": "5"},
                {"direction": "outbound", "reason": "no-policy", "packets": "6"},
            ],
        },
    }


def test_nothing_configured_and_nothing_running(yang: Any) -> None:
    state = state_data(GatewayViews(), GatewaySnapshot())
    assert yang.parse(json.dumps(state), "json", state=True)


READY = CryptoTemplate(
    "c",
    "t",
    ikesa=IkeSaParameters((IkeTransformSet("i", 20, 128, 5, 0, 19),)),
    payloads=(Payload("p", transform_sets=(IpsecTransformSet("e", 20, 128, 0),)),),
)


@pytest.mark.parametrize(
    ("template", "status"),
    [
        (READY, "complete"),
        (replace(READY, ikesa=IkeSaParameters()), "incomplete"),
        (replace(READY, payloads=()), "incomplete"),
        (replace(READY, payloads=(*READY.payloads, Payload("q"))), "incomplete"),
        (replace(READY, authentication=Authentication(local_method=None)), "incomplete"),
        (replace(READY, authentication=Authentication(remote_method=None)), "incomplete"),
    ],
)
def test_template_status(template: CryptoTemplate, status: str) -> None:
    """TPL-36: what the model asks of a template that is bound."""
    assert template_status(template) == status


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"all": [None]}, SaFilter()),
        ({"context": "ran", "wsg-service": "sites"}, SaFilter(context="ran", service="sites")),
        ({"crypto-template": "t", "peer": "192.0.2.9"}, SaFilter(template="t", peer="192.0.2.9")),
        ({"remote-identity": "a.example"}, SaFilter(remote_id="a.example")),
        ({"local-spi": "0123456789abcdef", "child-sa-spi": 7}, SaFilter(spi="0123456789abcdef", child_spi=7)),
    ],
)
def test_clear(content: Json, expected: SaFilter, wrapped: bool) -> None:
    """EXE-01."""
    assert sa_filter({CLEAR: content} if wrapped else content) == expected


def test_clear_reply() -> None:
    assert clear_reply(3) == {CLEAR: {"deleted": 3}}
