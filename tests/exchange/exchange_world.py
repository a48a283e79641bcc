"""Two engines over a simulated network with a fake clock: loss, duplication, reordering, and a NAT when asked for.

The data paths are sets of what was asked of them; `World.agree` says whether both ends agree.
"""

from __future__ import annotations

import random as stdlib_random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from nf.config.snapshot import (
    AddressPool,
    AddressRange,
    Authentication,
    Context,
    CryptoTemplate,
    GatewaySnapshot,
    IkeIdentity,
    IkeSaParameters,
    IkeTransformSet,
    IpsecTransformSet,
    Payload,
    System,
    WsgService,
)
from nf.datapath.port import DatapathEvent, Direction, EventKind, Sa
from nf.ike.actions import (
    AddRoutes,
    ClearElsewhere,
    Event,
    EventName,
    InstallSa,
    RemoveRoutes,
    RemoveSa,
    SendDatagram,
    UpdateSaPath,
)
from nf.ike.engine import Engine
from nf.ike.inputs import Command, Initiate, NetworkPath
from nf.policy.compile import Policy, compile_policy
from nf.views import ChildSaView, IkeSaView
from nf.wire.iana import ExchangeType
from nf.wire.message import Header

A, B = "192.0.2.1", "198.51.100.1"
PSK = b"an extremely secret key"
SECRETS = {"psk": PSK, "other": b"not the same key at all"}

AES_GCM_X25519 = IkeTransformSet("gcm", encr=20, key_bits=128, prf=5, integ=0, ke_method=31)
AES_CBC_MODP = IkeTransformSet("cbc", encr=12, key_bits=256, prf=7, integ=14, ke_method=14)
ECP = IkeTransformSet("ecp", encr=20, key_bits=256, prf=6, integ=0, ke_method=19)
ESP_GCM = IpsecTransformSet("esp-gcm", encr=20, key_bits=128, integ=0)
ESP_GCM_PFS = IpsecTransformSet("esp-gcm-pfs", encr=20, key_bits=128, integ=0, ke_method=31)
ESP_CBC = IpsecTransformSet("esp-cbc", encr=12, key_bits=256, integ=12)


class SeededRandom:
    """nf.crypto.random.Random from a seed; its use is for tests only."""

    def __init__(self, seed: int) -> None:
        self._random = stdlib_random.Random(seed)

    def octets(self, n: int) -> bytes:
        return self._random.randbytes(n)


def payload(**changes: Any) -> Payload:
    """A payload policy: AES-GCM, any selectors, a day."""
    return replace(Payload("p1", transform_sets=(ESP_GCM,)), **changes)


def template(**changes: Any) -> CryptoTemplate:
    """A complete template with PSK; `ikesa_...` names reach into its ikev2-ikesa parameters."""
    inner = {key.removeprefix("ikesa_"): changes.pop(key) for key in tuple(changes) if key.startswith("ikesa_")}
    ikesa = replace(IkeSaParameters(transform_sets=(AES_GCM_X25519,), use_rfc5996_notification=True), **inner)
    base = CryptoTemplate(
        context="ran",
        name="t",
        ikesa=ikesa,
        authentication=Authentication(local_psk="psk", remote_psk="psk"),
        payloads=(payload(),),
    )
    return replace(base, **changes)


def service(address: str, **changes: Any) -> WsgService:
    """A site-to-site service on an address."""
    return replace(WsgService("ran", "wsg", "site-to-site", bind_address=address, template="t"), **changes)


POOL4 = AddressPool("ran", "pool4", 4, "10.9.0.0/24", (AddressRange("10.9.0.0", "10.9.0.255"),))
POOL6 = AddressPool("ran", "pool6", 6, "2001:db8:9::/120", (AddressRange("2001:db8:9::", "2001:db8:9::ff"),))


def snapshot(
    address: str,
    crypto: CryptoTemplate | None = None,
    wsg: WsgService | None = None,
    pools: tuple[AddressPool, ...] = (),
    name_servers: tuple[str, ...] = (),
    maximum_tunnels: int = 100000,
    revision: int = 1,
) -> GatewaySnapshot:
    """One context with one service."""
    context = Context(
        "ran",
        3,
        pools=pools,
        templates=(crypto or template(),),
        services=(wsg or service(address),),
        name_servers=name_servers,
    )
    return GatewaySnapshot(revision, System(maximum_tunnels=maximum_tunnels), (context,))


def remote_access(address: str, crypto: CryptoTemplate | None = None, **changes: Any) -> GatewaySnapshot:
    """A remote-access gateway with both pools and name servers."""
    wsg = service(address, deployment_mode="remote-access", ipv4_pool="pool4", ipv6_pool="pool6")
    return snapshot(
        address,
        crypto,
        replace(wsg, **changes.pop("service", {})),
        pools=changes.pop("pools", (POOL4, POOL6)),
        name_servers=changes.pop("name_servers", ("10.0.0.53", "2001:db8::53")),
        **changes,
    )


def identity(name: str) -> IkeIdentity:
    """An FQDN identity."""
    return IkeIdentity("fqdn", name)


@dataclass
class Datapath:
    """What the engine asked of the data path."""

    sas: dict[int, Sa] = field(default_factory=dict)
    installed: list[Sa] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    routes: dict[int, AddRoutes] = field(default_factory=dict)

    def of(self, direction: Direction) -> list[Sa]:
        """The SAs of one direction, oldest first."""
        return [sa for sa in self.sas.values() if sa.direction is direction]


class Node:
    """An engine with its data path, its events and what it has sent."""

    def __init__(self, world: World, name: str, address: str, policy: Policy, **options: Any) -> None:
        index, count = options.pop("worker", (0, 1))
        self.world = world
        self.name = name
        self.address = address
        self.engine = Engine(index, count, SeededRandom(hash_seed(world.seed, name)), policy, world.now, **options)
        self.datapath = Datapath()
        self.events: list[Event] = []
        self.sent: list[SendDatagram] = []
        self.clears: list[ClearElsewhere] = []
        self.order: list[str] = []
        self.timeouts_checked = 0

    # inputs

    def command(self, command: Command) -> int:
        touched = self.engine.command(command, self.world.now)
        self.carry_out()
        return touched

    def receive(self, datagram: bytes, path: NetworkPath) -> None:
        self.engine.receive(datagram, path, self.world.now)
        self.carry_out()

    def datapath_event(self, kind: EventKind, sa_id: int, **more: Any) -> None:
        self.engine.datapath_event(DatapathEvent(kind, sa_id, **more), self.world.now)
        self.carry_out()

    def adopt(self, snap: GatewaySnapshot) -> None:
        self.engine.adopt(compile_policy(snap, SECRETS, 0, 1), self.world.now)
        self.carry_out()

    # outputs

    def carry_out(self) -> None:
        for action in self.engine.poll():
            if isinstance(action, SendDatagram):
                self.sent.append(action)
                self.order.append("send")
                self.world.transmit(self, action)
            elif isinstance(action, InstallSa):
                sa = action.sa
                assert sa.sa_id not in self.datapath.sas, "sa_id taken"
                assert sa.direction is Direction.OUTBOUND or all(
                    sa.spi != other.spi for other in self.datapath.of(Direction.INBOUND)
                )
                self.datapath.sas[sa.sa_id] = sa
                self.datapath.installed.append(sa)
                self.order.append(f"install {sa.direction.value}")
            elif isinstance(action, RemoveSa):
                assert action.sa_id in self.datapath.sas, "removed twice"
                del self.datapath.sas[action.sa_id]
                self.datapath.removed.append(action.sa_id)
                self.order.append("remove")
            elif isinstance(action, UpdateSaPath):
                sa = self.datapath.sas[action.sa_id]
                self.datapath.sas[action.sa_id] = replace(
                    sa,
                    local=action.local,
                    remote=action.remote,
                    encap_local_port=action.encap_local_port,
                    encap_remote_port=action.encap_remote_port,
                )
            elif isinstance(action, AddRoutes):
                assert action.policy_id not in self.datapath.routes, "routes twice"
                self.datapath.routes[action.policy_id] = action
            elif isinstance(action, RemoveRoutes):
                del self.datapath.routes[action.policy_id]
            elif isinstance(action, ClearElsewhere):
                self.clears.append(action)
            else:
                self.events.append(action)

    # what it is now

    @property
    def views(self) -> tuple[IkeSaView, ...]:
        return self.engine.views(self.world.now)

    @property
    def ike_sa(self) -> IkeSaView:
        (view,) = self.views
        return view

    @property
    def child_sa(self) -> ChildSaView:
        (child,) = self.ike_sa.children
        return child

    @property
    def children(self) -> list[ChildSaView]:
        return [child for view in self.views for child in view.children]

    @property
    def counters(self) -> dict[str, int]:
        return self.engine.counters

    def names(self) -> list[EventName]:
        """The events so far."""
        return [event.name for event in self.events]

    def take(self) -> bytes:
        """The last datagram sent."""
        return self.sent[-1].data

    def exchanges(self) -> list[tuple[str, bool, int]]:
        """(exchange, whether a response, Message ID) of all that was sent."""
        headers = [Header.decode(action.data) for action in self.sent]
        return [(ExchangeType(h.exchange).name, h.response, h.message_id) for h in headers]


def hash_seed(seed: int, name: str) -> int:
    """A seed for each end."""
    return seed * 1000 + sum(name.encode())


@dataclass
class Flight:
    """A datagram under way."""

    at: float
    order: int
    to: Node
    data: bytes
    path: NetworkPath


class World:
    """Two nodes, a clock and a wire. `drop`, `duplicate` and `delay` are asked about each datagram."""

    def __init__(self, snap_a: GatewaySnapshot, snap_b: GatewaySnapshot, seed: int = 1, **options: Any) -> None:
        self.seed = seed
        self.now = 1000.0
        self.flights: list[Flight] = []
        self._order = 0
        self.drop: Callable[[Node, bytes], bool] = lambda node, data: False
        self.copies: Callable[[Node, bytes], int] = lambda node, data: 1
        self.delay: Callable[[Node, bytes], float] = lambda node, data: 0.01
        self.hold = False
        self.nat: tuple[str, int] | None = None
        """Public address of a NAT in front of a, and the first port it uses."""
        secrets = options.pop("secrets", (SECRETS, SECRETS))
        address_a, address_b = options.pop("addresses", (A, B))
        self.a = Node(self, "a", address_a, compile_policy(snap_a, secrets[0], 0, 1), **options.pop("a", {}))
        worker = options.get("b", {}).get("worker", (0, 1))
        self.b = Node(self, "b", address_b, compile_policy(snap_b, secrets[1], *worker), **options.pop("b", {}))

    def other(self, node: Node) -> Node:
        return self.b if node is self.a else self.a

    def transmit(self, sender: Node, action: SendDatagram) -> None:
        if self.drop(sender, action.data):
            return
        sent = action.path
        path = NetworkPath(sent.remote, sent.remote_port, sent.local, sent.local_port)
        if self.nat is not None and sender is self.a:
            path = replace(path, remote=self.nat[0], remote_port=self.nat[1] + sent.local_port)
        if self.nat is not None and sender is self.b:
            if sent.remote != self.nat[0]:
                return
            path = replace(path, local=self.a.address, local_port=sent.remote_port - self.nat[1])
        for _ in range(self.copies(sender, action.data)):
            self._order += 1
            to = self.other(sender)
            self.flights.append(Flight(self.now + self.delay(sender, action.data), self._order, to, action.data, path))

    def deliver(self, flight: Flight) -> None:
        """Hand over one datagram now."""
        self.flights.remove(flight)
        flight.to.receive(flight.data, flight.path)

    def next_at(self) -> float | None:
        times = [flight.at for flight in self.flights] if not self.hold else []
        times += [at for at in (self.a.engine.next_timeout(), self.b.engine.next_timeout()) if at is not None]
        return min(times, default=None)

    def step(self, until: float) -> bool:
        """Do what is due next, at or before `until`; False when nothing is."""
        at = self.next_at()
        if at is None or at > until:
            return False
        self.now = max(self.now, at)
        if not self.hold:
            due = sorted((f for f in self.flights if f.at <= self.now), key=lambda f: (f.at, f.order))
            if due:
                self.deliver(due[0])
                return True
        for node in (self.a, self.b):
            timeout = node.engine.next_timeout()
            if timeout is not None and timeout <= self.now:
                node.engine.expire(self.now)
                node.carry_out()
        return True

    def run(self, seconds: float = 1.0) -> None:
        """Let time pass."""
        until = self.now + seconds
        steps = 0
        while self.step(until):
            steps += 1
            assert steps < 100_000, "the world does not come to rest"
        self.now = until

    def establish(self, **changes: Any) -> None:
        """A sets up an IKE SA with a Child SA to b."""
        assert self.a.command(Initiate("ran", "wsg", self.b.address, **changes)) == 1
        self.run(1.0)

    def agree(self) -> None:
        """Both ends have the same IKE SAs, the same Child SAs, and fitting keys in their data paths."""
        a, b = self.a, self.b
        assert {(v.spi_i, v.spi_r) for v in a.views} == {(v.spi_i, v.spi_r) for v in b.views}
        assert {(c.spi_in, c.spi_out) for c in a.children} == {(c.spi_out, c.spi_in) for c in b.children}
        for one, two in ((a, b), (b, a)):
            out = {sa.spi: sa for sa in one.datapath.of(Direction.OUTBOUND)}
            into = {sa.spi: sa for sa in two.datapath.of(Direction.INBOUND)}
            assert out.keys() <= into.keys()
            for spi, sa in out.items():
                peer = into[spi]
                assert (sa.encr_key, sa.integ_key, sa.encr, sa.esn) == (
                    peer.encr_key,
                    peer.integ_key,
                    peer.encr,
                    peer.esn,
                )
                assert (sa.local_ts, sa.remote_ts) == (peer.remote_ts, peer.local_ts)
        for node in (a, b):
            assert node.counters["exceptions"] == 0

    def nothing_left(self, nodes: Iterable[Node] | None = None) -> None:
        """No SA, no route, no address, no timer, no half-open state."""
        for node in nodes or (self.a, self.b):
            assert node.views == ()
            assert node.datapath.sas == {}
            assert node.datapath.routes == {}
            assert node.engine.summary() == {"ike-sas": 0, "half-open": 0, "child-sas": 0, "timers": 0}
            assert node.engine.next_timeout() is None
            assert all(pool.used == 0 for pool in node.engine.pool_views())
            assert node.counters["exceptions"] == 0
