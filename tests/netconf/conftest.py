"""A real agent on a loopback port, with a gateway in memory that runs the real transaction and can be told to
refuse."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from lxml import etree
from ncclient import manager
from ncclient.operations.rpc import RaiseMode

from netconf.agent import Agent
from netconf.framing import Decoder, encode_chunked, encode_marked
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


BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
HELLO = (
    f'<hello xmlns="{BASE}"><capabilities><capability>urn:ietf:params:netconf:base:1.1</capability>'
    "</capabilities></hello>"
)


class Raw:
    """A client that sends what it is told, for what ncclient would never send."""

    def __init__(self, connection: asyncssh.SSHClientConnection, process: asyncssh.SSHClientProcess[bytes]) -> None:
        self.connection = connection
        self.process = process
        self.decoder = Decoder()

    async def hello(self) -> etree._Element:
        """Exchange hellos; the server's."""
        self.process.stdin.write(encode_marked(HELLO.encode()))
        theirs = await self.read()
        self.decoder.switch_to_chunks()
        return theirs

    def send(self, operation: str, message_id: str = "1", attributes: str = "") -> None:
        """One <rpc>."""
        text = f'<rpc xmlns="{BASE}" message-id="{message_id}" {attributes}>{operation}</rpc>'
        self.process.stdin.write(encode_chunked(text.encode()))

    def write(self, octets: bytes) -> None:
        """Octets as they are."""
        self.process.stdin.write(octets)

    async def read(self) -> etree._Element:
        """The next message; EOFError when the server has closed."""
        async with asyncio.timeout(20):
            while (message := self.decoder.next_message()) is None:
                octets = await self.process.stdout.read(65536)
                if not octets:
                    raise EOFError
                self.decoder.feed(octets)
        return etree.fromstring(message)

    async def ask(self, operation: str) -> etree._Element:
        """One request and its reply."""
        self.send(operation)
        return await self.read()


class Rig:
    """An agent that is up, and clients of it."""

    def __init__(self, state: Path, **options: Any) -> None:
        self.state = state
        self.options = options
        self.gateway = MemoryGateway()
        self.managers: list[manager.Manager] = []
        self.connections: list[asyncssh.SSHClientConnection] = []

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
        connected.raise_mode = RaiseMode.NONE
        self.managers.append(connected)
        return connected

    async def raw(self, **options: Any) -> Raw:
        """A session of our own making."""
        arguments = {
            "username": "admin",
            "client_keys": [str(self.state / "admin_key")],
            "known_hosts": None,
            "agent_path": None,
        } | options
        connection = await asyncssh.connect("127.0.0.1", self.port, **arguments)
        self.connections.append(connection)
        process = await connection.create_process(subsystem="netconf", encoding=None)
        return Raw(connection, process)

    async def stop(self) -> None:
        for connected in self.managers:
            with contextlib.suppress(Exception):  # a session that was killed cannot be closed
                await asyncio.to_thread(connected._session.close)
        self.managers.clear()
        for connection in self.connections:
            connection.abort()
        self.connections.clear()
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


@pytest.fixture
def unused_port() -> int:
    """A loopback port that was free a moment ago, in a range that the system does not hand out itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
