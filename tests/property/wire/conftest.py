"""The fuzz entry, loaded by path: test folders do not import each other."""

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def fuzz():
    path = Path(__file__).parents[2] / "fuzz" / "wire.py"
    spec = importlib.util.spec_from_file_location("fuzz_wire", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
