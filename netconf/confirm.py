"""Commits that go back unless they are confirmed (RFC 6241 section 8.4).

What to go back to lies on disk, as `rollback.cfg`, before the new configuration is put in force, until it is confirmed
or taken back. A start that finds it goes back, as the RFC wants of a device that restarts meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from netconf.commit import Committer
from netconf.datastores import Datastores
from netconf.errors import RpcError
from netconf.store import Author, Store
from netconf.yang.tree import Tree

log = logging.getLogger(__name__)
audit = logging.getLogger("openwsg.audit")

ROLLBACK = "rollback"
"""Name of the configuration in the store, and author of the commit that restores it."""
DEFAULT_TIMEOUT_S = 600
RETRY_S = 60
"""After a rollback that a part of the gateway refused."""


class Timer(Protocol):
    """What can be called off; an asyncio.TimerHandle."""

    def cancel(self) -> None: ...


Later = Callable[[float, Callable[[], None]], Timer]
"""Calls a function after some seconds; loop.call_later."""


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """A commit that waits for its confirmation. before: what to go back to. persist: the token that confirms it; None
    when only its session can."""

    session_id: int
    persist: str | None
    before: Tree


class Confirmer:
    """The pending commit, its timer and its end. Callers of `commit` and `cancel` hold `datastores.writing`."""

    def __init__(self, datastores: Datastores, committer: Committer, store: Store, later: Later | None = None) -> None:
        self._datastores = datastores
        self._committer = committer
        self._store = store
        self._later = later or (lambda seconds, then: asyncio.get_running_loop().call_later(seconds, then))
        self._timer: Timer | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._stale = False
        """A configuration to go back to may lie on disk that nothing pends on; it goes before the next commit."""
        self.pending: Pending | None = None

    async def commit(self, author: Author, persist_id: str | None) -> None:
        """Commit for good; that confirms what is pending. Raises RpcError, RpcErrors; what is pending stays then."""
        self._check(author.session_id, persist_id)
        if self._stale:
            await self._forget()
        await self._committer.commit_candidate(author)
        if self.pending is not None:
            await self._end()
            audit.info("commit-confirmed user=%s session=%d", author.user, author.session_id)

    async def commit_confirmed(
        self, author: Author, seconds: int, persist: str | None, persist_id: str | None
    ) -> Pending:
        """Commit until the timer ends, or go on with what is pending and start its timer anew. Raises RpcError,
        RpcErrors; nothing has changed then."""
        self._check(author.session_id, persist_id)
        earlier = self.pending
        before = earlier.before if earlier else self._datastores.running
        if earlier is None:
            await self._keep()
        try:
            await self._committer.commit_candidate(author)
        except BaseException:
            if earlier is None:
                await self._forget()
            raise
        pending = Pending(author.session_id, persist or (earlier.persist if earlier else None), before)
        self.pending, self._stale = pending, False
        self._arm(pending, seconds)
        audit.info("commit-pending user=%s session=%d seconds=%d", author.user, author.session_id, seconds)
        return pending

    async def cancel(self, session_id: int, persist_id: str | None) -> None:
        """Go back now; raises RpcError when nothing is pending or it is somebody else's."""
        if self.pending is None and persist_id is None:
            raise RpcError("operation-failed", "no confirmed commit is pending", error_type="protocol")
        self._check(session_id, persist_id)
        await self._roll_back("cancelled")

    def session_ended(self, session_id: int) -> None:
        """A session is over: what only it could confirm is taken back, after the write in progress if there is one."""
        pending = self.pending
        if pending is not None and pending.persist is None and pending.session_id == session_id:
            self._roll_back_soon(pending, "session-ended")

    def close(self) -> None:
        """The agent ends: no timer runs any more; the next start goes back."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()

    def check_lock(self, session_id: int) -> None:
        """Raise RpcError lock-denied for a lock of running while another session's commit is pending (section 7.5)."""
        if self.pending is not None and self.pending.session_id != session_id:
            holder = self.pending.session_id
            message = f"a confirmed commit of session {holder} is pending"
            raise RpcError("lock-denied", message, error_type="protocol", info=(("session-id", str(holder)),))

    def _check(self, session_id: int, persist_id: str | None) -> None:
        pending = self.pending
        if persist_id is not None or (pending is not None and pending.persist is not None):
            if pending is None or pending.persist is None or pending.persist != persist_id:
                message = "no pending commit has this persist-id" if persist_id is not None else "persist-id is needed"
                info = (("bad-element", "persist-id"),)
                raise RpcError("invalid-value", message, error_type="protocol", info=info)
        elif pending is not None and pending.session_id != session_id:
            message = f"a confirmed commit of session {pending.session_id} is pending"
            info = (("session-id", str(pending.session_id)),)
            raise RpcError("in-use", message, error_type="protocol", info=info)

    def _arm(self, pending: Pending, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._later(seconds, lambda: self._roll_back_soon(pending, "timeout"))

    def _roll_back_soon(self, pending: Pending, why: str) -> None:
        if self._closed:
            return

        async def run() -> None:
            async with self._datastores.writing:
                if self.pending is not pending or self._closed:  # it was confirmed, or goes on, while we waited
                    return
                try:
                    await self._roll_back(why)
                except Exception as error:  # whatever it was, the configuration that nobody confirmed must go
                    log.critical("rollback-failed reason=%s error=%s", why, error)
                    self._arm(pending, RETRY_S)

        task = asyncio.get_running_loop().create_task(run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _roll_back(self, why: str) -> None:
        if self.pending is not None:
            await self._committer.put_in_force(self.pending.before.duplicate(), Author(ROLLBACK), None)
            await self._end()
            audit.warning("commit-rolled-back reason=%s", why)

    async def _end(self) -> None:
        await self._forget()
        self.pending = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _keep(self) -> None:
        stored = self._committer.stored
        if stored is not None:
            self._stale = True
            try:
                await asyncio.to_thread(self._store.write, ROLLBACK, stored)
            except OSError as error:
                raise RpcError("operation-failed", f"the rollback cannot be stored: {error.strerror}") from None

    async def _forget(self) -> None:
        try:
            await asyncio.to_thread(self._store.delete, ROLLBACK)
            self._stale = False
        except OSError as error:
            raise RpcError("operation-failed", f"the rollback cannot be removed: {error.strerror}") from None
