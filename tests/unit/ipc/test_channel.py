"""The control channel: order, descriptors, deadlines, bounds, and what arbitrary octets do to it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nf.config.snapshot import Context, GatewaySnapshot
from nf.config.transaction import PrepareError
from nf.datapath.port import DatapathError, Direction, Sa
from nf.ike.actions import Event, EventName
from nf.ike.inputs import NetworkPath
from nf.ipc.channel import MAX_HANDLERS, Channel, ChannelClosed, RemoteFailure
from nf.ipc.framing import ChannelError, Frame, FrameDecoder, FrameKind, FrameTooLarge, encode_frame
from nf.ipc.messages import (
    Commit,
    Deliver,
    Done,
    EventReport,
    Handover,
    Hello,
    Install,
    Message,
    Prepare,
    Remove,
    Stop,
)

PATH = NetworkPath("192.0.2.1", 500, "198.51.100.7", 40000)


class Peer:
    """A handler that keeps what it got, and answers as told."""

    def __init__(self) -> None:
        self.got: list[Message] = []
        self.fds: list[int] = []
        self.gate = asyncio.Event()

    def __call__(self, message: Message, fds: tuple[int, ...]) -> Message | Awaitable[Message | None] | None:
        self.got.append(message)
        self.fds.extend(fds)
        match message:
            case Commit(plan_id=404):
                raise PrepareError(("a", "b"), "no", error_tag="invalid-value", app_tag="x")
            case Commit(plan_id=500):
                raise ZeroDivisionError
            case Remove():
                raise DatapathError("SA 1: gone")
            case Stop():
                return self._wait()
            case Commit(plan_id=n):
                return Done(n)
            case Hello(name="big"):
                return Hello("x" * 5000, 1)
        return None

    async def _wait(self) -> Message | None:
        await self.gate.wait()
        return Done(7)


@pytest.fixture
async def pair():
    peer = Peer()
    left, right = socket.socketpair()
    a = Channel(left, Peer(), name="a")
    b = Channel(right, peer, name="b")
    yield a, b, peer
    a.close()
    b.close()


async def test_a_request_is_answered_and_a_refusal_keeps_its_path(pair) -> None:
    a, _, _ = pair
    assert await a.request(Commit(3)) == Done(3)
    with pytest.raises(RemoteFailure) as refused:
        await a.request(Commit(404))
    error = refused.value.as_prepare_error()
    assert (error.path, error.why, error.error_tag, error.app_tag) == (("a", "b"), "no", "invalid-value", "x")
    with pytest.raises(RemoteFailure) as gone:
        await a.request(Remove(1))
    assert gone.value.failure.kind == "datapath"


async def test_an_exception_of_a_handler_is_an_answer_and_the_channel_lives_on(pair) -> None:
    a, _, _ = pair
    with pytest.raises(RemoteFailure) as refused:
        await a.request(Commit(500))
    assert refused.value.failure.kind == "internal"
    assert await a.request(Commit(1)) == Done(1)


async def test_order_is_kept_while_one_request_waits(pair) -> None:
    a, _, peer = pair
    waiting = asyncio.create_task(a.request(Stop(1.0)))
    await asyncio.sleep(0)  # lets it send
    for n in range(1, 50):
        assert await a.request(Commit(n)) == Done(n)
    assert not waiting.done()
    assert peer.got == [Stop(1.0), *(Commit(n) for n in range(1, 50))]
    peer.gate.set()
    assert await waiting == Done(7)


async def test_a_deadline_ends_a_request_and_its_late_answer_is_ignored(pair) -> None:
    a, _, peer = pair
    with pytest.raises(TimeoutError):
        await a.request(Stop(1.0), deadline_s=0.01)
    peer.gate.set()
    assert await a.request(Commit(2)) == Done(2)


async def test_descriptors_arrive_with_their_message(pair) -> None:
    a, _, peer = pair
    read, write = os.pipe()
    assert await a.request(Commit(1), [write]) == Done(1)
    os.close(write)
    assert len(peer.fds) == 1
    assert not os.get_inheritable(peer.fds[0])
    os.write(peer.fds[0], b"x")
    assert os.read(read, 1) == b"x"
    os.close(peer.fds[0])
    assert os.read(read, 1) == b""  # the sender kept no copy
    os.close(read)


async def test_large_messages_with_descriptors_keep_their_pairing(pair) -> None:
    a, _, peer = pair
    pipes = [os.pipe() for _ in range(20)]
    big = GatewaySnapshot(3, contexts=tuple(Context("c" * 200, n) for n in range(2000)))
    await asyncio.gather(*(a.request(Prepare(n, big, {}), [pipes[n][1]]) for n in range(20)))
    assert [m.plan_id for m in peer.got] == list(range(20))
    for n, (read, write) in enumerate(pipes):
        os.write(peer.fds[n], bytes([n]))
        assert os.read(read, 1) == bytes([n])
        for fd in (read, write, peer.fds[n]):
            os.close(fd)


async def test_the_size_bound_holds_on_both_sides_of_its_edge() -> None:
    message = Hello("x" * 100, 1)
    size = len(encode_frame(FrameKind.NOTICE, 0, message)) - 10
    assert encode_frame(FrameKind.NOTICE, 0, message, max_octets=size)
    with pytest.raises(FrameTooLarge):
        encode_frame(FrameKind.NOTICE, 0, message, max_octets=size - 1)
    data = encode_frame(FrameKind.NOTICE, 0, message)
    assert FrameDecoder(size).feed(data) == [Frame(FrameKind.NOTICE, 0, 0, message)]
    with pytest.raises(ChannelError):
        FrameDecoder(size - 1).feed(data)


async def test_an_answer_over_the_bound_becomes_a_failure() -> None:
    left, right = socket.socketpair()
    a, b = Channel(left, Peer()), Channel(right, Peer(), max_octets=4096)
    with pytest.raises(RemoteFailure, match="over the channel's"):
        await a.request(Hello("big", 1))
    a.close()
    b.close()


async def test_a_sender_is_told_no_above_high_water_and_waits_when_it_may() -> None:
    left, right = socket.socketpair()
    a = Channel(left, Peer(), high_water_octets=100_000)
    note = Deliver(PATH, bytes(60_000))
    sent = 0
    while a.try_notify(note):  # nobody reads: the socket's buffer fills, then ours
        sent += 1
        assert sent < 1000
    waiting = asyncio.create_task(a.notify(note))
    await asyncio.sleep(0)
    assert not waiting.done()
    peer = Peer()
    b = Channel(right, peer)
    async with asyncio.timeout(10):
        await waiting
        await a.request(Commit(1))
    assert len(peer.got) == sent + 2
    a.close()
    b.close()


async def test_requests_being_worked_on_are_bounded(pair) -> None:
    a, _, peer = pair
    requests = [asyncio.create_task(a.request(Stop(1.0))) for _ in range(MAX_HANDLERS + 10)]
    async with asyncio.timeout(10):
        while len(peer.got) < MAX_HANDLERS:
            await asyncio.sleep(0)
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(peer.got) == MAX_HANDLERS
        peer.gate.set()
        await asyncio.gather(*requests)
    assert len(peer.got) == MAX_HANDLERS + 10


async def test_both_ends_learn_of_a_close(pair) -> None:
    a, b, _ = pair
    waiting = asyncio.create_task(a.request(Stop(1.0)))
    await asyncio.sleep(0)
    b.close()
    with pytest.raises(ChannelClosed):
        await waiting
    await a.wait_closed()
    assert a.is_closed
    assert not a.try_notify(Commit(1))
    with pytest.raises(ChannelClosed):
        await a.notify(Commit(1))


async def test_octets_that_are_no_frame_close_the_channel() -> None:
    left, right = socket.socketpair()
    a = Channel(left, Peer())
    right.sendall(b"GET / HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(5):
        await a.wait_closed()
    right.close()


def test_secrets_show_in_no_repr() -> None:
    sa = Sa(1, Direction.INBOUND, 0, 256, 1, 1, "192.0.2.1", "192.0.2.2", 20, 256, 0, b"topsecret", b"alsosecret")
    text = repr(Prepare(1, GatewaySnapshot(), {"/x": b"topsecret"})) + repr(Install(sa))
    assert "secret" not in text


MESSAGES = st.one_of(
    st.builds(Commit, st.integers(0, 2**63)),
    st.builds(Done, st.integers(0, 2**63)),
    st.builds(Handover, st.integers(0, 255), st.just(PATH), st.binary(max_size=300)),
    st.builds(EventReport, st.just(Event(EventName.IKE_SA_UP, {"peer": "192.0.2.1", "count": 3}))),
)


@given(st.lists(st.tuples(st.sampled_from(FrameKind), st.integers(0, 2**32 - 1), MESSAGES), max_size=8), st.data())
def test_frames_survive_any_cutting_of_the_stream(frames, data) -> None:
    stream = b"".join(encode_frame(kind, id, message) for kind, id, message in frames)
    decoder, got = FrameDecoder(), []
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        got += decoder.feed(stream[:cut])
        stream = stream[cut:]
    assert [(f.kind, f.id, f.message) for f in got] == frames


@given(st.binary(max_size=400))
def test_arbitrary_octets_give_frames_or_a_channel_error(octets: bytes) -> None:
    try:
        frames = FrameDecoder(1000).feed(octets)
    except ChannelError:
        return
    assert all(isinstance(f, Frame) for f in frames)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    ["Prepare", "Install", "ViewsPage", "Handover", "DatapathEvents", "EventReport", "Clear", "Nope"]
)


@settings(max_examples=300)
@given(NAMES, st.lists(PLAIN, max_size=6))
def test_arbitrary_messagepack_gives_a_message_or_a_channel_error(name: str, fields: list[object]) -> None:
    """Well-formed MessagePack with the wrong shape, which random octets seldom reach."""
    body = msgspec.msgpack.encode([name, *fields])
    header = len(body).to_bytes(4, "big") + bytes([1, 0]) + bytes(4)
    try:
        FrameDecoder().feed(header + body)
    except ChannelError:
        return


@given(MESSAGES, st.integers(0, 200), st.integers(0, 255))
def test_one_changed_octet_gives_frames_or_a_channel_error(message: Message, where: int, value: int) -> None:
    data = bytearray(encode_frame(FrameKind.REQUEST, 9, message))
    data[where % len(data)] = value
    try:
        FrameDecoder(1 << 20).feed(bytes(data))
    except ChannelError:
        return


async def test_requests_without_a_task_each_are_answered_in_order(pair) -> None:
    a, b, peer = pair
    answers = [a.request_soon(Commit(n)) for n in range(1001, 3000)]
    answers.append(a.request_soon(Commit(404)))
    done = await asyncio.gather(*answers)
    assert done[:-1] == [Done(n) for n in range(1001, 3000)]
    assert done[-1].kind == "prepare"
    assert [message.plan_id for message in peer.got] == [*range(1001, 3000), 404]
    waiting = a.request_soon(Stop(1.0))
    await asyncio.sleep(0)
    b.close()
    with pytest.raises(ChannelClosed):
        await waiting
    with pytest.raises(ChannelClosed):
        a.request_soon(Commit(1))


async def test_requests_without_a_task_each_are_refused_above_high_water() -> None:
    left, right = socket.socketpair()
    a = Channel(left, Peer(), high_water_octets=100_000)
    note = Deliver(PATH, bytes(60_000))
    while a.try_notify(note):
        pass
    with pytest.raises(ChannelError, match="is full"):
        a.request_soon(note)
    a.close()
    right.close()


async def test_what_was_said_before_a_close_arrives(pair) -> None:
    a, b, peer = pair
    for n in range(100):
        assert a.try_notify(Commit(n))
    a.close()
    await b.wait_closed()
    assert [message.plan_id for message in peer.got] == list(range(100))


async def test_frames_with_descriptors_among_small_ones_keep_their_pairing(pair) -> None:
    """Small frames of one turn go in one piece; those with descriptors do not."""
    a, _, peer = pair
    pipes = [os.pipe() for _ in range(10)]
    sent = []
    for n, (_, write) in enumerate(pipes):
        for k in range(7):
            a.try_notify(Commit(1000 * n + k + 1))
        sent.append(asyncio.create_task(a.notify(Commit(1000 * n + 999), [write])))
        await asyncio.sleep(0)
    await asyncio.gather(*sent)
    await a.request(Commit(1))
    assert [m.plan_id for m in peer.got[:-1]] == [1000 * n + k for n in range(10) for k in (*range(1, 8), 999)]
    for n, (read, write) in enumerate(pipes):
        os.write(peer.fds[n], bytes([n]))
        assert os.read(read, 1) == bytes([n])
        for fd in (read, write, peer.fds[n]):
            os.close(fd)
