"""Every operation, asked by ncclient of a real agent (RFC 6241 section 7 and 8, RFC 6022)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from nf.config.snapshot import Endpoint

pytestmark = pytest.mark.peer

BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
GW = "urn:openwsg:yang:openwsg-gateway"
SYS = "urn:openwsg:yang:openwsg-system"
CTX = "urn:openwsg:yang:openwsg-context"
DEMO = Path(__file__).parents[2] / "docs/examples"
NS = {"nc": BASE, "s": SYS, "g": GW, "c": CTX, "m": "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"}


def config(inside: str) -> str:
    return f'<config xmlns="{BASE}" xmlns:nc="{BASE}"><gateway xmlns="{GW}">{inside}</gateway></config>'


def hostname(name: str) -> str:
    return config(f'<system xmlns="{SYS}"><hostname>{name}</hostname></system>')


async def call(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    return await asyncio.to_thread(lambda: function(*arguments, **named))


async def ok(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    reply = await call(function, *arguments, **named)
    assert reply.ok, [(e.tag, e.path, e.message) for e in reply.errors]
    return reply


def text(reply: Any, xpath: str) -> list[str]:
    return [str(node.text) for node in etree.fromstring(reply.xml.encode()).xpath(xpath, namespaces=NS)]


async def test_edit_commit_and_read_back(rig: Any) -> None:
    m = await rig.connect()
    await ok(m.edit_config, hostname("one"), target="candidate")
    assert text(await ok(m.get_config, "running"), "//s:hostname") == []
    assert text(await ok(m.get_config, "candidate"), "//s:hostname") == ["one"]
    await ok(m.commit)
    assert text(await ok(m.get_config, "running"), "//s:hostname") == ["one"]
    assert rig.gateway.changes[-1].new.system.hostname == "one"
    assert rig.agent.snapshot.system.hostname == "one"


async def test_a_commit_without_a_change_asks_nobody(rig: Any) -> None:
    m = await rig.connect()
    await ok(m.edit_config, hostname("one"), target="candidate")
    await ok(m.commit)
    before, revision = len(rig.gateway.changes), rig.agent.snapshot.revision
    await ok(m.commit)
    await ok(m.edit_config, hostname("one"), target="candidate")
    await ok(m.commit)
    await ok(m.edit_config, hostname("two"), target="candidate")
    await ok(m.edit_config, hostname("one"), target="candidate")
    await ok(m.commit)
    assert (len(rig.gateway.changes), rig.agent.snapshot.revision) == (before, revision)


async def test_discard_changes(rig: Any) -> None:
    m = await rig.connect()
    await ok(m.edit_config, hostname("one"), target="candidate")
    await ok(m.discard_changes)
    assert text(await ok(m.get_config, "candidate"), "//s:hostname") == []


async def test_the_whole_demo_configuration(rig: Any) -> None:
    """docs/examples/demo.xml goes in as it is and comes out with its keys sealed (AUT-08)."""
    m = await rig.connect()
    demo = (DEMO / "demo.xml").read_text()
    inside = etree.tostring(etree.fromstring(demo.encode())).decode()
    body = inside if inside.startswith("<config") else f'<config xmlns="{BASE}">{inside}</config>'
    await ok(m.edit_config, body, target="candidate")
    await ok(m.validate, "candidate")
    await ok(m.commit)
    change = rig.gateway.changes[-1]
    assert [service.name for service in change.new.contexts[0].services] == ["sites", "clients"]
    assert b"demo client key, replace me" in change.secrets.values()
    reply = await ok(m.get_config, "running")
    assert "replace me" not in reply.xml
    # What came out goes back in and changes nothing.
    data = etree.tostring(etree.fromstring(reply.xml.encode())[0][0]).decode()
    before = len(rig.gateway.changes)
    await ok(m.edit_config, f'<config xmlns="{BASE}">{data}</config>', target="candidate", default_operation="replace")
    await ok(m.commit)
    await ok(m.edit_config, body, target="candidate")
    await ok(m.commit)
    assert len(rig.gateway.changes) == before


async def test_default_operation_and_error_options(rig: Any) -> None:
    m = await rig.connect()
    two = config(f'<system xmlns="{SYS}"><hostname>bad_name!</hostname><ipsec-managers>3</ipsec-managers></system>')
    for option, left in (("continue-on-error", ["3"]), ("rollback-on-error", []), ("stop-on-error", [])):
        reply = await call(m.edit_config, two, target="candidate", error_option=option)
        assert [error.tag for error in reply.errors] == ["invalid-value"]
        assert text(await ok(m.get_config, "candidate"), "//s:ipsec-managers") == left
        await ok(m.discard_changes)
    reply = await call(m.edit_config, hostname("x"), target="candidate", default_operation="none")
    assert [error.tag for error in reply.errors] == ["data-missing"]


async def test_test_option(rig: Any) -> None:
    m = await rig.connect()
    half = config(f'<context xmlns="{CTX}"><name>ran</name><interface><name>a</name></interface></context>')
    dangling = half.replace(
        "</context>",
        '<wsg-service xmlns="urn:openwsg:yang:openwsg-wsg-service"><name>w</name><bind><address>192.0.2.1</address>'
        "<crypto-template>nowhere</crypto-template></bind></wsg-service></context>",
    )
    await ok(m.edit_config, half, target="candidate", test_option="test-only")
    assert text(await ok(m.get_config, "candidate"), "//c:name") == []
    reply = await call(m.edit_config, dangling, target="candidate", test_option="test-then-set")
    assert reply.errors
    assert text(await ok(m.get_config, "candidate"), "//c:name") == []
    await ok(m.edit_config, dangling, target="candidate", test_option="set")
    reply = await call(m.validate, "candidate")
    assert reply.errors
    await ok(m.discard_changes)
    await ok(m.edit_config, half, target="candidate", test_option="test-then-set")
    assert text(await ok(m.get_config, "candidate"), "//c:interface/c:name") == ["a"]


async def test_copy_config_and_startup(rig: Any) -> None:
    m = await rig.connect()
    await ok(m.edit_config, hostname("one"), target="candidate")
    await ok(m.commit)
    await ok(m.copy_config, "running", "startup")
    await ok(m.edit_config, hostname("two"), target="candidate")
    await ok(m.commit)
    assert text(await ok(m.get_config, "startup"), "//s:hostname") == ["one"]
    await ok(m.copy_config, "startup", "candidate")
    await ok(m.commit)
    assert text(await ok(m.get_config, "running"), "//s:hostname") == ["one"]
    await ok(m.copy_config, etree.fromstring(f'<source xmlns="{BASE}">{hostname("three")}</source>'), "candidate")
    assert text(await ok(m.get_config, "candidate"), "//s:hostname") == ["three"]
    await ok(m.copy_config, "running", "candidate")
    assert text(await ok(m.get_config, "candidate"), "//s:hostname") == ["one"]
    await ok(m.delete_config, "startup")
    assert text(await ok(m.get_config, "startup"), "//s:hostname") == []
    for target, source in (("running", "candidate"), ("candidate", "candidate")):
        assert (await call(m.copy_config, source, target)).errors
    assert (await call(m.delete_config, "candidate")).errors[0].tag == "operation-not-supported"


async def test_validate_of_inline_configuration(rig: Any) -> None:
    """A fault in what is sent along is found, and the datastores are not touched."""
    m = await rig.connect()
    await ok(m.validate, etree.fromstring(hostname("one")))
    reply = await call(m.validate, etree.fromstring(hostname("bad_name!")))
    assert reply.errors[0].tag == "invalid-value"
    assert "hostname" in reply.errors[0].path
    unknown = config(f'<system xmlns="{SYS}"><nonsense/></system>')
    reply = await call(m.validate, etree.fromstring(unknown))
    assert reply.errors[0].tag == "unknown-element"
    assert text(await ok(m.get_config, "candidate"), "//s:hostname") == []


async def test_subtree_and_xpath_filters(rig: Any) -> None:
    m = await rig.connect()
    await ok(
        m.edit_config,
        hostname("one").replace(
            "</gateway>",
            f'<context xmlns="{CTX}"><name>a</name></context><context xmlns="{CTX}"><name>b</name></context></gateway>',
        ),
        target="candidate",
    )
    await ok(m.commit)
    only = f'<gateway xmlns="{GW}"><context xmlns="{CTX}"><name>b</name></context></gateway>'
    reply = await ok(m.get_config, "running", filter=("subtree", only))
    assert text(reply, "//c:name") == ["b"]
    assert text(reply, "//s:hostname") == []
    xpath = ({"g": GW, "c": CTX}, "/g:gateway/c:context[c:name='a']")
    reply = await ok(m.get_config, "running", filter=("xpath", xpath))
    assert text(reply, "//c:name") == ["a"]
    reply = await call(m.get, filter=("xpath", ({"g": GW}, "/g:gateway[")))
    assert reply.errors[0].tag == "invalid-value"


async def test_get_has_configuration_and_state(rig: Any) -> None:
    m = await rig.connect()
    await ok(m.edit_config, hostname("one"), target="candidate")
    await ok(m.commit)
    reply = await ok(m.get)
    assert text(reply, "//s:hostname") == ["one"]
    assert text(reply, "//*[local-name()='statistics']/*[local-name()='up-time']") == ["0.0"]
    assert text(reply, "//m:session/m:username") == ["admin"]
    assert text(reply, "//m:session/m:transport") == ["ncm:netconf-ssh"]
    library = "/nc:rpc-reply/nc:data/*[local-name()='yang-library']/*[local-name()='content-id']"
    (content,) = text(reply, library)
    (capability,) = [uri for uri in m.server_capabilities if "yang-library:1.1" in uri]
    assert capability.endswith(f"content-id={content}")
    only = '<netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><datastores/></netconf-state>'
    reply = await ok(m.get, filter=("subtree", only))
    assert text(reply, "//m:datastore/m:name") == ["running", "candidate", "startup"]
    assert text(reply, "//s:hostname") == []


async def test_every_listed_schema_can_be_fetched(rig: Any) -> None:
    """A mount by OpenDaylight fetches them all, and wants ietf-netconf-monitoring announced (anchors, section 3)."""
    m = await rig.connect()
    assert any("module=ietf-netconf-monitoring" in uri for uri in m.server_capabilities)
    only = '<netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><schemas/></netconf-state>'
    reply = await ok(m.get, filter=("subtree", only))
    names = text(reply, "//m:schema/m:identifier")
    versions = text(reply, "//m:schema/m:version")
    assert {"openwsg-gateway", "ietf-netconf", "ietf-yang-types", "ietf-inet-types"} <= set(names)
    for name, version in zip(names, versions, strict=True):
        schema = await call(m.get_schema, name, version=version, format="yang")
        assert f"module {name}" in schema.data, name
    assert (await call(m.get_schema, "nonsense")).errors[0].tag == "invalid-value"
    assert (await call(m.get_schema, "openwsg-gateway", version="1999-01-01")).errors[0].tag == "invalid-value"


async def test_clear_reaches_the_gateway(rig: Any) -> None:
    """EXE-01, as the model defines it."""
    m = await rig.connect()
    space = "urn:openwsg:yang:openwsg-security-association"
    rpc = etree.fromstring(
        f'<clear-security-association xmlns="{space}"><peer>192.0.2.7</peer></clear-security-association>'
    )
    reply = await call(m.dispatch, rpc)
    assert text(reply, "//*[local-name()='deleted']") == ["3"]
    assert rig.gateway.cleared[0].peer == "192.0.2.7"
    wrong = etree.fromstring(
        f'<clear-security-association xmlns="{space}"><peer>nobody</peer></clear-security-association>'
    )
    reply = await call(m.dispatch, wrong)
    assert reply.errors[0].tag == "invalid-value"
    assert len(rig.gateway.cleared) == 1


async def test_close_session(rig: Any) -> None:
    m = await rig.connect()
    await ok(m.close_session)
    async with asyncio.timeout(10):
        while rig.agent.stats().sessions_current:
            await asyncio.sleep(0.01)
    assert rig.agent.stats().sessions_dropped == 0


async def test_statistics(rig: Any) -> None:
    m = await rig.connect()
    await ok(m.edit_config, hostname("one"), target="candidate")
    await ok(m.commit)
    await call(m.edit_config, hostname("bad_name!"), target="candidate")
    stats = rig.agent.stats()
    assert stats.operations["edit-config", "ok"] == 1
    assert stats.operations["edit-config", "invalid-value"] == 1
    assert (stats.sessions_current, stats.sessions_opened, stats.in_rpcs) == (1, 1, 3)
    assert stats.commit_durations_s.count == 1
    assert stats.running_revision == rig.agent.snapshot.revision


async def test_history_names_the_author(rig: Any) -> None:
    m = await rig.connect()
    await ok(m.edit_config, hostname("one"), target="candidate")
    await ok(m.commit)
    lines = [json.loads(line) for line in (rig.state / "history.jsonl").read_text().splitlines()]
    assert [line["user"] for line in lines] == ["factory-default", "admin"]
    assert lines[-1]["session-id"] == int(m.session_id)
    assert any("hostname" in change for change in lines[-1]["changes"])


async def test_listeners_follow_the_configuration(rig: Any, unused_port: int) -> None:
    """A new address is opened at the commit, the old one closed; the session that did it goes on."""
    m = await rig.connect()
    entry = f"<name>a</name><address>127.0.0.1</address><port>{unused_port}</port>"
    listen = f'<system xmlns="{SYS}"><netconf><ssh><listen>{entry}</listen></ssh></netconf></system>'
    await ok(m.edit_config, config(listen), target="candidate")
    await ok(m.commit)
    assert rig.agent.endpoints == (Endpoint("127.0.0.1", unused_port),)
    assert text(await ok(m.get_config, "running"), "//s:port") == [str(unused_port)]
    other = await rig.connect()
    await ok(other.get_config, "running")
