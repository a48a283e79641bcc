"""Who gets in: the bootstrap key, then the users of the configuration."""

from __future__ import annotations

import asyncio
import stat
from typing import Any

import asyncssh
import pytest
from lxml import etree

from netconf.passwords import hash_password

pytestmark = pytest.mark.peer

BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
SYS = "urn:openwsg:yang:openwsg-system"
GW = "urn:openwsg:yang:openwsg-gateway"


def users(*entries: str) -> str:
    inside = "".join(f"<user>{entry}</user>" for entry in entries)
    return (
        f'<edit-config><target><candidate/></target><config><gateway xmlns="{GW}"><system xmlns="{SYS}">'
        f"{inside}</system></gateway></config></edit-config>"
    )


async def committed(rig: Any, *entries: str) -> Any:
    raw = await rig.raw()
    await raw.hello()
    for operation in (users(*entries), "<commit/>"):
        reply = await raw.ask(operation)
        assert reply.find(f"{{{BASE}}}ok") is not None, etree.tostring(reply)
    return raw


async def gets_in(rig: Any, **options: Any) -> bool:
    try:
        raw = await rig.raw(**options)
    except asyncssh.PermissionDenied:
        return False
    await raw.hello()
    return True


async def test_bootstrap_key(rig: Any) -> None:
    assert stat.S_IMODE((rig.state / "admin_key").stat().st_mode) == 0o600
    assert stat.S_IMODE((rig.state / "ssh_host_ed25519_key").stat().st_mode) == 0o600
    assert await gets_in(rig)
    assert not await gets_in(rig, username="root")
    other = asyncssh.generate_private_key("ssh-ed25519")
    assert not await gets_in(rig, client_keys=[other])
    assert not await gets_in(rig, client_keys=None, password="admin", preferred_auth="password")


async def test_the_bootstrap_key_ends_with_the_first_user(rig: Any) -> None:
    key = asyncssh.generate_private_key("ssh-ed25519")
    line = key.export_public_key().decode().strip()
    await committed(rig, f"<name>fred</name><authorized-key>{line}</authorized-key>")
    assert not await gets_in(rig)
    assert await gets_in(rig, username="fred", client_keys=[key])
    assert not await gets_in(rig, username="barney", client_keys=[key])


async def test_passwords(rig: Any) -> None:
    await committed(rig, f"<name>fred</name><password>{hash_password('yabba dabba')}</password>", "<name>barney</name>")
    password = {"client_keys": None, "preferred_auth": "password"}
    assert await gets_in(rig, username="fred", password="yabba dabba", **password)
    for user, wrong in (("fred", "yabba"), ("fred", ""), ("barney", ""), ("barney", "x"), ("wilma", "yabba dabba")):
        assert not await gets_in(rig, username=user, password=wrong, **password)
    assert rig.agent.stats().login_failures >= 5


async def test_ncclient_with_a_password(rig: Any) -> None:
    await committed(rig, f"<name>fred</name><password>{hash_password('yabba dabba')}</password>")
    m = await rig.connect(username="fred", password="yabba dabba", key_filename=None)
    reply = await asyncio.to_thread(m.get_config, "running")
    assert reply.ok


async def test_attempts_are_bounded(make_rig: Any) -> None:
    rig = make_rig(login_attempts=2)
    await rig.start()
    try:
        keys = [asyncssh.generate_private_key("ssh-ed25519") for _ in range(2)]
        right = str(rig.state / "admin_key")
        assert await gets_in(rig, client_keys=[keys[0], right])
        assert not await gets_in(rig, client_keys=[*keys, right])
    finally:
        await rig.stop()
