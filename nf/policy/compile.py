"""Snapshot -> Policy: all names resolved, all text turned into numbers, all that cannot work refused, in prepare.

`compile_policy` is what a worker's prepare calls. It raises PrepareError with the path of the node at fault; nothing
that it lets through can fail later for a reason that lies in the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from types import MappingProxyType

from nf.config.snapshot import (
    AddressPool,
    Context,
    CryptoTemplate,
    GatewaySnapshot,
    IkeIdentity,
    Payload,
    SecretRef,
    WsgService,
)
from nf.config.transaction import PrepareError
from nf.crypto.secret import Secret
from nf.policy import algorithms
from nf.policy.identity import IdentityError, address_identity, encode_identity
from nf.policy.pad import Pad, PadEntry
from nf.policy.pools import PoolKey, PoolPlan, spans_of
from nf.policy.selectors import MAXIMUM_SELECTORS, TrafficSelector, address_number, address_range, intersect
from nf.policy.suites import EspAlgorithms, IkeAlgorithms
from nf.policy.tables import EMPTY_POLICY, Identity, PayloadPolicy, Policy, ServicePolicy, TemplatePolicy

__all__ = ["EMPTY_POLICY", "Policy", "compile_policy"]

Path = tuple[str, ...]

_FAMILIES = {"any": frozenset((4, 6)), "ipv4": frozenset((4,)), "ipv6": frozenset((6,))}


def compile_policy(
    snapshot: GatewaySnapshot, secrets: Mapping[SecretRef, bytes], worker_index: int, worker_count: int
) -> Policy:
    """The policy of one of `worker_count` workers. Raises PrepareError for what cannot work.

    Secrets come from Change.secrets.
    """
    if not 0 <= worker_index < worker_count:
        raise ValueError(f"worker {worker_index} of {worker_count}")
    services: dict[str, ServicePolicy] = {}
    pools: dict[PoolKey, PoolPlan] = {}
    for context in snapshot.contexts:
        where: Path = (f"context[name='{context.name}']",)
        for pool in context.pools:
            pools[context.name, pool.name, pool.family] = _pool(pool, where)
        templates = {template.name: template for template in context.templates}
        compiled: dict[str, TemplatePolicy] = {}
        for service in context.services:
            if service.bind_address is None:
                continue
            bind = (*where, f"wsg-service[name='{service.name}']", "bind")
            template = templates.get(service.template or "")
            if template is None:
                raise PrepareError(
                    (*bind, "crypto-template"), "the service has no crypto template", error_tag="data-missing"
                )
            if template.name not in compiled:
                compiled[template.name] = _template(template, where, secrets)
            ready = _service(service, context, compiled[template.name], pools, bind, worker_count)
            other = services.setdefault(ready.bind_address, ready)
            if other is not ready:
                why = f"{ready.bind_address} is bound by service {other.name} of context {other.context}"
                raise PrepareError((*bind, "address"), why, error_tag="invalid-value")
    return Policy(
        snapshot.revision,
        MappingProxyType(services),
        MappingProxyType({service.key: service for service in services.values()}),
        MappingProxyType(pools),
        snapshot.system.maximum_tunnels,
    )


def _service(
    service: WsgService,
    context: Context,
    template: TemplatePolicy,
    pools: Mapping[PoolKey, PoolPlan],
    bind: Path,
    worker_count: int,
) -> ServicePolicy:
    try:
        address = str(ip_address(service.bind_address or ""))
    except ValueError as error:
        raise PrepareError((*bind, "address"), str(error), error_tag="invalid-value") from None

    def pool(name: str | None, family: int, leaf: Path) -> PoolPlan | None:
        if name is None:
            return None
        path = (*bind[:-1], *leaf)
        plan = pools.get((context.name, name, family))
        if plan is None:
            raise PrepareError(path, f"there is no IPv{family} pool {name} in the context", error_tag="data-missing")
        if plan.size < worker_count:
            why = f"pool {name} has {plan.size} addresses for {worker_count} IPsec managers; each needs one at least"
            raise PrepareError(path, why)
        return plan

    pool4 = pool(service.ipv4_pool, 4, ("ip", "address", "pool-name"))
    pool6 = pool(service.ipv6_pool, 6, ("ipv6", "address", "prefix-pool"))
    servers = [ip_address(text) for text in context.name_servers]
    return ServicePolicy(
        context=context.name,
        context_index=context.index,
        name=service.name,
        bind_address=address,
        remote_access=service.deployment_mode == "remote-access",
        initial_contact=service.initial_contact,
        template=template,
        local_id=template.local_id or address_identity(address),
        pool4=pool4,
        pool6=pool6,
        dns4=tuple(server.packed for server in servers if server.version == 4),
        dns6=tuple(server.packed for server in servers if server.version == 6),
        replay_window=context.replay_window,
        pre_fragment_mtu=service.pre_fragment_mtu,
    )


def _template(template: CryptoTemplate, context: Path, secrets: Mapping[SecretRef, bytes]) -> TemplatePolicy:
    where = (*context, "crypto", f"template[name='{template.name}']")

    def incomplete(why: str, *more: str) -> PrepareError:
        return PrepareError(
            (*where, *more), f"template {template.name} is incomplete: {why} (TPL-36)", error_tag="data-missing"
        )

    if template.template_type != "ikev2-dynamic":
        raise PrepareError(
            where, f"a service needs an ikev2-dynamic template, {template.name} is {template.template_type}"
        )
    if not template.ikesa.transform_sets:
        raise incomplete("it has no IKE transform set", "ikev2-ikesa", "transform-set")
    if not template.payloads:
        raise incomplete("it has no payload", "payload")
    suites = []
    for chosen in template.ikesa.transform_sets:
        suite = IkeAlgorithms(chosen.encr, chosen.key_bits, chosen.prf, chosen.integ, chosen.ke_method)
        why = algorithms.refuse_ike(suite)
        if why is not None:
            raise PrepareError(
                (*context, "ikev2-ikesa", f"transform-set[name='{chosen.name}']"), why, error_tag="invalid-value"
            )
        suites.append(suite)
    pad = _pad(template, where, secrets)
    if pad is None:
        raise incomplete("it has no pre-shared key", "authentication")
    payloads = tuple(_payload(payload, where, context) for payload in template.payloads)
    _refuse_overlap(payloads, where)
    return TemplatePolicy(
        context=template.context,
        name=template.name,
        ike_suites=tuple(suites),
        ike_lifetimes_s=tuple(float(chosen.lifetime_s) for chosen in template.ikesa.transform_sets),
        ikesa=template.ikesa,
        local_id=_identity(template, where),
        use_received_idr=template.use_received_idr,
        pad=pad,
        payloads=payloads,
        keepalive=template.keepalive,
        max_childsa=template.max_childsa,
        overload_terminate=template.overload_action == "terminate",
        cookie=template.cookie_challenge,
        dns_custom=template.dns_handling == "custom",
        natt=template.natt,
        ip_mtu=template.ip_mtu,
        ipv6_mtu=template.ipv6_mtu,
        ip_ikev2_mtu=template.ip_ikev2_mtu,
        ipv6_ikev2_mtu=template.ipv6_ikev2_mtu,
        dont_fragment=template.control_dont_fragment,
    )


def _identity(template: CryptoTemplate, where: Path) -> Identity | None:
    """`nai idr` goes before `identity local` (TPL-17, TPL-24)."""

    def encode(identity: IkeIdentity, *leaf: str) -> Identity:
        try:
            return encode_identity(identity.id_type, identity.value)
        except IdentityError as error:
            raise PrepareError(
                (*where, *leaf), str(error), error_tag="invalid-value", app_tag="identity-form"
            ) from None

    local = encode(template.local_identity, "identity", "local") if template.local_identity else None
    return encode(template.nai_idr, "nai", "idr") if template.nai_idr else local


def _pad(template: CryptoTemplate, where: Path, secrets: Mapping[SecretRef, bytes]) -> Pad | None:
    """None when some peer that is let in would have no key."""

    def key(reference: SecretRef | None) -> Secret | None:
        if reference is None:
            return None
        octets = secrets.get(reference)
        if not octets:
            raise PrepareError(where, f"the secret {reference} is not there", error_tag="data-missing")
        return Secret(octets)

    authentication = template.authentication
    default = PadEntry(key(authentication.local_psk), key(authentication.remote_psk))
    entries = []
    for network in template.peer_networks:
        try:
            prefix = ip_network(network.prefix, strict=False)
        except ValueError as error:
            leaf = ("peer", f"network[prefix='{network.prefix}']")
            raise PrepareError((*where, *leaf), str(error), error_tag="invalid-value") from None
        own = key(network.psk)
        entries.append((prefix, PadEntry(own, own) if own is not None else default))
    reachable = [entry for _, entry in entries] or [default]
    if any(entry.psk_local is None or entry.psk_remote is None for entry in reachable):
        return None
    return Pad(entries, default)


def _payload(payload: Payload, template: Path, context: Path) -> PayloadPolicy:
    where = (*template, f"payload[name='{payload.name}']")
    if not payload.transform_sets:
        raise PrepareError(
            (*where, "ipsec", "transform-set"),
            f"the template is incomplete: payload {payload.name} has no IPsec transform set (TPL-36)",
            error_tag="data-missing",
        )
    suites = []
    for chosen in payload.transform_sets:
        leaf = (*context, "ipsec", f"transform-set[name='{chosen.name}']")
        suite = EspAlgorithms(chosen.encr, chosen.key_bits, chosen.integ, chosen.ke_method, chosen.esn)
        why = algorithms.refuse_esp(suite)
        if why is None and chosen.mode != "tunnel":
            why = "transport mode is not supported"
        if why is not None:
            raise PrepareError(leaf, why, error_tag="invalid-value")
        suites.append(suite)
    if payload.lifetime_s is None and payload.lifetime_kilobytes is None:
        raise PrepareError(
            (*where, "lifetime"), "a lifetime in seconds or in volume is needed", error_tag="data-missing"
        )
    kilobytes = payload.lifetime_kilobytes
    return PayloadPolicy(
        name=payload.name,
        families=_FAMILIES[payload.match],
        suites=tuple(suites),
        lifetime_s=None if payload.lifetime_s is None else float(payload.lifetime_s),
        lifetime_octets=None if kilobytes is None else kilobytes * 1024,
        rekey=payload.rekey,
        rekey_keepalive=payload.rekey_keepalive,
        ignore_rekeying_requests=payload.ignore_rekeying_requests,
        disallow_param_change=payload.disallow_param_change,
        maximum_child_sa=payload.maximum_child_sa,
        tsi_endpoint=payload.tsi == "endpoint",
        tsr=_tsr(payload, where),
    )


def _tsr(payload: Payload, where: Path) -> tuple[TrafficSelector, ...]:
    if len(payload.tsr) > MAXIMUM_SELECTORS:
        raise PrepareError(
            (*where, "tsr"), f"a payload has {MAXIMUM_SELECTORS} TSr at most (TPL-65)", error_tag="invalid-value"
        )
    selectors = []
    for entry in payload.tsr:
        try:
            selector = address_range(entry.first, entry.last)
        except ValueError as error:
            raise PrepareError((*where, "tsr"), str(error), error_tag="invalid-value") from None
        if selector.family not in _FAMILIES[payload.match]:
            why = f"an IPv{selector.family} TSr in a payload that matches {payload.match} (TPL-67)"
            raise PrepareError((*where, "tsr"), why, error_tag="invalid-value")
        selectors.append(selector)
    return tuple(selectors)


def _refuse_overlap(payloads: tuple[PayloadPolicy, ...], where: Path) -> None:
    """TSr ranges are disjoint inside a payload and between payloads (TPL-66)."""
    seen: list[TrafficSelector] = []
    for payload in payloads:
        for selector in payload.tsr:
            if any(intersect(selector, other) is not None for other in seen):
                leaf = (*where, f"payload[name='{payload.name}']", "tsr")
                raise PrepareError(
                    leaf, f"{selector} overlaps another TSr (TPL-66)", error_tag="invalid-value", app_tag="tsr-overlap"
                )
            seen.append(selector)


def _pool(pool: AddressPool, context: Path) -> PoolPlan:
    node = ("ip", f"pool[name='{pool.name}']") if pool.family == 4 else ("ipv6", f"prefix-pool[name='{pool.name}']")
    where = (*context, *node)
    try:
        prefix = ip_network(pool.prefix, strict=False)
        reserved = []
        if prefix.version == 4 and prefix.prefixlen <= 30:
            reserved = [int(prefix.network_address), int(prefix.broadcast_address)]
        elif prefix.version == 6 and prefix.prefixlen <= 126:
            reserved = [int(prefix.network_address)]  # Subnet-Router anycast, RFC 4291 section 2.6.1
        ranges = []
        for entry in pool.ranges:
            family, first = address_number(entry.first)
            other, last = address_number(entry.last)
            if {family, other, prefix.version} != {pool.family} or first > last:
                raise ValueError(f"{entry.first} to {entry.last} is no range of IPv{pool.family}")
            if first < int(prefix.network_address) or last > int(prefix.broadcast_address):
                raise ValueError(f"{entry.first} to {entry.last} is not inside {prefix}")
            ranges.append((first, last))
        if not ranges:
            ranges = [(int(prefix.network_address), int(prefix.broadcast_address))]
        spans = spans_of(ranges, reserved)
    except ValueError as error:
        raise PrepareError(where, str(error), error_tag="invalid-value") from None
    return PoolPlan(pool.context, pool.name, pool.family, prefix.prefixlen, spans)
