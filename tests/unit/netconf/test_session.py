"""The session machine: hellos, versions, requests in order, messages that are none (RFC 6241 sections 4 and 8.1)."""

from __future__ import annotations

import pytest
from lxml import etree

from netconf.framing import encode_chunked, encode_marked
from netconf.session import BASE_1_0, BASE_1_1, Request, Session, SessionError
from netconf.xmlio import BASE


def hello(*capabilities: str, extra: str = "") -> bytes:
    listed = "".join(f"<capability>{uri}</capability>" for uri in capabilities)
    return encode_marked(f'<hello xmlns="{BASE}"><capabilities>{listed}</capabilities>{extra}</hello>'.encode())


def opened(*capabilities: str, **limits: int) -> Session:
    session = Session(7, (BASE_1_0, BASE_1_1), **limits)  # type: ignore[arg-type]
    session.receive(hello(*capabilities))
    return session


def one(session: Session, message: str) -> Request:
    session.receive(encode_chunked(message.encode()))
    request = session.next_request()
    assert request is not None
    return request


def refusal(request: Request) -> str:
    assert request.operation is None
    assert request.refusal is not None
    return request.refusal.tag


def test_our_hello() -> None:
    text = Session(7, (BASE_1_0, "urn:a&b")).hello()
    root = etree.fromstring(text.removesuffix(b"]]>]]>"))
    assert root.findtext(f"{{{BASE}}}session-id") == "7"
    assert [e.text for e in root.iter(f"{{{BASE}}}capability")] == [BASE_1_0, "urn:a&b"]


def test_version_in_common() -> None:
    """RFC 6241 section 8.1: 1.1 when both have it, else 1.0."""
    assert opened(BASE_1_1, BASE_1_0).encode(b"x") == encode_chunked(b"x")
    assert opened(BASE_1_1).encode(b"x") == encode_chunked(b"x")
    assert opened(BASE_1_0).encode(b"x") == encode_marked(b"x")


@pytest.mark.parametrize(
    "first",
    [
        hello("urn:other"),
        hello(BASE_1_1, extra="<session-id>4</session-id>"),
        encode_marked(b"<hello/>"),
        encode_marked(b'<rpc xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="1"><get/></rpc>'),
        encode_marked(b"<hello"),
        encode_marked(b""),
    ],
)
def test_a_bad_hello_ends_the_session(first: bytes) -> None:
    with pytest.raises(SessionError):
        Session(7, (BASE_1_0, BASE_1_1)).receive(first)


def test_lost_framing_ends_the_session() -> None:
    session = opened(BASE_1_1)
    with pytest.raises(SessionError):
        session.receive(b"<rpc/>")


def test_requests_sent_ahead_come_in_order() -> None:
    session = Session(7, (BASE_1_0, BASE_1_1))
    ahead = b"".join(encode_chunked(f'<rpc xmlns="{BASE}" message-id="{i}"><get/></rpc>'.encode()) for i in range(5))
    session.receive(hello(BASE_1_1) + ahead)
    assert session.waiting == 5
    assert session.waiting_octets > 0
    got = []
    while (request := session.next_request()) is not None:
        got.append(request.attributes["message-id"])
    assert got == list("01234")
    assert session.waiting_octets == 0


def test_attributes_of_the_rpc_are_kept() -> None:
    request = one(
        opened(BASE_1_1), f'<rpc xmlns="{BASE}" message-id="1&lt;" xmlns:ex="urn:ex" ex:user="fred"><get/></rpc>'
    )
    assert request.attributes == {"message-id": "1<", "{urn:ex}user": "fred"}
    assert request.operation is not None


def test_messages_that_are_no_request() -> None:
    session = opened(BASE_1_1)
    assert refusal(one(session, "<rpc")) == "malformed-message"
    assert refusal(one(session, "<rpc/>")) == "malformed-message"
    assert refusal(one(session, f'<rpc xmlns="{BASE}" message-id="1"/>')) == "malformed-message"
    assert refusal(one(session, f'<rpc xmlns="{BASE}" message-id="1"><get/><get/></rpc>')) == "malformed-message"
    missing = one(session, f'<rpc xmlns="{BASE}" a="b"><get/></rpc>')
    assert (refusal(missing), missing.attributes) == ("missing-attribute", {"a": "b"})
    assert one(session, f'<rpc xmlns="{BASE}" message-id="1"><get/></rpc>').operation is not None


def test_depth_limit() -> None:
    """64 levels are taken, 65 are not."""
    for levels, taken in ((62, True), (63, False)):
        inside = "<a>" * levels + "</a>" * levels
        request = one(opened(BASE_1_1), f'<rpc xmlns="{BASE}" message-id="1"><get>{inside}</get></rpc>')
        assert (request.operation is not None) is taken


BOMBS = [
    '<!DOCTYPE rpc [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><rpc>&b;</rpc>',
    '<!DOCTYPE rpc SYSTEM "file:///etc/passwd"><rpc/>',
    '<?xml version="1.0"?><!DOCTYPE rpc [<!ENTITY x SYSTEM "file:///etc/passwd">]><rpc>&x;</rpc>',
    "<a>" * 100_000,
    "<a>" * 300 + "</a>" * 300,
    "<rpc>&undefined;</rpc>",
    "\ufeff\ufeff<rpc/>",
    "<rpc>\x00</rpc>",
    "<rpc xmlns:a='urn:a' a:b='1' a:b='2'/>",
    "<a:rpc/>",
    "",
    "<rpc/><rpc/>",
]


@pytest.mark.parametrize("text", BOMBS)
def test_bombs_and_rubbish_are_malformed(text: str) -> None:
    session = opened(BASE_1_1)
    if text:
        assert refusal(one(session, text)) == "malformed-message"


def test_another_encoding_smuggles_nothing() -> None:
    text = '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE rpc [<!ENTITY x "y">]><rpc>&x;</rpc>'
    session = opened(BASE_1_1)
    session.receive(encode_chunked(text.encode("utf-16")))
    request = session.next_request()
    assert request is not None
    assert refusal(request) == "malformed-message"


def test_malformed_says_where_not_what() -> None:
    request = one(opened(BASE_1_1), "<rpc><key>hush</kye></rpc>")
    assert request.refusal is not None
    assert "hush" not in request.refusal.message
    assert "line 1" in request.refusal.message
