"""The HTTP server: what it answers, what it refuses, and its part in the transaction. Real sockets on ports the system
chooses.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest

from nf.config.snapshot import Endpoint, GatewaySnapshot, System
from nf.config.transaction import Change, PrepareError
from nf.views import GatewayViews
from telemetry.exporter import MetricsExporter
from telemetry.inputs import ManagementView
from telemetry.listeners import MAX_CONNECTIONS


class Gateway:
    """Gives views; can be made slow or broken."""

    def __init__(self, views: GatewayViews) -> None:
        self.now = views
        self.error: Exception | None = None
        self.hangs = False

    async def views(self) -> GatewayViews:
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error
        return self.now


def change(*endpoints: Endpoint, revision: int = 1) -> Change:
    return Change(GatewaySnapshot(), GatewaySnapshot(revision, System(metrics=endpoints)), {})


@pytest.fixture
def gateway(views: GatewayViews) -> Gateway:
    return Gateway(views)


@pytest.fixture
async def exporter(gateway: Gateway) -> AsyncIterator[MetricsExporter]:
    exporter = MetricsExporter(gateway.views, ManagementView, version="0.1.0")
    yield exporter
    await exporter.stop()


@pytest.fixture
async def url(exporter: MetricsExporter) -> str:
    """The exporter after its first commit, on a free port of 127.0.0.1."""
    await exporter.commit(await exporter.prepare(change(Endpoint("127.0.0.1", 0))))
    host, port = exporter.addresses[0]
    return f"http://{host}:{port}"


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


@pytest.mark.peer
async def test_promtool_finds_nothing_to_say(http: aiohttp.ClientSession, url: str) -> None:
    async with http.get(f"{url}/metrics") as answer:
        text = await answer.text()
    run = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=30, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


async def test_metrics_in_the_format_asked_for(http: aiohttp.ClientSession, url: str) -> None:
    async with http.get(f"{url}/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert 'ipsec_service_sessions{context="ran",service="north"} 6\n' in await answer.text()
    async with http.get(f"{url}/metrics", headers={"Accept": "application/openmetrics-text"}) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        assert (await answer.text()).endswith("\n# EOF\n")


async def test_health_and_readiness(
    http: aiohttp.ClientSession, url: str, gateway: Gateway, exporter: MetricsExporter
) -> None:
    async with http.get(f"{url}/healthz") as answer:
        assert (answer.status, await answer.text()) == (200, "ok\n")
    async with http.get(f"{url}/readyz") as answer:
        assert (answer.status, await answer.text()) == (200, "ready\n")
    gateway.now = replace(gateway.now, workers=(replace(gateway.now.workers[0], pid=0), *gateway.now.workers[1:]))
    async with http.get(f"{url}/readyz") as answer:
        assert (answer.status, await answer.text()) == (503, "not ready: child process ipsecmgr-0 is down\n")
    async with http.get(f"{url}/metrics") as answer:
        assert "\nopenwsg_ready 0\n" in await answer.text()
    exporter.draining()
    async with http.get(f"{url}/readyz") as answer:
        assert (await answer.text()).startswith("not ready: the gateway is stopping\n")
    async with http.get(f"{url}/healthz") as answer:
        assert answer.status == 200


async def test_other_reasons_not_to_be_ready(gateway: Gateway, http: aiohttp.ClientSession) -> None:
    exporter = MetricsExporter(gateway.views, ManagementView, version="0", reasons=lambda: ["NETCONF does not listen"])
    await exporter.commit(await exporter.prepare(change(Endpoint("127.0.0.1", 0))))
    host, port = exporter.addresses[0]
    async with http.get(f"http://{host}:{port}/readyz") as answer:
        assert (answer.status, await answer.text()) == (503, "not ready: NETCONF does not listen\n")
    await exporter.stop()


async def test_a_gateway_that_fails_is_a_503_and_no_traceback(
    http: aiohttp.ClientSession, url: str, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.error = RuntimeError("broken inside")
    for path in ("/metrics", "/readyz"):
        async with http.get(f"{url}{path}") as answer:
            assert answer.status == 503
            assert "broken inside" not in await answer.text()
    gateway.error = None
    gateway.hangs = True
    monkeypatch.setattr("telemetry.exporter.VIEWS_TIMEOUT_S", 0.01)
    for path in ("/metrics", "/readyz"):
        async with http.get(f"{url}{path}") as answer:
            assert answer.status == 503
            assert "in time" in await answer.text()


@pytest.mark.parametrize(("method", "status"), [("POST", 405), ("PUT", 405), ("DELETE", 405), ("OPTIONS", 405)])
async def test_only_get_and_head(http: aiohttp.ClientSession, url: str, method: str, status: int) -> None:
    async with http.request(method, f"{url}/metrics") as answer:
        assert (answer.status, answer.headers["Allow"]) == (status, "GET, HEAD")
    async with http.head(f"{url}/metrics") as answer:
        assert (answer.status, await answer.read()) == (200, b"")
        assert int(answer.headers["Content-Length"]) > 1000


async def test_unknown_paths_and_bodies(http: aiohttp.ClientSession, url: str) -> None:
    async with http.get(f"{url}/etc/passwd") as answer:
        assert answer.status == 404
    async with http.get(f"{url}/metrics", data=b"x" * 100_000) as answer:
        assert answer.status == 413


@pytest.mark.parametrize("octets", [8_000, 9_000])
async def test_header_size_has_an_edge(http: aiohttp.ClientSession, url: str, octets: int) -> None:
    async with http.get(f"{url}/healthz", headers={"X-Long": "x" * octets}) as answer:
        assert answer.status == (200 if octets < 8_190 else 400)


async def test_slow_clients_cannot_lock_a_scraper_out(
    http: aiohttp.ClientSession, exporter: MetricsExporter, url: str
) -> None:
    """Connections beyond the limit push the oldest out."""
    host, port = exporter.addresses[0]
    idle = [await asyncio.open_connection(host, port) for _ in range(MAX_CONNECTIONS)]
    async with http.get(f"{url}/healthz") as answer:
        assert answer.status == 200
    async with asyncio.timeout(5):
        assert await idle[0][0].read() == b"", "the oldest was closed"
    assert not idle[-1][0].at_eof()
    for _, writer in idle:
        writer.transport.abort()


@pytest.mark.parametrize(
    "octets",
    [
        b"\x16\x03\x01\x02\x00\x01\xff\r\n\r\n",
        b"GET * HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_rubbish_is_answered_with_400_and_is_no_error_of_ours(
    exporter: MetricsExporter, url: str, octets: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    reader, writer = await asyncio.open_connection(*exporter.addresses[0])
    writer.write(octets)
    async with asyncio.timeout(5):
        assert (await reader.read()).startswith((b"HTTP/1.0 400", b"HTTP/1.1 400"))
    writer.close()
    assert caplog.records == []


async def test_a_bug_of_ours_is_a_500_and_a_traceback_in_the_log(
    http: aiohttp.ClientSession, url: str, exporter: MetricsExporter, caplog: pytest.LogCaptureFixture
) -> None:
    exporter._collector = None  # type: ignore[assignment]
    async with http.get(f"{url}/metrics") as answer:
        assert answer.status == 500
        assert "NoneType" not in await answer.text()
    assert any(record.exc_info for record in caplog.records)


# The transaction


async def test_nothing_is_served_before_the_commit(exporter: MetricsExporter) -> None:
    plan = await exporter.prepare(change(Endpoint("127.0.0.1", 0)))
    assert exporter.addresses == ()
    reader, writer = await asyncio.open_connection(*plan.opened[0].address)
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    await exporter.commit(plan)
    async with asyncio.timeout(5):
        assert (await reader.read()).endswith(b"ok\n"), "who came early is answered once the commit is through"
    writer.close()


async def test_an_address_in_use_is_refused_with_its_path(exporter: MetricsExporter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PrepareError) as refused:
            await exporter.prepare(change(Endpoint("127.0.0.1", port, "mgmt")))
    assert refused.value.path == ("system", "metrics", "listen[name='mgmt']")
    assert refused.value.error_tag == "resource-denied"
    assert f"port {port}: Address already in use" in refused.value.why


async def test_a_listener_moves_to_another_address_of_its_port(exporter: MetricsExporter) -> None:
    """What is ours and about to be closed is no obstacle: Prometheus moves to another host, and scrapes [::]."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    for address in ("127.0.0.1", "::"):
        await exporter.commit(await exporter.prepare(change(Endpoint(address, port))))
        assert exporter.addresses == ((address, port),)
        socket.create_connection(("127.0.0.1", port)).close()


async def test_a_refused_endpoint_leaves_none_of_the_others_open(exporter: MetricsExporter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
    with pytest.raises(PrepareError):
        await exporter.prepare(change(Endpoint("127.0.0.1", free), Endpoint("192.0.2.77", 1)))
    socket.create_server(("127.0.0.1", free)).close()


async def test_abort_gives_the_port_back_and_keeps_what_was_served(
    http: aiohttp.ClientSession, exporter: MetricsExporter, url: str
) -> None:
    plan = await exporter.prepare(change(Endpoint("127.0.0.2", 0), revision=2))
    address = plan.opened[0].address
    await exporter.abort(plan)
    socket.create_server(address).close()
    async with http.get(f"{url}/metrics") as answer:
        assert "\nopenwsg_configuration_revision 1\n" in await answer.text()


async def test_moving_to_another_endpoint(http: aiohttp.ClientSession, exporter: MetricsExporter, url: str) -> None:
    old = exporter.addresses[0]
    await exporter.commit(await exporter.prepare(change(Endpoint("127.0.0.2", 0), revision=2)))
    host, port = exporter.addresses[0]
    assert host == "127.0.0.2"
    async with http.get(f"http://{host}:{port}/metrics") as answer:
        assert "\nopenwsg_configuration_revision 2\n" in await answer.text()
    await asyncio.gather(*exporter._closing)
    with pytest.raises(OSError):
        await asyncio.open_connection(*old)


async def test_an_endpoint_that_stays_is_not_touched(
    http: aiohttp.ClientSession, exporter: MetricsExporter, url: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    await exporter.commit(await exporter.prepare(change(Endpoint("127.0.0.1", port), revision=2)))
    plan = await exporter.prepare(change(Endpoint("127.0.0.1", port, "renamed"), revision=3))
    assert (len(plan.kept), plan.opened, plan.closed) == (1, (), ())
    await exporter.commit(plan)
    async with http.get(f"http://127.0.0.1:{port}/metrics") as answer:
        assert "\nopenwsg_configuration_revision 3\n" in await answer.text()


async def test_a_name_is_no_address(exporter: MetricsExporter) -> None:
    with pytest.raises(PrepareError) as refused:
        await exporter.prepare(change(Endpoint("localhost", 0)))
    assert refused.value.error_tag == "invalid-value"


async def test_ipv6(http: aiohttp.ClientSession, exporter: MetricsExporter) -> None:
    await exporter.commit(await exporter.prepare(change(Endpoint("::1", 0))))
    async with http.get(f"http://[::1]:{exporter.addresses[0][1]}/healthz") as answer:
        assert answer.status == 200


async def test_not_ready_before_the_first_commit(exporter: MetricsExporter) -> None:
    assert await exporter._not_ready() == ["no configuration is committed yet"]
