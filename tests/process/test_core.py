"""The gateway core with real processes, sockets and TUNs in a namespace of its own (architecture sections 2 and 3;
MGR-01, MGR-02, MGR-09)."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
from pathlib import Path

import pytest

from nf.config.transaction import CommitFailed, PrepareError
from nf.ike.inputs import SaFilter
from wsg.supervisor import ChildSettings

pytestmark = [pytest.mark.root, pytest.mark.xdist_group("wsg-core")]

NOBODY = 65534
ADDRESSES = [(socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")]


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("steer", [True, False], ids=["steered", "handed-over"])
async def test_each_datagram_is_answered_by_its_worker(core, client, tools, workers: int, steer: bool) -> None:
    """By SPI, on both ports and families; with the kernel's program, and without it by handing over."""
    one = await core(workers, steer=steer, backend="software")
    await one.apply(tools.snapshot(1, "192.0.2.1", "2001:db8::1"))
    rng = random.Random(workers)
    for family, address in ADDRESSES:
        for port in (500, 4500):
            for worker in range(workers):
                ours, theirs = bytes((worker,)) + rng.randbytes(7), rng.randbytes(8)
                for flow in range(3):
                    peer = client(family)
                    message = tools.ike_message(theirs, ours, 0x08, b"%d" % flow)
                    assert await peer.ask((address, port), message) == (worker, 1, message)
                    message = tools.ike_message(ours, theirs, 0x00, b"%d" % flow)
                    assert await peer.ask((address, port), message) == (worker, 1, message)
    views = await one.gateway.views()
    handed = sum(worker.counters.get("udp.handover-received", 0) for worker in views.workers)
    assert one.gateway.counters["handover.dropped"] == 0
    if steer:
        assert handed == 0
    else:
        assert handed > 0 or workers == 1
    assert sum(worker.counters.get("datagrams-in", 0) for worker in views.workers) == 2 * 2 * workers * 3 * 2


async def test_new_ike_sas_reach_several_workers(core, client, tools) -> None:
    one = await core(3)
    await one.apply(tools.snapshot(1, "192.0.2.1"))
    rng = random.Random(7)
    peer = client()
    found = {(await peer.ask(("192.0.2.1", 500), tools.ike_message(rng.randbytes(8))))[0] for _ in range(60)}
    assert found == {0, 1, 2}


async def test_children_hold_no_privilege(core, tools) -> None:
    one = await core(2)
    await one.apply(tools.snapshot(1, "192.0.2.1"))
    assert len(one.pids()) == 3
    for pid in one.pids():
        status = tools.status(pid)
        assert status["Uid"].split() == ["65534"] * 4
        assert status["Gid"].split() == ["65534"] * 4
        assert status["Groups"] == ""
        assert status["NoNewPrivs"] == "1"
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[kind], 16) == 0, kind


async def test_a_killed_worker_comes_back_with_the_committed_configuration(core, client, tools) -> None:
    """MGR-09: its own tunnels end, those of others stay; what waits in its socket is answered by the successor."""
    one = await core(2)
    await one.apply(tools.snapshot(1, "192.0.2.1"))
    await one.apply(tools.snapshot(5, "192.0.2.1"))
    peer = client()
    for worker in (0, 1):
        message = tools.ike_message(b"a" * 8, bytes((worker,)) * 8, 0x08, b"install")
        if worker == 0:
            message = tools.ike_message(b"a" * 8, b"\0" * 7 + b"\1", 0x08, b"install")
        assert (await peer.ask(("192.0.2.1", 500), message))[0] == worker
    await one.gateway.routes.settled()
    assert (await one.gateway.views()).datapath.sas == 2
    routes = [str(r.prefix) for r in await one.gateway._netlink.routes(4)]
    assert {"10.200.1.0/24", "10.201.1.0/24"} <= set(routes)

    victim = one.gateway.workers[1]
    generation = victim.generation
    os.kill(victim.pid, signal.SIGKILL)
    message = tools.ike_message(b"a" * 8, b"\1" * 8, 0x08, b"x")
    assert await peer.ask(("192.0.2.1", 500), message, seconds=20) == (1, 5, message)
    await one.until(victim.up.is_set)
    assert victim.generation == generation + 1
    assert victim.restarts == 1
    assert tools.status(victim.pid)["Uid"].split()[0] == "65534"
    views = await one.gateway.views()
    assert views.datapath.sas == 1  # the successor knows nothing of the other
    assert [worker.restarts for worker in views.workers] == [0, 0, 1]
    await one.gateway.routes.settled()
    routes = [str(r.prefix) for r in await one.gateway._netlink.routes(4)]
    assert "10.200.1.0/24" in routes
    assert "10.201.1.0/24" not in routes


@pytest.mark.parametrize("backend", ["fake", "software"])
async def test_a_killed_data_path_comes_back_and_every_ike_sa_starts_anew(core, client, tools, backend: str) -> None:
    """Its sequence numbers are lost, and an IV must not be used twice (RFC 4106 section 3.1)."""
    one = await core(2, backend=backend)
    await one.apply(tools.snapshot(1, "192.0.2.1"))
    peer = client()
    install = tools.ike_message(b"a" * 8, b"\1" * 8, 0x08, b"install")
    await peer.ask(("192.0.2.1", 500), install)
    assert (await one.gateway.views()).datapath.sas == 1
    device = one.gateway.devices.device_of(0)
    os.kill(one.gateway.datapath.pid, signal.SIGKILL)
    await one.until(lambda: one.gateway.datapath.restarts == 1 and one.gateway.datapath.up.is_set())
    views = await one.gateway.views()
    assert views.datapath.sas == 0
    assert sum(worker.gauges.get("child-sas", 0) for worker in views.workers) == 0
    assert socket.if_nametoindex("wsg0") == device  # the TUN and its routes outlive the process
    await peer.ask(("192.0.2.1", 500), install)  # and new SAs go to the new process
    assert (await one.gateway.views()).datapath.sas == 1


async def test_a_hanging_worker_is_killed_and_restarted(core, client, tools) -> None:
    children = ChildSettings(NOBODY, NOBODY, "debug", ping_s=0.05, ping_deadline_s=0.5)
    one = await core(1, children=children)
    await one.apply(tools.snapshot(1, "192.0.2.1"))
    worker = one.gateway.workers[0]
    hung = worker.pid
    os.kill(hung, signal.SIGSTOP)
    await one.until(lambda: worker.restarts == 1 and worker.up.is_set())
    assert not Path(f"/proc/{hung}").exists()
    message = tools.ike_message(b"a" * 8, body=b"x")
    assert await client().ask(("192.0.2.1", 500), message) == (0, 1, message)


async def test_the_engines_exception_costs_one_datagram(core, client, tools) -> None:
    one = await core(1)
    await one.apply(tools.snapshot(1, "192.0.2.1"))
    peer = client()
    loop = asyncio.get_running_loop()
    await loop.sock_sendto(peer.socket, b"short", ("192.0.2.1", 500))
    await loop.sock_sendto(peer.socket, tools.ike_message(b"a" * 8, body=b"raise"), ("192.0.2.1", 500))
    message = tools.ike_message(b"a" * 8, body=b"x")
    replies = []
    while not any(reply[2] == message for reply in replies):
        replies.append(await peer.ask(("192.0.2.1", 500), message))
    view = (await one.gateway.views()).workers[1]
    assert view.counters["driver.engine-exceptions"] >= 1
    assert view.restarts == 0


async def test_a_crash_loop_is_told(core, client, tools) -> None:
    one = await core(1)
    await one.apply(tools.snapshot(1, "192.0.2.1"))
    worker = one.gateway.workers[0]
    for number in range(1, 6):
        assert not one.gateway.not_ready()
        os.kill(worker.pid, signal.SIGKILL)
        await one.until(lambda number=number: worker.restarts == number)
        if number < 5:
            await one.until(worker.up.is_set)
    assert one.gateway.not_ready() == ["child process ipsecmgr-0 is in a crash loop"]
    assert (await one.gateway.views()).workers[1].pid == 0


async def test_clear_reaches_every_worker(core, client, tools) -> None:
    one = await core(2)
    await one.apply(tools.snapshot(1, "192.0.2.1"))
    peer = client()
    for spi in (b"\1" * 8, b"\0" * 7 + b"\1"):
        await peer.ask(("192.0.2.1", 500), tools.ike_message(b"a" * 8, spi, 0x08, b"install"))
    assert await one.gateway.clear(SaFilter()) == 2
    await one.until(lambda: True)
    assert (await one.gateway.views()).datapath.sas == 0


async def test_a_worker_that_dies_in_commit_starts_with_the_new_configuration(core, client, tools) -> None:
    one = await core(1)
    await one.apply(tools.snapshot(1, "192.0.2.1"))
    await one.apply(tools.snapshot(2, "192.0.2.1", name="deadly"))  # the echo engine exits in adopt
    worker = one.gateway.workers[0]
    await one.until(lambda: worker.restarts == 1 and worker.up.is_set())
    message = tools.ike_message(b"a" * 8, body=b"x")
    assert await client().ask(("192.0.2.1", 500), message) == (0, 2, message)


async def test_a_refusal_of_one_worker_leaves_everything_as_it_was(core, client, tools) -> None:
    one = await core(3)
    await one.apply(tools.snapshot(1, "192.0.2.1"))
    persisted = []

    async def persist() -> None:
        persisted.append(True)

    with pytest.raises(PrepareError, match="refused by a worker") as refused:
        await one.apply(tools.snapshot(2, "192.0.2.1", "192.0.2.2", name="refused"), persist)
    assert refused.value.path == ("context[name='refused']",)
    assert refused.value.error_tag == "invalid-value"
    assert not persisted
    assert set(one.gateway.devices.binds) == {"192.0.2.1"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("192.0.2.2", 500))  # given back
    message = tools.ike_message(b"a" * 8, body=b"x")
    assert (await client().ask(("192.0.2.1", 500), message))[1] == 1


async def test_a_persist_that_fails_aborts_everywhere(core, tools) -> None:
    one = await core(1)
    await one.apply(tools.snapshot(1))

    async def full() -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        await one.apply(tools.snapshot(2, "192.0.2.1"), full)
    assert not one.gateway.devices.binds
    assert not Path("/proc/sys/net/ipv4/conf/wsg0").exists()
    await one.apply(tools.snapshot(2, "192.0.2.1"))  # and the same can be had afterwards


async def test_check_prepares_and_takes_back(core, tools) -> None:
    from nf.config.transaction import Change

    one = await core(1)
    await one.apply(tools.snapshot(1))
    await one.gateway.check(Change(one.running, tools.snapshot(2, "192.0.2.1"), {}))
    assert not one.gateway.devices.binds
    with pytest.raises(PrepareError):
        await one.gateway.check(Change(one.running, tools.snapshot(2, "203.0.113.9"), {}))
    await one.apply(tools.snapshot(2, "192.0.2.1"))


async def test_commit_failure_is_reported(core, tools) -> None:
    class Broken:
        name = "broken"

        async def prepare(self, change: object) -> None: ...
        async def abort(self, plan: object) -> None: ...
        async def commit(self, plan: object) -> None:
            raise ZeroDivisionError

    one = await core(1)
    one.gateway.add_participant(Broken())
    with pytest.raises(CommitFailed, match="broken"):
        await one.apply(tools.snapshot(1, "192.0.2.1"))
    assert set(one.gateway.devices.binds) == {"192.0.2.1"}  # the others have done their part
