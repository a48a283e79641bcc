"""From a tree to a configuration in force: validate, build the snapshot, run the transaction, store."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import replace
from datetime import UTC, datetime

from netconf.datastores import Datastores
from netconf.errors import RpcError, RpcErrors
from netconf.mapping.checks import check_tree
from netconf.mapping.snapshot import build_snapshot
from netconf.secrets import SealError, SecretBox
from netconf.stats import Stats
from netconf.store import Author, Store, Stored
from netconf.yang.context import YangContext
from netconf.yang.tree import Tree
from nf.config.snapshot import GatewaySnapshot
from nf.config.transaction import Change, CommitFailed, PrepareError
from nf.gateway import GatewayPort

log = logging.getLogger(__name__)
audit = logging.getLogger("openwsg.audit")


class _NotStored(Exception):
    """The store could not write; says why."""


class Committer:
    """Puts trees in force, one at a time: callers hold `datastores.writing`."""

    def __init__(
        self,
        context: YangContext,
        datastores: Datastores,
        store: Store,
        gateway: GatewayPort,
        box: SecretBox,
        stats: Stats,
    ) -> None:
        self._context = context
        self._datastores = datastores
        self._store = store
        self._gateway = gateway
        self._box = box
        self._stats = stats
        self._stored: Stored | None = None
        self._broken = ""
        self.snapshot: GatewaySnapshot | None = None
        """The configuration in force, None before the first."""

    @property
    def stored(self) -> Stored | None:
        """The configuration in force as the store has it."""
        return self._stored

    async def put_back(self, tree: Tree, author: Author, unconfirmed: Stored) -> None:
        """Put `tree` in force at the start in place of what is stored, which nobody has confirmed; raises RpcErrors."""
        self._stored = unconfirmed
        await self.put_in_force(tree, author, None)

    def take_in(self, path: str, given: str, existing: str | None) -> str:
        """What to store for the secret leaf at a libyang path; raises RpcError invalid-value for sealed text of
        another key."""
        try:
            return self._box.take_in(given, existing)
        except SealError as error:
            raise RpcError("invalid-value", str(error), path=self._context.error_path(path)) from None

    async def check(self, tree: Tree) -> None:
        """Everything a commit would check, without doing anything; raises RpcErrors. `tree` stays as it is."""
        trial = tree.duplicate()
        trial.validate()
        change = self._change(trial)
        try:
            await self._gateway.check(change)
        except PrepareError as error:
            raise RpcErrors([self._refused(error)]) from None

    async def commit_candidate(self, author: Author) -> None:
        """Make the candidate the running configuration; raises RpcErrors, and the candidate keeps its content then."""
        if self._broken:
            raise RpcErrors([RpcError("operation-failed", self._broken)])
        started = time.monotonic()
        tree = self._datastores.candidate.duplicate()
        tree.validate()
        changes = self._datastores.delta.changes if self._datastores.delta is not None else None
        if await self.put_in_force(tree, author, changes):
            self._stats.observe_commit(time.monotonic() - started)
        self._datastores.discard()

    async def put_in_force(
        self, tree: Tree, author: Author, changes: list[tuple[str, str]] | None, stored: Stored | None = None
    ) -> bool:
        """Run the transaction for a valid tree and make it running. False when it says the same as running does.

        stored: it comes from the store and need not be written. Raises RpcErrors; nothing has changed then, except
        after a commit that a participant failed to carry out.
        """
        body = tree.print("json")
        if self._stored is not None and body == self._stored.body:
            return False
        revision = stored.revision if stored else (self._stored.revision if self._stored else 0) + 1
        change = self._change(tree, revision)
        new = stored or Stored(revision, _now(), author, body)

        async def persist() -> None:
            if stored is None:
                try:
                    await asyncio.to_thread(self._store.write, "running", new, changes)
                except OSError as error:
                    raise _NotStored(error.strerror or str(error)) from error

        try:
            await self._gateway.apply(change, persist)
        except PrepareError as error:
            raise RpcErrors([self._refused(error)]) from None
        except CommitFailed as error:
            self._adopt(tree, new, change.new)
            self._broken = f"{error}; the configuration is stored, restart the gateway to put it in force"
            log.critical("commit-broken revision=%d reason=%s", revision, error)
            raise RpcErrors([RpcError("operation-failed", self._broken)]) from None
        except _NotStored as error:
            await self._write_back()
            log.error("commit-not-stored revision=%d error=%s", revision, error)
            raise RpcErrors([RpcError("operation-failed", f"the configuration cannot be stored: {error}")]) from None
        except TimeoutError:
            log.error("commit-timeout revision=%d", revision)
            message = "a part of the gateway did not answer in time; nothing has changed"
            raise RpcErrors([RpcError("operation-failed", message)]) from None
        self._adopt(tree, new, change.new)
        changed = "all" if changes is None else len(changes)
        what = "commit" if stored is None else "loaded"
        audit.info(
            "%s revision=%d user=%s session=%d changed=%s", what, revision, author.user, author.session_id, changed
        )
        return True

    def _adopt(self, tree: Tree, stored: Stored, snapshot: GatewaySnapshot) -> None:
        self._datastores.running = tree
        self._stored = stored
        self.snapshot = snapshot
        self._stats.running_revision = stored.revision

    def _change(self, tree: Tree, revision: int | None = None) -> Change:
        data = json.loads(tree.print("json", defaults=True))
        errors = [
            RpcError(f.error_tag, f.message, app_tag=f.app_tag, path=self._context.error_path_of(f.path))
            for f in check_tree(data)
        ]
        if errors:
            raise RpcErrors(errors)
        try:
            new, secrets = build_snapshot(data, self.snapshot, self._box.unseal)
        except SealError as error:
            raise RpcErrors([RpcError("operation-failed", str(error))]) from None
        if revision is not None and new is not self.snapshot:
            new = replace(new, revision=revision)
        return Change(self.snapshot or GatewaySnapshot(), new, secrets)

    def _refused(self, error: PrepareError) -> RpcError:
        return RpcError(error.error_tag, error.why, app_tag=error.app_tag, path=self._context.error_path_of(error.path))

    async def _write_back(self) -> None:
        """A failed write may have got as far as the rename: put the configuration that stays in force back."""
        if self._stored is None:
            self._store.delete("running")
            return
        try:
            await asyncio.to_thread(self._store.write, "running", self._stored, [])
        except OSError as error:
            log.critical("running-not-restored error=%s", error)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
