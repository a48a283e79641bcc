"""`_rust.pyi` says what the extension has: every class, method and parameter, in order."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

from nf.datapath import _rust

STUB = Path(_rust.__file__).with_name("_rust.pyi")


def stub() -> dict[str, dict[str, list[str]]]:
    tree = ast.parse(STUB.read_text())
    return {
        cls.name: {
            method.name: [a.arg for a in [*method.args.args, *method.args.kwonlyargs] if a.arg not in ("self", "cls")]
            for method in cls.body
            if isinstance(method, ast.FunctionDef)
        }
        for cls in tree.body
        if isinstance(cls, ast.ClassDef)
    }


def extension() -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for name, cls in vars(_rust).items():
        if not inspect.isclass(cls):
            continue
        methods = {"__new__": list(inspect.signature(cls).parameters)}
        for method, value in vars(cls).items():
            if not method.startswith("_") and callable(value):
                methods[method] = [p for p in inspect.signature(value).parameters if p != "self"]
        found[name] = methods
    return found


def test_the_stub_is_true() -> None:
    assert stub() == extension()
