"""The tree under an edit: making, inserting, removing and moving nodes, each step with its undo and its trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from _libyang import ffi, lib

from netconf.errors import ErrorPath, RpcError
from netconf.yang import clib, order
from netconf.yang.clib import NULL, Node
from netconf.yang.schema import SchemaNode
from netconf.yang.tree import Tree


@dataclass(slots=True)
class Delta:
    """What an edit changed: (what, libyang instance path), in order; what is created, deleted, changed or moved.

    Of a subtree that is created or deleted only its top is named.
    """

    changes: list[tuple[str, str]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.changes)


class Workspace:
    """One tree while it is edited.

    Nodes taken out live until `keep`, so that undo can put them back and their addresses name nothing else meanwhile.
    """

    def __init__(self, tree: Tree) -> None:
        self.context = tree.context
        self.delta = Delta()
        self._tree = tree
        self._undo: list[Callable[[], None]] = []
        self._detached: dict[int, Node] = {}
        self._scratch: dict[int, Node] = {}
        self._fresh: set[int] = set()
        self._secrets: dict[str, str] = {}

    def rollback(self) -> None:
        """Put the tree back as it was."""
        for step in reversed(self._undo):
            step()
        self.delta = Delta()
        self.keep()

    def keep(self) -> None:
        """Accept what was done; frees what was taken out."""
        self._undo.clear()
        self._fresh.clear()
        for nodes in (self._detached, self._scratch):
            for node in nodes.values():
                lib.lyd_free_tree(node)
            nodes.clear()

    # Looking

    @property
    def top(self) -> list[Node]:
        """The top-level nodes."""
        return clib.following(self._tree.top)

    def first(self, parent: Node) -> Node:
        """The first child of a node, or the first top-level node for NULL."""
        return lib.lyd_child(parent) if parent else self._tree.top

    def schema(self, node: Node) -> SchemaNode:
        """The schema node of a data node."""
        return self.context.schema_by_ref[clib.address(node.schema)]

    def removed_secret(self, path: str) -> str | None:
        """The stored text of a secret that this edit has taken out."""
        return self._secrets.get(path)

    # Making

    def new_inner(self, parent: Node, schema: SchemaNode) -> Node:
        """A container, not in the tree yet."""
        return self._made(lib.lyd_new_inner, parent, schema)

    def new_list(self, parent: Node, schema: SchemaNode, keys: list[tuple[str, str]]) -> Node:
        """A list entry with its keys in order; raises RpcError for a key that its type refuses."""
        return self._made(lib.lyd_new_list, parent, schema, tuple(clib.c_string(value) for _, value in keys))

    def new_term(self, parent: Node, schema: SchemaNode, text: str) -> Node:
        """A leaf or leaf-list entry; raises RpcError for a value that its type refuses."""
        return self._made(lib.lyd_new_term, parent, schema, (clib.c_string(text),))

    def drop(self, node: Node) -> None:
        """A made node that is not needed after all."""
        self._detached[clib.address(node)] = node

    def _made(self, function: object, parent: Node, schema: SchemaNode, arguments: tuple[object, ...] = ()) -> Node:
        """libyang makes no nested node without a parent: it is born below a childless copy of it, then taken out."""
        scratch = NULL
        if parent:
            key = clib.address(parent)
            if key not in self._scratch:
                copy = ffi.new("struct lyd_node **")
                clib.check(self.context.cdata, lib.lyd_dup_single(parent, ffi.NULL, 0, copy))
                self._scratch[key] = copy[0]
            scratch = self._scratch[key]
        out = ffi.new("struct lyd_node **")
        module = self.context.module_pointer(schema.module)
        name = clib.c_string(schema.name)
        before, after = ((), (False, out)) if function is lib.lyd_new_term else ((False, out), ())
        code = function(scratch, module, name, *before, *arguments, *after)  # type: ignore[operator]
        if code != lib.LY_SUCCESS:
            path = self.step(parent, schema)
            stored = clib.take_errors(self.context.cdata)
            if not stored:
                raise RpcError("invalid-value", "the value is refused", path=self.context.error_path(path))
            if stored[0].on_schema and schema.kind == "list":  # it is one of the keys
                path += "/" + stored[0].path.rpartition("/")[2]
            raise self.context.rpc_error(stored[0], parsing=True, path=path)
        if scratch:
            clib.unlink(out[0])
        return out[0]

    # Changing

    def insert(self, node: Node, parent: Node, schema: SchemaNode, *, changed: bool = False) -> Node:
        """Put a made node into the tree; nodes of other cases of its choices go (RFC 7950 section 7.9)."""
        cases = dict(schema.cases)
        for sibling in clib.following(self.first(parent)) if cases else ():
            other = self.schema(sibling)
            if any(case != cases.get(choice, case) for choice, case in other.cases):
                self.remove(sibling, other, silently=clib.is_default(sibling))
        self._attach(node, parent)
        self._undo.append(lambda: self._detach(node))
        if not parent or clib.address(parent) not in self._fresh:
            self.delta.changes.append(("changed" if changed else "created", clib.path_of(node)))
        self._fresh.add(clib.address(node))
        return node

    def remove(self, node: Node, schema: SchemaNode, *, silently: bool = False) -> None:
        """Take a node out; `silently` when what replaces it says what changed."""
        if schema.holds_secrets:
            self._remember_secrets(node, schema)
        if not silently and not clib.is_default(node):
            self.delta.changes.append(("deleted", clib.path_of(node)))
        parent, successor = node.parent, order.next_of(node) if schema.user_ordered else NULL
        self._detach(node)

        def back() -> None:
            del self._detached[clib.address(node)]
            self._attach(node, parent)
            if successor:
                clib.insert_before(successor, node)

        self._undo.append(back)

    def place(self, node: Node, parent: Node, schema: SchemaNode, where: order.Place, *, moved: bool) -> None:
        """Move an entry to a place; `moved` when it was there before this edit touched it. Raises RpcError."""
        successor, predecessor = order.next_of(node), order.previous_of(node)
        if order.place(self, node, parent, schema, where) and moved:
            self._undo.append(lambda: order.restore(node, successor, predecessor))
            self.delta.changes.append(("moved", clib.path_of(node)))

    def put_before(self, successor: Node, node: Node) -> None:
        """Give a node just inserted the place of the one it replaces."""
        clib.insert_before(successor, node)

    def _remember_secrets(self, node: Node, schema: SchemaNode) -> None:
        if schema.secret:
            self._secrets[clib.path_of(node)] = clib.value_of(node)
        elif schema.holds_secrets:
            for child in clib.children(node):
                self._remember_secrets(child, self.schema(child))

    def _attach(self, node: Node, parent: Node) -> None:
        if parent:
            clib.insert_child(parent, node)
        else:
            self._tree.top = clib.insert_sibling(self._tree.top, node)

    def _detach(self, node: Node) -> None:
        if node == self._tree.top:
            self._tree.top = node.next if node.next else NULL
        clib.unlink(node)
        self._detached[clib.address(node)] = node

    # Saying where

    def path(self, node: Node) -> str:
        """libyang's path of a node, "" for NULL."""
        return clib.path_of(node) if node else ""

    def step(self, parent: Node, schema: SchemaNode) -> str:
        """libyang's path of a child that may not be there, without keys."""
        same_module = schema.parent is not None and schema.parent.module == schema.module
        return f"{self.path(parent)}/{schema.name if same_module else f'{schema.module}:{schema.name}'}"

    def where(self, parent: Node, schema: SchemaNode, predicates: str = "") -> ErrorPath | None:
        """The error-path of a child that may not be there."""
        return self.context.error_path(self.step(parent, schema) + predicates)

    def error(self, tag: str, message: str, parent: Node, schema: SchemaNode, predicates: str = "") -> RpcError:
        """An rpc-error about a child."""
        info = (("bad-element", schema.name),) if tag == "bad-element" else ()
        return RpcError(tag, message, path=self.where(parent, schema, predicates), info=info)

    def exists(self, parent: Node, schema: SchemaNode, predicates: str = "") -> RpcError:
        """data-exists."""
        return self.error("data-exists", f'"{schema.name}" exists already', parent, schema, predicates)

    def missing(self, parent: Node, schema: SchemaNode, predicates: str = "") -> RpcError:
        """data-missing."""
        return self.error("data-missing", f'"{schema.name}" does not exist', parent, schema, predicates)
