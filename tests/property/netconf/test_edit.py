"""Random edits: a rollback leaves no trace, and an edit in pieces gives what the whole gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from netconf.errors import RpcErrors
from netconf.yang.context import YangContext
from netconf.yang.edit import Editor
from netconf.yang.tree import Tree

HEAD = (
    '<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" '
    'xmlns:yang="urn:ietf:params:xml:ns:yang:1"><top xmlns="urn:t">%s</top></config>'
)


@pytest.fixture(scope="module")
def context() -> YangContext:
    return YangContext(Path(__file__).parents[2] / "unit/netconf/yang", ("t",))


operation = st.sampled_from(
    ["", ""] + [f' nc:operation="{o}"' for o in ("create", "delete", "remove", "replace", "merge")]
)
value = st.sampled_from(["1", "2", "3", "x", "99", ""])
key = st.sampled_from(["1", "2", "3"])
place = st.sampled_from(
    ["", "", ' yang:insert="first"', ' yang:insert="last"', """ yang:insert="before" yang:key="[k='1']\""""]
)


@st.composite
def element(draw: Any) -> str:
    kind = draw(st.sampled_from(["a", "m", "s", "x1", "y1", "ll", "sl", "o", "o", "o", "o", "o", "e", "p", "np"]))
    op, text = draw(operation), draw(value)
    if kind == "o":
        return f"<o{op}{draw(place)}><k>{draw(key)}</k><v>{draw(value)}</v></o>"
    if kind == "e":
        return f"<e{op}><k>{text}</k><j>{draw(value)}</j><v>{draw(value)}</v><s>{draw(value)}</s></e>"
    if kind in ("p", "np"):
        inner = "q" if kind == "p" else "z"
        return f"<{kind}{op}><{inner}{draw(operation)}>{text}</{inner}></{kind}>"
    return f"<{kind}{op}>{text}</{kind}>"


edits = st.lists(element(), max_size=6)


def edit(tree: Tree, body: list[str], option: str = "rollback-on-error", *, undo: bool = False) -> bool:
    editor = Editor(tree, lambda path, given, existing: f"sealed:{given}")
    try:
        editor.apply(etree.fromstring(HEAD % "".join(body)), "merge", option)  # type: ignore[arg-type]
    except RpcErrors:
        assert option != "rollback-on-error" or not editor.delta
        return False
    finally:
        if undo:
            editor.rollback()
        editor.keep()
    return True


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(edits, max_size=4), edits, st.sampled_from(["stop-on-error", "continue-on-error", "rollback-on-error"]))
def test_rollback_leaves_no_trace(context: YangContext, before: list[list[str]], body: list[str], option: str) -> None:
    tree = context.empty()
    for earlier in before:
        edit(tree, earlier, "continue-on-error")
    was = tree.print("xml")
    edit(tree, body, option, undo=True)
    assert tree.print("xml") == was
    if not edit(tree, body, "rollback-on-error"):
        assert tree.print("xml") == was


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(edits, max_size=3), edits)
def test_an_edit_in_pieces_is_the_same_edit(context: YangContext, before: list[list[str]], body: list[str]) -> None:
    """Each element in an edit of its own gives what the whole gives, where the whole is accepted."""
    tree = context.empty()
    for earlier in before:
        edit(tree, earlier, "continue-on-error")
    pieces = tree.duplicate()
    if edit(tree, body):
        for element_text in body:
            assert edit(pieces, [element_text])
        assert pieces.print("xml") == tree.print("xml")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(edits, max_size=4))
def test_what_is_printed_can_be_read_and_replaces_to_itself(context: YangContext, before: list[list[str]]) -> None:
    tree = context.empty()
    for earlier in before:
        edit(tree, earlier, "continue-on-error")
    printed = tree.print("xml")
    assert context.parse(printed, "xml").print("xml") == printed
    assert context.parse(tree.print("json"), "json").print("xml") == printed
    other = context.empty()
    Editor(other, lambda path, given, existing: given).apply(etree.fromstring(f"<config>{printed}</config>"), "replace")
    assert other.print("xml") == printed
