"""The datastores and their locks (RFC 6241 sections 5.1, 7.5, 8.3 and 8.7).

running is always the last committed configuration, and always durable. candidate is shared by all sessions. startup
is a copy that the operator keeps with copy-config; the gateway starts from running.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from netconf.errors import RpcError
from netconf.yang.edit import Delta
from netconf.yang.tree import Tree

Name = Literal["running", "candidate", "startup"]
NAMES: tuple[Name, ...] = ("running", "candidate", "startup")


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock: its session and when it was taken (RFC 3339)."""

    session_id: int
    time: str


class Datastores:
    """The three trees. Whoever changes one holds `writing` meanwhile; it is fair, so nobody starves."""

    def __init__(self, running: Tree) -> None:
        self.writing = asyncio.Lock()
        self.locks: dict[Name, Lock] = {}
        self.startup: Tree | None = None
        self._running = running
        self._running_xml: str | None = None
        self._candidate: Tree | None = None
        self._delta: Delta | None = Delta()

    @property
    def running(self) -> Tree:
        """The committed configuration, valid and with defaults; to be read only."""
        return self._running

    @running.setter
    def running(self, tree: Tree) -> None:
        self._running = tree
        self._running_xml = None

    def running_xml(self) -> str:
        """All of running, printed once for every commit."""
        if self._running_xml is None:
            self._running_xml = self._running.print("xml")
        return self._running_xml

    @property
    def candidate(self) -> Tree:
        """The candidate for reading; it is running itself until somebody edits."""
        return self._candidate if self._candidate is not None else self._running

    def candidate_for_edit(self) -> Tree:
        """The candidate as a tree of its own."""
        if self._candidate is None:
            self._candidate = self._running.duplicate()
        return self._candidate

    @property
    def modified(self) -> bool:
        """Whether the candidate holds changes that are neither committed nor discarded."""
        return self._delta is None or bool(self._delta)

    @property
    def delta(self) -> Delta | None:
        """What the candidate changes, None when that is not known because the whole was replaced."""
        return self._delta

    def note(self, delta: Delta) -> None:
        """Add to what the candidate changes."""
        if self._delta is not None:
            self._delta.changes.extend(delta.changes)

    def replace_candidate(self, tree: Tree) -> None:
        """Give the candidate other content."""
        self._candidate, self._delta = tree, None

    def discard(self) -> None:
        """Make the candidate equal running again."""
        self._candidate, self._delta = None, Delta()

    def read(self, name: Name) -> Tree:
        """A datastore's content for reading."""
        if name == "running":
            return self._running
        if name == "candidate":
            return self.candidate
        return self.startup if self.startup is not None else self._running.context.empty()

    # Locks

    def lock(self, name: Name, session_id: int) -> None:
        """Take the lock of a datastore; raises RpcError lock-denied, naming the holder."""
        holder = self.locks.get(name)
        if holder is not None:
            raise _denied(f"{name} is locked by session {holder.session_id}", holder.session_id)
        if name == "candidate" and self.modified:
            # RFC 6241 section 7.5: the changes belong to no session in particular, hence 0.
            raise _denied("candidate holds changes that are not committed; discard-changes or commit first", 0)
        self.locks[name] = Lock(session_id, datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))

    def unlock(self, name: Name, session_id: int) -> None:
        """Release a lock; raises RpcError when this session does not hold it."""
        holder = self.locks.get(name)
        if holder is None:
            raise RpcError("operation-failed", f"{name} is not locked", error_type="protocol")
        if holder.session_id != session_id:
            raise RpcError(
                "operation-failed",
                f"{name} is locked by session {holder.session_id}",
                error_type="protocol",
                info=(("session-id", str(holder.session_id)),),
            )
        self._release(name)

    def check_access(self, name: Name, session_id: int) -> None:
        """Raise RpcError in-use, naming the holder, when another session has the lock."""
        holder = self.locks.get(name)
        if holder is not None and holder.session_id != session_id:
            raise RpcError(
                "in-use",
                f"{name} is locked by session {holder.session_id}",
                error_type="protocol",
                info=(("session-id", str(holder.session_id)),),
            )

    def release_all(self, session_id: int) -> None:
        """A session has ended: its locks go."""
        for name in [name for name, lock in self.locks.items() if lock.session_id == session_id]:
            self._release(name)

    def _release(self, name: Name) -> None:
        del self.locks[name]
        if name == "candidate":
            self.discard()  # RFC 6241 section 8.3.5.2: with the lock go the changes nobody committed


def _denied(message: str, session_id: int) -> RpcError:
    return RpcError("lock-denied", message, error_type="protocol", info=(("session-id", str(session_id)),))
