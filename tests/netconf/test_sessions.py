"""Several sessions: locks and who holds them, kill-session, order of pipelined requests, the shared candidate."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lxml import etree

pytestmark = pytest.mark.peer

BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
SYS = "urn:openwsg:yang:openwsg-system"
GW = "urn:openwsg:yang:openwsg-gateway"


def edit(name: str) -> str:
    return (
        f'<edit-config><target><candidate/></target><config><gateway xmlns="{GW}"><system xmlns="{SYS}">'
        f"<hostname>{name}</hostname></system></gateway></config></edit-config>"
    )


def lock(name: str = "candidate") -> str:
    return f"<lock><target><{name}/></target></lock>"


def unlock(name: str = "candidate") -> str:
    return lock(name).replace("lock>", "unlock>")


def get(name: str) -> str:
    return f"<get-config><source><{name}/></source></get-config>"


def tag(reply: etree._Element) -> str:
    """ "ok", or the tag of the first error with the session-id that it names."""
    found = reply.findtext(f".//{{{BASE}}}error-tag")
    if found is None:
        return "ok"
    holder = reply.findtext(f".//{{{BASE}}}session-id")
    return found if holder is None else f"{found} {holder}"


async def opened(rig: Any) -> tuple[Any, str]:
    raw = await rig.raw()
    theirs = await raw.hello()
    return raw, theirs.findtext(f"{{{BASE}}}session-id")


async def test_lock_contention_names_the_holder(rig: Any) -> None:
    """RFC 6241 section 7.5: lock-denied with session-id; writes are refused the same way."""
    (one, id_one), (two, _) = await opened(rig), await opened(rig)
    assert tag(await one.ask(lock())) == "ok"
    assert tag(await one.ask(lock("running"))) == "ok"
    assert tag(await two.ask(lock())) == f"lock-denied {id_one}"
    assert tag(await one.ask(lock())) == f"lock-denied {id_one}"
    assert tag(await two.ask(edit("two"))) == f"in-use {id_one}"
    assert tag(await two.ask("<discard-changes/>")) == f"in-use {id_one}"
    assert tag(await two.ask("<commit/>")) == f"in-use {id_one}"
    assert tag(
        await two.ask("<copy-config><target><candidate/></target><source><running/></source></copy-config>")
    ) == (f"in-use {id_one}")
    assert tag(await two.ask(unlock())) == f"operation-failed {id_one}"
    assert tag(await two.ask(get("candidate"))) == "ok"
    assert tag(await one.ask(edit("one"))) == "ok"
    assert tag(await one.ask("<commit/>")) == "ok"
    assert tag(await one.ask(unlock())) == "ok"
    assert tag(await two.ask(edit("two"))) == "ok"
    assert tag(await two.ask("<commit/>")) == f"in-use {id_one}"  # running is still locked
    assert tag(await one.ask(unlock("running"))) == "ok"
    assert tag(await two.ask("<commit/>")) == "ok"


async def test_the_state_shows_who_holds_a_lock(rig: Any) -> None:
    one, id_one = await opened(rig)
    await one.ask(lock("startup"))
    space = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"
    reply = await one.ask(f'<get><filter><netconf-state xmlns="{space}"><datastores/></netconf-state></filter></get>')
    assert reply.findtext(f".//{{{space}}}locked-by-session") == id_one


async def test_a_modified_candidate_cannot_be_locked(rig: Any) -> None:
    (one, _), (two, _) = await opened(rig), await opened(rig)
    assert tag(await one.ask(edit("one"))) == "ok"
    assert tag(await two.ask(lock())) == "lock-denied 0"
    assert tag(await two.ask("<discard-changes/>")) == "ok"
    assert tag(await two.ask(lock())) == "ok"


@pytest.mark.parametrize("how", ["close-session", "abort", "unlock"])
async def test_uncommitted_changes_go_with_the_lock(rig: Any, how: str) -> None:
    """RFC 6241 section 8.3.5.2."""
    (one, _), (two, _) = await opened(rig), await opened(rig)
    await one.ask(lock())
    await one.ask(edit("one"))
    if how == "close-session":
        assert tag(await one.ask("<close-session/>")) == "ok"
    elif how == "abort":
        one.connection.abort()
    else:
        await one.ask(unlock())
    async with asyncio.timeout(10):
        while tag(await two.ask(lock())) != "ok":
            await asyncio.sleep(0.01)
    assert b"one" not in etree.tostring(await two.ask(get("candidate")))


async def test_kill_session_frees_the_locks_before_it_answers(rig: Any) -> None:
    """RFC 6241 section 7.9."""
    (one, id_one), (two, id_two) = await opened(rig), await opened(rig)
    await one.ask(lock())
    await one.ask(edit("one"))
    assert tag(await two.ask(f"<kill-session><session-id>{id_two}</session-id></kill-session>")) == "invalid-value"
    two.send(f"<kill-session><session-id>{id_one}</session-id></kill-session>")
    two.send(lock())
    assert tag(await two.read()) == "ok"
    assert tag(await two.read()) == "ok"
    with pytest.raises(EOFError):
        await one.read()
    assert tag(await two.ask(f"<kill-session><session-id>{id_one}</session-id></kill-session>")) == "invalid-value"
    assert rig.agent.stats().sessions_current == 1
    assert b"one" not in etree.tostring(await two.ask(get("candidate")))


async def test_a_killed_session_carries_out_nothing_that_waits(rig: Any) -> None:
    """Its edit was sent, and waits for a commit in progress: kill-session ends it before its turn."""
    (one, _), (two, id_two), (three, _) = await opened(rig), await opened(rig), await opened(rig)
    await one.ask(edit("one"))
    rig.gateway.hold = asyncio.Event()
    one.send("<commit/>")
    async with asyncio.timeout(10):
        while not rig.agent._server.datastores.writing.locked():
            await asyncio.sleep(0.01)
    two.send(edit("two"))
    async with asyncio.timeout(10):
        while rig.agent._server.clients[int(id_two)].in_rpcs == 0:
            await asyncio.sleep(0.01)
    assert tag(await three.ask(f"<kill-session><session-id>{id_two}</session-id></kill-session>")) == "ok"
    rig.gateway.hold.set()
    assert tag(await one.read()) == "ok"
    candidate = etree.tostring(await three.ask(get("candidate")))
    assert b"one" in candidate
    assert b"two" not in candidate


async def test_a_commit_goes_on_without_its_session(rig: Any) -> None:
    one, _ = await opened(rig)
    await one.ask(edit("one"))
    rig.gateway.hold = asyncio.Event()
    one.send("<commit/>")
    async with asyncio.timeout(10):
        while not rig.agent._server.datastores.writing.locked():
            await asyncio.sleep(0.01)
    one.connection.abort()
    async with asyncio.timeout(10):
        while rig.agent.stats().sessions_current:
            await asyncio.sleep(0.01)
    rig.gateway.hold.set()
    two, _ = await opened(rig)
    async with asyncio.timeout(10):
        while b"one" not in etree.tostring(await two.ask(get("running"))):
            await asyncio.sleep(0.01)


async def test_pipelined_requests_are_answered_in_order(rig: Any) -> None:
    """OpenDaylight sends lock, edit-config, commit, unlock without waiting (anchors, section 3)."""
    raw, _ = await opened(rig)
    operations = []
    for i in range(30):
        operations += [lock(), edit(f"host{i}"), "<nonsense/>", "<commit/>", unlock(), get("running")]
    for number, operation in enumerate(operations):
        raw.send(operation, str(number))
    for number, operation in enumerate(operations):
        reply = await raw.read()
        assert reply.get("message-id") == str(number)
        assert tag(reply) == ("operation-not-supported" if operation == "<nonsense/>" else "ok")
        if operation == get("running"):
            assert f"host{number // 6}".encode() in etree.tostring(reply)


async def test_a_commit_after_a_failed_edit_commits_what_was_there(rig: Any) -> None:
    raw, _ = await opened(rig)
    raw.send(edit("good"), "1")
    raw.send(edit("bad_name!"), "2")
    raw.send("<commit/>", "3")
    assert [tag(await raw.read()) for _ in range(3)] == ["ok", "invalid-value", "ok"]
    assert b"good" in etree.tostring(await raw.ask(get("running")))


async def test_commits_of_many_sessions_are_one_after_another(rig: Any) -> None:
    sessions = [(await opened(rig))[0] for _ in range(6)]

    async def work(number: int, raw: Any) -> None:
        for turn in range(5):
            while tag(await raw.ask(lock())) != "ok":
                await asyncio.sleep(0.005)
            assert tag(await raw.ask(edit(f"h{number}x{turn}"))) == "ok"
            assert tag(await raw.ask("<commit/>")) == "ok"
            assert tag(await raw.ask(unlock())) == "ok"

    async with asyncio.timeout(60):
        await asyncio.gather(*(work(number, raw) for number, raw in enumerate(sessions)))
    revisions = [change.new.revision for change in rig.gateway.changes]
    assert revisions == list(range(1, 32))
    for earlier, later in zip(rig.gateway.changes, rig.gateway.changes[1:], strict=False):
        assert later.old is earlier.new


async def test_attributes_come_back(rig: Any) -> None:
    """RFC 6241 section 4.1."""
    raw, _ = await opened(rig)
    raw.send("<get-config><source><running/></source></get-config>", "a&amp;b", 'xmlns:ex="urn:ex" ex:user="fred"')
    reply = await raw.read()
    assert dict(reply.attrib) == {"message-id": "a&b", "{urn:ex}user": "fred"}
