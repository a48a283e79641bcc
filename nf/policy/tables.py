"""The compiled policy: what the engine looks up, with nothing left to resolve by name (architecture section 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from nf.config.snapshot import CookieChallenge, IkeSaParameters, Keepalive, NatTraversal
from nf.policy.pad import Pad
from nf.policy.pools import PoolKey, PoolPlan
from nf.policy.selectors import TrafficSelector
from nf.policy.suites import EspAlgorithms, IkeAlgorithms

Identity = tuple[int, bytes]
"""(ID type, octets) of an ID payload."""


@dataclass(frozen=True, slots=True, eq=False)
class PayloadPolicy:
    """One Child SA policy. families: what `match` allows. tsr: what peers may reach; empty is all. lifetime_*.

    None is no limit.
    """

    name: str
    families: frozenset[int]
    suites: tuple[EspAlgorithms, ...]
    lifetime_s: float | None
    lifetime_octets: int | None
    rekey: bool
    rekey_keepalive: bool
    ignore_rekeying_requests: bool
    disallow_param_change: bool
    maximum_child_sa: int
    tsi_endpoint: bool
    tsr: tuple[TrafficSelector, ...]


@dataclass(frozen=True, slots=True, eq=False)
class TemplatePolicy:
    """A crypto template that is complete (TPL-36). ike_lifetimes_s: for each suite of the same index."""

    context: str
    name: str
    ike_suites: tuple[IkeAlgorithms, ...]
    ike_lifetimes_s: tuple[float, ...]
    ikesa: IkeSaParameters
    local_id: Identity | None
    use_received_idr: bool
    pad: Pad = field(repr=False)
    payloads: tuple[PayloadPolicy, ...]
    keepalive: Keepalive | None
    max_childsa: int
    overload_terminate: bool
    cookie: CookieChallenge | None
    dns_custom: bool
    natt: NatTraversal | None
    ip_mtu: int
    ipv6_mtu: int
    ip_ikev2_mtu: int
    ipv6_ikev2_mtu: int
    dont_fragment: Literal["clear-bit", "copy-bit", "set-bit"]

    @property
    def key(self) -> tuple[str, str]:
        """(context, name)."""
        return self.context, self.name


@dataclass(frozen=True, slots=True, eq=False)
class ServicePolicy:
    """A bound WSG service. local_id: the identity we claim unless the template says otherwise. dns4, dns6.

    Packed addresses.
    """

    context: str
    context_index: int
    name: str
    bind_address: str
    remote_access: bool
    initial_contact: bool
    template: TemplatePolicy
    local_id: Identity
    pool4: PoolPlan | None
    pool6: PoolPlan | None
    dns4: tuple[bytes, ...]
    dns6: tuple[bytes, ...]
    replay_window: int
    pre_fragment_mtu: int

    @property
    def key(self) -> tuple[str, str]:
        """(context, name)."""
        return self.context, self.name

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What must stay the same for the SAs of the service to live on: context, name, address and template."""
        return self.context, self.name, self.bind_address, self.template.name


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """Everything at one revision. services: by bind address, the look-up of every new IKE SA; by_name.

    By (context, service).
    """

    revision: int = 0
    services: Mapping[str, ServicePolicy] = field(default_factory=lambda: MappingProxyType({}))
    by_name: Mapping[tuple[str, str], ServicePolicy] = field(default_factory=lambda: MappingProxyType({}))
    pools: Mapping[PoolKey, PoolPlan] = field(default_factory=lambda: MappingProxyType({}))
    maximum_tunnels: int = 100000


EMPTY_POLICY = Policy()
"""No service: every IKE_SA_INIT is dropped."""
