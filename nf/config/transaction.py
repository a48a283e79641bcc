"""Prepare, commit, abort over all that configuration touches (architecture section 3).

All that can fail happens in prepare. Commit only assigns: an exception there is a bug, is logged, and stops further
commits.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from nf.config.snapshot import GatewaySnapshot

log = logging.getLogger(__name__)


class PrepareError(Exception):
    """A participant refuses a configuration.

    path: where, as segments from the root of the tree without prefixes, e.g. ("context[name='ran']",
    "wsg-service[name='w']", "bind", "address"); netconf turns them into an error-path. error_tag: an RFC 6241
    appendix A tag. why: a sentence for a person.
    """

    def __init__(
        self, path: Sequence[str], why: str, *, error_tag: str = "operation-failed", app_tag: str | None = None
    ) -> None:
        super().__init__(f"/{'/'.join(path)}: {why}")
        self.path = tuple(path)
        self.why = why
        self.error_tag = error_tag
        self.app_tag = app_tag


@dataclass(frozen=True, slots=True)
class Change:
    """What a participant prepares: the snapshot in force, the one asked for, and the secrets that the new one refers
    to."""

    old: GatewaySnapshot
    new: GatewaySnapshot
    secrets: Mapping[str, bytes]

    def __repr__(self) -> str:
        return f"Change(revision {self.old.revision} -> {self.new.revision})"


class Participant(Protocol):
    """Something that configuration touches. A plan is whatever its prepare returned."""

    name: str

    async def prepare(self, change: Change) -> Any:
        """Check and reserve; raise PrepareError; leave live state as it was."""

    async def commit(self, plan: Any) -> None:
        """Put the plan in force: assignment only."""

    async def abort(self, plan: Any) -> None:
        """Give back what prepare reserved. Called only if our own prepare returned."""


class CommitFailed(Exception):
    """A participant broke its promise in commit. The datastore holds the new configuration; the process should
    restart from it."""


async def run(participants: Sequence[Participant], change: Change, persist: Callable[[], Awaitable[None]]) -> None:
    """Apply `change` everywhere or nowhere.

    persist writes the new tree durably; it runs after the last prepare and before the first commit, and may raise to
    refuse.
    Raises PrepareError (or what persist raised) after aborting those prepared; raises CommitFailed when a commit
    raised.
    """
    prepared: list[tuple[Participant, Any]] = []
    try:
        for participant in participants:
            prepared.append((participant, await participant.prepare(change)))
        await persist()
    except BaseException:
        for participant, plan in reversed(prepared):
            try:
                await participant.abort(plan)
            except Exception:
                log.exception("abort of %s failed", participant.name)
        raise
    broken: list[str] = []
    for participant, plan in prepared:
        try:
            await participant.commit(plan)
        except Exception:
            log.exception("commit of %s failed", participant.name)
            broken.append(participant.name)
    if broken:
        raise CommitFailed(f"commit failed in {', '.join(broken)}")
