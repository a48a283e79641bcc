"""The HTTP server: /metrics, /healthz and /readyz, on the endpoints of the configuration."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from nf.config.transaction import Change
from nf.views import GatewayViews
from telemetry.collector import Collector
from telemetry.inputs import ManagementView
from telemetry.listeners import Listener, ListenerPlan, plan_listeners
from telemetry.negotiation import prefers_openmetrics
from telemetry.writer import Writer

log = logging.getLogger(__name__)

VIEWS_TIMEOUT_S = 5.0
"""How long a scrape waits for the gateway's views: less than the scrape time-out of Prometheus (10 s)."""


class MetricsExporter:
    """Serves metrics and health; a participant of the configuration transaction.

    views: the gateway's views without SAs (`GatewayPort.views(sas=False)`). management: the agent's numbers. reasons:
    what else keeps the gateway from being ready, one sentence each. An instance belongs to one event loop.
    """

    name = "metrics"

    def __init__(
        self,
        views: Callable[[], Awaitable[GatewayViews]],
        management: Callable[[], ManagementView],
        *,
        version: str,
        reasons: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self._views = views
        self._management = management
        self._reasons = reasons
        self._collector = Collector(version)
        self._writers = {openmetrics: Writer(openmetrics=openmetrics) for openmetrics in (False, True)}
        self._listeners: tuple[Listener, ...] = ()
        self._closing: set[asyncio.Task[None]] = set()
        self._revision: int | None = None
        self._stopping = False
        self._scrape = asyncio.Lock()

    # The transaction

    async def prepare(self, change: Change) -> ListenerPlan:
        """Bind the endpoints that are new; raises PrepareError with the endpoint's path where one cannot be had."""
        return plan_listeners(self._listeners, change.new, self._answer)

    async def commit(self, plan: ListenerPlan) -> None:
        """Serve on the new endpoints and stop serving on those that are gone."""
        for listener in plan.opened:
            await listener.start()
        self._listeners = plan.kept + plan.opened
        self._revision = plan.revision
        for listener in plan.closed:
            task = asyncio.create_task(listener.stop())  # waits for a scrape under way, so not within the commit
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def abort(self, plan: ListenerPlan) -> None:
        """Give the new endpoints back."""
        for listener in plan.opened:
            listener.release()

    async def stop(self) -> None:
        """Stop serving everywhere."""
        self._stopping = True
        listeners, self._listeners = self._listeners, ()
        await asyncio.gather(*(listener.stop() for listener in listeners), *self._closing)

    def draining(self) -> None:
        """Say not ready from now on, while still serving: the gateway is shutting down."""
        self._stopping = True

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Where it serves now, with the port that the system chose for port 0."""
        return tuple(listener.address for listener in self._listeners)

    # The answers

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": "GET, HEAD"}, text="only GET and HEAD\n")
        if request.can_read_body:
            return web.Response(status=413, headers={"Connection": "close"}, text="no body is wanted\n")
        if request.path == "/metrics":
            return await self._answer_metrics(request.headers.get("Accept", ""))
        if request.path == "/healthz":
            return web.Response(text="ok\n")
        if request.path == "/readyz":
            reasons = await self._not_ready()
            text = "".join(f"not ready: {reason}\n" for reason in reasons) or "ready\n"
            return web.Response(status=503 if reasons else 200, text=text)
        return web.Response(status=404, text="try /metrics, /healthz or /readyz\n")

    async def _answer_metrics(self, accept: str) -> web.StreamResponse:
        async with self._scrape:
            try:
                async with asyncio.timeout(VIEWS_TIMEOUT_S):
                    views = await self._views()
            except TimeoutError:
                return web.Response(status=503, text="the gateway did not give its numbers in time\n")
            except Exception:
                log.exception("scrape-failed")
                return web.Response(status=503, text="the gateway could not give its numbers; see its log\n")
            families = self._collector.collect(
                views, self._management(), revision=self._revision or 0, ready=not self._reasons_in(views)
            )
            writer = self._writers[prefers_openmetrics(accept)]
            body = writer.write(families).encode()
        return web.Response(body=body, headers={"Content-Type": writer.content_type})

    async def _not_ready(self) -> list[str]:
        if self._revision is None or self._stopping:
            return self._reasons_in(None)
        try:
            async with asyncio.timeout(VIEWS_TIMEOUT_S):
                views = await self._views()
        except TimeoutError:
            return ["the gateway does not answer in time"]
        except Exception:
            log.exception("readiness-failed")
            return ["the gateway cannot say how it is; see its log"]
        return self._reasons_in(views)

    def _reasons_in(self, views: GatewayViews | None) -> list[str]:
        reasons = ["the gateway is stopping"] if self._stopping else []
        if self._revision is None:
            reasons.append("no configuration is committed yet")
        if views is not None:
            reasons += [f"child process {worker.name} is down" for worker in views.workers if not worker.pid]
            if not views.workers:
                reasons.append("no child process runs yet")
        return reasons + list(self._reasons())
