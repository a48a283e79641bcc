"""Confirmed commit (RFC 6241 section 8.4): confirm, cancel, time-out, end of the session, restart, kill -9."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from nf.config.transaction import PrepareError

pytestmark = pytest.mark.peer

ROOT = Path(__file__).parents[2]
BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
SYS = "urn:openwsg:yang:openwsg-system"


class Clock:
    """Timers that end when the test says so."""

    def __init__(self) -> None:
        self.set: list[Alarm] = []

    def later(self, seconds: float, then: Callable[[], None]) -> Alarm:
        self.set.append(Alarm(seconds, then))
        return self.set[-1]

    @property
    def armed(self) -> list[Alarm]:
        return [alarm for alarm in self.set if not alarm.cancelled]


class Alarm:
    def __init__(self, seconds: float, then: Callable[[], None]) -> None:
        self.seconds = seconds
        self.then = then
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def rig(make_rig: Any, clock: Clock) -> AsyncIterator[Any]:
    made = make_rig()
    made.options["later"] = clock.later
    await made.start()
    m = await made.connect()
    await edit(m, "old")
    await ok(m.commit)
    yield made
    await made.stop()


async def ok(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    reply = await asyncio.to_thread(lambda: function(*arguments, **named))
    assert reply.ok, [(e.tag, e.path, e.message) for e in reply.errors]
    return reply


async def refused(function: Callable[..., Any], **named: Any) -> str:
    reply = await asyncio.to_thread(lambda: function(**named))
    assert not reply.ok
    return str(reply.errors[0].tag)


async def edit(m: Any, name: str) -> None:
    body = (
        f'<gateway xmlns="urn:openwsg:yang:openwsg-gateway"><system xmlns="{SYS}"><hostname>{name}</hostname></system>'
    )
    await ok(m.edit_config, f'<config xmlns="{BASE}">{body}</gateway></config>', target="candidate")


async def hostname(m: Any) -> str | None:
    reply = await ok(m.get_config, "running")
    return etree.fromstring(reply.xml.encode()).findtext(f".//{{{SYS}}}hostname")


async def settled(rig: Any) -> None:
    """Until nothing is pending."""
    async with asyncio.timeout(20):
        while rig.agent._server.confirmer.pending is not None:
            await asyncio.sleep(0.01)


def on_disk(rig: Any) -> bool:
    return bool((rig.state / "rollback.cfg").exists())


async def test_it_is_announced(rig: Any) -> None:
    m = await rig.connect()
    assert "urn:ietf:params:netconf:capability:confirmed-commit:1.1" in list(m.server_capabilities)


async def test_confirmed_in_time(rig: Any, clock: Clock) -> None:
    m = await rig.connect()
    await edit(m, "new")
    await ok(m.commit, confirmed=True)
    assert on_disk(rig)  # before <ok/>
    assert rig.gateway.changes[-1].new.system.hostname == "new"
    assert [alarm.seconds for alarm in clock.armed] == [600]
    await ok(m.commit)
    assert not on_disk(rig)
    assert clock.armed == []
    clock.set[-1].then()  # a timer that ended in the same turn of the loop
    await asyncio.gather(*rig.agent._server.confirmer._tasks)
    assert await hostname(m) == "new"


async def test_the_time_is_over(rig: Any, clock: Clock) -> None:
    m = await rig.connect()
    revision = rig.agent.snapshot.revision
    await edit(m, "new")
    await ok(m.commit, confirmed=True, timeout="30")
    assert [alarm.seconds for alarm in clock.armed] == [30]
    await edit(m, "later")  # not committed
    clock.armed[0].then()
    await settled(rig)
    assert await hostname(m) == "old"
    assert rig.agent.snapshot.system.hostname == rig.gateway.changes[-1].new.system.hostname == "old"
    assert rig.agent.snapshot.revision == revision + 2
    assert not on_disk(rig)
    last = json.loads((rig.state / "history.jsonl").read_text().splitlines()[-1])
    assert (last["user"], last["revision"]) == ("rollback", revision + 2)
    await ok(m.commit)  # the candidate kept its change
    assert await hostname(m) == "later"


async def test_a_follow_up_starts_the_timer_anew_and_goes_back_to_the_beginning(rig: Any, clock: Clock) -> None:
    m = await rig.connect()
    await edit(m, "new")
    await ok(m.commit, confirmed=True, timeout="30")
    await edit(m, "newer")
    await ok(m.commit, confirmed=True, timeout="40")
    assert [alarm.seconds for alarm in clock.armed] == [40]
    clock.set[0].then()  # the first, too late
    await asyncio.gather(*rig.agent._server.confirmer._tasks)
    assert await hostname(m) == "newer"
    clock.armed[0].then()
    await settled(rig)
    assert await hostname(m) == "old"


async def test_a_commit_that_fails_leaves_what_is_pending(rig: Any, clock: Clock) -> None:
    m = await rig.connect()
    await edit(m, "new")
    await ok(m.commit, confirmed=True)
    await edit(m, "bad")
    rig.gateway.refuse = PrepareError((), "no")
    assert await refused(m.commit) == "operation-failed"
    assert await refused(m.commit, confirmed=True) == "operation-failed"
    assert on_disk(rig)
    clock.armed[0].then()  # the rollback is refused, too, and tried again
    await asyncio.gather(*rig.agent._server.confirmer._tasks)
    assert [alarm.seconds for alarm in clock.armed] == [60]
    rig.gateway.refuse = None
    clock.armed[0].then()
    await settled(rig)
    assert await hostname(m) == "old"


async def test_a_first_commit_that_fails_pends_on_nothing(rig: Any, clock: Clock) -> None:
    m = await rig.connect()
    await edit(m, "bad")
    rig.gateway.refuse = PrepareError((), "no")
    assert await refused(m.commit, confirmed=True) == "operation-failed"
    assert not on_disk(rig)
    assert clock.set == []


async def test_cancel(rig: Any, clock: Clock) -> None:
    m, other = await rig.connect(), await rig.connect()
    await edit(m, "new")
    await ok(m.commit, confirmed=True)
    assert await refused(other.cancel_commit) == "in-use"
    assert await refused(m.cancel_commit, persist_id="x") == "invalid-value"
    await ok(m.cancel_commit)
    assert await hostname(m) == "old"
    assert not on_disk(rig)
    assert clock.armed == []
    assert await refused(m.cancel_commit) == "operation-failed"


@pytest.mark.parametrize("how", ["close", "kill", "abort"])
async def test_the_session_ends(rig: Any, how: str) -> None:
    m, other = await rig.connect(), await rig.connect()
    await edit(m, "new")
    await ok(m.commit, confirmed=True)
    if how == "close":
        await ok(m.close_session)
    elif how == "kill":
        await ok(other.kill_session, m.session_id)
    else:
        await asyncio.to_thread(m._session.close)
    await settled(rig)
    assert await hostname(other) == "old"


async def test_another_session(rig: Any) -> None:
    """Neither confirms, nor commits, nor locks running; edits are free."""
    m, other = await rig.connect(), await rig.connect()
    await edit(m, "new")
    await ok(m.commit, confirmed=True)
    await edit(other, "other")
    assert await refused(other.commit) == "in-use"
    assert await refused(other.commit, confirmed=True) == "in-use"
    assert await refused(other.lock, target="running") == "lock-denied"
    await ok(m.lock, "running")
    await ok(m.unlock, "running")
    assert await hostname(other) == "new"
    await ok(m.commit)
    await ok(other.lock, "running")


async def test_persist(rig: Any, clock: Clock) -> None:
    m, other = await rig.connect(), await rig.connect()
    await edit(m, "new")
    await ok(m.commit, confirmed=True, timeout="30", persist="token")
    await ok(m.close_session)
    assert await hostname(other) == "new"
    assert await refused(other.commit) == "invalid-value"
    assert await refused(other.commit, persist_id="wrong") == "invalid-value"
    assert await refused(other.cancel_commit) == "invalid-value"
    assert await refused(other.cancel_commit, persist_id="wrong") == "invalid-value"
    await ok(other.commit, confirmed=True, timeout="50", persist_id="token")  # goes on, with the same token
    assert [alarm.seconds for alarm in clock.armed] == [50]
    await ok(other.commit, persist_id="token")
    assert not on_disk(rig)
    assert clock.armed == []
    assert await hostname(other) == "new"
    assert await refused(other.commit, persist_id="token") == "invalid-value"


async def test_persist_and_cancel_by_another_session(rig: Any) -> None:
    m, other = await rig.connect(), await rig.connect()
    await edit(m, "new")
    await ok(m.commit, confirmed=True, persist="token")
    await ok(other.cancel_commit, persist_id="token")
    assert await hostname(m) == "old"


@pytest.mark.parametrize(
    ("inside", "tag"),
    [
        ("<confirmed/><confirm-timeout>0</confirm-timeout>", "invalid-value"),
        ("<confirmed/><confirm-timeout>1</confirm-timeout>", None),
        ("<confirmed/><confirm-timeout>4294967295</confirm-timeout>", None),
        ("<confirmed/><confirm-timeout>4294967296</confirm-timeout>", "invalid-value"),
        ("<confirmed/><confirm-timeout>soon</confirm-timeout>", "invalid-value"),
        ("<confirm-timeout>9</confirm-timeout>", "invalid-value"),
        ("<persist>x</persist>", "invalid-value"),
        ("<confirmed/><persist/>", "invalid-value"),
        (f"<confirmed/><persist>{'x' * 255}</persist>", None),
        (f"<confirmed/><persist>{'x' * 256}</persist>", "invalid-value"),
        ("<persist-id>x</persist-id>", "invalid-value"),
    ],
)
async def test_parameters(rig: Any, inside: str, tag: str | None) -> None:
    raw = await rig.raw()
    await raw.hello()
    reply = await raw.ask(f"<commit>{inside}</commit>")
    assert reply.findtext(f".//{{{BASE}}}error-tag") == tag


@pytest.mark.parametrize("persist", [None, "token"])
async def test_a_restart_goes_back(rig: Any, make_rig: Any, persist: str | None) -> None:
    m = await rig.connect()
    await edit(m, "new")
    await ok(m.commit, confirmed=True, persist=persist)
    revision = rig.agent.snapshot.revision
    await rig.stop()
    assert on_disk(rig)
    again = make_rig()
    await again.start()
    assert again.agent.snapshot.system.hostname == "old"
    assert again.agent.stats().running_revision == revision + 1
    assert not on_disk(again)
    await again.stop()
    await again.start()
    assert again.agent.snapshot.system.hostname == "old"
    await again.stop()


CHILD = """
import asyncio, os, signal, sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from conftest import YANG, MemoryGateway
from netconf.agent import Agent
from netconf.store import Author

async def main(state, die_at):
    gateway = MemoryGateway()
    agent = Agent(state, YANG, gateway)
    gateway.participants.append(agent.listeners)
    await agent.load()
    stores, confirmer = agent._datastores, agent._server.confirmer

    def candidate(name):
        body = '{"openwsg-gateway:gateway": {"openwsg-system:system": {"hostname": "%s"}}}' % name
        stores.replace_candidate(agent._context.parse(body, "json"))

    async with stores.writing:
        candidate("old")
        await confirmer.commit(Author("child", 1), None)
        steps = 0

        def step(name):
            nonlocal steps
            steps += 1
            if steps == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

        agent._store._on_step = step
        candidate("new")
        await confirmer.commit_confirmed(Author("child", 1), 600, None, None)
        print(steps, flush=True)
        if die_at == 99:
            os.kill(os.getpid(), signal.SIGKILL)
        await confirmer.commit(Author("child", 1), None)
        print("confirmed", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


@pytest.mark.parametrize(
    ("die_at", "printed", "found"),
    [
        (3, [], "old"),  # the rollback is being written
        (5, [], "old"),  # and in its place
        (9, [], "old"),  # running is being written
        (11, [], "old"),  # and in its place
        (13, [], "old"),
        (99, ["13"], "old"),  # <ok/> has gone out
        (100, ["13", "confirmed"], "new"),
    ],
)
async def test_kill_in_the_middle(make_rig: Any, die_at: int, printed: list[str], found: str) -> None:
    rig = make_rig()
    arguments = [sys.executable, "-c", CHILD, str(rig.state), str(die_at), str(ROOT / "tests/netconf")]
    done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.stdout.split() == printed
    await rig.start()
    try:
        assert rig.agent.snapshot.system.hostname == found
        assert not on_disk(rig)
    finally:
        await rig.stop()


async def test_a_rollback_that_cannot_be_stored(rig: Any, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is committed then; and what a failed write left behind takes no later commit back."""
    m = await rig.connect()
    await edit(m, "new")
    write = rig.agent._store.write

    def late(name: str, *arguments: Any) -> None:
        write(name, *arguments)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(rig.agent._store, "write", late)
    assert await refused(m.commit, confirmed=True) == "operation-failed"
    monkeypatch.undo()
    assert (await hostname(m), clock.set) == ("old", [])
    await ok(m.commit)
    assert not on_disk(rig)
    assert await hostname(m) == "new"
