"""Whatever a client sends: requests, a SessionError, and nothing else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from netconf.framing import encode_chunked, encode_marked
from netconf.session import BASE_1_0, BASE_1_1, Session, SessionError

HELLO = (
    b'<hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><capabilities>'
    b"<capability>urn:ietf:params:netconf:base:1.1</capability></capabilities></hello>"
)
pieces = st.sampled_from(
    [
        b"<rpc",
        b' xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"',
        b' message-id="1"',
        b">",
        b"/>",
        b"<get/>",
        b"<get>",
        b"</get>",
        b"</rpc>",
        b"<!--",
        b"-->",
        b"<![CDATA[",
        b"]]>",
        b"&amp;",
        b"&x;",
        b"&#0;",
        b"<?x y?>",
        b"<!DOCTYPE x>",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\n",
        b"x:y",
    ]
)
documents = st.lists(pieces | st.binary(max_size=4), max_size=12).map(b"".join)


def drain(session: Session) -> None:
    while (request := session.next_request()) is not None:
        assert (request.operation is None) == (request.refusal is not None)


@settings(max_examples=300)
@given(st.lists(documents.filter(bool), max_size=4))
def test_documents_in_good_framing(sent: list[bytes]) -> None:
    session = Session(1, (BASE_1_0, BASE_1_1))
    session.receive(encode_marked(HELLO))
    for document in sent:
        session.receive(encode_chunked(document))
    drain(session)


@settings(max_examples=300)
@given(documents | st.binary(max_size=100), st.booleans())
def test_octets(octets: bytes, after_hello: bool) -> None:
    session = Session(1, (BASE_1_0, BASE_1_1))
    try:
        if after_hello:
            session.receive(encode_marked(HELLO))
        session.receive(octets)
        session.receive(b"]]>]]>")
        drain(session)
    except SessionError:
        pass
