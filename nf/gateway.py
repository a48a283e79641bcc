"""The face of the gateway core towards the management plane: what netconf and telemetry may ask of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from nf.config.transaction import Change
from nf.ike.inputs import SaFilter
from nf.views import GatewayViews


class GatewayPort(Protocol):
    """Implemented by the composition root in `wsg`; the tests of netconf have one in memory."""

    async def apply(self, change: Change, persist: Callable[[], Awaitable[None]]) -> None:
        """Run the transaction over all participants; raises PrepareError, CommitFailed, or what persist raised."""

    async def check(self, change: Change) -> None:
        """Prepare everywhere and abort everywhere: what `validate` can say beyond the model. Raises PrepareError."""

    async def views(self, *, sas: bool = True) -> GatewayViews:
        """The operational state now; without `sas` the list of IKE SAs is left out, for cheap scrapes."""

    async def clear(self, which: SaFilter) -> int:
        """Delete the matching IKE SAs (or the one Child SA); the number deleted."""
