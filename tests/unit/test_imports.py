"""Imports point one way (style section 1).

The protocol core does no I/O, and nf knows neither netconf nor telemetry.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SANS_IO = ("nf/wire", "nf/crypto", "nf/policy", "nf/ike")
NO_IO = {
    "asyncio",
    "socket",
    "time",
    "random",
    "secrets",
    "threading",
    "subprocess",
    "select",
    "selectors",
    "uvloop",
    "os",
}
FORBIDDEN = {
    **{folder: NO_IO | {"netconf", "telemetry", "wsg", "nf.io", "nf.ipc"} for folder in SANS_IO},
    "nf": {"netconf", "telemetry", "wsg"},
    "netconf": {"telemetry", "wsg"},
    "telemetry": {"netconf", "wsg"},
}
LAYERS = {
    "nf/wire": {"nf.policy", "nf.ike", "nf.io", "nf.config", "nf.datapath"},
    "nf/crypto": {"nf.policy", "nf.ike", "nf.io", "nf.config", "nf.datapath"},
    "nf/policy": {"nf.ike", "nf.io"},
}


def imported(path: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def offenders(folder: str, forbidden: set[str]) -> list[str]:
    """`file: module` for each import that is forbidden in a folder."""
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files, f"{folder} is empty"
    return sorted(
        {
            f"{path.relative_to(ROOT)}: {name}"
            for path in files
            for name in imported(path)
            for stem in forbidden
            if name == stem or name.startswith(stem + ".")
        }
    )


@pytest.mark.parametrize("folder", sorted(FORBIDDEN))
def test_direction(folder: str) -> None:
    """No import against the arrow."""
    assert offenders(folder, FORBIDDEN[folder]) == []


@pytest.mark.parametrize("folder", sorted(LAYERS))
def test_layers(folder: str) -> None:
    """wire and crypto know no policy, policy knows no engine."""
    assert offenders(folder, LAYERS[folder]) == []


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    """The test above can fail: imports in functions, aliases and `from` forms are seen."""
    file = tmp_path / "x.py"
    file.write_text("def f():\n    import socket as s\n    from time import monotonic\n    from nf import ike\n")
    assert {"socket", "time", "time.monotonic", "nf.ike"} <= imported(file)
