"""The NETCONF agent as the composition root sees it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import asyncssh
import libyang

from netconf.access import Access, host_keys
from netconf.capabilities import announce, content_id
from netconf.commit import Committer
from netconf.confirm import ROLLBACK, Later
from netconf.datastores import Datastores
from netconf.errors import RpcError, RpcErrors
from netconf.limits import Limits
from netconf.listeners import Listeners
from netconf.mapping.modules import FEATURES, MODULES
from netconf.rpc.copy_config import seal
from netconf.secrets import SealError, SecretBox
from netconf.server import Server
from netconf.stats import NetconfStats, Stats
from netconf.store import Author, Store, Stored, StoreError
from netconf.transport import SshTransport
from netconf.yang.context import YangContext
from netconf.yang.tree import Tree
from nf.config.snapshot import Endpoint, GatewaySnapshot, LocalUser, System
from nf.gateway import GatewayPort

audit = logging.getLogger("openwsg.audit")

_VARIABLE = re.compile(r"@([A-Z][A-Z0-9_]*)@")
_QUOTED = re.compile("""('[^']*'|"[^"]*")""")
_MODULE = re.compile(r"[A-Za-z_][\w.-]*:")


class LoadError(Exception):
    """The agent cannot start with what it found: a damaged store, or a factory default that is refused. Says why."""


class Agent:
    """Datastores, sessions and listeners.

    Order of use: construct, give `listeners` to the gateway's participants, `load`, and at the end `close`. All on
    one event loop.
    """

    def __init__(
        self,
        state_dir: Path,
        yang_dir: Path,
        gateway: GatewayPort,
        *,
        master_key_file: Path | None = None,
        listen_override: Sequence[Endpoint] = (),
        limits: Limits | None = None,
        later: Later | None = None,
    ) -> None:
        """Open the state directory and compile the model; nothing listens yet.

        state_dir: where everything durable is kept (created when missing). yang_dir: our modules (openwsg-*.yang).
        gateway: what a commit is applied to and where views come from; it must run `listeners` among its participants.
        master_key_file: of the SecretBox, by default `master.key` in state_dir.
        listen_override: endpoints in place of those of the configuration, as long as that names none, or only those
        of the factory default: of the one that this process has loaded, or after a restart of the packaged one.
        later: in place of the loop's call_later, for the timer of confirmed commits.
        Raises LoadError for a master key or host key that is none, or a model that does not compile.
        """
        try:
            self._store = Store(state_dir)
            self._box = SecretBox.open(master_key_file or state_dir / "master.key")
            keys = host_keys(state_dir)
            context = YangContext(yang_dir, MODULES, FEATURES)
        except (OSError, SealError, asyncssh.KeyImportError, libyang.LibyangError) as error:
            raise LoadError(str(error)) from error
        self._context = context
        self._stats = Stats()
        self._datastores = Datastores(context.empty())
        self._committer = Committer(context, self._datastores, self._store, gateway, self._box, self._stats)
        content = content_id(context)
        self._server = Server(
            context,
            self._datastores,
            self._committer,
            self._store,
            gateway,
            self._stats,
            announce(context, content),
            content,
            later,
        )
        self._access = Access(state_dir, self._users)
        self._transport = SshTransport(self._server, self._access, keys, limits or Limits())
        self._override = tuple(listen_override)
        self._factory_listeners: tuple[Endpoint, ...] | None = None
        self._loading_factory = False
        self._listeners = Listeners(self._transport.serve, self._wanted)

    @property
    def listeners(self) -> Listeners:
        """The participant that binds listeners in prepare; for the gateway's list."""
        return self._listeners

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """Where it listens now, with the ports the system chose for port 0."""
        return self._listeners.endpoints

    @property
    def snapshot(self) -> GatewaySnapshot:
        """The configuration in force."""
        return self._committer.snapshot or GatewaySnapshot()

    async def load(self, factory_default: Path | None = None, variables: Mapping[str, str] | None = None) -> None:
        """Put the last committed configuration in force through the gateway, or without one the factory default.

        factory_default: JSON (.json) or XML instance data; each @NAME@ in it is replaced from `variables`. None is
        an empty configuration. Raises LoadError, which names what could not be loaded.
        """
        what = "the stored configuration"
        try:
            stored = self._store.read("running")
            startup = self._store.read("startup")
            if startup is not None:
                self._datastores.startup = self._context.parse(startup.body, "json")
            if stored is not None:
                await self._load_stored(stored)
            else:
                what = f"the factory default {factory_default}"
                await self._load_factory(factory_default, variables or {})
            self._access.ensure_bootstrap()
        except (RpcErrors, RpcError, StoreError, OSError) as error:
            raise LoadError(f"{what}: {_explain(error)}") from error

    def stats(self) -> NetconfStats:
        """Counters now."""
        return self._stats.view()

    async def close(self) -> None:
        """Stop listening and end every session; the durable configuration stays."""
        self._server.confirmer.close()
        await self._listeners.close()
        await self._transport.close()

    async def _load_stored(self, stored: Stored) -> None:
        before = self._store.read(ROLLBACK)
        if before is not None and before.body != stored.body:
            tree = self._context.parse(before.body, "json")
            tree.validate()
            async with self._datastores.writing:
                await self._committer.put_back(tree, Author(ROLLBACK), stored)
            self._store.delete(ROLLBACK)
            audit.warning("commit-rolled-back reason=restart")
            return
        if before is not None:
            self._store.delete(ROLLBACK)
        tree = self._context.parse(stored.body, "json")
        tree.validate()
        async with self._datastores.writing:
            await self._committer.put_in_force(tree, stored.author, None, stored)

    async def _load_factory(self, path: Path | None, variables: Mapping[str, str]) -> None:
        tree = self._context.empty() if path is None else self._read_factory(path, variables)
        seal(self._server, tree)
        tree.validate()
        async with self._datastores.writing:
            self._loading_factory = True
            try:
                await self._committer.put_in_force(tree, Author("factory-default"), None)
            finally:
                self._loading_factory = False

    def _read_factory(self, path: Path, variables: Mapping[str, str]) -> Tree:
        json_form = path.suffix == ".json"
        text = _substitute(path.read_text(), variables, json_form)
        return self._context.parse(text, "json" if json_form else "xml")

    def _wanted(self, snapshot: GatewaySnapshot) -> Sequence[Endpoint]:
        if self._loading_factory:
            self._factory_listeners = snapshot.system.netconf_ssh
        asked = _places(snapshot.system.netconf_ssh)
        untouched = asked in ((), _places(self._factory_listeners or ()), _places(System().netconf_ssh))
        return self._override if self._override and untouched else snapshot.system.netconf_ssh

    def _users(self) -> tuple[LocalUser, ...]:
        return self.snapshot.system.users


def _substitute(text: str, variables: Mapping[str, str], json_form: bool) -> str:
    """Fill in @NAME@, escaped for the format; an unknown name is a LoadError."""

    def one(match: re.Match[str]) -> str:
        if match[1] not in variables:
            raise LoadError(f"the factory default needs a value for {match[1]}")
        value = variables[match[1]]
        return json.dumps(value)[1:-1] if json_form else value.replace("&", "&amp;").replace("<", "&lt;")

    return _VARIABLE.sub(one, text)


def _places(endpoints: Sequence[Endpoint]) -> tuple[tuple[str, int], ...]:
    return tuple((endpoint.address, endpoint.port) for endpoint in endpoints)


def _explain(error: Exception) -> str:
    errors = error.errors if isinstance(error, RpcErrors) else (error,)
    return "; ".join(f"{_short(e.path.xpath)}: {e}" if isinstance(e, RpcError) and e.path else str(e) for e in errors)


def _short(path: str) -> str:
    """A path without the module names before its steps, for a line of the log; what is in quotes stays as it is."""
    parts = _QUOTED.split(path)
    return "".join(part if number % 2 else _MODULE.sub("", part) for number, part in enumerate(parts))
