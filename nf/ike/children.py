"""Making and ending Child SAs.

Keys to data path SAs, lifetimes, routes, the switch of outbound at a rekey (area 17).
"""

from __future__ import annotations

from dataclasses import replace

from nf.crypto.keymat import ChildKeys, derive_child_keymat
from nf.datapath.port import Direction, Lifetime, Sa
from nf.ike.actions import AddRoutes, EventName, InstallSa, RemoveRoutes, RemoveSa, UpdateSaPath
from nf.ike.child_sa import ChildSa
from nf.ike.core import Core
from nf.ike.ike_sa import IkeSa
from nf.ike.states import ChildInput, ChildState
from nf.ike.timers import TimerKind
from nf.policy.algorithms import child_suite
from nf.policy.selectors import to_port
from nf.policy.suites import EspAlgorithms

GUARD_S = 120.0
"""Longest overlap of an old and a new Child SA (RKY-07)."""

SEQUENCE_HARD = 0xFFF00000
SEQUENCE_SOFT = 3_864_526_848
"""90 percent of it (RKY-21, RKY-22)."""

SOFT_PART = 0.9
JITTER_PART = 0.1


def derive_keys(sa: IkeSa, suite: EspAlgorithms, nonces: bytes, shared: bytes = b"") -> ChildKeys:
    """KEYMAT for a Child SA of this IKE SA (RFC 7296 section 2.17)."""
    if sa.crypto is None or sa.keys is None:
        raise RuntimeError("no keys yet")
    return derive_child_keymat(sa.crypto.prf, child_suite(suite), sa.keys.sk_d, nonces, shared)


def create(
    core: Core, child: ChildSa, keys: ChildKeys, now: float, *, exchange_initiator: bool, old: ChildSa | None = None
) -> None:
    """Enter a Child SA into the tables and install its inbound SA; `install` or `hold` says what becomes of outbound.

    exchange_initiator: whether we began the exchange that made it: keys go by that (section 2.17). old: what it rekeys;
    it keeps the policy_id, so that the data path switches.
    """
    sa = child.ike_sa
    core.release_child_spi(child.spi_in)
    child.child_id = core.new_id()
    child.policy_id = old.policy_id if old is not None else core.new_id()
    child.sa_id_in = core.new_id()
    child.sa_id_out = core.new_id()
    child.udp_encapsulated = sa.udp_encapsulated
    inbound, outbound = _port_sas(child, keys, exchange_initiator)
    child.outbound = outbound
    core.children[child.spi_in] = child
    core.by_sa_id[child.sa_id_in] = child
    core.by_sa_id[child.sa_id_out] = child
    sa.children.append(child)
    core.emit(InstallSa(inbound))
    child.inbound_installed = True
    role = "initiator" if exchange_initiator else "responder"
    core.count(f"child-sas-created.{role}")
    _start_lifetime(core, child, now)


def install(core: Core, child: ChildSa) -> None:
    """Let outbound traffic use it: the peer is ready."""
    sa = child.ike_sa
    child.advance(ChildInput.PEER_READY if child.state is ChildState.WAITING else ChildInput.INSTALL)
    core.timers.cancel(child, TimerKind.GUARD)
    if child.outbound is not None:
        core.emit(InstallSa(child.outbound))
        child.outbound = None
        child.outbound_installed = True
    if not sa.service.remote_access and child.policy_id not in sa.routes:
        sa.routes.add(child.policy_id)
        core.emit(AddRoutes(sa.service.context_index, child.policy_id, to_port(child.remote_ts)))


def hold(core: Core, child: ChildSa, now: float) -> None:
    """Wait with outbound until the peer sends on it, deletes the old one, or the guard timer ends (RKY-08 to
    RKY-12).
    """
    child.advance(ChildInput.INSTALL_INBOUND)
    core.set_timer(child, TimerKind.GUARD, now + GUARD_S)


def peer_ready(core: Core, child: ChildSa) -> None:
    """Switch outbound to a Child SA that was held back; anything else is left as it is."""
    if child.state is ChildState.WAITING:
        install(core, child)


def announce(core: Core, child: ChildSa, old: ChildSa | None = None) -> None:
    """Tell of a new Child SA, or that it took the place of another."""
    child.announced = True
    name = EventName.CHILD_SA_UP
    if old is not None:
        old.announced = False
        name = EventName.CHILD_SA_REKEYED
    _event(core, name, child)


def replaced(core: Core, old: ChildSa, new: ChildSa, now: float) -> None:
    """A rekey has made `new` of `old`; the guard timer ends the overlap should nobody delete `old`."""
    old.successor = new
    old.advance(ChildInput.REPLACED)
    core.timers.cancel(old, TimerKind.SOFT_LIFETIME)
    core.set_timer(old, TimerKind.GUARD, now + GUARD_S)


def stop_outbound(core: Core, child: ChildSa) -> None:
    """Send no more on it; inbound stays until the peer has heard of the end."""
    child.outbound = None
    if child.outbound_installed:
        child.outbound_installed = False
        core.emit(RemoveSa(child.sa_id_out))


def stop_inbound(core: Core, child: ChildSa) -> None:
    """Take nothing more from it."""
    if child.inbound_installed:
        child.inbound_installed = False
        core.emit(RemoveSa(child.sa_id_in))


def remove(core: Core, child: ChildSa) -> None:
    """End a Child SA here: data path, routes, tables, timers. Twice is once."""
    if child.state is ChildState.CLOSED:
        return
    sa = child.ike_sa
    created = child.child_id != 0
    child.advance(ChildInput.CLOSE)
    stop_outbound(core, child)
    stop_inbound(core, child)
    core.timers.cancel_all(child)
    core.children.pop(child.spi_in, None)
    core.by_sa_id.pop(child.sa_id_in, None)
    core.by_sa_id.pop(child.sa_id_out, None)
    if child in sa.children:
        sa.children.remove(child)
    if child.policy_id in sa.routes and not any(other.policy_id == child.policy_id for other in sa.children):
        sa.routes.discard(child.policy_id)
        core.emit(RemoveRoutes(sa.service.context_index, child.policy_id))
    if created:
        core.count("child-sas-closed")
    if child.announced:
        child.announced = False
        _event(core, EventName.CHILD_SA_DOWN, child)


def move_all(core: Core, old: IkeSa, new: IkeSa) -> None:
    """A rekeyed IKE SA inherits the Child SAs, their routes, the inner addresses and what waits to be done to them
    (RKY-13).
    """
    for child in old.children:
        child.ike_sa = new
    new.children.extend(old.children)
    old.children.clear()
    new.routes |= old.routes
    old.routes.clear()
    new.leases, old.leases = old.leases, ()
    new.inner_addresses = old.inner_addresses
    new.queue.extend(task for task in old.queue if task.touches_children)
    old.queue.clear()
    core.wake(new)


def update_paths(core: Core, sa: IkeSa) -> None:
    """The peer's address or port has changed: tell the data path for every SA (RFC 7296 section 2.23)."""
    path = sa.path
    for child in sa.children:
        local_port, remote_port = (path.local_port, path.remote_port) if child.udp_encapsulated else (0, 0)
        if child.inbound_installed:
            core.emit(UpdateSaPath(child.sa_id_in, path.local, path.remote, local_port, remote_port))
        if child.outbound_installed:
            core.emit(UpdateSaPath(child.sa_id_out, path.local, path.remote, local_port, remote_port))
        if child.outbound is not None:
            child.outbound = _moved(child.outbound, path.local, path.remote, local_port, remote_port)


def _moved(sa: Sa, local: str, remote: str, local_port: int, remote_port: int) -> Sa:
    return replace(sa, local=local, remote=remote, encap_local_port=local_port, encap_remote_port=remote_port)


def _event(core: Core, name: EventName, child: ChildSa) -> None:
    core.event(
        name,
        child.ike_sa,
        **{
            "payload": child.payload.name,
            "spi-in": f"{child.spi_in:08x}",
            "spi-out": f"{child.spi_out:08x}",
            "local-ts": " ".join(map(str, child.local_ts)),
            "remote-ts": " ".join(map(str, child.remote_ts)),
        },
    )


def _start_lifetime(core: Core, child: ChildSa, now: float) -> None:
    """Our own timers for the time; the data path watches volume and sequence numbers (RKY-01, RKY-02)."""
    lifetime = child.payload.lifetime_s
    if lifetime is None:
        return
    child.hard_at = now + lifetime
    core.set_timer(child, TimerKind.HARD_LIFETIME, child.hard_at)
    if child.payload.rekey:
        child.soft_at = now + lifetime * SOFT_PART - core.jitter(lifetime * JITTER_PART)
        core.set_timer(child, TimerKind.SOFT_LIFETIME, child.soft_at)


def _lifetime(child: ChildSa, replay_window: int, *, outbound: bool) -> Lifetime:
    payload = child.payload
    octets = payload.lifetime_octets
    numbered = outbound and not child.suite.esn  # RKY-23: sequence numbers wrap only without ESN
    return Lifetime(
        # Only should this process die: the data path outlives it, and must not carry traffic for ever.
        hard_seconds=payload.lifetime_s,
        soft_octets=int(octets * SOFT_PART) if octets is not None and payload.rekey else None,
        hard_octets=octets,
        soft_packets=SEQUENCE_SOFT if numbered and payload.rekey and replay_window else None,
        hard_packets=SEQUENCE_HARD if numbered else None,
    )


def _port_sas(child: ChildSa, keys: ChildKeys, exchange_initiator: bool) -> tuple[Sa, Sa]:
    sa = child.ike_sa
    service = sa.service
    template = service.template
    path = sa.path
    suite = child.suite
    if exchange_initiator:
        ours, theirs = (keys.encr_i, keys.integ_i), (keys.encr_r, keys.integ_r)
    else:
        ours, theirs = (keys.encr_r, keys.integ_r), (keys.encr_i, keys.integ_i)
    local_ts = to_port(child.local_ts)
    remote_ts = to_port(child.remote_ts)
    families = {selector.family for selector in child.remote_ts}
    mtu = min(template.ip_mtu if 4 in families else 65535, template.ipv6_mtu if 6 in families else 65535)
    encapsulated = child.udp_encapsulated
    local_port, remote_port = (path.local_port, path.remote_port) if encapsulated else (0, 0)

    def one(direction: Direction, sa_id: int, spi: int, key: tuple[bytes, bytes]) -> Sa:
        return Sa(
            sa_id,
            direction,
            service.context_index,
            spi,
            child.child_id,
            child.policy_id,
            path.local,
            path.remote,
            suite.encr,
            suite.key_bits,
            suite.integ,
            key[0],
            key[1],
            local_ts,
            remote_ts,
            local_port,
            remote_port,
            suite.esn,
            service.replay_window,
            _lifetime(child, service.replay_window, outbound=direction is Direction.OUTBOUND),
            mtu,
            template.dont_fragment,
            service.pre_fragment_mtu,
            template.natt is not None and template.natt.include_header,
        )

    return (
        one(Direction.INBOUND, child.sa_id_in, child.spi_in, theirs),
        one(Direction.OUTBOUND, child.sa_id_out, child.spi_out, ours),
    )
