"""A small model with one of everything that an edit or a filter meets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree

from netconf.errors import RpcError, RpcErrors
from netconf.yang.context import YangContext
from netconf.yang.edit import Delta, Editor
from netconf.yang.tree import Tree

HEAD = (
    '<config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" '
    'xmlns:yang="urn:ietf:params:xml:ns:yang:1" xmlns:t="urn:t">'
)


@pytest.fixture(scope="session")
def context() -> YangContext:
    return YangContext(Path(__file__).parent / "yang", ("t",))


class Bench:
    """A tree and edits of it, written as the inside of <top>, or whole with a leading !."""

    def __init__(self, context: YangContext) -> None:
        self.tree: Tree = context.empty()
        self.delta = Delta()

    def edit(self, body: str, default: str = "merge", option: str = "stop-on-error", *, undo: bool = False) -> str:
        inside = body[1:] if body.startswith("!") else f'<top xmlns="urn:t">{body}</top>'
        editor = Editor(self.tree, lambda path, given, existing: existing or f"sealed:{given}")
        try:
            editor.apply(etree.fromstring(f"{HEAD}{inside}</config>"), default, option)  # type: ignore[arg-type]
        finally:
            if undo:
                editor.rollback()
            self.delta = editor.delta
            editor.keep()
        return self.xml

    def refused(self, body: str, default: str = "merge", option: str = "stop-on-error") -> tuple[RpcError, ...]:
        with pytest.raises(RpcErrors) as caught:
            self.edit(body, default, option)
        return caught.value.errors

    @property
    def xml(self) -> str:
        text = self.tree.print("xml")
        return text.removeprefix('<top xmlns="urn:t">').removesuffix("</top>")

    def invalid(self) -> tuple[RpcError, ...]:
        with pytest.raises(RpcErrors) as caught:
            self.tree.duplicate().validate()
        return caught.value.errors


@pytest.fixture
def bench(context: YangContext) -> Bench:
    return Bench(context)


@pytest.fixture
def parse(context: YangContext) -> Callable[[str], Tree]:
    return lambda xml: context.parse(xml, "xml", state=True)
