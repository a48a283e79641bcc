"""What comes out of the engine's poll(): the driver carries each out, in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from nf.datapath.port import Sa, Selector
from nf.ike.inputs import NetworkPath, SaFilter


@dataclass(frozen=True, slots=True)
class SendDatagram:
    """Send an IKE message. The driver puts the non-ESP marker before it when path.local_port is 4500."""

    path: NetworkPath
    data: bytes


@dataclass(frozen=True, slots=True)
class InstallSa:
    """Give the data path an SA. Before the SendDatagram that tells the peer, so that its first packet finds the SA."""

    sa: Sa


@dataclass(frozen=True, slots=True)
class RemoveSa:
    """Take an SA from the data path."""

    sa_id: int


@dataclass(frozen=True, slots=True)
class UpdateSaPath:
    """New outer addresses and ports for an SA (NAT mapping change)."""

    sa_id: int
    local: str
    remote: str
    encap_local_port: int
    encap_remote_port: int


@dataclass(frozen=True, slots=True)
class AddRoutes:
    """Inner networks that a policy_id now protects: the driver routes them to the context's TUN.

    Sent once a policy_id.
    """

    context_index: int
    policy_id: int
    remote_ts: tuple[Selector, ...]


@dataclass(frozen=True, slots=True)
class RemoveRoutes:
    """The policy_id is gone, with its routes."""

    context_index: int
    policy_id: int


class EventName(Enum):
    """Events of the engine, for the log, notifications and alarms."""

    IKE_SA_UP = "ike-sa-up"
    IKE_SA_DOWN = "ike-sa-down"
    IKE_SA_REKEYED = "ike-sa-rekeyed"
    CHILD_SA_UP = "child-sa-up"
    CHILD_SA_DOWN = "child-sa-down"
    CHILD_SA_REKEYED = "child-sa-rekeyed"
    SETUP_FAILED = "setup-failed"
    AUTHENTICATION_FAILED = "authentication-failed"
    DECRYPT_FAILURES = "decrypt-failures"
    COOKIE_CHALLENGE_ON = "cookie-challenge-on"
    COOKIE_CHALLENGE_OFF = "cookie-challenge-off"


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth telling. fields hold text and numbers only: never keys, nonces or plaintext."""

    name: EventName
    fields: dict[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClearElsewhere:
    """Other workers are to delete their SAs of this identity (INITIAL_CONTACT honoured, DUP-05)."""

    which: SaFilter


Action = SendDatagram | InstallSa | RemoveSa | UpdateSaPath | AddRoutes | RemoveRoutes | Event | ClearElsewhere
