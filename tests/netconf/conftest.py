"""A real agent on a loopback port, with a gateway in memory that runs the real transaction and can be told to
refuse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from ncclient import manager

from netconf.agent import Agent
from netconf.limits import Limits
from nf.config.snapshot import Endpoint
from nf.config.transaction import Change, CommitFailed, PrepareError, run
from nf.ike.inputs import SaFilter
from nf.views import GatewayViews

ROOT = Path(__file__).parents[2]
YANG = ROOT / "yang"


class MemoryGateway:
    """Keeps the changes it was given. `refuse` is raised in prepare, `fail_commit` breaks one in commit."""

    name = "memory"

    def __init__(self) -> None:
        self.participants: list[Any] = [self]
        self.refuse: PrepareError | None = None
        self.fail_commit = False
        self.changes: list[Change] = []
        self.prepared: list[Change] = []
        self.aborted = 0
        self.cleared: list[SaFilter] = []
        self.seen = GatewayViews()
        self.hold: asyncio.Event | None = None

    async def prepare(self, change: Change) -> Change:
        if self.hold is not None:
            await self.hold.wait()
        if self.refuse is not None:
            raise self.refuse
        self.prepared.append(change)
        return change

    async def commit(self, plan: Change) -> None:
        if self.fail_commit:
            raise RuntimeError("broken on purpose")
        self.changes.append(plan)

    async def abort(self, plan: Change) -> None:
        self.aborted += 1

    async def apply(self, change: Change, persist: Callable[[], Awaitable[None]]) -> None:
        await run(self.participants, change, persist)

    async def check(self, change: Change) -> None:
        async def stop() -> None:
            raise CommitFailed

        try:
            await run(self.participants, change, stop)
        except CommitFailed:
            pass

    async def views(self, *, sas: bool = True) -> GatewayViews:
        return self.seen

    async def clear(self, which: SaFilter) -> int:
        self.cleared.append(which)
        return 3


class Rig:
    """An agent that is up, and clients of it."""

    def __init__(self, state: Path, **options: Any) -> None:
        self.state = state
        self.options = options
        self.gateway = MemoryGateway()
        self.managers: list[manager.Manager] = []

    async def start(self, factory: Path | None = None, variables: dict[str, str] | None = None) -> None:
        self.agent = Agent(self.state, YANG, self.gateway, listen_override=(Endpoint("127.0.0.1", 0),), **self.options)
        self.gateway.participants.append(self.agent.listeners)
        await self.agent.load(factory, variables)

    @property
    def port(self) -> int:
        return self.agent.endpoints[0].port

    async def connect(self, **options: Any) -> manager.Manager:
        """An ncclient manager with the bootstrap key, unless told otherwise."""
        arguments = {
            "host": "127.0.0.1",
            "port": self.port,
            "username": "admin",
            "key_filename": str(self.state / "admin_key"),
            "hostkey_verify": False,
            "allow_agent": False,
            "look_for_keys": False,
            "timeout": 20,
        } | options
        connected = await asyncio.to_thread(lambda: manager.connect(**arguments))
        self.managers.append(connected)
        return connected

    async def stop(self) -> None:
        for connected in self.managers:
            await asyncio.to_thread(connected._session.close)
        self.managers.clear()
        await self.agent.close()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(tmp_path / "state")
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def make_rig(tmp_path: Path) -> Callable[..., Rig]:
    def make(**limits: Any) -> Rig:
        return Rig(tmp_path / "state", limits=Limits(**limits))

    return make
