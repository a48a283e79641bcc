"""The whole configuration of the gateway as one frozen value.

`netconf.mapping` builds a GatewaySnapshot from the validated data tree; everything in `nf` reads only this. Objects
are complete (references are resolved to the objects themselves where one owner exists), immutable, comparable by
value, and carry secrets by reference: a SecretRef names an entry of the `secrets` mapping that travels beside the
snapshot and never appears in a repr.

Addresses and prefixes are canonical text (`ipaddress` spelling), so that a snapshot crosses a process border as
plain MessagePack; `nf.policy.compile` turns them into numbers once, in prepare. Algorithm numbers are IANA transform
IDs (`nf.wire.iana`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

SecretRef = str
"""Names a secret: the YANG instance path of its leaf, `#` and a mark of its sealed text (another key, another name).

The value is in the `secrets` mapping, never here.
"""


@dataclass(frozen=True, slots=True)
class IkeTransformSet:
    """An IKE SA proposal (TRF-23). integ is 0 with a combined-mode cipher; key_bits is 0 where the cipher has one
    key size."""

    name: str
    encr: int
    key_bits: int
    prf: int
    integ: int
    ke_method: int
    lifetime_s: int = 86400


@dataclass(frozen=True, slots=True)
class IpsecTransformSet:
    """A Child SA proposal (TRF-22). integ is 0 with a combined-mode cipher; ke_method is 0 for no PFS (TRF-28)."""

    name: str
    encr: int
    key_bits: int
    integ: int
    ke_method: int = 0
    mode: Literal["tunnel", "transport"] = "tunnel"
    esn: bool = False


@dataclass(frozen=True, slots=True)
class AddressRange:
    """First and last address of one family, inclusive (TPL-64)."""

    first: str
    last: str


@dataclass(frozen=True, slots=True)
class IkeIdentity:
    """An own IKE identity (TPL-17, TPL-24). id_type is a keyword of TPL-27, for example fqdn or ip-addr."""

    id_type: str
    value: str


@dataclass(frozen=True, slots=True)
class Authentication:
    """How the gateway proves itself and how the peer must (AUT-02, AUT-03); a method is None in an incomplete template.

    A PSK reference is None where none is configured.
    """

    local_method: Literal["pre-shared-key"] | None = "pre-shared-key"
    remote_method: Literal["pre-shared-key"] | None = "pre-shared-key"
    local_psk: SecretRef | None = None
    remote_psk: SecretRef | None = None


@dataclass(frozen=True, slots=True)
class PeerNetwork:
    """A network from which IKE is accepted (TPL-30), with its own PSK or None for the template's (AUT-09)."""

    prefix: str
    psk: SecretRef | None = None


@dataclass(frozen=True, slots=True)
class Keepalive:
    """IKEv2 liveness checks of a template (TPL-21): an empty INFORMATIONAL every interval_s without a message of the
    peer."""

    interval_s: int = 10
    timeout_s: int = 10
    num_retry: int = 2


@dataclass(frozen=True, slots=True)
class CookieChallenge:
    """COOKIE challenge between the watermarks of half-open IKE SAs (TPL-14 to TPL-16)."""

    start: int = 50000
    stop: int = 30000


@dataclass(frozen=True, slots=True)
class NatTraversal:
    """UDP encapsulation and NAT detection of a template (TPL-28, QOS-20 to QOS-24)."""

    include_header: bool = False
    send_keepalive: bool = False
    idle_interval_s: int = 60
    interval_s: int = 60


@dataclass(frozen=True, slots=True)
class Payload:
    """Child SA policy of a template (TPL-55 to TPL-67)."""

    name: str
    match: Literal["any", "ipv4", "ipv6"] = "any"
    transform_sets: tuple[IpsecTransformSet, ...] = ()
    lifetime_s: int | None = 86400
    lifetime_kilobytes: int | None = None
    rekey: bool = False
    rekey_keepalive: bool = False
    ignore_rekeying_requests: bool = False
    disallow_param_change: bool = False
    maximum_child_sa: int = 1
    tsi: Literal["any", "endpoint"] = "any"
    tsr: tuple[AddressRange, ...] = ()


@dataclass(frozen=True, slots=True)
class IkeSaParameters:
    """The `ikev2-ikesa` sub-parameters of a template (TPL-40 to TPL-54), with `ddos` (area 21)."""

    transform_sets: tuple[IkeTransformSet, ...] = ()
    allow_empty_ikesa: bool = False
    ignore_notify_protocol_id: bool = False
    ignore_rekeying_requests: bool = False
    keepalive_user_activity: bool = False
    max_retransmissions: int = 5
    retransmission_timeout_ms: int = 500
    setup_timer_s: int = 16
    rekey: bool = False
    disallow_param_change: bool = False
    use_rfc5996_notification: bool = False
    notify_invalid_major_version: bool = False
    notify_invalid_message_id: bool = False
    notify_invalid_syntax: bool = False
    half_open_sa_timer_s: int | None = 60
    fragmentation: bool = True
    """IKEv2 fragmentation is announced, sent and put together (FRG-02)."""
    decrypt_fail_count: int | None = 30
    """DOS-03; None, as of the next two, is no limit."""
    rekey_rate: int | None = 5
    """Rekey requests a second of one IKE SA (DOS-06)."""
    message_queue_size: int | None = 20
    """Messages waiting for one IKE SA (DOS-08)."""


@dataclass(frozen=True, slots=True)
class CryptoTemplate:
    """The responder's IKEv2 policy for many peers (area 5)."""

    context: str
    name: str
    template_type: Literal["ikev2-dynamic", "ikev2-vendor"] = "ikev2-dynamic"
    ikesa: IkeSaParameters = field(default_factory=IkeSaParameters)
    authentication: Authentication = field(default_factory=Authentication)
    local_identity: IkeIdentity | None = None
    nai_idr: IkeIdentity | None = None
    use_received_idr: bool = False
    peer_networks: tuple[PeerNetwork, ...] = ()
    payloads: tuple[Payload, ...] = ()
    keepalive: Keepalive | None = None
    max_childsa: int = 2
    overload_action: Literal["ignore", "terminate"] = "ignore"
    cookie_challenge: CookieChallenge | None = None
    dns_handling: Literal["custom", "normal"] = "normal"
    natt: NatTraversal | None = None
    control_dont_fragment: Literal["clear-bit", "copy-bit", "set-bit"] = "copy-bit"
    ip_mtu: int = 1438
    ipv6_mtu: int = 1422
    ip_ikev2_mtu: int = 1384
    ipv6_ikev2_mtu: int = 1364
    """Octets of the largest IKE message in one datagram, by family (FRG-10, FRG-11)."""


@dataclass(frozen=True, slots=True)
class AddressPool:
    """Inner addresses of one family (CTX-16, CTX-17): every address of `ranges`, first to last."""

    context: str
    name: str
    family: Literal[4, 6]
    prefix: str
    ranges: tuple[AddressRange, ...]
    kind: Literal["dynamic", "static"] = "dynamic"


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface of a context (CTX-05 to CTX-07). Addresses carry their prefix length."""

    name: str
    loopback: bool = False
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WsgService:
    """The security gateway service (area 7): bind address, template, role and pools."""

    context: str
    name: str
    deployment_mode: Literal["remote-access", "site-to-site"]
    bind_address: str | None = None
    template: str | None = None
    ipv4_pool: str | None = None
    ipv6_pool: str | None = None
    initial_contact: bool = False
    pre_fragment_mtu: int = 1400


@dataclass(frozen=True, slots=True)
class Context:
    """A routing domain with everything in it (CTX-01). `index` is stable while the context exists; the data path
    knows it by that."""

    name: str
    index: int
    interfaces: tuple[Interface, ...] = ()
    name_servers: tuple[str, ...] = ()
    pools: tuple[AddressPool, ...] = ()
    templates: tuple[CryptoTemplate, ...] = ()
    services: tuple[WsgService, ...] = ()
    replay_window: int = 64
    """Anti-replay window in packets; 0 is off (ESN-01, ESN-02)."""


@dataclass(frozen=True, slots=True)
class LocalUser:
    """A NETCONF user: a salted hash, SSH public keys in OpenSSH form, or both."""

    name: str
    password_hash: str | None = None
    authorized_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A TCP address to listen on. name: the key of its list entry, for error paths; empty for a default."""

    address: str
    port: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class System:
    """What belongs to no context: management listeners, users, worker processes, limits."""

    hostname: str = "openwsg"
    netconf_ssh: tuple[Endpoint, ...] = (Endpoint("::", 830),)
    metrics: tuple[Endpoint, ...] = (Endpoint("127.0.0.1", 9814),)
    users: tuple[LocalUser, ...] = ()
    ipsec_managers: int = 0
    """Number of ipsecmgr workers; 0 is one a core. Read at start-up (a change applies after a restart)."""
    maximum_tunnels: int = 100000


@dataclass(frozen=True, slots=True)
class GatewaySnapshot:
    """Everything, at one revision."""

    revision: int = 0
    system: System = field(default_factory=System)
    contexts: tuple[Context, ...] = ()
