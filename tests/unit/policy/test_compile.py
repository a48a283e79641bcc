"""compile_policy refuses what cannot work, with the path (TPL-36, TPL-65 to TPL-67, TRF-24, CTX-16)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from nf.config.snapshot import (
    AddressPool,
    AddressRange,
    Authentication,
    Context,
    CryptoTemplate,
    GatewaySnapshot,
    IkeIdentity,
    IkeSaParameters,
    IkeTransformSet,
    IpsecTransformSet,
    Payload,
    PeerNetwork,
    WsgService,
)
from nf.config.transaction import PrepareError
from nf.policy.compile import compile_policy
from nf.policy.tables import Policy

IKE = IkeTransformSet("ike", 20, 128, 5, 0, 31)
ESP = IpsecTransformSet("esp", 20, 128, 0)
TEMPLATE = CryptoTemplate(
    "ran",
    "t",
    ikesa=IkeSaParameters(transform_sets=(IKE,)),
    authentication=Authentication(local_psk="k", remote_psk="k"),
    payloads=(Payload("p", transform_sets=(ESP,)),),
)
SERVICE = WsgService("ran", "w", "remote-access", bind_address="192.0.2.1", template="t")
POOL = AddressPool("ran", "pool", 4, "10.0.0.0/29", (AddressRange("10.0.0.0", "10.0.0.7"),))


def build(
    template: CryptoTemplate = TEMPLATE,
    service: WsgService = SERVICE,
    pools: tuple[AddressPool, ...] = (),
    workers: int = 1,
    secrets: dict[str, bytes] | None = None,
    more: tuple[Context, ...] = (),
    **context: Any,
) -> Policy:
    ran = Context("ran", 1, templates=(template,), services=(service,), pools=pools, **context)
    keys = {"k": b"secret"} if secrets is None else secrets
    return compile_policy(GatewaySnapshot(7, contexts=(ran, *more)), keys, 0, workers)


def refused(*args: Any, **kwargs: Any) -> PrepareError:
    with pytest.raises(PrepareError) as caught:
        build(*args, **kwargs)
    assert caught.value.path[0] == "context[name='ran']"
    return caught.value


def test_compiled() -> None:
    policy = build(
        service=replace(SERVICE, ipv4_pool="pool", bind_address="2001:0db8::0001"),
        pools=(POOL,),
        name_servers=("10.0.0.53", "2001:db8::53"),
        replay_window=128,
    )
    assert policy.revision == 7
    service = policy.services["2001:db8::1"]
    assert policy.by_name["ran", "w"] is service
    assert service.pool4 is not None
    assert service.pool4.spans == (
        ((10 << 24) + 1, (10 << 24) + 6),
    )  # network and broadcast addresses are not given out
    assert (service.dns4, len(service.dns6), service.replay_window) == ((bytes((10, 0, 0, 53)),), 1, 128)
    assert "secret" not in repr(policy)


def test_an_unbound_service_and_an_unused_template_may_be_incomplete() -> None:
    """TPL-36: incomplete templates cannot be bound; they may exist."""
    assert not build(replace(TEMPLATE, payloads=()), replace(SERVICE, bind_address=None)).services


@pytest.mark.parametrize(
    ("template", "where"),
    [
        (replace(TEMPLATE, ikesa=IkeSaParameters()), "transform-set"),
        (replace(TEMPLATE, payloads=()), "payload"),
        (replace(TEMPLATE, payloads=(Payload("p"),)), "transform-set"),
        (replace(TEMPLATE, authentication=Authentication()), "authentication"),
        (replace(TEMPLATE, authentication=Authentication(local_psk="k")), "authentication"),
        (replace(TEMPLATE, authentication=Authentication(remote_psk="k")), "authentication"),
        (
            replace(
                TEMPLATE,
                authentication=Authentication(),
                peer_networks=(PeerNetwork("10.0.0.0/8", "k"), PeerNetwork("11.0.0.0/8")),
            ),
            "authentication",
        ),
    ],
)
def test_incomplete(template: CryptoTemplate, where: str) -> None:
    """TPL-36."""
    error = refused(template)
    assert error.path[-1] == where
    assert "TPL-36" in error.why


def test_a_psk_for_every_network_is_enough() -> None:
    networks = (PeerNetwork("10.0.0.0/8", "k"), PeerNetwork("2001:db8::/32", "k"))
    assert build(replace(TEMPLATE, authentication=Authentication(), peer_networks=networks)).services


@pytest.mark.parametrize(
    "ike",
    [
        replace(IKE, encr=2),
        replace(IKE, encr=11, key_bits=0, integ=12),  # ALG-05: never NULL for IKE
        replace(IKE, key_bits=100),
        replace(IKE, prf=1),
        replace(IKE, ke_method=1),
        replace(IKE, integ=12),  # combined mode with integrity
        replace(IKE, encr=12, integ=0),  # CBC without
    ],
)
def test_unsupported_ike_algorithms(ike: IkeTransformSet) -> None:
    error = refused(replace(TEMPLATE, ikesa=IkeSaParameters(transform_sets=(ike,))))
    assert error.path[1:] == ("ikev2-ikesa", "transform-set[name='ike']")


@pytest.mark.parametrize(
    "esp",
    [replace(ESP, encr=3), replace(ESP, integ=12), replace(ESP, encr=12, key_bits=128), replace(ESP, mode="transport")],
)
def test_unsupported_esp_algorithms(esp: IpsecTransformSet) -> None:
    """ALG-41, ALG-42; transport mode is refused, not quietly changed."""
    error = refused(replace(TEMPLATE, payloads=(Payload("p", transform_sets=(esp,)),)))
    assert error.path[1:] == ("ipsec", "transform-set[name='esp']")


def payloads(*payloads: Payload) -> CryptoTemplate:
    return replace(TEMPLATE, payloads=payloads)


def tsr(name: str, *ranges: tuple[str, str], **changes: Any) -> Payload:
    return Payload(name, transform_sets=(ESP,), tsr=tuple(AddressRange(*r) for r in ranges), **changes)


def test_tsr_limits() -> None:
    """TPL-64 to TPL-67, each on both sides of its edge."""
    five = [(f"10.0.{n}.0", f"10.0.{n}.9") for n in range(5)]
    assert build(payloads(tsr("p", *five[:4]))).services
    assert "TPL-65" in refused(payloads(tsr("p", *five))).why
    assert build(payloads(tsr("p", five[0]), tsr("q", five[1]))).services
    assert "TPL-66" in refused(payloads(tsr("p", five[0]), tsr("q", ("10.0.0.9", "10.0.0.9")))).why
    assert "TPL-66" in refused(payloads(tsr("p", five[0], five[0]))).why
    assert "TPL-67" in refused(payloads(tsr("p", five[0], match="ipv6"))).why
    assert "TPL-67" in refused(payloads(tsr("p", ("::1", "::2"), match="ipv4"))).why
    assert "above" in refused(payloads(tsr("p", ("10.0.0.2", "10.0.0.1")))).why


def test_a_lifetime_is_needed() -> None:
    """TPL-59."""
    assert refused(payloads(tsr("p", lifetime_s=None))).path[-1] == "lifetime"
    assert build(payloads(tsr("p", lifetime_s=None, lifetime_kilobytes=1))).services


def test_pools() -> None:
    """Each worker needs an address; the pool must exist, of that family."""
    service = replace(SERVICE, ipv4_pool="pool")
    assert build(service=service, pools=(POOL,), workers=6).services
    error = refused(service=service, pools=(POOL,), workers=7)
    assert error.path[1:] == ("wsg-service[name='w']", "ip", "address", "pool-name")
    assert refused(service=service).error_tag == "data-missing"
    assert refused(service=replace(SERVICE, ipv6_pool="pool"), pools=(POOL,)).path[-1] == "prefix-pool"
    six = AddressPool("ran", "pool", 6, "2001:db8::/64", ())
    policy = build(service=replace(service, ipv6_pool="pool"), pools=(POOL, six))
    assert policy.pools["ran", "pool", 6].size == 2**64 - 1


@pytest.mark.parametrize(
    "pool",
    [
        replace(POOL, ranges=(AddressRange("10.0.0.3", "10.0.0.1"),)),
        replace(POOL, ranges=(AddressRange("10.0.0.1", "10.0.0.8"),)),
        replace(POOL, ranges=(AddressRange("10.0.0.1", "10.0.0.3"), AddressRange("10.0.0.3", "10.0.0.4"))),
        replace(POOL, ranges=(AddressRange("::1", "::2"),)),
        replace(POOL, prefix="10.0.0.0/40"),
    ],
)
def test_bad_pools(pool: AddressPool) -> None:
    assert refused(pools=(pool,)).path[1:] == ("ip", "pool[name='pool']")


def test_services() -> None:
    assert refused(service=replace(SERVICE, template=None)).path[-2:] == ("bind", "crypto-template")
    assert refused(service=replace(SERVICE, template="other")).path[-1] == "crypto-template"
    assert refused(service=replace(SERVICE, bind_address="gw")).path[-1] == "address"
    assert refused(replace(TEMPLATE, template_type="ikev2-vendor"))
    twice = Context(
        "ran2", 2, templates=(replace(TEMPLATE, context="ran2"),), services=(replace(SERVICE, context="ran2"),)
    )
    with pytest.raises(PrepareError) as caught:
        build(more=(twice,))
    assert caught.value.path == ("context[name='ran2']", "wsg-service[name='w']", "bind", "address")


def test_secrets_and_identities() -> None:
    assert refused(secrets={}).error_tag == "data-missing"
    error = refused(replace(TEMPLATE, local_identity=IkeIdentity("ip-addr", "gw")))
    assert error.path[-2:] == ("identity", "local")
    assert error.app_tag == "identity-form"
    assert refused(replace(TEMPLATE, nai_idr=IkeIdentity("key-id", "0xz"))).path[-2:] == ("nai", "idr")
    assert refused(replace(TEMPLATE, peer_networks=(PeerNetwork("10.0.0.0/33"),))).path[-2] == "peer"


def test_worker_numbers() -> None:
    with pytest.raises(ValueError):
        compile_policy(GatewaySnapshot(), {}, 1, 1)
