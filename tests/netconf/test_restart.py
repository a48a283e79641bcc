"""What a restart finds: the last committed configuration, keys, sealed secrets; or the factory default."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from netconf.agent import LoadError

pytestmark = pytest.mark.peer

BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
ROOT = Path(__file__).parents[2]
KEYS = ("demo eNodeB key, replace me", "demo client key, replace me")


async def opened(rig: Any) -> Any:
    raw = await rig.raw()
    await raw.hello()
    return raw


def demo() -> str:
    root = etree.fromstring((ROOT / "docs/examples/demo.xml").read_bytes())
    children = list(root) if etree.QName(root).localname in ("config", "data") else [root]
    return "".join(etree.tostring(child).decode() for child in children)


def edit(inside: str) -> str:
    return f"<edit-config><target><candidate/></target><config>{inside}</config></edit-config>"


async def ok(raw: Any, operation: str) -> etree._Element:
    reply = await raw.ask(operation)
    assert reply.find(f".//{{{BASE}}}rpc-error") is None, etree.tostring(reply)
    return reply


async def test_the_last_commit_is_there_after_a_restart(make_rig: Any) -> None:
    rig = make_rig()
    await rig.start()
    raw = await opened(rig)
    await ok(raw, edit(demo()))
    await ok(raw, "<commit/>")
    before = etree.tostring((await ok(raw, "<get-config><source><running/></source></get-config>"))[0])
    snapshot, secrets = rig.agent.snapshot, dict(rig.gateway.changes[-1].secrets)
    await ok(raw, edit(demo().replace("segw.demo.example", "other.example")))  # not committed
    await rig.stop()

    again = make_rig()
    await again.start()
    try:
        raw = await opened(again)
        after = etree.tostring((await ok(raw, "<get-config><source><running/></source></get-config>"))[0])
        assert after == before
        assert again.agent.snapshot == snapshot
        assert dict(again.gateway.changes[-1].secrets) == secrets
        assert len(again.gateway.changes) == 1
        host = etree.fromstring(f"<x>{demo()}</x>")
        assert host is not None
        await ok(raw, edit(demo().replace("segw.demo.example", "third.example")))
        await ok(raw, "<commit/>")
        assert again.agent.snapshot.revision == snapshot.revision + 1
    finally:
        await again.stop()


async def test_secrets_are_nowhere_in_clear(make_rig: Any, caplog: pytest.LogCaptureFixture) -> None:
    """AUT-08: no reply, no log at any level, no file of the state directory has a key in clear."""
    caplog.set_level(logging.DEBUG)
    rig = make_rig()
    await rig.start()
    raw = await opened(rig)
    replies = [
        await ok(raw, operation)
        for operation in (
            edit(demo()),
            "<get-config><source><candidate/></source></get-config>",
            "<validate><source><candidate/></source></validate>",
            "<commit/>",
            "<copy-config><target><startup/></target><source><running/></source></copy-config>",
            "<get-config><source><running/></source></get-config>",
            "<get-config><source><startup/></source></get-config>",
            "<get/>",
            f"<copy-config><target><startup/></target><source><config>{demo()}</config></source></copy-config>",
            f"<validate><source><config>{demo()}</config></source></validate>",
        )
    ]
    long = edit(demo().replace(KEYS[1], f"{KEYS[1]} {'x' * 300}"))
    refused = await raw.ask(long)
    assert refused.findtext(f".//{{{BASE}}}error-tag") == "invalid-value"
    replies.append(refused)
    files = b"".join(path.read_bytes() for path in rig.state.iterdir())
    await rig.stop()
    texts = [etree.tostring(reply).decode() for reply in replies] + [caplog.text, files.decode("latin-1")]
    for text in texts:
        for key in KEYS:
            assert key not in text
    assert sum("$8$" in text for text in texts) >= 5


async def test_sealed_text_of_another_gateway_is_refused(rig: Any) -> None:
    """invalid-value with the path of the leaf."""
    raw = await opened(rig)
    foreign = "$8$" + "QUJD" * 20
    for operation in (
        edit(demo().replace(KEYS[1], foreign)),
        f"<copy-config><target><candidate/></target><source><config>{demo().replace(KEYS[1], foreign)}</config>"
        "</source></copy-config>",
    ):
        reply = await raw.ask(operation)
        assert reply.findtext(f".//{{{BASE}}}error-tag") == "invalid-value"
        assert "pre-shared-key" in (reply.findtext(f".//{{{BASE}}}error-path") or "")


async def test_an_equal_key_sent_again_is_no_change(rig: Any) -> None:
    raw = await opened(rig)
    await ok(raw, edit(demo()))
    await ok(raw, "<commit/>")
    commits = len(rig.gateway.changes)
    for operation in (
        edit(demo()),
        edit(demo()).replace("<config>", "<default-operation>replace</default-operation><config>"),
        f"<copy-config><target><candidate/></target><source><config>{demo()}</config></source></copy-config>",
    ):
        await ok(raw, operation)
        await ok(raw, "<commit/>")
        assert len(rig.gateway.changes) == commits
    await ok(raw, edit(demo().replace(KEYS[1], "another key, quite different")))
    await ok(raw, "<commit/>")
    assert len(rig.gateway.changes) == commits + 1
    assert b"another key, quite different" in rig.gateway.changes[-1].secrets.values()


async def test_another_master_key_is_said_at_the_start(make_rig: Any) -> None:
    rig = make_rig()
    await rig.start()
    raw = await opened(rig)
    await ok(raw, edit(demo()))
    await ok(raw, "<commit/>")
    await rig.stop()
    (rig.state / "master.key").write_bytes(b"x" * 32)
    with pytest.raises(LoadError, match="master key"):
        await make_rig().start()


async def test_factory_default(make_rig: Any, tmp_path: Path) -> None:
    rig = make_rig()
    await rig.start(ROOT / "yang/factory-default.json")
    try:
        assert rig.agent.endpoints[0].port not in (0, 830)  # the override is in force
        raw = await opened(rig)
        reply = await ok(raw, "<get-config><source><running/></source></get-config>")
        assert b"830" in etree.tostring(reply)
    finally:
        await rig.stop()


@pytest.mark.parametrize("suffix", [".json", ".xml"])
async def test_factory_default_with_variables(make_rig: Any, tmp_path: Path, suffix: str) -> None:
    """Values are escaped for the format, and a key in the factory default is sealed."""
    demo_file = ROOT / f"docs/examples/demo{suffix}"
    text = demo_file.read_text().replace("segw.demo.example", "@HOST@").replace(KEYS[1], "@KEY@")
    if suffix == ".xml":
        text = demo().replace("segw.demo.example", "@HOST@").replace(KEYS[1], "@KEY@")
    factory = tmp_path / f"factory{suffix}"
    factory.write_text(text)
    with pytest.raises(LoadError, match="HOST"):
        await make_rig().start(factory)
    rig = make_rig()
    key = 'quotes " and <angles> & more'
    await rig.start(factory, {"HOST": "gw.example", "KEY": key})
    try:
        assert rig.agent.snapshot.system.hostname == "gw.example"
        assert key.encode() in rig.gateway.changes[-1].secrets.values()
        assert key not in (rig.state / "running.cfg").read_text()
    finally:
        await rig.stop()


async def test_a_factory_default_that_is_refused(make_rig: Any, tmp_path: Path) -> None:
    factory = tmp_path / "factory.json"
    factory.write_text(json.dumps({"openwsg-gateway:gateway": {"openwsg-system:system": {"hostname": "bad_name!"}}}))
    with pytest.raises(LoadError, match="hostname"):
        await make_rig().start(factory)
    assert not (tmp_path / "state/running.cfg").exists()


async def test_damage_is_said_at_the_start(make_rig: Any) -> None:
    rig = make_rig()
    await rig.start()
    await rig.stop()
    path = rig.state / "running.cfg"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(LoadError, match=r"running\.cfg is damaged"):
        await make_rig().start()


async def test_closing_ends_sessions_and_listeners(make_rig: Any) -> None:
    rig = make_rig()
    await rig.start()
    raw = await opened(rig)
    port = rig.port
    await rig.agent.close()
    with pytest.raises(EOFError):
        await raw.read()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
    assert rig.agent.stats().sessions_current == 0


async def test_where_it_listens_is_the_same_after_a_restart(make_rig: Any) -> None:
    """An operator who said 127.0.0.1 at the first start does not find [::] after the second."""
    rig = make_rig()
    await rig.start(ROOT / "yang/factory-default.json")
    await rig.stop()
    again = make_rig()
    await again.start(ROOT / "yang/factory-default.json")
    try:
        assert [endpoint.address for endpoint in again.agent.endpoints] == ["127.0.0.1"]
    finally:
        await again.stop()


async def test_what_cannot_be_loaded_is_said_in_plain_words(make_rig: Any, tmp_path: Path) -> None:
    """The file, and the path without the names of modules."""
    factory = tmp_path / "mine.json"
    factory.write_text(json.dumps({"openwsg-gateway:gateway": {"openwsg-system:system": {"hostname": "bad_name!"}}}))
    with pytest.raises(LoadError, match=r"mine\.json: /gateway/system/hostname: "):
        await make_rig().start(factory)
