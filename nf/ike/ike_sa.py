"""One IKE SA: state, Message IDs, Child SAs, keys. No payload knowledge."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nf.crypto.ke import KeKey
from nf.crypto.keymat import IkeKeys
from nf.crypto.sk_cipher import SkCipher
from nf.crypto.suite import IkeSuite
from nf.ike.child_sa import ChildSa
from nf.ike.inputs import NetworkPath
from nf.ike.states import IkeInput, IkeState, next_ike_state
from nf.ike.timers import TimerKind
from nf.policy.identity import identity_text
from nf.policy.pools import PoolKey
from nf.policy.suites import IkeAlgorithms
from nf.policy.tables import Identity, ServicePolicy

if TYPE_CHECKING:
    from nf.ike.fragments import Pieces
    from nf.ike.misuse import Misuse
    from nf.ike.scheduler import InFlight, Task

ZERO_SPI = bytes(8)


@dataclass(frozen=True, slots=True)
class Lease:
    """An inner address that the IKE SA holds."""

    pool: PoolKey
    family: int
    address: int


class IkeSa:
    """An IKE SA. Deadlines are engine time.

    original_initiator: whether we are it; i and r in names below are the roles of RFC 7296, local and remote ours and
    the peer's.
    path: where our requests go now. source: the address that IKE_SA_INIT came from, by which half-open IKE SAs are
    counted.
    nonce_i, nonce_r: of the exchange that made it; kept until the first Child SA is made (section 2.17).
    init_request, init_response: the two IKE_SA_INIT datagrams that AUTH covers; kept until authentication.
    claims: the IKE SA that the peer made this one of, while we rekey that one as well and do not know who wins.
    early_deletes: SPIs that the peer deleted while a request of ours that makes a Child SA was under way.
    misuse: what the peer did that `ddos` has a limit for, or None.
    expected_id: Message ID of the peer's next request; next_id: of ours. reply, reply_digest: the response cache
    (section 2.1), a datagram or all its fragments.
    fragmentation: both ends have announced it (RFC 7383). pieces: of the peer's request (False) and response (True)
    that are being put together.
    """

    __slots__ = (
        "algorithms",
        "announced",
        "children",
        "cipher_in",
        "cipher_out",
        "claims",
        "created_at",
        "crypto",
        "deadlines",
        "early_deletes",
        "established_at",
        "expected_id",
        "fragmentation",
        "hard_at",
        "in_flight",
        "init_request",
        "init_response",
        "inner_addresses",
        "ke_key",
        "keys",
        "last_heard",
        "leases",
        "lifetime_s",
        "local_id",
        "misuse",
        "nat_local",
        "nat_remote",
        "next_id",
        "nonce_i",
        "nonce_r",
        "original_initiator",
        "path",
        "peer_public",
        "pieces",
        "queue",
        "remote_id",
        "reply",
        "reply_digest",
        "retries",
        "routes",
        "seen_exchange",
        "service",
        "soft_at",
        "source",
        "spi_local",
        "spi_remote",
        "state",
    )

    def __init__(
        self, service: ServicePolicy, path: NetworkPath, spi_local: bytes, original_initiator: bool, now: float
    ) -> None:
        self.service = service
        self.path = path
        self.source = path.remote
        self.spi_local = spi_local
        self.spi_remote = ZERO_SPI
        self.original_initiator = original_initiator
        self.state = IkeState.CREATED
        self.created_at = now
        self.established_at = now
        self.last_heard = now
        self.algorithms = IkeAlgorithms(0, 0, 0, 0, 0)
        self.lifetime_s = 0.0
        self.crypto: IkeSuite | None = None
        self.nonce_i = b""
        self.nonce_r = b""
        self.ke_key: KeKey | None = None
        self.peer_public = b""
        self.keys: IkeKeys | None = None
        self.cipher_in: SkCipher | None = None
        self.cipher_out: SkCipher | None = None
        self.init_request = b""
        self.init_response = b""
        self.local_id: Identity = service.local_id
        self.remote_id: Identity = (0, b"")
        self.children: list[ChildSa] = []
        self.early_deletes: tuple[int, ...] = ()
        self.claims: IkeSa | None = None
        self.misuse: Misuse | None = None
        self.queue: deque[Task] = deque()
        self.in_flight: InFlight | None = None
        self.expected_id = 0
        self.next_id = 0
        self.reply: tuple[bytes, ...] = ()
        self.reply_digest = b""
        self.fragmentation = False
        self.pieces: dict[bool, Pieces] = {}
        self.nat_local = False
        self.nat_remote = False
        self.leases: tuple[Lease, ...] = ()
        self.inner_addresses: tuple[str, ...] = ()
        self.routes: set[int] = set()
        self.soft_at: float | None = None
        self.hard_at: float | None = None
        self.retries = 0
        self.seen_exchange = False
        self.announced = False
        self.deadlines: dict[TimerKind, float] = {}

    def advance(self, signal: IkeInput) -> None:
        """Move by the transition table; raises TransitionError."""
        self.state = next_ike_state(self.state, signal)

    @property
    def spi_i(self) -> bytes:
        """The original initiator's SPI."""
        return self.spi_local if self.original_initiator else self.spi_remote

    @property
    def spi_r(self) -> bytes:
        """The original responder's SPI; zero before it is known."""
        return self.spi_remote if self.original_initiator else self.spi_local

    @property
    def is_authenticated(self) -> bool:
        """Past IKE_AUTH and not gone."""
        return self.state in (IkeState.ESTABLISHED, IkeState.REKEYING, IkeState.REKEYED, IkeState.DELETING)

    @property
    def is_usable(self) -> bool:
        """New exchanges may begin on it."""
        return self.state in (IkeState.ESTABLISHED, IkeState.REKEYING)

    @property
    def remote_text(self) -> str:
        """The peer's identity for people; empty before it is known."""
        return identity_text(*self.remote_id) if self.remote_id[0] else ""

    @property
    def local_text(self) -> str:
        """Our identity for people."""
        return identity_text(*self.local_id)

    @property
    def udp_encapsulated(self) -> bool:
        """ESP goes in UDP.

        A NAT was found, or the peer made it look so, and IKE has moved to port 4500 (RFC 7296 section 2.23).
        """
        return (self.nat_local or self.nat_remote) and self.path.local_port == 4500

    def child_by_spi_out(self, spi: int) -> ChildSa | None:
        """The Child SA that the peer knows by `spi`."""
        for child in self.children:
            if child.spi_out == spi:
                return child
        return None
