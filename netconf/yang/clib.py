"""What the binding leaves out of libyang's C interface: a few editing calls, and errors with their paths.

The calls go through ctypes to the very library that the binding's extension module has loaded, so that there is one
copy of it. Node pointers are cffi `struct lyd_node *`; nothing here owns any.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import _libyang
from _libyang import ffi, lib

Node = Any
"""A cffi `struct lyd_node *`, or ffi.NULL."""

NULL: Node = ffi.NULL

# The binding switches paths off when it installs its logging; without this every stored error has none.
lib.ly_log_options(lib.LY_LOSTORE)
lib.ly_set_log_clb(ffi.NULL, True)

_library = ctypes.CDLL(_libyang.__file__)


def _function(name: str, restype: Any, *argtypes: Any) -> Any:
    function = getattr(_library, name)
    function.restype = restype
    function.argtypes = argtypes
    return function


_p = ctypes.c_void_p
_out = ctypes.POINTER(ctypes.c_void_p)
_find_first = _function("lyd_find_sibling_first", ctypes.c_int, _p, _p, _out)
_find_value = _function("lyd_find_sibling_val", ctypes.c_int, _p, _p, ctypes.c_char_p, ctypes.c_size_t, _out)
_insert_child = _function("lyd_insert_child", ctypes.c_int, _p, _p)
_insert_sibling = _function("lyd_insert_sibling", ctypes.c_int, _p, _p, _out)
_insert_before = _function("lyd_insert_before", ctypes.c_int, _p, _p)
_insert_after = _function("lyd_insert_after", ctypes.c_int, _p, _p)
_unlink = _function("lyd_unlink_tree", None, _p)
_change_term = _function("lyd_change_term", ctypes.c_int, _p, ctypes.c_char_p)
_equals_default = _function("lyd_is_default", ctypes.c_uint8, _p)
_compare = _function("lyd_compare_single", ctypes.c_int, _p, _p, ctypes.c_uint32)


class LibyangFault(Exception):
    """A call of libyang failed; `errors` is what it stored, oldest first, possibly nothing."""

    def __init__(self, errors: tuple[StoredError, ...]) -> None:
        super().__init__("; ".join(error.message for error in errors) or "libyang failed without saying why")
        self.errors = errors


@dataclass(frozen=True, slots=True)
class StoredError:
    """One error as libyang stores it. path: a libyang path (JSON style prefixes) or "".

    on_schema: the path is of the schema, so without keys. vecode: a LYVE_* number.
    """

    message: str
    path: str
    on_schema: bool
    app_tag: str | None
    vecode: int


class Handle:
    """A C context and how many trees still live in it: it is destroyed after the last of them.

    Python ends objects of a garbage cycle in any order, and a tree that is freed after its context ends the process.
    """

    def __init__(self, search_path: str) -> None:
        """A context without modules but libyang's own; raises LibyangFault."""
        out = ffi.new("struct ly_ctx **")
        flags = lib.LY_CTX_DISABLE_SEARCHDIR_CWD | lib.LY_CTX_SET_PRIV_PARSED
        if lib.ly_ctx_new(c_string(search_path), flags, out) != lib.LY_SUCCESS:
            raise LibyangFault(())
        self.pointer = out[0]
        self._trees = 0
        self._closed = False

    def retain(self) -> None:
        """One more tree."""
        self._trees += 1

    def release(self) -> None:
        """One tree less."""
        self._trees -= 1
        self._end()

    def close(self) -> None:
        """Nobody asks for new trees any more."""
        self._closed = True
        self._end()

    def _end(self) -> None:
        if self._closed and not self._trees and self.pointer:
            lib.ly_ctx_destroy(self.pointer)
            self.pointer = ffi.NULL


def take_errors(ctx: Any) -> tuple[StoredError, ...]:
    """The errors stored for this thread, which are forgotten."""
    errors = []
    item = lib.ly_err_first(ctx)
    while item:
        if item.level == lib.LY_LLERR:
            location = text(item.path)
            kind, _, rest = location.partition(' location "')
            path = rest.partition('"')[0] if not rest.startswith("/") else rest[: rest.rfind('"')]
            errors.append(
                StoredError(text(item.msg), path, kind == "Schema", text(item.apptag) or None, int(item.vecode))
            )
        item = item.next
    lib.ly_err_clean(ctx, ffi.NULL)
    return tuple(errors)


def text(c: Any) -> str:
    """A C string, "" for NULL."""
    return ffi.string(c).decode("utf-8", "replace") if c else ""


def c_string(value: str) -> Any:
    """A NUL-terminated copy, alive as long as the result is."""
    return ffi.new("char[]", value.encode())


def check(ctx: Any, code: int) -> None:
    """Raise LibyangFault unless `code` is LY_SUCCESS."""
    if code != lib.LY_SUCCESS:
        raise LibyangFault(take_errors(ctx))


def _int(node: Node) -> int:
    return int(ffi.cast("uintptr_t", node))


def address(pointer: Any) -> int:
    """A pointer as a number, for keys of dictionaries."""
    return _int(pointer)


def node_at(value: int | None) -> Node:
    """The reverse of `address` for data nodes; None and 0 are NULL."""
    return ffi.cast("struct lyd_node *", value or 0)


def as_parent(node: Node) -> Any:
    """The same pointer in the type that libyang's duplication wants for a parent."""
    return ffi.cast("struct lyd_node_inner *", node)


def find_like(siblings: Node, target: Node) -> Node:
    """The sibling that is the same instance as `target` (same keys, same leaf-list value), or NULL."""
    match = ctypes.c_void_p()
    _find_first(_int(siblings), _int(target), ctypes.byref(match))
    return node_at(match.value)


def find_by_schema(siblings: Node, schema: int) -> Node:
    """The one instance of a container or leaf among siblings, or NULL."""
    match = ctypes.c_void_p()
    _find_value(_int(siblings), schema, None, 0, ctypes.byref(match))
    return node_at(match.value)


def insert_child(parent: Node, node: Node) -> None:
    """Move `node` below `parent`, after its last sibling of the same schema node."""
    if _insert_child(_int(parent), _int(node)):
        raise LibyangFault(())


def insert_sibling(sibling: Node, node: Node) -> Node:
    """Move `node` to the top-level siblings of `sibling` (NULL: none yet); the first sibling then."""
    first = ctypes.c_void_p()
    if _insert_sibling(_int(sibling), _int(node), ctypes.byref(first)):
        raise LibyangFault(())
    return node_at(first.value)


def insert_before(sibling: Node, node: Node) -> None:
    """Move `node` right before `sibling`; both of one user-ordered list."""
    if _insert_before(_int(sibling), _int(node)):
        raise LibyangFault(())


def insert_after(sibling: Node, node: Node) -> None:
    """Move `node` right after `sibling`; both of one user-ordered list."""
    if _insert_after(_int(sibling), _int(node)):
        raise LibyangFault(())


def unlink(node: Node) -> None:
    """Take `node` out of its tree; the caller owns it then."""
    _unlink(_int(node))


def print_node(ctx: Any, node: Node, form: int, flags: int = lib.LYD_PRINT_SHRINK) -> str:
    """One node with all below it as text; form is LYD_XML or LYD_JSON."""
    out = ffi.new("char **")
    check(ctx, lib.lyd_print_mem(out, node, form, flags))
    try:
        return text(out[0])
    finally:
        lib.free(out[0])


def change_term(ctx: Any, node: Node, value: str) -> None:
    """Give a leaf another value; raises LibyangFault when its type refuses it."""
    code = _change_term(_int(node), value.encode())
    if code not in (
        lib.LY_SUCCESS,
        lib.LY_EEXIST,
        lib.LY_ENOT,
    ):  # the latter two: only the default flag, or nothing, changed
        raise LibyangFault(take_errors(ctx))


def same(one: Node, other: Node) -> bool:
    """Whether two nodes are equal by schema and value; of inner nodes the keys only."""
    return bool(_compare(_int(one), _int(other), 0) == 0)


def children(node: Node) -> list[Node]:
    """The children of an inner node."""
    found = []
    child = lib.lyd_child(node)
    while child:
        found.append(child)
        child = child.next
    return found


def following(first: Node) -> list[Node]:
    """`first` and the siblings after it; nothing for NULL."""
    found = []
    while first:
        found.append(first)
        first = first.next
    return found


def value_of(node: Node) -> str:
    """The canonical text of a leaf or leaf-list entry."""
    return text(lib.lyd_get_value(node))


def path_of(node: Node) -> str:
    """libyang's path of a data node, with keys."""
    c = lib.lyd_path(node, lib.LYD_PATH_STD, ffi.NULL, 0)
    try:
        return text(c)
    finally:
        lib.free(c)


def equals_default(node: Node) -> bool:
    """Whether a leaf has the value that it would have by default, explicit or not."""
    return bool(_equals_default(_int(node)))


def is_default(node: Node) -> bool:
    """Whether a node is there by default only (for a container: nothing below it is explicit)."""
    return bool(node.flags & lib.LYD_DEFAULT)
