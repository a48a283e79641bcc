"""A data tree: any number of top-level nodes, owned by one Python object."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal, get_args

from _libyang import ffi, lib

from netconf.errors import RpcError, RpcErrors
from netconf.yang import clib

if TYPE_CHECKING:
    from netconf.yang.context import YangContext

Mode = Literal["explicit", "report-all", "report-all-tagged", "trim"]
"""How defaults are printed (RFC 6243 section 3)."""
MODES: tuple[Mode, ...] = get_args(Mode)
_FLAGS: dict[Mode, int] = {
    "explicit": lib.LYD_PRINT_WD_EXPLICIT,
    "report-all": lib.LYD_PRINT_WD_ALL,
    "report-all-tagged": lib.LYD_PRINT_WD_IMPL_TAG,
    "trim": lib.LYD_PRINT_WD_TRIM,
}
TAG_NAMESPACE = "urn:ietf:params:xml:ns:netconf:default:1.0"
"""Of the attribute `default` (RFC 6243 section 6)."""
_TAG = re.compile(r'(<[^<>]* xmlns:ncwd=")urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults(")')
"""libyang declares the module's namespace in place of the attribute's; text has no < that is not escaped."""

_MANDATORY = 'Mandatory node "'
_MANY = 64
"""More errors than this help nobody."""


class Tree:
    """Instance data of one context. `top` is its first top-level node (clib.NULL when empty); only this package
    looks at it."""

    def __init__(self, context: YangContext, top: clib.Node) -> None:
        self.context = context
        self._handle = context.handle
        self._handle.retain()
        self.top = lib.lyd_first_sibling(top) if top else clib.NULL

    def __del__(self) -> None:
        self.free()
        self._handle.release()

    def free(self) -> None:
        """Give the memory back now; the tree is empty afterwards."""
        if self.top:
            lib.lyd_free_all(self.top)
            self.top = clib.NULL

    def __bool__(self) -> bool:
        return bool(self.top)

    def duplicate(self) -> Tree:
        """An independent copy."""
        if not self.top:
            return Tree(self.context, clib.NULL)
        copy = ffi.new("struct lyd_node **")
        flags = lib.LYD_DUP_RECURSIVE | lib.LYD_DUP_WITH_FLAGS
        clib.check(self.context.cdata, lib.lyd_dup_siblings(self.top, ffi.NULL, flags, copy))
        return Tree(self.context, copy[0])

    def filled(self) -> Tree:
        """A copy with the defaults that a validated tree has (RFC 7950 sections 7.5.1, 7.6.1 and 7.7.2)."""
        copy = self.duplicate()
        target = ffi.new("struct lyd_node **", copy.top)
        code = lib.lyd_new_implicit_all(target, self.context.cdata, lib.LYD_IMPLICIT_NO_STATE, ffi.NULL)
        copy.top = lib.lyd_first_sibling(target[0]) if target[0] else clib.NULL
        clib.check(self.context.cdata, code)
        return copy

    def merge(self, other: Tree) -> None:
        """Merge `other` into this tree; `other` is empty afterwards."""
        if not other.top:
            return
        if not self.top:
            self.top, other.top = other.top, clib.NULL
            return
        target = ffi.new("struct lyd_node **", self.top)
        code = lib.lyd_merge_siblings(target, other.top, lib.LYD_MERGE_DESTRUCT | lib.LYD_MERGE_WITH_FLAGS)
        other.top = clib.NULL
        self.top = lib.lyd_first_sibling(target[0])
        clib.check(self.context.cdata, code)

    def validate(self) -> None:
        """Check the whole configuration and add defaults; raises RpcErrors, and the tree is then good for nothing
        but reading.

        libyang stops at the first fault; of missing mandatory nodes all instances are reported.
        """
        target = ffi.new("struct lyd_node **", self.top)
        clib.take_errors(self.context.cdata)
        code = lib.lyd_validate_all(target, self.context.cdata, lib.LYD_VALIDATE_NO_STATE, ffi.NULL)
        self.top = lib.lyd_first_sibling(target[0]) if target[0] else clib.NULL
        if code == lib.LY_SUCCESS:
            return
        errors: list[RpcError] = []
        for stored in clib.take_errors(self.context.cdata):
            if stored.on_schema and stored.message.startswith(_MANDATORY):
                instances = self._lacking(stored.path)
                errors += [self.context.rpc_error(stored, parsing=False, path=path) for path in instances]
                if instances:
                    continue
            errors.append(self.context.rpc_error(stored, parsing=False))
        raise RpcErrors(errors[:_MANY] or [RpcError("operation-failed", "validation failed without a reason")])

    def _lacking(self, schema_path: str) -> list[str]:
        """Instance paths of a mandatory node where its parent exists and it does not."""
        schema = self.context.schema_at(schema_path)
        if schema is None or schema.parent is None:
            return []
        step = schema.name if schema.module == schema.parent.module else f"{schema.module}:{schema.name}"
        with self.found(f"{schema.parent.path}[not({schema.module}:{schema.name})]") as parents:
            return [f"{clib.path_of(parent)}/{step}" for parent in parents[:_MANY]]

    @contextmanager
    def found(self, xpath: str) -> Iterator[list[clib.Node]]:
        """The nodes that an XPath with module names as prefixes selects; raises clib.LibyangFault. For this package."""
        if not self.top:
            yield []
            return
        found = ffi.new("struct ly_set **")
        clib.take_errors(self.context.cdata)
        clib.check(self.context.cdata, lib.lyd_find_xpath(self.top, clib.c_string(xpath), found))
        try:
            yield [found[0].dnodes[i] for i in range(found[0].count)]
        finally:
            lib.ly_set_free(found[0], ffi.NULL)

    def value_at(self, path: str) -> str | None:
        """The text of the leaf at a libyang instance path, None where there is none."""
        node = self.node_at(path)
        return clib.value_of(node) if node else None

    def node_at(self, path: str) -> clib.Node:
        """The node at a libyang instance path, or NULL. For this package."""
        if not self.top:
            return clib.NULL
        match = ffi.new("struct lyd_node **")
        code = lib.lyd_find_path(self.top, clib.c_string(path), False, match)
        clib.take_errors(self.context.cdata)
        return match[0] if code == lib.LY_SUCCESS else clib.NULL

    def map_secrets(self, replace: Callable[[str, str], str]) -> None:
        """Call replace(path, text) for every leaf that is a secret and store what it returns; RpcError passes
        through."""
        for schema_path in self.context.secret_paths:
            with self.found(schema_path) as nodes:
                for node in nodes:
                    path, text = clib.path_of(node), clib.value_of(node)
                    stored = replace(path, text)
                    if stored != text:
                        clib.change_term(self.context.cdata, node, stored)

    def print(self, fmt: Literal["json", "xml"], *, defaults: bool = False, mode: Mode = "explicit") -> str:
        """Instance data as text, compact: what was set explicitly (RFC 6243 section 2.3), or as `mode` says.

        defaults: short for report-all. The tags of report-all-tagged are in XML only.
        """
        if not self.top:
            return "{}" if fmt == "json" else ""
        flags = lib.LYD_PRINT_WITHSIBLINGS | lib.LYD_PRINT_SHRINK | _FLAGS["report-all" if defaults else mode]
        text = clib.print_node(self.context.cdata, self.top, lib.LYD_JSON if fmt == "json" else lib.LYD_XML, flags)
        return _TAG.sub(rf"\g<1>{TAG_NAMESPACE}\g<2>", text) if mode == "report-all-tagged" else text
