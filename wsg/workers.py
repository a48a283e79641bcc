"""The ipsecmgr workers as one participant of the transaction."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nf.config.snapshot import GatewaySnapshot
from nf.config.transaction import Change, PrepareError
from nf.ipc.channel import ChannelClosed, RemoteFailure
from nf.ipc.messages import Abort, Commit, Prepare
from nf.policy.compile import compile_policy
from wsg.supervisor import Child

log = logging.getLogger(__name__)

PREPARE_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """What one worker holds: plan_id in its process number `generation`."""

    child: Child
    plan_id: int
    generation: int


class Workers:
    """Prepares on every worker at once; a worker that is down is no obstacle, for it starts with what is committed.

    Its policy is compiled here instead: a configuration that makes a worker die can be replaced by a better one.
    """

    name = "workers"

    def __init__(self, children: Sequence[Child]) -> None:
        self._children = children
        self._plan_ids = itertools.count(1)

    async def prepare(self, change: Change) -> list[WorkerPlan]:
        """Raises the PrepareError of the lowest worker that refuses, after aborting the others."""
        return await self._prepare_on(self._children, change.new, change.secrets)

    async def commit(self, plan: list[WorkerPlan]) -> None:
        """Put it in force everywhere."""
        results = await asyncio.gather(*(self._commit_on(one) for one in plan), return_exceptions=True)
        for result in results:  # only when all have had their turn
            if isinstance(result, BaseException):
                raise result

    async def abort(self, plan: list[WorkerPlan]) -> None:
        """Forget it everywhere."""
        await asyncio.gather(*(self._abort_on(one) for one in plan), return_exceptions=True)

    async def configure(self, child: Child, snapshot: GatewaySnapshot, secrets: Mapping[str, bytes]) -> None:
        """Put the committed configuration in force on a new process."""
        await self.commit(await self._prepare_on((child,), snapshot, secrets))

    async def _prepare_on(
        self, children: Sequence[Child], snapshot: GatewaySnapshot, secrets: Mapping[str, bytes]
    ) -> list[WorkerPlan]:
        tasks = [
            asyncio.create_task(self._prepare_one(index, child, snapshot, secrets))
            for index, child in enumerate(self._children)
            if child in children
        ]
        results = await asyncio.gather(*tasks, return_exceptions=True)
        plans = [result for result in results if isinstance(result, WorkerPlan)]
        for result in results:
            if isinstance(result, BaseException):
                await self.abort(plans)
                raise result
        return plans

    async def _prepare_one(
        self, index: int, child: Child, snapshot: GatewaySnapshot, secrets: Mapping[str, bytes]
    ) -> WorkerPlan | None:
        channel, generation, plan_id = child.channel, child.generation, next(self._plan_ids)
        if channel is not None:
            try:
                await channel.request(Prepare(plan_id, snapshot, dict(secrets)), deadline_s=PREPARE_DEADLINE_S)
                return WorkerPlan(child, plan_id, generation)
            except RemoteFailure as refusal:
                raise refusal.as_prepare_error() from None
            except TimeoutError:
                raise PrepareError((), f"{child.name} does not answer", error_tag="operation-failed") from None
            except ChannelClosed:
                pass  # it died just now
        compile_policy(snapshot, secrets, index, len(self._children))
        return None

    @staticmethod
    async def _commit_on(plan: WorkerPlan) -> None:
        """A process that died since prepare is configured by its successor's start, not here."""
        channel = plan.child.channel
        if channel is None or plan.child.generation != plan.generation:
            return
        try:
            await channel.request(Commit(plan.plan_id), deadline_s=PREPARE_DEADLINE_S)
        except ChannelClosed:
            log.warning("worker-died-in-commit", extra={"fields": {"child": plan.child.name}})

    @staticmethod
    async def _abort_on(plan: WorkerPlan) -> None:
        channel = plan.child.channel
        if channel is None or plan.child.generation != plan.generation:
            return
        try:
            await channel.request(Abort(plan.plan_id))
        except ChannelClosed:
            pass
