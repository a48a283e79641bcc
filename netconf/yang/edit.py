"""The edit-config engine: an lxml <config> applied to a data tree in place (RFC 6241 section 7.2, RFC 7950 sections
7.5 to 7.8).

Work follows the size of the edit: elements are resolved through `schema`, instances are found by libyang's hashes,
every step has its undo, and what changed comes out as a Delta. Types are checked here; constraints between nodes
when the datastore is validated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from _libyang import ffi, lib
from lxml import etree

from netconf.errors import RpcError, RpcErrors, bad_attribute, missing_element, unknown_element
from netconf.yang import clib, order, values
from netconf.yang.clib import NULL, LibyangFault, Node
from netconf.yang.paths import quote
from netconf.yang.schema import SchemaNode
from netconf.yang.tree import Tree

Operation = Literal["merge", "replace", "create", "delete", "remove", "none"]
ErrorOption = Literal["stop-on-error", "continue-on-error", "rollback-on-error"]

NC = "urn:ietf:params:xml:ns:netconf:base:1.0"
_OPERATIONS: dict[str, Operation] = {
    "merge": "merge",
    "replace": "replace",
    "create": "create",
    "delete": "delete",
    "remove": "remove",
}
_OPERATION = f"{{{NC}}}operation"


@dataclass(slots=True)
class Delta:
    """What an edit changed: (what, libyang instance path), in order; what is created, deleted, changed or moved.

    Of a subtree that is created or deleted only its top is named.
    """

    changes: list[tuple[str, str]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.changes)


class Editor:
    """One edit of one tree. Call `apply`, then `keep` or `rollback`; `delta` is what is different now."""

    def __init__(self, tree: Tree, take_in: Callable[[str, str, str | None], str], known: Tree | None = None) -> None:
        """take_in(path, given, existing): what to store for a secret; may raise RpcError.

        known: another tree in which the secret may be stored already (running).
        """
        self._tree = tree
        self._context = tree.context
        self._take_in = take_in
        self._known = known
        self._undo: list[Callable[[], None]] = []
        self._detached: list[Node] = []
        self._scratch: dict[int, Node] = {}
        self._fresh: set[int] = set()
        self._secrets: dict[str, str] = {}
        self._errors: list[RpcError] = []
        self._go_on = False
        self.delta = Delta()

    def apply(
        self, config: etree._Element, default_operation: str = "merge", error_option: ErrorOption = "stop-on-error"
    ) -> None:
        """Apply every child of `config`; raises RpcErrors, for rollback-on-error with the tree as it was."""
        self._go_on = error_option == "continue-on-error"
        inherited: Operation = "merge"
        if default_operation == "replace":
            for node in clib.following(self._tree.top):
                self._remove(node, self._schema(node))
        elif default_operation == "none":
            inherited = "none"
        try:
            self._each_child(config, NULL, None, inherited)
        except RpcError as error:
            self._errors.append(error)
        if self._errors:
            if error_option == "rollback-on-error":
                self.rollback()
            raise RpcErrors(self._errors)

    def rollback(self) -> None:
        """Put the tree back as it was before `apply`."""
        for step in reversed(self._undo):
            step()
        self._undo.clear()
        self.delta = Delta()
        self.keep()

    def keep(self) -> None:
        """Accept what was done; frees what was taken out."""
        self._undo.clear()
        for node in self._detached:
            lib.lyd_free_tree(node)
        self._detached.clear()
        for node in self._scratch.values():
            lib.lyd_free_tree(node)
        self._scratch.clear()

    # Elements

    def _each_child(
        self, element: etree._Element, parent: Node, schema_parent: SchemaNode | None, inherited: Operation
    ) -> None:
        if values.has_text(element):
            name = etree.QName(element).localname
            raise RpcError(
                "bad-element",
                f'text beside the elements of "{name}"',
                path=self._context.error_path(self._path(parent)),
                info=(("bad-element", name),),
            )
        seen: set[int] = set()
        chosen: dict[int, int] = {}
        for child in element:
            try:
                schema = self._resolve(child, parent, schema_parent)
                if schema_parent is not None and schema.name in schema_parent.keys:
                    if child.get(_OPERATION) in ("delete", "remove"):
                        raise bad_attribute("operation", schema.name, "a key cannot be deleted, only its list entry")
                    continue
                operation = self._operation(child, inherited)
                if schema.kind in ("leaf", "container") and schema.ref in seen:
                    raise self._error("bad-element", f'"{schema.name}" is given twice', parent, schema)
                seen.add(schema.ref)
                if operation not in ("delete", "remove"):
                    for choice, case in schema.cases:
                        if chosen.setdefault(choice, case) != case:
                            raise self._error("bad-element", "nodes of two cases of one choice", parent, schema)
                self._one(child, parent, schema, operation)
            except RpcError as error:
                if not self._go_on:
                    raise
                self._errors.append(error)

    def _resolve(self, element: etree._Element, parent: Node, schema_parent: SchemaNode | None) -> SchemaNode:
        name = etree.QName(element)
        key = (name.namespace or "", name.localname)
        schema = self._context.root_by_name.get(key) if schema_parent is None else schema_parent.children.get(key)
        if schema is not None and schema.config and schema.kind not in ("rpc", "action", "notification"):
            return schema
        where = self._context.error_path(self._path(parent))
        if schema is None or schema.kind in ("rpc", "action", "notification"):
            if self._context.module_of(key[0]) is None:
                raise RpcError(
                    "unknown-namespace",
                    f'no module has the namespace "{key[0]}"',
                    path=where,
                    info=(("bad-element", key[1]), ("bad-namespace", key[0])),
                )
            below = f'"{schema_parent.name}"' if schema_parent else "the root"
            raise unknown_element(key[1], f'the model knows no "{key[1]}" below {below}', where)
        raise unknown_element(schema.name, f'"{schema.name}" is state data and cannot be configured', where)

    def _operation(self, element: etree._Element, inherited: Operation) -> Operation:
        operation = inherited
        for attribute, value in element.attrib.items():
            name = etree.QName(str(attribute))
            if attribute == _OPERATION:
                if str(value) not in _OPERATIONS:
                    raise bad_attribute("operation", etree.QName(element).localname, f'no operation "{value!s}"')
                operation = _OPERATIONS[str(value)]
            elif name.namespace != order.YANG:
                local = etree.QName(element).localname
                raise RpcError(
                    "unknown-attribute",
                    f'unknown attribute "{name.localname}"',
                    info=(("bad-attribute", name.localname), ("bad-element", local)),
                )
        return operation

    def _one(self, element: etree._Element, parent: Node, schema: SchemaNode, operation: Operation) -> None:
        if schema.kind == "container":
            self._container(element, parent, schema, operation)
        elif schema.kind == "list":
            self._list(element, parent, schema, operation)
        elif schema.kind in ("leaf", "leaf-list"):
            self._term(element, parent, schema, operation)
        else:
            raise self._error("operation-not-supported", "anydata cannot be configured here", parent, schema)

    def _container(self, element: etree._Element, parent: Node, schema: SchemaNode, operation: Operation) -> None:
        existing = clib.find_by_schema(self._first(parent), schema.ref)
        if operation in ("delete", "remove"):
            self._delete(existing, parent, schema, operation)
            return
        if existing and operation == "create" and schema.presence:
            raise self._exists(parent, schema)
        if existing and operation == "replace":
            self._remove(existing, schema)
            existing = NULL
        if not existing:
            if operation == "none" and schema.presence:
                raise self._missing(parent, schema)
            existing = self._insert(self._new_inner(parent, schema), parent, schema)
        self._each_child(element, existing, schema, operation)

    def _list(self, element: etree._Element, parent: Node, schema: SchemaNode, operation: Operation) -> None:
        keys = self._keys(element, parent, schema)
        node = self._new_list(parent, schema, keys)
        existing = clib.find_like(self._first(parent), node)
        predicates = "".join(f"[{name}={quote(value)}]" for name, value in keys)
        if operation in ("delete", "remove"):
            self._detached.append(node)
            self._delete(existing, parent, schema, operation, predicates)
            return
        if existing and operation == "create":
            self._detached.append(node)
            raise self._exists(parent, schema, predicates)
        if not existing and operation == "none":
            self._detached.append(node)
            raise self._missing(parent, schema, predicates)
        if existing and operation == "replace":
            successor = order.next_of(existing)
            self._remove(existing, schema)
            existing = self._insert(node, parent, schema)
            if schema.user_ordered and successor:
                clib.insert_before(successor, existing)
            self._place(element, existing, parent, schema, moved=True)
        elif existing:
            self._detached.append(node)
            self._place(element, existing, parent, schema, moved=True)
        else:
            existing = self._insert(node, parent, schema)
            self._place(element, existing, parent, schema, moved=False)
        self._each_child(element, existing, schema, operation)

    def _term(self, element: etree._Element, parent: Node, schema: SchemaNode, operation: Operation) -> None:
        if len(element):
            bad = etree.QName(element[0]).localname
            raise unknown_element(bad, f'"{schema.name}" holds a value, no elements', self._where(parent, schema))
        is_leaf = schema.kind == "leaf"
        existing = clib.find_by_schema(self._first(parent), schema.ref) if is_leaf else NULL
        if is_leaf and operation in ("delete", "remove", "none"):
            if operation != "none":
                self._delete(existing, parent, schema, operation)
            elif not existing or clib.is_default(existing):
                raise self._missing(parent, schema)
            return
        text = values.with_module_names(element, schema, self._context)
        node = self._new_term(parent, schema, text)
        if not is_leaf:
            existing = clib.find_like(self._first(parent), node)
        elif schema.secret:
            node = self._sealed(node, text, existing, parent, schema)
        predicate = "" if is_leaf else f"[.={quote(clib.value_of(node))}]"
        if operation in ("delete", "remove"):
            self._detached.append(node)
            self._delete(existing, parent, schema, operation, predicate)
        elif operation == "none":
            self._detached.append(node)
            if not existing:
                raise self._missing(parent, schema, predicate)
        elif existing and not clib.is_default(existing) and operation == "create":
            self._detached.append(node)
            raise self._exists(parent, schema, predicate)
        elif existing and not clib.is_default(existing) and clib.same(existing, node):
            self._detached.append(node)
            self._place(element, existing, parent, schema, moved=True)
        else:
            if existing:
                self._remove(existing, schema, silently=True)
            node = self._insert(node, parent, schema, changed=bool(existing))
            self._place(element, node, parent, schema, moved=False)

    def _delete(
        self, existing: Node, parent: Node, schema: SchemaNode, operation: Operation, predicates: str = ""
    ) -> None:
        if existing and not clib.is_default(existing):
            self._remove(existing, schema)
        elif operation == "delete":
            raise self._missing(parent, schema, predicates)

    # Secrets

    def _sealed(self, node: Node, given: str, existing: Node, parent: Node, schema: SchemaNode) -> Node:
        path = self._step(parent, schema)
        stored = clib.value_of(existing) if existing else self._secrets.get(path)
        if stored is None and self._known is not None:
            stored = self._known.value_at(path)
        self._detached.append(node)
        return self._new_term(parent, schema, self._take_in(path, given, stored))

    def _remember_secrets(self, node: Node, schema: SchemaNode) -> None:
        if schema.secret:
            self._secrets[clib.path_of(node)] = clib.value_of(node)
        elif schema.holds_secrets:
            for child in clib.children(node):
                self._remember_secrets(child, self._schema(child))

    # Nodes

    def _new_inner(self, parent: Node, schema: SchemaNode) -> Node:
        return self._made(lib.lyd_new_inner, parent, schema)

    def _new_list(self, parent: Node, schema: SchemaNode, keys: list[tuple[str, str]]) -> Node:
        return self._made(lib.lyd_new_list, parent, schema, tuple(clib.c_string(value) for _, value in keys))

    def _new_term(self, parent: Node, schema: SchemaNode, text: str) -> Node:
        return self._made(lib.lyd_new_term, parent, schema, (clib.c_string(text),))

    def _made(self, function: object, parent: Node, schema: SchemaNode, arguments: tuple[object, ...] = ()) -> Node:
        """A detached node, checked against its type. It is born below a childless copy of its parent, as libyang
        wants one."""
        scratch = NULL
        if parent:
            key = clib.address(parent)
            if key not in self._scratch:
                copy = ffi.new("struct lyd_node **")
                clib.check(self._context.cdata, lib.lyd_dup_single(parent, ffi.NULL, 0, copy))
                self._scratch[key] = copy[0]
            scratch = self._scratch[key]
        out = ffi.new("struct lyd_node **")
        module = self._context.module_pointer(schema.module)
        name = clib.c_string(schema.name)
        before, after = ((), (False, out)) if function is lib.lyd_new_term else ((False, out), ())
        code = function(scratch, module, name, *before, *arguments, *after)  # type: ignore[operator]
        if code != lib.LY_SUCCESS:
            path = self._step(parent, schema)
            stored = clib.take_errors(self._context.cdata)
            if not stored:
                raise RpcError("invalid-value", "the value is refused", path=self._context.error_path(path))
            if stored[0].on_schema and schema.kind == "list":
                path += stored[0].path.rpartition("/")[2].join(("/", ""))
            raise self._context.rpc_error(stored[0], parsing=True, path=path)
        if scratch:
            clib.unlink(out[0])
        return out[0]

    def _insert(self, node: Node, parent: Node, schema: SchemaNode, *, changed: bool = False) -> Node:
        for sibling in clib.following(self._first(parent)) if schema.cases else ():
            other = self._schema(sibling)
            if any(case != dict(schema.cases).get(choice, case) for choice, case in other.cases):
                self._remove(sibling, other, silently=clib.is_default(sibling))
        self._attach(node, parent)
        self._undo.append(lambda: self._detach(node))
        if not parent or clib.address(parent) not in self._fresh:
            self.delta.changes.append(("changed" if changed else "created", clib.path_of(node)))
        self._fresh.add(clib.address(node))
        return node

    def _remove(self, node: Node, schema: SchemaNode, *, silently: bool = False) -> None:
        if schema.holds_secrets:
            self._remember_secrets(node, schema)
        if not silently and not clib.is_default(node):
            self.delta.changes.append(("deleted", clib.path_of(node)))
        parent, successor = node.parent, order.next_of(node) if schema.user_ordered else NULL
        self._detach(node)

        def back() -> None:
            self._detached.pop(next(i for i, other in enumerate(self._detached) if other == node))
            self._attach(node, parent)
            if successor:
                clib.insert_before(successor, node)

        self._undo.append(back)

    def _place(self, element: etree._Element, node: Node, parent: Node, schema: SchemaNode, *, moved: bool) -> None:
        """Honour yang:insert; `moved` when the node was there before, so that it keeps its place without one."""
        where = order.wanted(element, schema)
        if where is None:
            return
        successor, predecessor = order.next_of(node), order.previous_of(node)
        changed = order.place(self, node, self._first(parent), parent, schema, where)
        if changed and moved:
            self._undo.append(lambda: order.restore(node, successor, predecessor))
            self.delta.changes.append(("moved", clib.path_of(node)))

    def anchor(self, parent: Node, schema: SchemaNode, keys: list[tuple[str, str]] | str) -> Node:
        """The existing instance with these keys, or this value; NULL when there is none. For `order`."""
        try:
            node = (
                self._new_term(parent, schema, keys) if isinstance(keys, str) else self._new_list(parent, schema, keys)
            )
        except RpcError:
            return NULL
        self._detached.append(node)
        return clib.find_like(self._first(parent), node)

    def _attach(self, node: Node, parent: Node) -> None:
        if parent:
            clib.insert_child(parent, node)
        else:
            self._tree.top = clib.insert_sibling(self._tree.top, node)

    def _detach(self, node: Node) -> None:
        if node == self._tree.top:
            self._tree.top = node.next if node.next else NULL
        clib.unlink(node)
        self._detached.append(node)

    def _first(self, parent: Node) -> Node:
        return lib.lyd_child(parent) if parent else self._tree.top

    def _schema(self, node: Node) -> SchemaNode:
        return self._context.schema_by_ref[clib.address(node.schema)]

    def _keys(self, element: etree._Element, parent: Node, schema: SchemaNode) -> list[tuple[str, str]]:
        keys = []
        for name in schema.keys:
            found = element.findall(f"{{{schema.namespace}}}{name}")
            if not found:
                raise missing_element(name, self._where(parent, schema))
            if len(found) > 1:
                raise self._error("bad-element", f'the key "{name}" is given twice', parent, schema)
            leaf = schema.children[schema.namespace, name]
            keys.append((name, values.with_module_names(found[0], leaf, self._context)))
        return keys

    # Paths and errors

    def _path(self, node: Node) -> str:
        return clib.path_of(node) if node else ""

    def _step(self, parent: Node, schema: SchemaNode) -> str:
        same_module = schema.parent is not None and schema.parent.module == schema.module
        return f"{self._path(parent)}/{schema.name if same_module else f'{schema.module}:{schema.name}'}"

    def _where(self, parent: Node, schema: SchemaNode, predicates: str = ""):  # type: ignore[no-untyped-def]
        return self._context.error_path(self._step(parent, schema) + predicates)

    def _error(self, tag: str, message: str, parent: Node, schema: SchemaNode, predicates: str = "") -> RpcError:
        info = (("bad-element", schema.name),) if tag == "bad-element" else ()
        return RpcError(tag, message, path=self._where(parent, schema, predicates), info=info)

    def _exists(self, parent: Node, schema: SchemaNode, predicates: str = "") -> RpcError:
        return self._error("data-exists", f'"{schema.name}" exists already', parent, schema, predicates)

    def _missing(self, parent: Node, schema: SchemaNode, predicates: str = "") -> RpcError:
        return self._error("data-missing", f'"{schema.name}" does not exist', parent, schema, predicates)


__all__ = ["Delta", "Editor", "ErrorOption", "LibyangFault", "Operation"]
