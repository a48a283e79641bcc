"""Commits that somebody refuses: nothing changes, and the error says where and why (architecture section 3)."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest
from lxml import etree

from netconf.store import Store
from nf.config.transaction import PrepareError

pytestmark = pytest.mark.peer

BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
GW = "urn:openwsg:yang:openwsg-gateway"
SYS = "urn:openwsg:yang:openwsg-system"
CTX = "urn:openwsg:yang:openwsg-context"


def config(inside: str) -> str:
    return f'<config xmlns="{BASE}" xmlns:nc="{BASE}"><gateway xmlns="{GW}">{inside}</gateway></config>'


def hostname(name: str) -> str:
    return config(f'<system xmlns="{SYS}"><hostname>{name}</hostname></system>')


async def call(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    return await asyncio.to_thread(lambda: function(*arguments, **named))


async def committed(m: Any, body: str) -> Any:
    reply = await call(m.edit_config, body, target="candidate")
    assert reply.ok, reply.xml
    return await call(m.commit)


def located(reply: Any) -> str:
    """The error-path with its prefixes resolved, as {namespace}name steps, so that a wrong xmlns is noticed."""
    root = etree.fromstring(reply.xml.encode())
    path = root.find(f".//{{{BASE}}}error-path")
    assert path is not None, reply.xml
    text = str(path.text)
    for prefix, uri in path.nsmap.items():
        if prefix:
            text = text.replace(f"{prefix}:", f"{{{uri}}}")
    return text


async def test_a_participant_refuses(rig: Any) -> None:
    m = await rig.connect()
    assert (await committed(m, hostname("one"))).ok
    revision = rig.agent.snapshot.revision
    rig.gateway.refuse = PrepareError(
        ("system", "hostname"), "this name is taken", error_tag="resource-denied", app_tag="name-taken"
    )
    reply = await committed(m, hostname("two"))
    (error,) = reply.errors
    assert (error.tag, error.app_tag, error.message) == ("resource-denied", "name-taken", "this name is taken")
    assert located(reply) == f"/{{{GW}}}gateway/{{{SYS}}}system/{{{SYS}}}hostname"
    assert "one" in (await call(m.get_config, "running")).xml
    assert "two" in (await call(m.get_config, "candidate")).xml
    assert rig.agent.snapshot.revision == revision
    assert '"one"' in (rig.state / "running.cfg").read_text()
    assert (await call(m.validate, "candidate")).errors[0].tag == "resource-denied"
    rig.gateway.refuse = None
    assert (await call(m.commit)).ok
    assert "two" in (await call(m.get_config, "running")).xml


async def test_a_path_with_keys(rig: Any) -> None:
    m = await rig.connect()
    rig.gateway.refuse = PrepareError(("context[name='ran']", "interface[name='a']"), "no such device")
    body = config(f'<context xmlns="{CTX}"><name>ran</name><interface><name>a</name></interface></context>')
    reply = await committed(m, body)
    assert reply.errors[0].tag == "operation-failed"
    c = f"{{{CTX}}}"
    assert located(reply) == f"/{{{GW}}}gateway/{c}context[{c}name='ran']/{c}interface[{c}name='a']"


async def test_a_port_in_use_is_an_error_and_not_a_surprise(rig: Any) -> None:
    m = await rig.connect()
    before = rig.agent.endpoints
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        entry = f"<name>a</name><address>127.0.0.1</address><port>{port}</port>"
        body = config(f'<system xmlns="{SYS}"><netconf><ssh><listen>{entry}</listen></ssh></netconf></system>')
        reply = await committed(m, body)
        (error,) = reply.errors
        assert (error.tag, error.app_tag) == ("resource-denied", "address-in-use")
        assert str(port) in error.message
        assert located(reply).endswith(f"/{{{SYS}}}ssh/{{{SYS}}}listen[{{{SYS}}}name='a']")
        assert rig.gateway.aborted == 1
        assert rig.agent.endpoints == before
    assert (await call(m.commit)).ok
    assert rig.agent.endpoints[0].port == port


async def test_a_listener_moves_to_another_address_of_its_port(rig: Any) -> None:
    """127.0.0.1 to :: and back: what is ours and about to be closed is no obstacle."""
    m = await rig.connect()
    port = rig.agent.endpoints[0].port
    for address in ("127.0.0.1", "::", "127.0.0.2", "0.0.0.0"):
        entry = f"<name>a</name><address>{address}</address><port>{port}</port>"
        body = config(f'<system xmlns="{SYS}"><netconf><ssh><listen>{entry}</listen></ssh></netconf></system>')
        reply = await committed(m, body)
        assert reply.ok, reply.errors
        assert [(one.address, one.port) for one in rig.agent.endpoints] == [(address, port)]


async def test_constraints_of_the_model(rig: Any) -> None:
    """Leafref, mandatory, type: tag, path and message of each."""
    m = await rig.connect()
    service = 'xmlns="urn:openwsg:yang:openwsg-wsg-service"'
    body = config(
        f'<context xmlns="{CTX}"><name>ran</name><wsg-service {service}><name>w</name>'
        "<bind><address>192.0.2.1</address><crypto-template>nowhere</crypto-template></bind></wsg-service></context>"
    )
    reply = await committed(m, body)
    assert reply.errors
    assert "wsg-service" in located(reply)
    assert all(error.message for error in reply.errors)
    assert rig.agent.stats().operations["commit", reply.errors[0].tag] == 1


async def test_rules_beyond_the_model_are_reported_together(rig: Any) -> None:
    """Two pools with bad ranges give two errors in one reply (CTX-16)."""
    m = await rig.connect()
    pools = "".join(
        f"<pool><name>{name}</name><prefix>10.0.0.0/24</prefix><range><start-address>10.0.0.9</start-address>"
        "<end-address>10.0.0.1</end-address></range></pool>"
        for name in ("a", "b")
    )
    body = config(
        f'<context xmlns="{CTX}"><name>ran</name><ip xmlns="urn:openwsg:yang:openwsg-pool">{pools}</ip></context>'
    )
    reply = await committed(m, body)
    assert len(reply.errors) >= 2, reply.xml
    assert all(error.path and error.message for error in reply.errors)


async def test_a_commit_that_breaks_says_so_and_stops_further_ones(rig: Any) -> None:
    m = await rig.connect()
    rig.gateway.fail_commit = True
    reply = await committed(m, hostname("one"))
    assert reply.errors[0].tag == "operation-failed"
    assert "stored" in reply.errors[0].message
    assert "restart" in reply.errors[0].message
    assert '"one"' in (rig.state / "running.cfg").read_text()
    assert "one" in (await call(m.get_config, "running")).xml
    rig.gateway.fail_commit = False
    assert (await committed(m, hostname("two"))).errors[0].tag == "operation-failed"
    assert '"one"' in (rig.state / "running.cfg").read_text()


async def test_a_disk_that_is_full(rig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    m = await rig.connect()
    assert (await committed(m, hostname("one"))).ok
    real = Store.write

    def full(self: Store, name: str, stored: Any, changes: Any = None) -> None:
        if '"two"' in stored.body:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(self, name, stored, changes)

    monkeypatch.setattr(Store, "write", full)
    reply = await committed(m, hostname("two"))
    assert reply.errors[0].tag == "operation-failed"
    assert "No space left" in reply.errors[0].message
    assert rig.gateway.aborted == 1
    assert "one" in (await call(m.get_config, "running")).xml
    assert '"one"' in (rig.state / "running.cfg").read_text()


async def test_unknown_operations_and_parameters(rig: Any) -> None:
    raw = await rig.raw()
    await raw.hello()
    for operation, tag in (
        ("<nonsense/>", "operation-not-supported"),
        ('<nonsense xmlns="urn:x"/>', "operation-not-supported"),
        ("<get><nonsense/></get>", "unknown-element"),
        ("<get-config/>", "missing-element"),
        ("<get-config><source/></get-config>", "missing-element"),
        ("<get-config><source><nowhere/></source></get-config>", "unknown-element"),
        ("<get-config><source><running/><startup/></source></get-config>", "bad-element"),
        ("<get-config><source><url>file:///etc/passwd</url></source></get-config>", "operation-not-supported"),
        ('<get><filter type="magic"/></get>', "bad-attribute"),
        ('<get><filter type="xpath"/></get>', "missing-attribute"),
        ("<edit-config><target><running/></target><config/></edit-config>", "operation-not-supported"),
        ("<edit-config><target><candidate/></target></edit-config>", "missing-element"),
        (
            "<edit-config><target><candidate/></target><default-operation>x</default-operation><config/></edit-config>",
            "invalid-value",
        ),
        ("<kill-session><session-id>0</session-id></kill-session>", "invalid-value"),
        ("<kill-session><session-id>x</session-id></kill-session>", "invalid-value"),
        ("<kill-session><session-id>99</session-id></kill-session>", "invalid-value"),
        ("<kill-session/>", "missing-element"),
        ("<lock/>", "missing-element"),
        ("<unlock><target><running/></target></unlock>", "operation-failed"),
    ):
        reply = await raw.ask(operation)
        assert reply.findtext(f".//{{{BASE}}}error-tag") == tag, etree.tostring(reply)
    assert (await raw.ask("<get-config><source><running/></source></get-config>")).find(f"{{{BASE}}}data") is not None


async def test_a_part_that_does_not_answer(rig: Any) -> None:
    """A timeout in prepare is not mistaken for a fault of the disk, although Python counts it as an OSError."""
    m = await rig.connect()

    async def slow(change: Any) -> None:
        raise TimeoutError

    rig.gateway.prepare = slow
    reply = await committed(m, hostname("one"))
    assert reply.errors[0].tag == "operation-failed"
    assert "in time" in reply.errors[0].message
    assert "one" not in (await call(m.get_config, "running")).xml
    assert '"one"' not in (rig.state / "running.cfg").read_text()
