"""`--metrics-listen`: where metrics are served as long as the configuration leaves it at the default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nf.config.snapshot import Endpoint, GatewaySnapshot, System
from nf.config.transaction import Change, Participant


def _places(endpoints: Sequence[Endpoint]) -> list[tuple[str, int]]:
    return [(endpoint.address, endpoint.port) for endpoint in endpoints]


class MetricsOverride:
    """Stands before the exporter in the transaction, and changes nothing but the endpoints it sees."""

    name = "metrics"

    def __init__(self, exporter: Participant, endpoints: Sequence[Endpoint]) -> None:
        self._exporter = exporter
        self._endpoints = tuple(endpoints)

    async def prepare(self, change: Change) -> Any:
        """As the exporter does."""
        if self._endpoints:
            change = replace(change, new=self._overridden(change.new))
        return await self._exporter.prepare(change)

    async def commit(self, plan: Any) -> None:
        """As the exporter does."""
        await self._exporter.commit(plan)

    async def abort(self, plan: Any) -> None:
        """As the exporter does."""
        await self._exporter.abort(plan)

    def _overridden(self, snapshot: GatewaySnapshot) -> GatewaySnapshot:
        if _places(snapshot.system.metrics) != _places(System().metrics):
            return snapshot
        return replace(snapshot, system=replace(snapshot.system, metrics=self._endpoints))
