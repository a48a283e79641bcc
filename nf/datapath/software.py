"""The software data path: ESP in Rust threads, behind `port.Datapath`, and the devices it works on.

Descriptors are duplicated on the way in: the caller keeps its own and may close it at once. Calls return quickly, may
come from any thread, and none waits for a packet. Whatever the data path refuses is a DatapathError.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nf.datapath import _rust
from nf.datapath.port import (
    DatapathCounters,
    DatapathError,
    DatapathEvent,
    Direction,
    EventKind,
    Sa,
    SaCounters,
    Selector,
)


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

    threads: workers for each direction, 0 is one a core. offload: use segmentation offload (virtio-net headers on the
    TUN, UDP GSO and GRO); off, every packet is read and written alone.
    """

    def __init__(self, *, threads: int = 0, offload: bool = True) -> None:
        self._rust = _rust.DataPath(threads, offload)

    # port.Datapath

    def install_sa(self, sa: Sa, *, first_sequence: int = 1) -> None:
        """Add an SA; first_sequence is its first number (a successor of a dead process starts above a reserved block).

        Raises DatapathError when the id or inbound SPI is taken, or when a transform, key, window, address or selector
        makes no sense. A port of 0 at the remote end means native ESP.
        """
        life = sa.lifetime
        try:
            self._rust.install_sa(
                sa_id=sa.sa_id,
                outbound=sa.direction is Direction.OUTBOUND,
                context_index=sa.context_index,
                spi=sa.spi,
                policy_id=sa.policy_id,
                local=sa.local,
                remote=sa.remote,
                encap_remote_port=sa.encap_remote_port,
                encr=sa.encr,
                key_bits=sa.key_bits,
                integ=sa.integ,
                encr_key=sa.encr_key,
                integ_key=sa.integ_key,
                local_ts=_selectors(sa.local_ts),
                remote_ts=_selectors(sa.remote_ts),
                esn=sa.esn,
                replay_window=sa.replay_window,
                lifetime=(
                    life.soft_seconds,
                    life.hard_seconds,
                    life.soft_octets,
                    life.hard_octets,
                    life.soft_packets,
                    life.hard_packets,
                ),
                mtu=sa.mtu,
                first_sequence=first_sequence,
                dont_fragment=sa.dont_fragment,
                pre_fragment=sa.pre_fragment,
                count_udp_header=sa.count_udp_header,
            )
        except (DatapathError, OverflowError) as error:
            raise DatapathError(f"SA {sa.sa_id} ({sa.direction.value} {sa.spi:08x}): {error}") from None

    def remove_sa(self, sa_id: int) -> None:
        """Remove an SA and forget its keys; an unknown id is not an error."""
        self._rust.remove_sa(sa_id)

    def update_sa_path(
        self, sa_id: int, local: str, remote: str, encap_local_port: int, encap_remote_port: int
    ) -> None:
        """New outer addresses and ports, for the packets after this call. Raises DatapathError for an unknown id."""
        self._rust.update_sa_path(sa_id, local, remote, encap_remote_port)

    def poll_events(self) -> list[DatapathEvent]:
        """Events since the last call, oldest first."""
        events = self._rust.poll_events()
        return [DatapathEvent(EventKind(kind), sa_id, remote, port) for kind, sa_id, remote, port in events]

    def sa_counters(self, sa_ids: tuple[int, ...] | None = None) -> tuple[SaCounters, ...]:
        """Counters of the named SAs (unknown ones are left out), or of all."""
        return tuple(SaCounters(*row) for row in self._rust.sa_counters(None if sa_ids is None else list(sa_ids)))

    def counters(self) -> DatapathCounters:
        """Totals. `drops` always has every key, so that a counter that never moved is 0 and not absent."""
        packets_in, octets_in, packets_out, octets_out, drops, sas = self._rust.counters()
        return DatapathCounters(packets_in, octets_in, packets_out, octets_out, dict(drops), sas)

    # devices

    def add_tun(self, context_index: int, fds: Sequence[int], mtu: int) -> None:
        """Give a context its TUN: one descriptor a queue, opened IFF_TUN | IFF_NO_PI (and IFF_VNET_HDR for offload,
        IFF_MULTI_QUEUE for more than one). mtu: of the interface. Offloads are set here. Raises DatapathError when the
        context has one already. One queue is fastest for few tunnels: several queues that feed one SA take turns.
        """
        self._rust.add_tun(context_index, list(fds), mtu)

    def remove_context(self, context_index: int) -> None:
        """Take a context's TUN, sockets and SAs away; an unknown context is not an error."""
        self._rust.remove_context(context_index)

    def add_udp(self, context_index: int, local_address: str, fd: int) -> None:
        """A bound UDP socket (port 4500) for UDP-encapsulated ESP of one local address. UDP_GRO is set here."""
        self._rust.add_udp(context_index, local_address, fd)

    def remove_udp(self, context_index: int, local_address: str) -> None:
        """Take the UDP socket of an address away; an unknown one is not an error."""
        self._rust.remove_transport(context_index, local_address, True)

    def add_raw(self, context_index: int, local_address: str, family: Literal[4, 6], fd: int) -> None:
        """A raw socket of IP protocol 50, bound to local_address, for native ESP."""
        if (":" in local_address) != (family == 6):
            raise DatapathError(f"{local_address} is no address of IPv{family}")
        self._rust.add_raw(context_index, local_address, fd)

    def remove_raw(self, context_index: int, local_address: str) -> None:
        """Take the raw socket of an address away; an unknown one is not an error."""
        self._rust.remove_transport(context_index, local_address, False)

    def event_fd(self) -> int:
        """Readable while poll_events or foreign_ike have something. It belongs to the data path: do not close it."""
        return self._rust.event_fd()

    def foreign_ike(self) -> list[ForeignIke]:
        """IKE datagrams that arrived on data path sockets since the last call; at most 4,096 are kept."""
        return [ForeignIke(*row) for row in self._rust.foreign_ike()]

    def stop(self) -> None:
        """End the threads, close the devices and forget the keys; every later call raises DatapathError."""
        self._rust.stop()


def _selectors(selectors: tuple[Selector, ...]) -> list[tuple[int, int, int, str, str]]:
    return [(s.protocol, s.first_port, s.last_port, s.first_address, s.last_address) for s in selectors]
