"""The libyang context: which modules there are, and the way in for data."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import libyang
from _libyang import ffi, lib

from netconf.errors import ErrorPath, RpcError, RpcErrors
from netconf.yang import clib, faults, paths
from netconf.yang.schema import SchemaNode, module_nodes
from netconf.yang.tree import Tree

_YANG_1_1 = 2
"""LYS_VERSION_1_1 of libyang."""

STANDARD_MODULES = ("ietf-netconf", "ietf-netconf-monitoring", "ietf-netconf-with-defaults")
STANDARD_FEATURES: Mapping[str, tuple[str, ...]] = {
    "ietf-netconf": ("candidate", "confirmed-commit", "rollback-on-error", "validate", "startup", "xpath"),
}


@dataclass(frozen=True, slots=True)
class ModuleInfo:
    """A module of the context. revision is "" where it has none; conformance: it is implemented, not only imported
    from."""

    name: str
    revision: str
    namespace: str
    implemented: bool
    yang_version: str
    text: str
    """The module itself, as its file has it (libyang's own modules: as libyang prints them)."""


def standard_directory() -> Path:
    """Where pyang's distribution keeps the IETF modules that libyang does not bring; raises FileNotFoundError."""
    distribution = importlib.metadata.distribution("pyang")
    for file in distribution.files or ():
        if file.name == "ietf-netconf.yang":
            return Path(str(distribution.locate_file(file))).resolve().parent
    raise FileNotFoundError("the pyang distribution carries no ietf-netconf.yang")


class YangContext:
    """Modules, compiled once. Objects of libyang stay inside this package."""

    def __init__(
        self,
        directory: Path,
        modules: Sequence[str],
        features: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Load `modules` of `directory` in that order, then the standard ones; raises libyang.LibyangError."""
        self.handle = clib.Handle(f"{directory}:{standard_directory()}")
        self._context = libyang.Context(cdata=self.handle.pointer)
        for name, enabled in ((n, (features or {}).get(n, ())) for n in modules):
            self._load(name, enabled)
        for name in STANDARD_MODULES:
            self._load(name, STANDARD_FEATURES.get(name, ()))
        self.modules = tuple(sorted((_describe(module) for module in self._context), key=lambda m: m.name))
        self._namespaces = {module.name: module.namespace for module in self.modules}
        self.roots: tuple[SchemaNode, ...] = tuple(
            node for module in self._context if module.implemented() for node in module_nodes(module)
        )
        self.root_by_name = {(node.namespace, node.name): node for node in self.roots}
        self.schema_by_ref = {node.ref: node for root in self.roots for node in root.walk()}
        self._pointers: dict[str, clib.Node] = {}
        self.secret_paths = tuple(node.path for root in self.roots for node in root.walk() if node.secret)

    def __del__(self) -> None:
        if hasattr(self, "handle"):
            self.handle.close()

    def _load(self, name: str, features: Sequence[str]) -> None:
        held = [clib.c_string(feature) for feature in features]
        array = ffi.new("char *[]", [*held, ffi.NULL])
        module = lib.ly_ctx_load_module(self._context.cdata, clib.c_string(name), ffi.NULL, array)
        if not module:
            errors = clib.take_errors(self._context.cdata)
            raise libyang.LibyangError(f"cannot load {name}: " + "; ".join(f"{e.message} {e.path}" for e in errors))

    @property
    def cdata(self) -> clib.Node:
        """The C context, for this package."""
        return self._context.cdata

    def namespace_of(self, module: str) -> str | None:
        """The namespace of a module by its name."""
        return self._namespaces.get(module)

    def module_of(self, namespace: str) -> str | None:
        """The name of the implemented module with a namespace."""
        return next((m.name for m in self.modules if m.namespace == namespace and m.implemented), None)

    def module_pointer(self, name: str) -> clib.Node:
        """The C module, for this package."""
        if name not in self._pointers:
            self._pointers[name] = lib.ly_ctx_get_module_latest(self.cdata, clib.c_string(name))
        return self._pointers[name]

    def has_identity(self, module: str, name: str) -> bool:
        """Whether a module defines an identity."""
        text = next((m.text for m in self.modules if m.name == module), "")
        return f"identity {name} " in text or f"identity {name};" in text

    def error_path(self, path: str) -> ErrorPath | None:
        """A libyang path as an error-path."""
        return paths.error_path(path, self.namespace_of)

    def error_path_of(self, segments: Sequence[str]) -> ErrorPath | None:
        """A participant's segments as an error-path."""
        return self.error_path(paths.resolve_segments(segments, self.roots))

    def schema_at(self, path: str) -> SchemaNode | None:
        """The schema node at an instance path."""
        return paths.schema_at(path, self.roots)

    def rpc_error(self, stored: clib.StoredError, *, parsing: bool, path: str | None = None) -> RpcError:
        """A stored error of libyang as an rpc-error."""
        return faults.to_rpc_error(stored, self.roots, self.namespace_of, parsing=parsing, path=path)

    def rpc_errors(self, *, parsing: bool) -> RpcErrors:
        """All that libyang has stored just now."""
        stored = clib.take_errors(self.cdata)
        errors = [self.rpc_error(one, parsing=parsing) for one in stored]
        return RpcErrors(errors or [RpcError("operation-failed", "the data was refused without a reason")])

    def empty(self) -> Tree:
        """A tree with nothing in it."""
        return Tree(self, clib.NULL)

    def parse(self, data: str | bytes, fmt: str, *, state: bool = False) -> Tree:
        """Read XML or JSON instance data, without validating it; with `state`, config false nodes are accepted.

        Raises RpcErrors with a path for what the schema does not know or a type refuses.
        """
        octets = data.encode() if isinstance(data, str) else data
        if not octets.strip():
            return self.empty()
        flags = lib.LYD_PARSE_STRICT | lib.LYD_PARSE_ONLY
        if not state:
            flags |= lib.LYD_PARSE_NO_STATE
        source = ffi.new("char[]", octets)
        tree = ffi.new("struct lyd_node **")
        form = lib.LYD_JSON if fmt == "json" else lib.LYD_XML
        clib.take_errors(self.cdata)
        if lib.lyd_parse_data_mem(self.cdata, source, form, flags, 0, tree) != lib.LY_SUCCESS:
            raise self.rpc_errors(parsing=True)
        return Tree(self, tree[0])

    def rpc_input(self, xml: bytes) -> str:
        """The input of a modelled rpc as JSON; raises RpcErrors for what the model refuses."""
        return self._operation(ffi.new("char[]", xml), lib.LYD_XML, lib.LYD_TYPE_RPC_YANG, lib.LYD_JSON, whole=True)

    def rpc_output(self, json: str) -> str:
        """The output of a modelled rpc as XML, without the rpc's own element; raises RpcErrors, which is a bug of
        ours."""
        return self._operation(clib.c_string(json), lib.LYD_JSON, lib.LYD_TYPE_REPLY_YANG, lib.LYD_XML, whole=False)

    def _operation(self, source: clib.Node, form: int, kind: int, out_form: int, *, whole: bool) -> str:
        source_in = ffi.new("struct ly_in **")
        lib.ly_in_new_memory(source, source_in)
        tree = ffi.new("struct lyd_node **", ffi.NULL)
        operation = ffi.new("struct lyd_node **", ffi.NULL)
        clib.take_errors(self.cdata)
        try:
            code = lib.lyd_parse_op(self.cdata, ffi.NULL, source_in[0], form, kind, tree, operation)
            if code == lib.LY_SUCCESS:
                code = lib.lyd_validate_op(operation[0], ffi.NULL, kind, ffi.NULL)
            if code != lib.LY_SUCCESS:
                raise self.rpc_errors(parsing=True)
            if whole:
                return clib.print_node(self.cdata, tree[0], out_form)
            return "".join(clib.print_node(self.cdata, child, out_form) for child in clib.children(operation[0]))
        finally:
            lib.ly_in_free(source_in[0], False)
            if tree[0]:
                lib.lyd_free_all(tree[0])

    def yang_library(self, content_id: str) -> Tree:
        """The state data of ietf-yang-library (RFC 8525) with this content-id."""
        tree = ffi.new("struct lyd_node **")
        escaped = clib.c_string(content_id.replace("%", "%%"))
        clib.check(self.cdata, lib.ly_ctx_get_yanglib_data(self.cdata, tree, escaped))
        return Tree(self, tree[0])


def _describe(module: libyang.Module) -> ModuleInfo:
    path = module.filepath()
    return ModuleInfo(
        name=module.name(),
        revision=clib.text(module.cdata.revision),
        namespace=clib.text(module.cdata.ns),
        implemented=module.implemented(),
        yang_version="1.1" if module.cdata.parsed.version == _YANG_1_1 else "1",
        text=Path(path).read_text() if path else str(module.print_mem("yang")),
    )
