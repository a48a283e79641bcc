"""Filters: what part of a tree a <get> or <get-config> asks for (RFC 6241 sections 6 and 8.9)."""

from __future__ import annotations

from _libyang import ffi, lib
from lxml import etree

from netconf.errors import RpcError, bad_attribute
from netconf.yang import clib, cost, values
from netconf.yang.clib import NULL, LibyangFault, Node
from netconf.yang.context import YangContext
from netconf.yang.schema import SchemaNode
from netconf.yang.tree import Tree

MAX_XPATH = 4096
"""Characters of an XPath filter."""


def by_xpath(tree: Tree, expression: str, nsmap: dict[str | None, str]) -> Tree:
    """The nodes that an XPath selects, each with its ancestors and all below it.

    nsmap: the namespace declarations in scope of the filter element. Raises RpcError for what is no XPath to a set
    of nodes, or one that could cost too much.
    """
    context = tree.context
    if not expression.strip():
        raise bad_attribute("select", "filter", "the XPath filter is empty")
    if len(expression) > MAX_XPATH:
        raise RpcError("too-big", f"an XPath filter has at most {MAX_XPATH} characters", error_type="protocol")
    cost.check(expression)
    try:
        xpath = values.replace_prefixes(expression, nsmap, context, strict=True)
    except ValueError as error:
        raise RpcError("invalid-value", f"XPath filter: {error}", error_type="protocol") from None
    result = context.empty()
    try:
        with tree.found(xpath) as nodes:
            for node in _outermost(nodes):
                copy = ffi.new("struct lyd_node **")
                flags = lib.LYD_DUP_RECURSIVE | lib.LYD_DUP_WITH_PARENTS | lib.LYD_DUP_WITH_FLAGS
                clib.check(context.cdata, lib.lyd_dup_single(node, ffi.NULL, flags, copy))
                top = copy[0]
                while top.parent:
                    top = ffi.cast("struct lyd_node *", top.parent)
                result.merge(Tree(context, top))
    except LibyangFault as error:
        raise RpcError("invalid-value", f"XPath filter: {error}", error_type="protocol") from None
    return result


def _outermost(nodes: list[Node]) -> list[Node]:
    chosen = {clib.address(node) for node in nodes}

    def covered(node: Node) -> bool:
        above = node.parent
        while above:
            if clib.address(above) in chosen:
                return True
            above = above.parent
        return False

    return [node for node in nodes if not covered(node)]


def by_subtree(tree: Tree, element: etree._Element) -> Tree:
    """What a subtree filter selects; `element` is the <filter>. An empty filter selects nothing (section 6.4.2)."""
    return _Subtree(tree).run(element)


def touches(element: etree._Element | None, context: YangContext, names: tuple[str, ...]) -> bool:
    """Whether a subtree filter can select a top-level node of one of these names; no filter selects all."""
    if element is None:
        return True
    return any(etree.QName(child).localname in names for child in element)


class _Subtree:
    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._context = tree.context
        self._out = tree.context.empty()

    def run(self, element: etree._Element) -> Tree:
        for child in element:
            for schema in self._named(child, None):
                for node in self._instances(child, self._tree.top, NULL, schema):
                    self._select(child, node, schema, NULL)
        return self._out

    def _named(self, element: etree._Element, parent: SchemaNode | None) -> list[SchemaNode]:
        name = etree.QName(element)
        below = self._context.root_by_name if parent is None else parent.children
        if name.namespace is not None:
            node = below.get((name.namespace, name.localname))
            return [node] if node is not None else []
        return [node for node in below.values() if node.name == name.localname]

    def _instances(self, element: etree._Element, first: Node, parent: Node, schema: SchemaNode) -> list[Node]:
        """The data nodes that an element of the filter names; an entry whose keys are all given is looked up, not
        searched."""
        if not first or schema.kind in ("rpc", "action", "notification"):
            return []
        if schema.kind in ("container", "leaf", "anydata"):
            node = clib.find_by_schema(first, schema.ref)
            return [node] if node else []
        if schema.kind == "list" and schema.keys:
            keys = [element.find(f"{{{schema.namespace}}}{name}") for name in schema.keys]
            texts = [_content(key) for key in keys if key is not None]
            if len(texts) == len(keys) and all(texts):
                return self._entry(first, parent, schema, [text or "" for text in texts])
        return [node for node in clib.following(first) if clib.address(node.schema) == schema.ref]

    def _entry(self, first: Node, parent: Node, schema: SchemaNode, keys: list[str]) -> list[Node]:
        scratch = ffi.new("struct lyd_node **", NULL)
        if parent:
            clib.check(self._context.cdata, lib.lyd_dup_single(parent, ffi.NULL, 0, scratch))
        out = ffi.new("struct lyd_node **")
        arguments = [clib.c_string(key) for key in keys]
        module = self._context.module_pointer(schema.module)
        code = lib.lyd_new_list(scratch[0], module, clib.c_string(schema.name), False, out, *arguments)
        match = NULL
        if code == lib.LY_SUCCESS:
            match = clib.find_like(first, out[0])
            lib.lyd_free_tree(out[0])
        clib.take_errors(self._context.cdata)
        if scratch[0]:
            lib.lyd_free_tree(scratch[0])
        return [match] if match else []

    def _select(self, element: etree._Element, node: Node, schema: SchemaNode, out: Node) -> bool:
        """Copy what `element` selects of `node` below `out`; whether that was anything."""
        if schema.kind in ("leaf", "leaf-list", "anydata"):
            wanted = _content(element)
            if wanted and wanted != clib.value_of(node):
                return False
            self._copy(node, out, whole=True)
            return True
        tests = [child for child in element if _content(child)]
        if not all(self._holds(test, node, schema) for test in tests):
            return False
        rest = [child for child in element if not _content(child)]
        if not rest:
            self._copy(node, out, whole=True)
            return True
        copy = self._copy(node, out, whole=False)
        selected = False
        for child in (*tests, *rest):
            for below in self._named(child, schema):
                for instance in self._instances(child, lib.lyd_child(node), node, below):
                    selected |= self._select(child, instance, below, copy)
        if not selected and not lib.lyd_child(copy):
            self._discard(copy)
        return selected

    def _holds(self, test: etree._Element, node: Node, schema: SchemaNode) -> bool:
        wanted = _content(test)
        return any(
            clib.value_of(leaf) == wanted
            for below in self._named(test, schema)
            if below.kind in ("leaf", "leaf-list")
            for leaf in self._instances(test, lib.lyd_child(node), node, below)
        )

    def _copy(self, node: Node, out: Node, *, whole: bool) -> Node:
        """A copy of `node` below `out`, or the one that is there from another part of the filter."""
        there = clib.find_like(lib.lyd_child(out) if out else self._out.top, node)
        if there:
            if not whole or not lib.lyd_child(node):
                return there
            self._discard(there)
        copy = ffi.new("struct lyd_node **")
        flags = lib.LYD_DUP_WITH_FLAGS | (lib.LYD_DUP_RECURSIVE if whole else 0)
        clib.check(self._context.cdata, lib.lyd_dup_single(node, clib.as_parent(out), flags, copy))
        if not out:
            self._out.top = clib.insert_sibling(self._out.top, copy[0])
        return copy[0]

    def _discard(self, node: Node) -> None:
        if node == self._out.top:
            self._out.top = node.next if node.next else NULL
        lib.lyd_free_tree(node)


def _content(element: etree._Element | None) -> str:
    """The text of a content match node, "" for any other."""
    if element is None or len(element):
        return ""
    return (element.text or "").strip()
