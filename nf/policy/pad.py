"""Peer authorization: who may connect, and with which key (RFC 4301 section 4.4.3; TPL-30, AUT-09)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from nf.crypto.secret import Secret
from nf.policy.selectors import address_number

_BITS = {4: 32, 6: 128}


@dataclass(frozen=True, slots=True)
class PadEntry:
    """The keys for one peer network. psk_local proves us, psk_remote the peer; None where none is configured."""

    psk_local: Secret | None
    psk_remote: Secret | None


class Pad:
    """Peer address -> entry, longest prefix first. With no networks every address gets `default` (TPL-30)."""

    __slots__ = ("_default", "_tables")

    def __init__(self, networks: Iterable[tuple[IPv4Network | IPv6Network, PadEntry]], default: PadEntry) -> None:
        tables: dict[tuple[int, int], dict[int, PadEntry]] = {}
        for network, entry in networks:
            shift = _BITS[network.version] - network.prefixlen
            tables.setdefault((network.version, shift), {})[int(network.network_address) >> shift] = entry
        self._default = None if tables else default
        # The smallest shift is the longest prefix.
        self._tables = tuple((family, shift, table) for (family, shift), table in sorted(tables.items()))

    def lookup(self, address: str) -> PadEntry | None:
        """The entry for a peer address, or None when IKE from it is refused.

        Raises ValueError on text that is no address.
        """
        if self._default is not None:
            return self._default
        family, number = address_number(address)
        for table_family, shift, table in self._tables:
            if table_family == family:
                entry = table.get(number >> shift)
                if entry is not None:
                    return entry
        return None
