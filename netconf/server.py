"""What all sessions share: datastores, the gateway, and who is connected."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from netconf.commit import Committer
from netconf.confirm import Confirmer, Later
from netconf.datastores import Datastores
from netconf.stats import Stats
from netconf.store import Author, Store
from netconf.yang.context import YangContext
from nf.gateway import GatewayPort

audit = logging.getLogger("openwsg.audit")


@dataclass(slots=True)
class Client:
    """One open session. close ends its transport; it is called once, by kill-session, close-session or the end of
    the agent."""

    session_id: int
    user: str
    host: str
    close: Callable[[], None] = field(repr=False)
    login_time: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    in_rpcs: int = 0
    in_bad_rpcs: int = 0
    out_rpc_errors: int = 0
    closing: bool = False
    """No further request of it is carried out."""

    @property
    def author(self) -> Author:
        """For the history."""
        return Author(self.user, self.session_id)


class Server:
    """Datastores, sessions and the means that operations need."""

    def __init__(
        self,
        context: YangContext,
        datastores: Datastores,
        committer: Committer,
        store: Store,
        gateway: GatewayPort,
        stats: Stats,
        capabilities: tuple[str, ...],
        content_id: str,
        later: Later | None = None,
    ) -> None:
        self.context = context
        self.datastores = datastores
        self.committer = committer
        self.confirmer = Confirmer(datastores, committer, store, later)
        self.store = store
        self.gateway = gateway
        self.stats = stats
        self.capabilities = capabilities
        self.content_id = content_id
        self.started = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.clients: dict[int, Client] = {}
        self._last_id = 0

    def open(self, user: str, host: str, close: Callable[[], None]) -> Client:
        """Register a session under the next id."""
        self._last_id += 1
        client = Client(self._last_id, user, host, close)
        self.clients[client.session_id] = client
        self.stats.sessions_opened += 1
        self.stats.sessions_current += 1
        audit.info("session-opened session=%d user=%s host=%s", client.session_id, user, host)
        return client

    def leave(self, client: Client) -> None:
        """A session is over, however it ended: its locks go (RFC 6241 section 7.5)."""
        if self.clients.pop(client.session_id, None) is None:
            return
        client.closing = True
        self.stats.sessions_current -= 1
        self.datastores.release_all(client.session_id)
        self.confirmer.session_ended(client.session_id)
        audit.info("session-closed session=%d user=%s", client.session_id, client.user)
