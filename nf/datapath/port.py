"""The narrow interface between the IKE engine's driver and a data path (architecture section 5).

Values only: they cross the worker/data-path channel as MessagePack. One Child SA is two Sa values, inbound and
outbound, that share `child_id`. The SPD entry of a Child SA is made from its outbound Sa: a packet from the TUN that
matches local -> remote selectors of the newest outbound Sa of a `policy_id` is sealed with it. A rekey installs an
outbound Sa with the same policy_id: it takes over at once, and the old one stays until removed. Inbound SAs are found
by SPI and coexist freely (rekey overlap).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, Protocol


class Direction(Enum):
    """Seen from this gateway: inbound opens what peers send, outbound seals what the TUN delivers."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True)
class Selector:
    """One traffic selector (RFC 7296 section 3.13.1): protocol 0 is any; addresses are text of one family; ranges are
    inclusive."""

    protocol: int
    first_port: int
    last_port: int
    first_address: str
    last_address: str


@dataclass(frozen=True, slots=True)
class Lifetime:
    """When to say SOFT and HARD; None is never. Octets are inner octets; seconds start at installation."""

    soft_seconds: float | None = None
    hard_seconds: float | None = None
    soft_octets: int | None = None
    hard_octets: int | None = None
    soft_packets: int | None = None
    hard_packets: int | None = None


@dataclass(frozen=True, slots=True)
class Sa:
    """One ESP SA (RFC 4301 section 4.4.2.1).

    sa_id: unique in the gateway while it lives; bits 56 to 63 are the owner's worker index.
    policy_id: the Child SA across rekeys; child_id: the pair of SAs that one exchange made.
    local, remote: outer addresses; encap_local_port and encap_remote_port are 0 for native ESP (IP protocol 50).
    encr, integ: IANA transform IDs; encr_key ends with the salt for AES-GCM and ChaCha20-Poly1305 (4 octets);
    integ_key is empty with them.
    local_ts is what our side may be, remote_ts what the peer's side may be, in both directions.
    replay_window: packets, 0 is off. mtu: of the inner packet; a larger one is answered with ICMP.
    dont_fragment: the outer header's DF bit (TPL-12); an inner IPv6 packet counts as having it, and what would have it
    is not fragmented with an outer IPv6 header either. pre_fragment: octets of the outer packet, 0 is off; an inner
    IPv4 packet without DF is fragmented so that each outer packet fits (WSG-08). count_udp_header: the UDP header of
    ESP in UDP counts there (QOS-21). These and mtu are for outbound SAs.
    """

    sa_id: int
    direction: Direction
    context_index: int
    spi: int
    child_id: int
    policy_id: int
    local: str
    remote: str
    encr: int
    key_bits: int
    integ: int
    encr_key: bytes = field(repr=False)
    integ_key: bytes = field(repr=False)
    local_ts: tuple[Selector, ...] = ()
    remote_ts: tuple[Selector, ...] = ()
    encap_local_port: int = 0
    encap_remote_port: int = 0
    esn: bool = False
    replay_window: int = 64
    lifetime: Lifetime = field(default_factory=Lifetime)
    mtu: int = 1438
    dont_fragment: Literal["clear-bit", "copy-bit", "set-bit"] = "copy-bit"
    pre_fragment: int = 0
    count_udp_header: bool = False


class EventKind(Enum):
    """What a data path reports of an SA."""

    SOFT_EXPIRED = "soft-expired"
    HARD_EXPIRED = "hard-expired"
    FIRST_PACKET = "first-packet"
    """The first good packet on an inbound SA: the peer sends on it (RFC 7296 section 2.8)."""
    PEER_MOVED = "peer-moved"
    """A good UDP-encapsulated packet came from elsewhere than the SA's `remote` (RFC 3948, NAT mapping change)."""
    SEQUENCE_EXHAUSTED = "sequence-exhausted"


@dataclass(frozen=True, slots=True)
class DatapathEvent:
    """One event of one SA. remote and remote_port are set for PEER_MOVED."""

    kind: EventKind
    sa_id: int
    remote: str = ""
    remote_port: int = 0


@dataclass(frozen=True, slots=True)
class SaCounters:
    """What one SA has carried (STA-91). octets are inner octets."""

    sa_id: int
    packets: int
    octets: int
    replay_drops: int
    integrity_failures: int
    sequence: int
    last_used_s_ago: float | None


@dataclass(frozen=True, slots=True)
class DatapathCounters:
    """Totals over the life of the process. The drop reasons are a closed set of the implementation."""

    packets_in: int = 0
    octets_in: int = 0
    packets_out: int = 0
    octets_out: int = 0
    drops: dict[str, int] = field(default_factory=dict)
    """Keys are "inbound.<reason>" and "outbound.<reason>"."""
    sas: int = 0


class DatapathError(Exception):
    """An operation that the data path refuses; the message names the SA and the reason."""


class Datapath(Protocol):
    """What a back end does. All calls return quickly; none blocks on traffic."""

    def install_sa(self, sa: Sa) -> None:
        """Add an SA; raise DatapathError when its id or inbound SPI is taken or its transforms are unknown."""

    def remove_sa(self, sa_id: int) -> None:
        """Remove an SA and forget its keys. An unknown id is not an error: both ends may delete at once."""

    def update_sa_path(
        self, sa_id: int, local: str, remote: str, encap_local_port: int, encap_remote_port: int
    ) -> None:
        """Give an SA new outer addresses and ports (NAT mapping change, later MOBIKE)."""

    def poll_events(self) -> list[DatapathEvent]:
        """Events since the last call, oldest first."""

    def sa_counters(self, sa_ids: tuple[int, ...] | None = None) -> tuple[SaCounters, ...]:
        """Counters of the named SAs (unknown ones are left out), or of all."""

    def counters(self) -> DatapathCounters:
        """Totals."""
