"""The software data path: ESP in Rust threads, behind `port.Datapath`, and the devices it works on.

Descriptors are duplicated on the way in: the caller keeps its own and may close it at once. All calls return quickly and
may come from any thread; none waits for a packet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nf.datapath.port import DatapathCounters, DatapathEvent, Sa, SaCounters


@dataclass(frozen=True, slots=True)
class ForeignIke:
    """An IKE datagram that arrived on a data path socket; data is without the non-ESP marker (RFC 3948 section 2.2)."""

    context_index: int
    local: str
    local_port: int
    remote: str
    remote_port: int
    data: bytes


class SoftwareDatapath:
    """ESP tunnel mode in user space, native and UDP-encapsulated (architecture section 5).

    threads: workers for each direction, 0 is one a core. offload: use segmentation offload (virtio-net headers on the TUN,
    UDP GSO and GRO); off, every packet is read and written alone.
    """

    def __init__(self, *, threads: int = 0, offload: bool = True) -> None:
        raise NotImplementedError

    # port.Datapath

    def install_sa(self, sa: Sa, *, first_sequence: int = 1) -> None:
        """Add an SA; first_sequence is its first sequence number (a successor starts above a reserved block)."""
        raise NotImplementedError

    def remove_sa(self, sa_id: int) -> None:
        raise NotImplementedError

    def update_sa_path(
        self, sa_id: int, local: str, remote: str, encap_local_port: int, encap_remote_port: int
    ) -> None:
        raise NotImplementedError

    def poll_events(self) -> list[DatapathEvent]:
        raise NotImplementedError

    def sa_counters(self, sa_ids: tuple[int, ...] | None = None) -> tuple[SaCounters, ...]:
        raise NotImplementedError

    def counters(self) -> DatapathCounters:
        raise NotImplementedError

    # devices

    def add_tun(self, context_index: int, fds: Sequence[int], mtu: int) -> None:
        """Give a context its TUN: one descriptor a queue, opened IFF_TUN | IFF_NO_PI (and IFF_VNET_HDR for offload,
        IFF_MULTI_QUEUE for more than one). mtu: of the interface. Offloads are set here. Raises DatapathError when the
        context has one already."""
        raise NotImplementedError

    def remove_context(self, context_index: int) -> None:
        """Take a context's TUN, sockets and SAs away; an unknown context is not an error."""
        raise NotImplementedError

    def add_udp(self, context_index: int, local_address: str, fd: int) -> None:
        """A bound UDP socket (port 4500) for UDP-encapsulated ESP of one local address. UDP_GRO is set here."""
        raise NotImplementedError

    def remove_udp(self, context_index: int, local_address: str) -> None:
        raise NotImplementedError

    def add_raw(self, context_index: int, local_address: str, family: Literal[4, 6], fd: int) -> None:
        """A raw socket of IP protocol 50, bound to local_address, for native ESP."""
        raise NotImplementedError

    def remove_raw(self, context_index: int, local_address: str) -> None:
        raise NotImplementedError

    def event_fd(self) -> int:
        """A descriptor that is readable while poll_events or foreign_ike have something. It belongs to the data path."""
        raise NotImplementedError

    def foreign_ike(self) -> list[ForeignIke]:
        """IKE datagrams that arrived on data path sockets since the last call; at most 4,096 are kept."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the threads, close the devices and forget the keys; every later call raises DatapathError."""
        raise NotImplementedError
