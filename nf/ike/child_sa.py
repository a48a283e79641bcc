"""One Child SA: an inbound and an outbound ESP SA with their policy. No payload knowledge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nf.datapath.port import Sa
from nf.ike.states import ChildInput, ChildState, next_child_state
from nf.ike.timers import TimerKind
from nf.policy.selectors import TrafficSelector
from nf.policy.suites import EspAlgorithms
from nf.policy.tables import PayloadPolicy

if TYPE_CHECKING:
    from nf.ike.ike_sa import IkeSa


class ChildSa:
    """A Child SA pair. Deadlines are engine time.

    ike_sa: the IKE SA that manages it now; a rekey of that moves it. suite_index: of the transform set in the payload
    policy.
    outbound: the SA to hand to the data path when the peer is ready (state WAITING), else None.
    successor: what a rekey made of it. traffic_seen: whether anything came in on it.
    """

    __slots__ = (
        "announced",
        "child_id",
        "created_at",
        "deadlines",
        "delete_sent",
        "hard_at",
        "ike_sa",
        "inbound_installed",
        "local_ts",
        "outbound",
        "outbound_installed",
        "payload",
        "policy_id",
        "remote_ts",
        "retries",
        "sa_id_in",
        "sa_id_out",
        "soft_at",
        "spi_in",
        "spi_out",
        "state",
        "successor",
        "suite",
        "suite_index",
        "traffic_seen",
        "udp_encapsulated",
    )

    def __init__(
        self,
        ike_sa: IkeSa,
        payload: PayloadPolicy,
        suite: EspAlgorithms,
        suite_index: int,
        spi_in: int,
        spi_out: int,
        local_ts: tuple[TrafficSelector, ...],
        remote_ts: tuple[TrafficSelector, ...],
        now: float,
    ) -> None:
        self.ike_sa = ike_sa
        self.payload = payload
        self.suite = suite
        self.suite_index = suite_index
        self.spi_in = spi_in
        self.spi_out = spi_out
        self.local_ts = local_ts
        self.remote_ts = remote_ts
        self.created_at = now
        self.state = ChildState.CREATED
        self.child_id = 0
        self.policy_id = 0
        self.sa_id_in = 0
        self.sa_id_out = 0
        self.outbound: Sa | None = None
        self.inbound_installed = False
        self.outbound_installed = False
        self.udp_encapsulated = False
        self.successor: ChildSa | None = None
        self.traffic_seen = False
        self.retries = 0
        self.soft_at: float | None = None
        self.hard_at: float | None = None
        self.delete_sent = False
        self.announced = False
        self.deadlines: dict[TimerKind, float] = {}

    def advance(self, signal: ChildInput) -> None:
        """Move by the transition table; raises TransitionError."""
        self.state = next_child_state(self.state, signal)

    @property
    def is_live(self) -> bool:
        """It carries traffic, or will once the peer is ready."""
        return self.state in (ChildState.INSTALLED, ChildState.WAITING, ChildState.REKEYING)
