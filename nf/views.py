"""Frozen operational views, for `get` and for metrics. No live object leaves `nf`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from nf.datapath.port import DatapathCounters, Selector


@dataclass(frozen=True, slots=True)
class ChildSaView:
    """One Child SA. Algorithms are IANA IDs; counters are filled in from the data path, zero where it does not know
    the SA."""

    spi_in: int
    spi_out: int
    payload: str
    state: str
    mode: Literal["tunnel", "transport"]
    encr: int
    key_bits: int
    integ: int
    ke_method: int
    esn: bool
    encapsulation: Literal["udp", "none"]
    local_ts: tuple[Selector, ...]
    remote_ts: tuple[Selector, ...]
    sa_id_in: int
    sa_id_out: int
    age_s: float
    soft_in_s: float | None
    hard_in_s: float | None
    packets_in: int = 0
    octets_in: int = 0
    packets_out: int = 0
    octets_out: int = 0
    replay_drops: int = 0
    integrity_failures: int = 0


@dataclass(frozen=True, slots=True)
class IkeSaView:
    """One IKE SA. spi_i and spi_r are 16 hexadecimal digits; local_spi is ours of the two."""

    context: str
    service: str
    template: str
    worker: int
    spi_i: str
    spi_r: str
    local_spi: str
    original_initiator: bool
    state: str
    local: str
    local_port: int
    remote: str
    remote_port: int
    local_id: str
    remote_id: str
    remote_id_type: str
    encr: int
    key_bits: int
    prf: int
    integ: int
    ke_method: int
    nat_local: bool
    nat_remote: bool
    age_s: float
    rekey_in_s: float | None
    inner_addresses: tuple[str, ...]
    children: tuple[ChildSaView, ...]
    fragmentation: bool = False
    """Both ends have announced IKEv2 fragmentation (FRG-03)."""
    queue_drops: int = 0
    ike_rekeys_refused: int = 0
    child_rekeys_refused: int = 0
    decrypt_drops: int = 0
    """The last four: what the limits of `ddos` took effect on (STA-87 to STA-90)."""


@dataclass(frozen=True, slots=True)
class PoolView:
    """Use of an address pool (CTX-18)."""

    context: str
    name: str
    size: int
    used: int


@dataclass(frozen=True, slots=True)
class ServiceView:
    """State of a WSG service (WSG-20)."""

    context: str
    name: str
    started: bool
    bind_address: str | None
    sessions: int


@dataclass(frozen=True, slots=True)
class WorkerView:
    """An ipsecmgr or the data path: its process and what its engine counted (names are `nf.ike.counters`).

    A child that is down has pid 0. gauges: what there is now, counted without listing it, so that a scrape stays cheap:
    "ike-sas.half-open", "ike-sas.established", "ike-sas.other" (closing, rekeyed) and "child-sas".
    """

    name: str
    pid: int
    up_s: float
    restarts: int
    cpu_s: float
    rss_octets: int
    counters: dict[str, int] = field(default_factory=dict)
    gauges: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GatewayViews:
    """Everything operational at one moment."""

    ike_sas: tuple[IkeSaView, ...] = ()
    pools: tuple[PoolView, ...] = ()
    services: tuple[ServiceView, ...] = ()
    workers: tuple[WorkerView, ...] = ()
    datapath: DatapathCounters = field(default_factory=DatapathCounters)
    up_s: float = 0.0
