"""The schema as libyang compiles it, and edits of the demo configuration to try on it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libyang
import pytest
from _libyang import ffi, lib
from libyang.util import c2str

from netconf.mapping.modules import FEATURES, MODULES
from netconf.yang.context import standard_directory

ROOT = Path(__file__).parents[3]
DELETE = "DELETE"

Edit = tuple[str, Any]


@dataclass(frozen=True)
class Refusal:
    """Why libyang refuses: the app-tag and message of its first error."""

    app_tag: str | None
    message: str


class Schema:
    """All modules, compiled with these features."""

    def __init__(self, features: Mapping[str, Sequence[str]]) -> None:
        self.context = libyang.Context(f"{ROOT / 'yang'}:{standard_directory()}")
        for name in MODULES:
            text = (ROOT / "yang" / f"{name}.yang").read_text()
            module = self.context.parse_module_str(text, features=list(features.get(name, ())))
            assert module.name() == name

    def refusal(self, tree: dict[str, Any]) -> Refusal | None:
        """None when `tree` is a valid configuration."""
        return self._try(json.dumps(tree), lib.LYD_VALIDATE_NO_STATE)

    def _try(self, text: str, validation: int) -> Refusal | None:
        lib.ly_err_clean(self.context.cdata, ffi.NULL)
        data = ffi.new("char[]", text.encode())
        out = ffi.new("struct lyd_node **")
        code = lib.lyd_parse_data_mem(self.context.cdata, data, lib.LYD_JSON, lib.LYD_PARSE_STRICT, validation, out)
        if code == lib.LY_SUCCESS:
            lib.lyd_free_all(out[0])
            return None
        error = lib.ly_err_first(self.context.cdata)
        return Refusal(c2str(error.apptag), c2str(error.msg) or "")

    def refusal_of_rpc(self, content: dict[str, Any]) -> Refusal | None:
        """None when `content` is a valid input of clear-security-association."""
        lib.ly_err_clean(self.context.cdata, ffi.NULL)
        text = json.dumps({"openwsg-security-association:clear-security-association": content})
        try:
            rpc = self.context.parse_op_mem("json", text, libyang.util.DataType.RPC_YANG)
            rpc.validate(rpc=True)
        except libyang.LibyangError as error:
            return Refusal(None, str(error))
        rpc.free()
        return None


@pytest.fixture(scope="session")
def schema() -> Schema:
    return Schema(FEATURES)


@pytest.fixture(scope="session")
def full_schema() -> Schema:
    text = (ROOT / "yang/openwsg-types.yang").read_text()
    return Schema({"openwsg-types": re.findall(r"^  feature ([a-z0-9-]+)", text, re.M)})


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


def put(tree: Any, path: str, value: Any) -> None:
    """Set (or DELETE) the member at `path`: names without modules, numbers for entries, `+` for a new entry."""
    *steps, last = path.split("/")
    node = tree["openwsg-gateway:gateway"]
    for step in steps:
        node = node[int(step)] if isinstance(node, list) else node.setdefault(_member(node, step), {})
    if isinstance(node, list):
        if last == "+":
            node.append(value)
        elif value == DELETE:
            del node[int(last)]
        else:
            node[int(last)] = value
    elif value == DELETE:
        del node[_member(node, last)]
    else:
        node[_member(node, last)] = value


def _member(node: dict[str, Any], name: str) -> str:
    return next((member for member in node if member.rpartition(":")[2] == name), name)


@pytest.fixture
def edited() -> Callable[[Sequence[Edit]], dict[str, Any]]:
    """The demo configuration with edits."""

    def make(edits: Sequence[Edit]) -> dict[str, Any]:
        tree: dict[str, Any] = copy.deepcopy(json.loads((ROOT / "docs/examples/demo.json").read_text()))
        for path, value in edits:
            put(tree, path.replace("C/", "context/0/", 1) if path.startswith("C/") else path, value)
        return tree

    return make
