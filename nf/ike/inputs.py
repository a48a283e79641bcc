"""What goes into the engine besides datagrams: the path a datagram came by, and commands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NetworkPath:
    """Both ends of a datagram; addresses are canonical text. The engine never sees the non-ESP marker.

    Local_port 4500 implies it.
    """

    local: str
    local_port: int
    remote: str
    remote_port: int


@dataclass(frozen=True, slots=True)
class Initiate:
    """Set up an IKE SA and its first Child SA as initiator, with the policy of a service (INI-10 to INI-16 come
    later).
    """

    context: str
    service: str
    remote: str
    request_addresses: tuple[int, ...] = ()
    """Families (4, 6) of which to ask the responder for an inner address, as a remote-access peer does."""


@dataclass(frozen=True, slots=True)
class SaFilter:
    """Which IKE SAs a command means (EXE-01): all fields that are not None must match.

    Child_spi is an inbound Child SA SPI.
    """

    context: str | None = None
    service: str | None = None
    template: str | None = None
    peer: str | None = None
    remote_id: str | None = None
    spi: str | None = None
    """Our IKE SPI, 16 hexadecimal digits."""
    child_spi: int | None = None


@dataclass(frozen=True, slots=True)
class ClearSas:
    """Delete the matching IKE SAs (with child_spi: only that Child SA), telling the peer (EXE-01)."""

    which: SaFilter


@dataclass(frozen=True, slots=True)
class RekeyIkeSa:
    """Rekey the IKE SA with our SPI `spi` now."""

    spi: str


@dataclass(frozen=True, slots=True)
class RekeyChildSa:
    """Rekey the Child SA whose inbound SPI is `child_spi` now."""

    child_spi: int


@dataclass(frozen=True, slots=True)
class CreateChildSa:
    """Make a further Child SA on the IKE SA with our SPI `spi`, with the named payload of its template."""

    spi: str
    payload: str


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Delete every IKE SA, telling the peers."""


Command = Initiate | ClearSas | RekeyIkeSa | RekeyChildSa | CreateChildSa | Shutdown
