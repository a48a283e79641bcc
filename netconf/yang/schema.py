"""The schema as plain Python values, made once from the compiled modules, so that walking an edit asks no C library."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from _libyang import lib
from libyang.schema import Module, SAnydata, SAnyxml, SContainer, SLeaf, SLeafList, SList, SNode, SNotif, SRpc, Type

from netconf.yang import allowed, clib

Kind = Literal["container", "list", "leaf", "leaf-list", "anydata", "rpc", "action", "notification"]

_DATA = (lib.LYS_CONTAINER, lib.LYS_LIST, lib.LYS_LEAF, lib.LYS_LEAFLIST, lib.LYS_ANYDATA, lib.LYS_ANYXML)
_OPERATIONS = (lib.LYS_RPC, lib.LYS_ACTION, lib.LYS_NOTIF)
_CHOICE, _CASE = lib.LYS_CHOICE, lib.LYS_CASE


@dataclass(slots=True, eq=False)
class SchemaNode:
    """A data node, operation or notification of a module.

    children: by (namespace, name); of an operation its input. cases: (choice, case) of every choice between this
    node and its parent data node, outermost first. ref: address of the compiled node, stable for the life of the
    context. prefixed: values can hold prefixes (identityref, instance-identifier). holds_secrets: this node or one
    below it is a secret. allowed: what values a leaf takes, in words, "" where there are none.
    """

    name: str
    module: str
    namespace: str
    kind: Kind
    config: bool
    parent: SchemaNode | None
    ref: int
    keys: tuple[str, ...] = ()
    user_ordered: bool = False
    presence: bool = False
    secret: bool = False
    prefixed: bool = False
    holds_secrets: bool = False
    allowed: str = ""
    cases: tuple[tuple[int, int], ...] = ()
    children: dict[tuple[str, str], SchemaNode] = field(default_factory=dict, repr=False)

    @property
    def path(self) -> str:
        """Path from the root, each step with its module's name."""
        step = f"/{self.module}:{self.name}"
        return step if self.parent is None else self.parent.path + step

    def child(self, name: str, module: str | None = None) -> SchemaNode | None:
        """The child called `name`, of `module` when given, else of any."""
        for node in self.children.values():
            if node.name == name and module in (None, node.module):
                return node
        return None

    def walk(self) -> Iterator[SchemaNode]:
        """This node and all below it."""
        yield self
        for node in self.children.values():
            yield from node.walk()


def module_nodes(module: Module) -> list[SchemaNode]:
    """The top-level nodes of an implemented module, with all below them."""
    return [_build(node, None) for node in module.children(types=_DATA + _OPERATIONS)]


def _build(snode: SNode, parent: SchemaNode | None) -> SchemaNode:
    module = snode.cdata.module
    node = SchemaNode(
        name=clib.text(snode.cdata.name),
        module=clib.text(module.name),
        namespace=clib.text(module.ns),
        kind=_kind(snode),
        config=not snode.config_false(),
        parent=parent,
        ref=clib.address(snode.cdata),
        secret=any(extension.name() == "secret" for extension in snode.extensions()),
        cases=_cases(snode),
    )
    below: list[SNode] = []
    if isinstance(snode, SList):
        node.keys = tuple(key.name() for key in snode.keys())  # noqa: SIM118 - no dict
        node.user_ordered = bool(snode.cdata.flags & lib.LYS_ORDBY_USER)
        below = list(snode.children(types=_DATA + _OPERATIONS))
    elif isinstance(snode, SContainer):
        node.presence = bool(snode.cdata.flags & lib.LYS_PRESENCE)
        below = list(snode.children(types=_DATA + _OPERATIONS))
    elif isinstance(snode, SRpc):
        entry = snode.input()
        below = list(entry.children(types=_DATA)) if entry is not None else []
    elif isinstance(snode, SNotif):
        below = list(snode.children(types=_DATA))
    elif isinstance(snode, SLeaf | SLeafList):
        node.prefixed = any(base in (Type.IDENT, Type.INST) for base in snode.type().bases())
        node.user_ordered = bool(snode.cdata.flags & lib.LYS_ORDBY_USER)
        node.allowed = allowed.in_words(snode) if node.config else ""
    for child in below:
        built = _build(child, node)
        node.children[built.namespace, built.name] = built
    node.holds_secrets = node.secret or any(child.holds_secrets for child in node.children.values())
    return node


def _kind(snode: SNode) -> Kind:
    kinds: tuple[tuple[type[SNode], Kind], ...] = (
        (SContainer, "container"),
        (SList, "list"),
        (SLeaf, "leaf"),
        (SLeafList, "leaf-list"),
        (SNotif, "notification"),
        (SAnydata, "anydata"),
        (SAnyxml, "anydata"),
    )
    for kind_class, kind in kinds:
        if isinstance(snode, kind_class):
            return kind
    return "rpc" if snode.nodetype() == lib.LYS_RPC else "action"


def _cases(snode: SNode) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    case = 0
    above = snode.cdata.parent
    while above and above.nodetype in (_CHOICE, _CASE):
        if above.nodetype == _CASE:
            case = clib.address(above)
        else:
            found.append((clib.address(above), case))
        above = above.parent
    return tuple(reversed(found))
