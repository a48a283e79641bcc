"""Sockets, TUNs and routes of a configuration: refused with a path, taken back whole, kept while unchanged
(architecture section 2)."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from nf.config.transaction import PrepareError
from nf.datapath.port import Selector

pytestmark = [pytest.mark.root, pytest.mark.xdist_group("wsg-core")]

BIND = ("context[name='ran']", "wsg-service[name='w0']", "bind", "address")
POOL = ("context[name='ran']", "ip", "pool[name='p']")


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=10).stdout


def sockets() -> list[str]:
    """UDP and raw sockets of this namespace: (file, local address in hex), counted."""
    found = []
    for name in ("udp", "udp6", "raw", "raw6"):
        for line in Path(f"/proc/thread-self/net/{name}").read_text().splitlines()[1:]:
            found.append(f"{name} {line.split()[1]}")
    return sorted(found)


def state() -> tuple[object, ...]:
    """What a refused transaction must leave as it was."""
    return sockets(), sorted(os.listdir("/proc/sys/net/ipv4/conf")), ip("route"), ip("-6", "route")


async def refused(one, new) -> PrepareError:
    before = state()
    with pytest.raises(PrepareError) as error:
        await one.apply(new)
    assert state() == before
    return error.value


async def test_an_address_that_is_not_on_the_host(core, tools) -> None:
    one = await core(2)
    await one.apply(tools.snapshot(1))
    error = await refused(one, tools.snapshot(2, "203.0.113.9"))
    assert error.path == BIND
    assert error.why == "203.0.113.9 is not an address of this host"
    assert error.error_tag == "invalid-value"
    error = await refused(one, tools.snapshot(2, "192.0.2.1", "2001:db8::99"))  # the first one is taken back
    assert error.path == (BIND[0], "wsg-service[name='w1']", *BIND[2:])


@pytest.mark.parametrize("port", [500, 4500])
@pytest.mark.parametrize("reuse", [False, True], ids=["plain", "reuseport"])
async def test_a_port_in_use(core, tools, port: int, reuse: bool) -> None:
    """Also by one that would let us into its group: it would get half of the datagrams."""
    one = await core(2)
    await one.apply(tools.snapshot(1))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        if reuse:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("192.0.2.1", port))
        error = await refused(one, tools.snapshot(2, "192.0.2.1"))
        assert (error.path, error.error_tag) == (BIND, "in-use")
        assert error.why == f"UDP port {port} of 192.0.2.1 is in use by another process"
    await one.apply(tools.snapshot(2, "192.0.2.1"))


async def test_no_tun_device(core, tools, tmp_path) -> None:
    one = await core(1, tun_device=str(tmp_path / "tun"))
    await one.apply(tools.snapshot(1))
    error = await refused(one, tools.snapshot(2, "192.0.2.1"))
    assert (error.path, error.error_tag) == (BIND, "resource-denied")
    assert "the kernel's tun module" in error.why


async def test_a_tun_name_that_is_taken(core, tools) -> None:
    one = await core(1)
    await one.apply(tools.snapshot(1))
    ip("link", "add", "wsg0", "type", "veth", "peer", "name", "other0")
    error = await refused(one, tools.snapshot(2, "192.0.2.1"))
    assert error.why == "a network device wsg0 exists already"


async def test_a_pool_that_the_host_routes_elsewhere(core, tools) -> None:
    one = await core(1)
    await one.apply(tools.snapshot(1))
    ip("tuntap", "add", "dev", "lan0", "mode", "tun")
    ip("link", "set", "lan0", "up")
    ip("route", "add", "10.99.5.0/24", "dev", "lan0")
    error = await refused(one, tools.snapshot(2, "192.0.2.1", pool="10.99.0.0/16"))
    assert (error.path, error.error_tag) == (POOL, "invalid-value")
    assert error.why == "10.99.0.0/16 overlaps 10.99.5.0/24, which this host routes elsewhere"
    ip("route", "replace", "10.96.0.0/12", "dev", "lan0")  # a wider route is no obstacle: ours is more specific
    ip("route", "del", "10.99.5.0/24", "dev", "lan0")
    await one.apply(tools.snapshot(2, "192.0.2.1", pool="10.99.0.0/16"))


async def test_two_services_on_one_address(core, tools) -> None:
    one = await core(1)
    await one.apply(tools.snapshot(1))
    error = await refused(one, tools.snapshot(2, "192.0.2.1", "192.0.2.1"))
    assert error.path == (BIND[0], "wsg-service[name='w1']", *BIND[2:])


async def test_a_context_has_a_tun_with_its_pool_routes_while_a_service_is_bound(core, tools) -> None:
    one = await core(2, threads=2)
    await one.apply(tools.snapshot(1, "192.0.2.1", pool="10.99.0.0/24"))
    assert "wsg0" in ip("-4", "route", "show", "table", "4500", "10.99.0.0/24")
    assert " UP " in ip("-d", "link", "show", "wsg0").replace(",", " ").replace("<", " ").replace(">", " ")
    sysctl = Path("/proc/sys/net")
    assert (sysctl / "ipv4/conf/wsg0/forwarding").read_text() == "1\n"
    assert (sysctl / "ipv4/conf/wsg0/rp_filter").read_text() == "2\n"
    assert (sysctl / "ipv6/conf/wsg0/addr_gen_mode").read_text() == "1\n"
    flags = int(Path("/proc/thread-self/net/dev").exists() and ip("-j", "link", "show", "wsg0").count("MULTICAST"))
    assert flags == 1
    assert len(one.gateway.devices.tuns[0].fds) == 2  # a queue for each thread
    await one.apply(tools.snapshot(2, "192.0.2.1", pool="10.98.0.0/24"))
    assert ip("-4", "route", "show", "table", "4500", "10.99.0.0/24") == ""
    assert "wsg0" in ip("-4", "route", "show", "table", "4500", "10.98.0.0/24")
    await one.apply(tools.snapshot(3, pool="10.98.0.0/24"))
    assert "wsg0" not in ip("link")
    assert not one.gateway.devices.pools


async def test_unchanged_addresses_keep_their_sockets(core, client, tools) -> None:
    one = await core(2)
    await one.apply(tools.snapshot(1, "192.0.2.1"))
    kept = one.gateway.devices.binds["192.0.2.1"].sockets
    await one.apply(tools.snapshot(2, "192.0.2.1", "2001:db8::1"))
    assert one.gateway.devices.binds["192.0.2.1"].sockets is kept
    await one.apply(tools.snapshot(3, "192.0.2.1"))
    assert one.gateway.devices.binds["192.0.2.1"].sockets is kept
    assert not [line for line in sockets() if line.startswith(("udp6", "raw6"))]
    message = tools.ike_message(b"a" * 8, body=b"x")
    assert (await client().ask(("192.0.2.1", 500), message))[1] == 3


async def test_everything_is_closed_at_the_end(netns, core, tools) -> None:
    before = state()
    one = await core(1)
    await one.apply(tools.snapshot(1, "192.0.2.1", "2001:db8::1", pool="10.99.0.0/24"))
    assert state() != before
    await one.gateway.stop(1.0)
    assert state() == before


def selector(first: str, last: str) -> Selector:
    return Selector(0, 0, 65535, first, last)


async def test_routes_of_policies_are_counted_and_default_routes_are_skipped(core, tools) -> None:
    one = await core(1)
    await one.apply(tools.snapshot(1, "192.0.2.1", pool="10.99.0.0/24"))
    routes = one.gateway.routes

    async def present(prefix: str) -> bool:
        await routes.settled()
        version = 6 if ":" in prefix else 4
        return prefix in [str(route.prefix) for route in await one.gateway._netlink.routes(version)]

    routes.add(
        0, 0, 1, (selector("10.1.0.0", "10.1.255.255"), selector("2001:db8:5::", "2001:db8:5:ffff:ffff:ffff:ffff:ffff"))
    )
    routes.add(0, 0, 2, (selector("10.1.0.0", "10.1.255.255"),))
    assert await present("10.1.0.0/16")
    assert await present("2001:db8:5::/48")
    routes.remove(0, 1)
    assert await present("10.1.0.0/16")  # policy 2 still protects it
    assert not await present("2001:db8:5::/48")
    routes.remove(0, 2)
    routes.remove(0, 2)
    assert not await present("10.1.0.0/16")

    before = ip("route", "show", "table", "4500")
    routes.add(0, 0, 3, (selector("0.0.0.0", "255.255.255.255"),))
    routes.add(0, 0, 4, (selector("10.99.0.7", "10.99.0.7"),))  # the pool's route covers it
    routes.add(0, 0, 5, (selector("10.0.0.1", "::1"),))
    routes.add(0, 9, 6, (selector("10.7.0.0", "10.7.0.255"),))  # no such context
    await routes.settled()
    assert ip("route", "show", "table", "4500") == before
    assert (routes.counters["routes.default-route"], routes.counters["routes.malformed"]) == (1, 1)

    ip("tuntap", "add", "dev", "lan0", "mode", "tun")
    ip("link", "set", "lan0", "up")
    ip("route", "add", "10.8.0.0/24", "dev", "lan0")
    routes.add(0, 0, 7, (selector("10.8.0.0", "10.8.0.255"),))
    await routes.settled()
    routes.remove(0, 7)
    await routes.settled()
    assert "lan0" in ip("route", "show", "10.8.0.0/24")  # the host's own route is not touched
