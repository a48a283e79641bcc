"""One NETCONF session as a protocol machine (RFC 6241 sections 4 and 8.1): octets in, requests out. Sans-I/O.

The order of requests is the order of replies; a driver takes one at a time, however many the client has sent ahead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from lxml import etree

from netconf import framing, xmlio
from netconf.errors import RpcError
from netconf.framing import FramingError
from netconf.xmlio import BASE, MalformedMessage

BASE_1_0 = "urn:ietf:params:netconf:base:1.0"
BASE_1_1 = "urn:ietf:params:netconf:base:1.1"


class SessionError(Exception):
    """The session must end: a bad hello, or framing that is lost. The message is for our log."""


@dataclass(frozen=True, slots=True)
class Request:
    """One <rpc>. attributes go back on the reply unchanged; operation is the element inside.

    refusal: why it gets an rpc-error without being carried out; operation is None then.
    """

    attributes: dict[str, str]
    nsmap: dict[str | None, str] = field(repr=False)
    operation: etree._Element | None = None
    refusal: RpcError | None = None


class Session:
    """The server's side. Feed `receive`, take `next_request` until None, send what `hello` and `encode` give."""

    def __init__(
        self,
        session_id: int,
        capabilities: Sequence[str],
        *,
        max_message: int = framing.MAX_MESSAGE,
        max_depth: int = 64,
    ) -> None:
        """session_id: from 1 (RFC 6241 section 8.1). capabilities: all URIs, with both base versions."""
        self.session_id = session_id
        self.client_capabilities: tuple[str, ...] = ()
        self.ready = False
        """Both hellos are exchanged."""
        self._capabilities = tuple(capabilities)
        self._decoder = framing.Decoder(max_message)
        self._max_depth = max_depth
        self._chunked = False
        self._waiting: deque[bytes] = deque()
        self.waiting_octets = 0
        """Size of the requests sent ahead."""

    def hello(self) -> bytes:
        """Our hello, framed; sent at once, without waiting for the client's."""
        listed = "".join(f"<capability>{escape(uri)}</capability>" for uri in self._capabilities)
        return framing.encode_marked(
            f'<?xml version="1.0" encoding="UTF-8"?><hello xmlns="{BASE}"><capabilities>{listed}</capabilities>'
            f"<session-id>{self.session_id}</session-id></hello>".encode()
        )

    def receive(self, octets: bytes) -> None:
        """Take what the client sent; requests that are whole wait in `next_request`. Raises SessionError."""
        self._decoder.feed(octets)
        try:
            while (message := self._decoder.next_message()) is not None:
                if self.ready:
                    self._waiting.append(message)
                    self.waiting_octets += len(message)
                else:
                    self._client_hello(message)
        except FramingError as error:
            raise SessionError(f"framing: {error}") from None

    @property
    def waiting(self) -> int:
        """How many requests were sent ahead of our replies."""
        return len(self._waiting)

    def next_request(self) -> Request | None:
        """The oldest request not yet taken."""
        if not self._waiting:
            return None
        message = self._waiting.popleft()
        self.waiting_octets -= len(message)
        return self._request(message)

    def encode(self, message: bytes) -> bytes:
        """A message of ours in the framing in force."""
        return framing.encode_chunked(message) if self._chunked else framing.encode_marked(message)

    def _client_hello(self, message: bytes) -> None:
        try:
            root = xmlio.parse(message, self._max_depth)
        except MalformedMessage as error:
            raise SessionError(f"hello: {error}") from None
        if root.tag != f"{{{BASE}}}hello":
            raise SessionError("the first message is no hello")
        if root.find(f"{{{BASE}}}session-id") is not None:
            raise SessionError("a client's hello has no session-id")
        found = root.findall(f"{{{BASE}}}capabilities/{{{BASE}}}capability")
        self.client_capabilities = tuple((element.text or "").strip() for element in found)
        if BASE_1_1 in self.client_capabilities and BASE_1_1 in self._capabilities:
            self._chunked = True
            self._decoder.switch_to_chunks()
        elif BASE_1_0 not in self.client_capabilities:
            raise SessionError("no base version in common")
        self.ready = True

    def _request(self, message: bytes) -> Request:
        try:
            root = xmlio.parse(message, self._max_depth)
        except MalformedMessage as error:
            return Request({}, {}, refusal=RpcError("malformed-message", str(error), error_type="rpc"))
        attributes = {str(name): str(value) for name, value in root.attrib.items()}
        nsmap = dict(root.nsmap)
        if root.tag != f"{{{BASE}}}rpc":
            name = xmlio.local_name(root)
            return Request({}, {}, refusal=RpcError("malformed-message", f"<{name}> is no <rpc>", error_type="rpc"))
        if "message-id" not in attributes:
            info = (("bad-attribute", "message-id"), ("bad-element", "rpc"))
            refusal = RpcError("missing-attribute", "an <rpc> needs a message-id", error_type="rpc", info=info)
            return Request(attributes, nsmap, refusal=refusal)
        if len(root) != 1:
            refusal = RpcError("malformed-message", f"an <rpc> holds one operation, not {len(root)}", error_type="rpc")
            return Request(attributes, nsmap, refusal=refusal)
        return Request(attributes, nsmap, operation=root[0])
