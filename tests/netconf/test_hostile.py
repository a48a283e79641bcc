"""Clients that mean no good, or are broken: each costs itself its session at most."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncssh
import pytest
from lxml import etree

from netconf.framing import encode_chunked, encode_marked

pytestmark = pytest.mark.peer

BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
GET = "<get-config><source><running/></source></get-config>"


async def opened(rig: Any) -> Any:
    raw = await rig.raw()
    await raw.hello()
    return raw


def tag(reply: etree._Element) -> str | None:
    return reply.findtext(f".//{{{BASE}}}error-tag")


@pytest.mark.parametrize(
    "octets",
    [
        b"<rpc/>",
        b"\n#0\n",
        b"\n#5000000000\n",
        b"\n##\n",
        b"\n#4\nabcdefgh",
        b"\x00" * 100,
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
async def test_lost_framing_closes_the_session(rig: Any, octets: bytes) -> None:
    raw, other = await opened(rig), await opened(rig)
    raw.write(octets)
    with pytest.raises(EOFError):
        await raw.read()
    assert tag(await other.ask(GET)) is None
    assert rig.agent.stats().sessions_dropped == 1


@pytest.mark.parametrize(
    "first",
    [
        b"<hello/>]]>]]>",
        b"not xml]]>]]>",
        f'<rpc xmlns="{BASE}" message-id="1">{GET}</rpc>]]>]]>'.encode(),
        f'<hello xmlns="{BASE}"><capabilities><capability>urn:x</capability></capabilities></hello>]]>]]>'.encode(),
    ],
)
async def test_a_bad_hello_closes_the_session(rig: Any, first: bytes) -> None:
    raw = await rig.raw()
    raw.write(first)
    await raw.read()  # their hello
    with pytest.raises(EOFError):
        await raw.read()
    assert rig.agent.stats().sessions_dropped == 1


@pytest.mark.parametrize(
    "message",
    [
        '<!DOCTYPE x [<!ENTITY a "b">]><rpc>&a;</rpc>',
        "<a>" * 50_000,
        "<a>" * 200 + "</a>" * 200,
        "<rpc",
        f'<rpc xmlns="{BASE}" message-id="1"><get/></rp>',
    ],
)
async def test_bad_xml_is_answered_and_the_session_goes_on(rig: Any, message: str) -> None:
    """RFC 6241 appendix A: malformed-message, base:1.1."""
    raw = await opened(rig)
    raw.write(encode_chunked(message.encode()))
    reply = await raw.read()
    assert tag(reply) == "malformed-message"
    assert tag(await raw.ask(GET)) is None


async def test_size_limit_on_both_sides(make_rig: Any) -> None:
    rig = make_rig(message_octets=4000)
    await rig.start()
    try:
        raw = await opened(rig)
        head, tail = f'<rpc xmlns="{BASE}" message-id="1">{GET}<!--', "--></rpc>"
        padding = 4000 - len(head) - len(tail)
        raw.write(encode_chunked((head + "x" * padding + tail).encode()))
        assert tag(await raw.read()) is None
        raw.write(encode_chunked((head + "x" * (padding + 1) + tail).encode()))
        with pytest.raises(EOFError):
            await raw.read()
    finally:
        await rig.stop()


async def test_session_limit_on_both_sides(make_rig: Any) -> None:
    rig = make_rig(sessions=2)
    await rig.start()
    try:
        sessions = [await opened(rig) for _ in range(2)]
        with pytest.raises(asyncssh.ChannelOpenError):
            await rig.raw()
        assert rig.agent.stats().sessions_refused == 1
        assert tag(await sessions[0].ask("<close-session/>")) is None
        async with asyncio.timeout(10):
            while rig.agent.stats().sessions_current > 1:
                await asyncio.sleep(0.01)
        await opened(rig)
    finally:
        await rig.stop()


async def test_connection_limit(make_rig: Any) -> None:
    """Connections that never log in are bounded, too."""
    rig = make_rig(connections=3)
    await rig.start()
    try:
        pairs = [await asyncio.open_connection("127.0.0.1", rig.port) for _ in range(3)]
        for reader, _ in pairs:
            assert await reader.readline()
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        async with asyncio.timeout(10):
            while await reader.read(1000):
                pass
        for _, open_writer in (*pairs, (reader, writer)):
            open_writer.close()
    finally:
        await rig.stop()


async def test_no_hello_in_time(make_rig: Any) -> None:
    rig = make_rig(hello_s=0.05)
    await rig.start()
    try:
        raw = await rig.raw()
        await raw.read()
        with pytest.raises(EOFError):
            await raw.read()
    finally:
        await rig.stop()


async def test_idle_sessions_are_closed_but_not_lock_holders(make_rig: Any) -> None:
    rig = make_rig(idle_s=0.1)
    await rig.start()
    try:
        holder, idle = await opened(rig), await opened(rig)
        await holder.ask("<lock><target><running/></target></lock>")
        with pytest.raises(EOFError):
            await idle.read()
        assert tag(await holder.ask(GET)) is None
    finally:
        await rig.stop()


async def test_no_login_in_time(make_rig: Any) -> None:
    rig = make_rig(login_s=0.1)
    await rig.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        async with asyncio.timeout(10):
            while await reader.read(1000):
                pass
        writer.close()
    finally:
        await rig.stop()


async def test_requests_far_ahead_are_bounded_and_all_answered(make_rig: Any) -> None:
    """A client that sends thousands without reading is slowed down by the channel, not held in memory."""
    rig = make_rig(pipelined=8)
    await rig.start()
    try:
        raw = await opened(rig)
        for number in range(3000):
            raw.send(GET, str(number))
        for number in range(3000):
            reply = await raw.read()
            assert reply.get("message-id") == str(number)
    finally:
        await rig.stop()


@pytest.mark.parametrize("subsystem", ["sftp", "nonsense"])
async def test_there_is_nothing_but_netconf(rig: Any, subsystem: str) -> None:
    raw = await opened(rig)
    with pytest.raises(asyncssh.ChannelOpenError):
        await raw.connection.create_process(subsystem=subsystem, encoding=None)
    with pytest.raises(asyncssh.ChannelOpenError):
        await raw.connection.create_process("/bin/sh")
    with pytest.raises(asyncssh.ChannelOpenError):
        await raw.connection.create_process()
    assert tag(await raw.ask(GET)) is None


async def test_a_client_of_version_1_0(rig: Any) -> None:
    raw = await rig.raw()
    raw.write(
        encode_marked(
            f'<hello xmlns="{BASE}"><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability>'
            "</capabilities></hello>".encode()
        )
    )
    await raw.read()
    for _ in range(3):
        raw.write(encode_marked(f'<rpc xmlns="{BASE}" message-id="1">{GET}</rpc>'.encode()))
        assert tag(await raw.read()) is None


async def test_a_broken_operation_is_one_error_and_no_more(rig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = await opened(rig)

    async def broken(*, sas: bool = True) -> None:
        raise RuntimeError("a bug, with a secret")

    monkeypatch.setattr(rig.gateway, "views", broken)
    reply = await raw.ask("<get/>")
    assert tag(reply) == "operation-failed"
    assert b"secret" not in etree.tostring(reply)
    assert tag(await raw.ask(GET)) is None
