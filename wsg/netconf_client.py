"""A NETCONF client over SSH for the command `wsg` (RFC 6241, RFC 6242): connect, call, read errors."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from xml.sax.saxutils import escape

import asyncssh
from lxml import etree

from netconf.framing import Decoder, FramingError, encode_chunked, encode_marked
from netconf.xmlio import BASE, MalformedMessage, local_name, parse

BASE_1_0 = "urn:ietf:params:netconf:base:1.0"
BASE_1_1 = "urn:ietf:params:netconf:base:1.1"
MAX_REPLY_OCTETS = 1 << 30
MAX_DEPTH = 200
_READ_OCTETS = 1 << 16
_PREFIX = re.compile(r"[A-Za-z_][\w.-]*:")


class ConnectError(Exception):
    """The gateway cannot be reached, does not know us, or does not speak NETCONF. The text says what to check."""


@dataclass(frozen=True, slots=True)
class RpcFault:
    """One rpc-error of a reply (RFC 6241 section 4.3)."""

    tag: str
    message: str
    path: str = ""
    app_tag: str = ""
    error_type: str = ""
    info: str = ""

    @property
    def text(self) -> str:
        """For a person: where, what, and the tags."""
        tags = f"{self.tag}, {self.app_tag}" if self.app_tag else self.tag
        info = f" [{self.info}]" if self.info else ""
        where = f"{short_path(self.path)}: " if self.path else ""
        return f"{where}{self.message or 'refused'} ({tags}){info}"


class RpcFailed(Exception):
    """The gateway refused an operation; `faults` are its reasons, at least one."""

    def __init__(self, operation: str, faults: tuple[RpcFault, ...]) -> None:
        super().__init__(f"{operation}: " + "; ".join(fault.text for fault in faults))
        self.operation = operation
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Target:
    """Where the gateway is and who we are there.

    known_hosts: a file in OpenSSH's known_hosts form. host_keys: public key files, any of which the host may show.
    With neither, the user's own known_hosts counts; `insecure` accepts any host key.
    """

    host: str = "127.0.0.1"
    port: int = 830
    user: str = "admin"
    identity: Path | None = None
    password: str | None = None
    known_hosts: Path | None = None
    host_keys: tuple[Path, ...] = ()
    insecure: bool = False
    timeout_s: float = 15.0

    def __str__(self) -> str:
        return f"{self.host} port {self.port}"


class Client:
    """One NETCONF session, one operation at a time. Each raises RpcFailed or ConnectError."""

    def __init__(
        self, connection: asyncssh.SSHClientConnection, process: asyncssh.SSHClientProcess[bytes], target: Target
    ) -> None:
        self._connection = connection
        self._process = process
        self._target = target
        self._decoder = Decoder(MAX_REPLY_OCTETS)
        self._chunked = False
        self._message_id = 0
        self.capabilities: frozenset[str] = frozenset()
        self.session_id = ""

    async def hello(self) -> None:
        """Exchange hellos (RFC 6241 section 8.1) and choose the framing; raises ConnectError."""
        capabilities = "".join(f"<capability>{uri}</capability>" for uri in (BASE_1_0, BASE_1_1))
        self._process.stdin.write(
            encode_marked(f'<hello xmlns="{BASE}"><capabilities>{capabilities}</capabilities></hello>'.encode())
        )
        root = self._parse(await self._read_message())
        if local_name(root) != "hello":
            raise ConnectError(f"{self._target} does not begin with a NETCONF hello")
        self.capabilities = frozenset((found.text or "").strip() for found in root.iterfind(".//{*}capability"))
        self.session_id = (root.findtext("{*}session-id") or "").strip()
        if BASE_1_1 in self.capabilities:
            self._chunked = True
            self._decoder.switch_to_chunks()
        elif BASE_1_0 not in self.capabilities:
            raise ConnectError(f"{self._target} speaks no version of NETCONF that this command knows")

    async def call(self, operation: str, body: str = "") -> etree._Element:
        """Send `<operation>body</operation>` of the base namespace; the reply."""
        return await self.call_xml(operation, f"<{operation}>{body}</{operation}>")

    async def call_xml(self, operation: str, xml: str) -> etree._Element:
        """Send an operation given as XML (unprefixed names are in the base namespace); the rpc-reply without errors."""
        self._message_id += 1
        message_id = str(self._message_id)
        message = f'<rpc xmlns="{BASE}" message-id="{message_id}">{xml}</rpc>'.encode()
        self._process.stdin.write(encode_chunked(message) if self._chunked else encode_marked(message))
        reply = self._parse(await self._read_message())
        if local_name(reply) != "rpc-reply" or reply.get("message-id", message_id) != message_id:
            raise ConnectError(f"{self._target} answered {operation} with something else")
        faults = tuple(_fault(found) for found in reply.iterfind("{*}rpc-error") if _is_error(found))
        if faults:
            raise RpcFailed(operation, faults)
        return reply

    async def get(self, subtree: str = "") -> etree._Element:
        """<get> with a subtree filter; the <data> element."""
        return _data(await self.call("get", _filter(subtree)))

    async def get_config(self, datastore: str = "running", subtree: str = "") -> etree._Element:
        """<get-config>; the <data> element."""
        return _data(await self.call("get-config", f"<source><{datastore}/></source>{_filter(subtree)}"))

    async def edit_config(self, config: str, *, replace: bool = False) -> None:
        """<edit-config> of the candidate with the XML of `config`, merged or in place of all there is."""
        how = "replace" if replace else "merge"
        await self.call(
            "edit-config",
            f"<target><candidate/></target><default-operation>{how}</default-operation>"
            f"<error-option>rollback-on-error</error-option><config>{config}</config>",
        )

    async def validate(self) -> None:
        """<validate> the candidate."""
        await self.call("validate", "<source><candidate/></source>")

    @asynccontextmanager
    async def locked(self, datastore: str = "candidate") -> AsyncIterator[None]:
        """Hold the lock of a datastore; when the block fails, the candidate is discarded before the lock is given
        back.
        """
        target = f"<target><{datastore}/></target>"
        await self.call("lock", target)
        try:
            yield
        except BaseException:
            try:
                await self.call("discard-changes")
                await self.call("unlock", target)
            except (RpcFailed, ConnectError):
                # The first failure is what counts; a session that ends discards and unlocks by itself (RFC 6241
                # section 7.5).
                pass
            raise
        await self.call("unlock", target)

    async def close(self) -> None:
        """End the session politely."""
        try:
            async with asyncio.timeout(5):
                await self.call("close-session")
        except (RpcFailed, ConnectError, OSError, TimeoutError):
            pass
        self._connection.close()

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _read_message(self) -> bytes:
        try:
            while (message := self._decoder.next_message()) is None:
                octets = await self._process.stdout.read(_READ_OCTETS)
                if not octets:
                    raise ConnectError(f"{self._target} ended the session")
                self._decoder.feed(octets)
        except FramingError as error:
            raise ConnectError(f"{self._target} broke the NETCONF framing: {error}") from error
        except (OSError, asyncssh.Error) as error:
            raise ConnectError(f"the connection to {self._target} was lost: {error}") from error
        return message

    def _parse(self, message: bytes) -> etree._Element:
        try:
            return parse(message, MAX_DEPTH)
        except MalformedMessage as error:
            raise ConnectError(f"{self._target} sent a message that cannot be read: {error}") from error


async def connect(target: Target) -> Client:
    """Open a session; raises ConnectError with what to check."""
    try:
        async with asyncio.timeout(target.timeout_s):
            connection = await asyncssh.connect(
                target.host,
                target.port,
                config=None,
                username=target.user,
                client_keys=_client_keys(target),
                password=target.password,
                known_hosts=_known_hosts(target),
                agent_path=None if target.identity or target.password else (),
            )
            try:
                process = await connection.create_process(subsystem="netconf", encoding=None)
                client = Client(connection, process, target)
                await client.hello()
            except BaseException:
                connection.abort()
                raise
    except TimeoutError:
        raise ConnectError(f"{target} did not answer within {target.timeout_s:g} s. Is that a NETCONF port?") from None
    except asyncssh.PermissionDenied as error:
        raise ConnectError(
            f"{target} does not accept user {target.user} with {_credentials(target)}: {error.reason}. "
            "Check --user, and --identity or --password-file."
        ) from error
    except asyncssh.HostKeyNotVerifiable as error:
        raise ConnectError(
            f"the host key of {target} is not one that is trusted: {error.reason}. "
            "Give --known-hosts FILE, or --insecure where nobody can be between."
        ) from error
    except asyncssh.ChannelOpenError as error:
        raise ConnectError(f"{target} offers no NETCONF: {error.reason}") from error
    except asyncssh.KeyImportError as error:
        raise ConnectError(f"{target.identity} is no private key that can be used: {error}") from error
    except (OSError, asyncssh.Error) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error) or "failed"
        raise ConnectError(
            f"cannot connect to {target}: {reason}. "
            "Does wsgd run, and does its configuration listen there (system/netconf/ssh/listen)?"
        ) from error
    return client


def short_path(path: str) -> str:
    """An error-path without the module names before its steps; what is in quotes stays as it is."""
    parts = re.split("""('[^']*'|"[^"]*")""", path)
    return "".join(part if number % 2 else _PREFIX.sub("", part) for number, part in enumerate(parts))


def quote(text: str) -> str:
    """`text` for an XML element."""
    return escape(text)


def _credentials(target: Target) -> str:
    if target.identity:
        return f"the key {target.identity}"
    return "this password" if target.password else "a key of the agent"


def _client_keys(target: Target) -> object:
    if target.identity:
        return [str(target.identity)]
    return None if target.password else ()  # (): the user's own keys and agent


def _known_hosts(target: Target) -> object:
    if target.insecure:
        return None
    if target.known_hosts:
        return str(target.known_hosts)
    if target.host_keys:
        return ([asyncssh.read_public_key(str(path)) for path in target.host_keys], [], [])
    return ()


def _filter(subtree: str) -> str:
    return f'<filter type="subtree">{subtree}</filter>' if subtree else ""


def _data(reply: etree._Element) -> etree._Element:
    data = reply.find("{*}data")
    return etree.Element(f"{{{BASE}}}data") if data is None else data


def _is_error(element: etree._Element) -> bool:
    return (element.findtext("{*}error-severity") or "error").strip() != "warning"


def _fault(element: etree._Element) -> RpcFault:
    def text(name: str) -> str:
        return " ".join((element.findtext(f"{{*}}{name}") or "").split())

    info = element.find("{*}error-info")
    details = [] if info is None else [f"{local_name(child)} {(child.text or '').strip()}".strip() for child in info]
    return RpcFault(
        tag=text("error-tag"),
        message=text("error-message"),
        path=text("error-path"),
        app_tag=text("error-app-tag"),
        error_type=text("error-type"),
        info=", ".join(details),
    )
