"""A NETCONF server that answers from a script, over real SSH on a free port, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh
import pytest
from lxml import etree

from netconf.xmlio import BASE
from wsg import cli

DELIMITER = b"]]>]]>"
Reply = str | Callable[[etree._Element], str]


@dataclass
class Scripted:
    """replies: operation -> children of its rpc-reply, or a function that gives them. `seen` is what came."""

    state_dir: Path
    capabilities: tuple[str, ...] = ("urn:ietf:params:netconf:base:1.0", "urn:ietf:params:netconf:base:1.1")
    replies: dict[str, Reply] = field(default_factory=dict)
    seen: list[etree._Element] = field(default_factory=list)
    port: int = 0
    hello: bytes | None = None

    @property
    def operations(self) -> list[str]:
        """The names of the operations that came, in order."""
        return [etree.QName(found).localname for found in self.seen]

    def run(self, *arguments: str) -> int:
        """`wsg` with these arguments on this server."""
        return cli.run(["--port", str(self.port), "--state-dir", str(self.state_dir), *arguments])

    async def serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """One session."""
        uris = "".join(f"<capability>{uri}</capability>" for uri in self.capabilities)
        own = f'<hello xmlns="{BASE}"><capabilities>{uris}</capabilities><session-id>1</session-id></hello>'
        process.stdout.write(own.encode() + DELIMITER if self.hello is None else self.hello)
        await process.stdin.readuntil(DELIMITER)
        chunked = any(uri.endswith("base:1.1") for uri in self.capabilities)
        while True:
            message = await self._read_chunked(process) if chunked else await self._read_marked(process)
            if not message:
                break
            reply = self._answer(etree.fromstring(message)).encode()
            if not chunked:
                process.stdout.write(reply + DELIMITER)
                continue
            for at in range(0, len(reply), 700):  # several chunks a message
                piece = reply[at : at + 700]
                process.stdout.write(b"\n#%d\n" % len(piece) + piece)
            process.stdout.write(b"\n##\n")
        process.exit(0)

    @staticmethod
    async def _read_marked(process: asyncssh.SSHServerProcess[bytes]) -> bytes:
        try:
            return (await process.stdin.readuntil(DELIMITER)).removesuffix(DELIMITER)
        except asyncio.IncompleteReadError:
            return b""

    @staticmethod
    async def _read_chunked(process: asyncssh.SSHServerProcess[bytes]) -> bytes:
        message = b""
        try:
            while True:
                await process.stdin.readexactly(2)
                size = (await process.stdin.readuntil(b"\n")).strip()
                if size == b"#":
                    return message
                message += await process.stdin.readexactly(int(size))
        except asyncio.IncompleteReadError:
            return b""

    def _answer(self, rpc: etree._Element) -> str:
        (operation,) = rpc
        self.seen.append(operation)
        reply = self.replies.get(etree.QName(operation).localname, "<ok/>")
        body = reply(operation) if callable(reply) else reply
        return f'<rpc-reply xmlns="{BASE}" message-id="{rpc.get("message-id")}">{body}</rpc-reply>'


def error(tag: str, message: str, path: str = "", app_tag: str = "") -> str:
    """An rpc-error."""
    return (
        f"<rpc-error><error-type>application</error-type><error-tag>{tag}</error-tag><error-severity>error</error-severity>"
        + (f"<error-app-tag>{app_tag}</error-app-tag>" if app_tag else "")
        + (f"<error-path>{path}</error-path>" if path else "")
        + f"<error-message>{message}</error-message></rpc-error>"
    )


@pytest.fixture(scope="session", name="error")
def error_fixture() -> Callable[..., str]:
    """`error`, for tests that cannot import this file."""
    return error


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Scripted]:
    """The server, and a state directory with the keys that wsgd would have made."""
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    user_key = asyncssh.generate_private_key("ssh-ed25519")
    host_key.write_public_key(str(tmp_path / "ssh_host_ed25519_key.pub"))
    user_key.write_private_key(str(tmp_path / "admin_key"))
    (tmp_path / "authorized_keys").write_bytes(user_key.export_public_key())
    scripted = Scripted(tmp_path)
    loop = asyncio.new_event_loop()
    listening = threading.Event()

    class Access(asyncssh.SSHServer):
        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == ("operator", "right")

    async def listen() -> asyncssh.SSHAcceptor:
        acceptor = await asyncssh.listen(
            "127.0.0.1",
            0,
            server_factory=Access,
            server_host_keys=[host_key],
            authorized_client_keys=str(tmp_path / "authorized_keys"),
            process_factory=scripted.serve,
            encoding=None,
        )
        scripted.port = acceptor.get_port()
        listening.set()
        return acceptor

    def main() -> None:
        asyncio.set_event_loop(loop)
        acceptor = loop.run_until_complete(listen())
        loop.run_forever()
        acceptor.close()
        loop.run_until_complete(acceptor.wait_closed())
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

    thread = threading.Thread(target=main, daemon=True)
    thread.start()
    assert listening.wait(10)
    yield scripted
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)


@pytest.fixture(autouse=True)
def _output_as_wide_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have set COLUMNS, xdist among them: a pipe has no width."""
    monkeypatch.delenv("COLUMNS", raising=False)
