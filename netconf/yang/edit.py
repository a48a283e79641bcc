"""The edit-config engine: an lxml <config> applied to a data tree in place (RFC 6241 section 7.2, RFC 7950 sections
7.5 to 7.8).

Work follows the size of the edit: elements are resolved through `schema`, instances are found by libyang's hashes,
every step has its undo, and what changed comes out as a Delta. Types are checked here; constraints between nodes
when the datastore is validated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from lxml import etree

from netconf.errors import RpcError, RpcErrors, bad_attribute, missing_element, unknown_element
from netconf.yang import clib, order, values
from netconf.yang.clib import NULL, Node
from netconf.yang.paths import quote
from netconf.yang.schema import SchemaNode
from netconf.yang.tree import TAG_NAMESPACE, Tree
from netconf.yang.workspace import Delta, Workspace

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
_DEFAULT = f"{{{TAG_NAMESPACE}}}default"


class Editor:
    """One edit of one tree. Call `apply`, then `keep` or `rollback`; `delta` is what is different now."""

    def __init__(self, tree: Tree, take_in: Callable[[str, str, str | None], str], known: Tree | None = None) -> None:
        """take_in(path, given, existing): what to store for a secret; may raise RpcError.

        known: another tree in which the secret may be stored already (running).
        """
        self._work = Workspace(tree)
        self._context = tree.context
        self._take_in = take_in
        self._known = known
        self._errors: list[RpcError] = []
        self._go_on = False
        self._entries: set[tuple[int, str]] = set()

    @property
    def delta(self) -> Delta:
        """What is different now."""
        return self._work.delta

    def apply(
        self, config: etree._Element, default_operation: str = "merge", error_option: ErrorOption = "stop-on-error"
    ) -> None:
        """Apply every child of `config`; raises RpcErrors, for rollback-on-error with the tree as it was."""
        self._go_on = error_option == "continue-on-error"
        inherited: Operation = "merge"
        if default_operation == "replace":
            for node in self._work.top:
                self._work.remove(node, self._work.schema(node))
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
        self._work.rollback()

    def keep(self) -> None:
        """Accept what was done; frees what was taken out. Nothing else may follow."""
        self._work.keep()

    def _each_child(
        self, element: etree._Element, parent: Node, schema_parent: SchemaNode | None, inherited: Operation
    ) -> None:
        if values.has_text(element):
            name = etree.QName(element).localname
            raise RpcError(
                "bad-element",
                f'text beside the elements of "{name}"',
                path=self._context.error_path(self._work.path(parent)),
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
                    raise self._work.error("bad-element", f'"{schema.name}" is given twice', parent, schema)
                seen.add(schema.ref)
                if operation not in ("delete", "remove"):
                    for choice, case in schema.cases:
                        if chosen.setdefault(choice, case) != case:
                            raise self._work.error("bad-element", "nodes of two cases of one choice", parent, schema)
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
        where = self._context.error_path(self._work.path(parent))
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
            elif attribute == _DEFAULT:
                if str(value) not in ("true", "false", "1", "0"):
                    raise bad_attribute("default", etree.QName(element).localname, f'"{value!s}" is no boolean')
            elif name.namespace != order.YANG:
                local = etree.QName(element).localname
                raise RpcError(
                    "unknown-attribute",
                    f'unknown attribute "{name.localname}"',
                    info=(("bad-attribute", name.localname), ("bad-element", local)),
                )
        return operation

    def _one(self, element: etree._Element, parent: Node, schema: SchemaNode, operation: Operation) -> None:
        tagged = element.get(_DEFAULT) in ("true", "1")
        if tagged and schema.kind != "leaf":
            raise bad_attribute("default", schema.name, "only a leaf is tagged as a default")
        if schema.kind == "container":
            self._container(element, parent, schema, operation)
        elif schema.kind == "list":
            self._list(element, parent, schema, operation)
        elif tagged:
            self._tagged(element, parent, schema, operation)
        elif schema.kind in ("leaf", "leaf-list"):
            self._term(element, parent, schema, operation)
        else:
            raise self._work.error("operation-not-supported", "anydata cannot be configured here", parent, schema)

    def _container(self, element: etree._Element, parent: Node, schema: SchemaNode, operation: Operation) -> None:
        existing = clib.find_by_schema(self._work.first(parent), schema.ref)
        if operation in ("delete", "remove"):
            self._delete(existing, parent, schema, operation)
            return
        if existing and operation == "create" and schema.presence:
            raise self._work.exists(parent, schema)
        if existing and operation == "replace":
            self._work.remove(existing, schema)
            existing = NULL
        if not existing:
            if operation == "none" and schema.presence:
                raise self._work.missing(parent, schema)
            existing = self._work.insert(self._work.new_inner(parent, schema), parent, schema)
        self._each_child(element, existing, schema, operation)

    def _list(self, element: etree._Element, parent: Node, schema: SchemaNode, operation: Operation) -> None:
        keys = self._keys(element, parent, schema)
        node = self._work.new_list(parent, schema, keys)
        existing = clib.find_like(self._work.first(parent), node)
        predicates = "".join(f"[{name}={quote(value)}]" for name, value in keys)
        # By its canonical keys. Two elements for one entry have no order that RFC 6241 would define, so that they are
        # refused as a leaf given twice is, and not merged; create and delete have errors of their own for it.
        entry = (clib.address(parent) if parent else 0, clib.path_of(node))
        if entry in self._entries and (operation != "create" or not existing) and (operation != "delete" or existing):
            self._work.drop(node)
            raise self._work.error(
                "bad-element", f"{schema.name} {_named(keys)} is given twice in this edit", parent, schema, predicates
            )
        self._entries.add(entry)
        if operation in ("delete", "remove"):
            self._work.drop(node)
            self._delete(existing, parent, schema, operation, predicates)
            return
        if existing and operation == "create":
            self._work.drop(node)
            raise self._work.exists(parent, schema, predicates)
        if not existing and operation == "none":
            self._work.drop(node)
            raise self._work.missing(parent, schema, predicates)
        if existing and operation == "replace":
            successor = order.next_of(existing)
            self._work.remove(existing, schema)
            existing = self._work.insert(node, parent, schema)
            if schema.user_ordered and successor:
                self._work.put_before(successor, existing)
            self._place(element, existing, parent, schema, moved=True)
        elif existing:
            self._work.drop(node)
            self._place(element, existing, parent, schema, moved=True)
        else:
            existing = self._work.insert(node, parent, schema)
            self._place(element, existing, parent, schema, moved=False)
        self._each_child(element, existing, schema, operation)

    def _term(self, element: etree._Element, parent: Node, schema: SchemaNode, operation: Operation) -> None:
        if len(element):
            bad = etree.QName(element[0]).localname
            raise unknown_element(bad, f'"{schema.name}" holds a value, no elements', self._work.where(parent, schema))
        is_leaf = schema.kind == "leaf"
        existing = clib.find_by_schema(self._work.first(parent), schema.ref) if is_leaf else NULL
        if is_leaf and operation in ("delete", "remove", "none"):
            if operation != "none":
                self._delete(existing, parent, schema, operation)
            elif not existing or clib.is_default(existing):
                raise self._work.missing(parent, schema)
            return
        text = values.with_module_names(element, schema, self._context)
        node = self._work.new_term(parent, schema, text)
        if not is_leaf:
            existing = clib.find_like(self._work.first(parent), node)
        elif schema.secret:
            node = self._sealed(node, text, existing, parent, schema)
        predicate = "" if is_leaf else f"[.={quote(clib.value_of(node))}]"
        if operation in ("delete", "remove"):
            self._work.drop(node)
            self._delete(existing, parent, schema, operation, predicate)
        elif operation == "none":
            self._work.drop(node)
            if not existing:
                raise self._work.missing(parent, schema, predicate)
        elif existing and not clib.is_default(existing) and operation == "create":
            self._work.drop(node)
            raise self._work.exists(parent, schema, predicate)
        elif existing and not clib.is_default(existing) and clib.same(existing, node):
            self._work.drop(node)
            self._place(element, existing, parent, schema, moved=True)
        else:
            if existing:
                self._work.remove(existing, schema, silently=True)
            node = self._work.insert(node, parent, schema, changed=bool(existing))
            self._place(element, node, parent, schema, moved=False)

    def _tagged(self, element: etree._Element, parent: Node, schema: SchemaNode, operation: Operation) -> None:
        """A leaf that the client says to have its default (RFC 6243 section 4.5.2): it is not set any more."""
        existing = clib.find_by_schema(self._work.first(parent), schema.ref)
        if operation not in ("create", "merge", "replace"):
            raise self._work.error(
                "invalid-value", f'a tagged default cannot be target of "{operation}"', parent, schema
            )
        if existing and not clib.is_default(existing) and operation == "create":
            raise self._work.exists(parent, schema)
        node = self._work.new_term(parent, schema, values.with_module_names(element, schema, self._context))
        self._work.drop(node)
        if not clib.equals_default(node):
            raise self._work.error("invalid-value", "the value is tagged as the default and is not", parent, schema)
        self._delete(existing, parent, schema, "remove")

    def _delete(
        self, existing: Node, parent: Node, schema: SchemaNode, operation: Operation, predicates: str = ""
    ) -> None:
        if existing and not clib.is_default(existing):
            self._work.remove(existing, schema)
        elif operation == "delete":
            raise self._work.missing(parent, schema, predicates)

    def _sealed(self, node: Node, given: str, existing: Node, parent: Node, schema: SchemaNode) -> Node:
        """The leaf to store for a secret whose given form has passed its type."""
        path = self._work.step(parent, schema)
        stored = clib.value_of(existing) if existing else self._work.removed_secret(path)
        if stored is None and self._known is not None:
            stored = self._known.value_at(path)
        self._work.drop(node)
        return self._work.new_term(parent, schema, self._take_in(path, given, stored))

    def _place(self, element: etree._Element, node: Node, parent: Node, schema: SchemaNode, *, moved: bool) -> None:
        where = order.wanted(element, schema)
        if where is not None:
            self._work.place(node, parent, schema, where, moved=moved)

    def _keys(self, element: etree._Element, parent: Node, schema: SchemaNode) -> list[tuple[str, str]]:
        keys = []
        for name in schema.keys:
            found = element.findall(f"{{{schema.namespace}}}{name}")
            if not found:
                raise missing_element(name, self._work.where(parent, schema))
            if len(found) > 1:
                raise self._work.error("bad-element", f'the key "{name}" is given twice', parent, schema)
            leaf = schema.children[schema.namespace, name]
            keys.append((name, values.with_module_names(found[0], leaf, self._context)))
        return keys


def _named(keys: list[tuple[str, str]]) -> str:
    if len(keys) == 1:
        return f'"{keys[0][1]}"'
    return "with " + " and ".join(f'{name} "{value}"' for name, value in keys)


__all__ = ["Delta", "Editor", "ErrorOption", "Operation"]
