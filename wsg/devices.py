"""Sockets, TUNs and pool routes of the configuration: everything privileged is opened while preparing (architecture
section 2).

A context has a TUN (`wsg<index>`) while one of its services is bound. Its pools are routed there. All contexts share
the host's network namespace for now, so bind addresses are unique over them.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from nf.config.snapshot import GatewaySnapshot
from nf.config.transaction import Change, PrepareError
from nf.io.sockets import BindSockets, SocketRefused, open_bind
from nf.io.tun import TUN_DEVICE, Tun, TunRefused, forwarding_gaps, open_tun, tun_name
from nf.ipc.messages import AttachEsp, AttachSockets, AttachTun, DetachContext, DetachEsp, DetachSockets, Message
from wsg.netlink import Netlink, Prefix, RouteError

log = logging.getLogger(__name__)

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeviceSettings:
    """queues: of a TUN. steer, offload: off for tests and measurements. ports: 500 and
    4500."""

    queues: int = 1
    steer: bool = True
    offload: bool = True
    tun_device: str = TUN_DEVICE


@dataclass(frozen=True, slots=True)
class Bind:
    """A bind address in use."""

    context_index: int
    sockets: BindSockets


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a snapshot asks for: bind address -> (context index, path); context index -> path; pool prefix -> (index,
    path)."""

    binds: dict[str, tuple[int, Path]]
    contexts: dict[int, Path]
    pools: dict[Prefix, tuple[int, Path]]


@dataclass(slots=True)
class Plan:
    """What a commit adds (open already) and what it takes away."""

    binds: dict[str, Bind] = field(default_factory=dict)
    moved: dict[str, Bind] = field(default_factory=dict)
    tuns: dict[int, Tun] = field(default_factory=dict)
    pools: dict[Prefix, int] = field(default_factory=dict)
    gone_binds: tuple[str, ...] = ()
    gone_tuns: tuple[int, ...] = ()
    gone_pools: tuple[Prefix, ...] = ()


Tell = Callable[[Message, tuple[int, ...]], Awaitable[None]]
"""Sends a request to a child, if it is up; raises RemoteFailure when it refuses."""


def wanted(snapshot: GatewaySnapshot) -> Wanted:
    """Raises PrepareError when two services ask for one address, or two contexts for overlapping pools."""
    binds: dict[str, tuple[int, Path]] = {}
    contexts: dict[int, Path] = {}
    pools: dict[Prefix, tuple[int, Path]] = {}
    for context in snapshot.contexts:
        here = (f"context[name='{context.name}']",)
        for service in context.services:
            if service.bind_address is None:
                continue
            path = (*here, f"wsg-service[name='{service.name}']", "bind", "address")
            if service.bind_address in binds:
                why = f"another service is bound to {service.bind_address}"
                raise PrepareError(path, why, error_tag="invalid-value")
            binds[service.bind_address] = (context.index, path)
            contexts.setdefault(context.index, path)
        if context.index not in contexts:
            continue
        for pool in context.pools:
            prefix = ipaddress.ip_network(pool.prefix, strict=False)
            kind = "ip" if pool.family == 4 else "ipv6"
            name = "pool" if pool.family == 4 else "prefix-pool"
            pool_path = (*here, kind, f"{name}[name='{pool.name}']")
            for other, (index, _) in pools.items():
                if prefix.version == other.version and prefix.overlaps(other) and index != context.index:
                    why = f"{prefix} overlaps pool prefix {other} of another context"
                    raise PrepareError(pool_path, why, error_tag="invalid-value")
            pools.setdefault(prefix, (context.index, pool_path))
    return Wanted(binds, contexts, pools)


class Devices:
    """Opens in `prepare`, hands over in `commit`, takes away in `retire` (after the workers have said goodbye).

    to_workers, to_datapath: send to the children that are up; a worker's descriptors are chosen by `for_worker`.
    """

    name = "devices"

    def __init__(
        self,
        settings: DeviceSettings,
        netlink: Netlink,
        to_worker: Callable[[int, Message, tuple[int, ...]], Awaitable[None]],
        to_datapath: Tell,
    ) -> None:
        self._settings = settings
        self.workers = 1
        """Sockets of a group; fixed before the first transaction."""
        self._netlink = netlink
        self._to_worker = to_worker
        self._to_datapath = to_datapath
        self.binds: dict[str, Bind] = {}
        self.tuns: dict[int, Tun] = {}
        self.pools: dict[Prefix, int] = {}
        self._retiring: Plan | None = None

    # --- what others ask

    def device_of(self, context_index: int) -> int | None:
        """The interface index of a context's TUN."""
        tun = self.tuns.get(context_index)
        return tun.index if tun is not None else None

    def in_pool(self, context_index: int, prefix: Prefix) -> bool:
        """Whether a pool's route covers `prefix`."""
        first, last = int(prefix.network_address), int(prefix.broadcast_address)
        return any(
            index == context_index and prefix.version == version and low <= first and last <= high
            for index, version, low, high in self._pool_bounds()
        )

    def _pool_bounds(self) -> list[tuple[int, int, int, int]]:
        """(context index, IP version, first, last) of every pool route."""
        return [
            (index, pool.version, int(pool.network_address), int(pool.broadcast_address))
            for pool, index in self.pools.items()
        ]

    # --- the transaction

    async def prepare(self, change: Change) -> Plan:
        """Open what is new; raises PrepareError with the leaf's path, and then nothing is left open."""
        want = wanted(change.new)
        plan = Plan(
            gone_binds=tuple(address for address in self.binds if address not in want.binds),
            gone_tuns=tuple(index for index in self.tuns if index not in want.contexts),
            gone_pools=tuple(p for p, index in self.pools.items() if p not in want.pools or want.pools[p][0] != index),
        )
        try:
            for address, (index, path) in want.binds.items():
                present = self.binds.get(address)
                if present is None:
                    plan.binds[address] = Bind(index, self._open_bind(address, path))
                elif present.context_index != index:
                    plan.moved[address] = Bind(index, present.sockets)
            for index, path in want.contexts.items():
                if index not in self.tuns:
                    plan.tuns[index] = self._open_tun(index, path)
            for prefix, (index, path) in want.pools.items():
                if self.pools.get(prefix) != index:
                    await self._route_pool(plan, prefix, index, path)
        except BaseException:
            await self.abort(plan)
            raise
        if plan.tuns:
            for gap in forwarding_gaps():
                log.warning("no-forwarding", extra={"fields": {"why": gap}})
        return plan

    async def commit(self, plan: Plan) -> None:
        """Hand over what is new to the children that are up; the others get everything when they come."""
        self.tuns.update(plan.tuns)
        self.pools.update(plan.pools)
        self.binds.update(plan.binds)
        self._retiring = plan
        for index, tun in plan.tuns.items():
            await self._to_datapath(AttachTun(index, tun.mtu), tun.fds)
        for address, bind in plan.moved.items():
            await self._to_datapath(DetachEsp(self.binds[address].context_index, address), ())
            self.binds[address] = bind
            await self._to_datapath(AttachEsp(bind.context_index, address), bind.sockets.datapath_fds())
        for address, bind in plan.binds.items():
            await self._to_datapath(AttachEsp(bind.context_index, address), bind.sockets.datapath_fds())
            for worker in range(self.workers):
                await self._to_worker(worker, *self.for_worker(address, worker))

    async def abort(self, plan: Plan) -> None:
        """Close what was opened. The routes of a device that existed before are deleted, the others go with theirs."""
        for prefix, index in plan.pools.items():
            if index not in plan.tuns:
                await self._unroute(prefix, index)
        for tun in plan.tuns.values():
            tun.close()
        for bind in plan.binds.values():
            bind.sockets.close()

    async def retire(self) -> None:
        """Take away what the last commit left without use."""
        plan, self._retiring = self._retiring, None
        if plan is None:
            return
        for address in plan.gone_binds:
            bind = self.binds.pop(address)
            for worker in range(self.workers):
                await self._to_worker(worker, DetachSockets(address), ())
            await self._to_datapath(DetachEsp(bind.context_index, address), ())
            bind.sockets.close()
        for prefix in plan.gone_pools:
            if self.pools.get(prefix) not in plan.gone_tuns and prefix not in plan.pools:
                await self._unroute(prefix, self.pools[prefix])
            if prefix not in plan.pools:
                del self.pools[prefix]
        for index in plan.gone_tuns:
            await self._to_datapath(DetachContext(index), ())
            self.tuns.pop(index).close()

    # --- a child that came up

    async def equip_datapath(self) -> None:
        """Hand everything to a new data path process."""
        for index, tun in self.tuns.items():
            await self._to_datapath(AttachTun(index, tun.mtu), tun.fds)
        for address, bind in self.binds.items():
            await self._to_datapath(AttachEsp(bind.context_index, address), bind.sockets.datapath_fds())

    async def equip_worker(self, worker: int) -> None:
        """Hand every socket of its own to a new worker process; what waits in them is read by it."""
        for address in self.binds:
            await self._to_worker(worker, *self.for_worker(address, worker))

    def for_worker(self, address: str, worker: int) -> tuple[Message, tuple[int, ...]]:
        """The message and the descriptors that give a worker its sockets."""
        sockets = self.binds[address].sockets
        return AttachSockets(address, read_natt=bool(sockets.natt)), sockets.worker_fds(worker)

    def close(self) -> None:
        """Close everything: the TUNs vanish, with their routes."""
        for bind in self.binds.values():
            bind.sockets.close()
        for tun in self.tuns.values():
            tun.close()
        self.binds.clear()
        self.tuns.clear()
        self.pools.clear()

    # --- inside

    def _open_bind(self, address: str, path: Path) -> BindSockets:
        try:
            return open_bind(address, self.workers, steer=self._settings.steer)
        except SocketRefused as error:
            raise PrepareError(path, str(error), error_tag=error.error_tag) from None

    def _open_tun(self, index: int, path: Path) -> Tun:
        settings = self._settings
        try:
            return open_tun(tun_name(index), settings.queues, offload=settings.offload, device=settings.tun_device)
        except TunRefused as error:
            raise PrepareError(path, str(error), error_tag="resource-denied") from None

    async def _route_pool(self, plan: Plan, prefix: Prefix, index: int, path: Path) -> None:
        """A host route to the same prefix or inside it would take packets away from the tunnels."""
        ours = {tun.index for tun in (*self.tuns.values(), *plan.tuns.values())}
        for route in await self._netlink.routes(prefix.version):
            if (
                route.device not in ours
                and route.prefix.prefixlen >= prefix.prefixlen
                and route.prefix.overlaps(prefix)
            ):
                why = f"{prefix} overlaps {route.prefix}, which this host routes elsewhere"
                raise PrepareError(path, why, error_tag="invalid-value")
        device = (plan.tuns.get(index) or self.tuns[index]).index
        try:
            await self._netlink.add(prefix, device)
        except RouteError as error:
            raise PrepareError(path, str(error), error_tag="operation-failed") from None
        plan.pools[prefix] = index

    async def _unroute(self, prefix: Prefix, index: int) -> None:
        try:
            await self._netlink.delete(prefix, self.tuns[index].index)
        except RouteError as error:
            log.warning("route-refused", extra={"fields": {"prefix": str(prefix), "why": str(error)}})


class Retirement:
    """The last participant: what is gone is taken away after the workers have put the new configuration in force."""

    name = "retirement"

    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    async def prepare(self, change: Change) -> None:
        """Nothing can be refused here."""

    async def commit(self, plan: None) -> None:
        """Take away."""
        await self._devices.retire()

    async def abort(self, plan: None) -> None:
        """Nothing was reserved."""
