"""Configurations as the agent hands them to the mapping: parsed, validated and printed with defaults by libyang."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netconf.mapping.modules import FEATURES, MODULES
from netconf.yang.context import YangContext

ROOT = Path(__file__).parents[3]

Json = dict[str, Any]


@pytest.fixture(scope="session")
def yang() -> YangContext:
    return YangContext(ROOT / "yang", MODULES, FEATURES)


@pytest.fixture(scope="session")
def full_yang() -> YangContext:
    """With every feature, also of what the gateway does not honour yet."""
    text = (ROOT / "yang/openwsg-types.yang").read_text()
    return YangContext(ROOT / "yang", MODULES, {"openwsg-types": re.findall(r"^  feature ([a-z0-9-]+)", text, re.M)})


@pytest.fixture(scope="session")
def demo_text() -> str:
    return (ROOT / "docs/examples/demo.json").read_text()


@pytest.fixture
def demo(demo_text: str) -> Json:
    """The demo configuration, to be edited."""
    tree: Json = json.loads(demo_text)
    return tree


@pytest.fixture
def ran(demo: Json) -> Json:
    """The context of the demo configuration: edits of it are edits of `demo`."""
    context: Json = demo["openwsg-gateway:gateway"]["openwsg-context:context"][0]
    return context


@pytest.fixture(scope="session")
def complete(yang: YangContext) -> Callable[[Json], Json]:
    """A configuration validated and with its defaults, as build_snapshot wants it."""
    return filler(yang)


@pytest.fixture(scope="session")
def complete_with_features(full_yang: YangContext) -> Callable[[Json], Json]:
    return filler(full_yang)


def filler(yang: YangContext) -> Callable[[Json], Json]:
    def fill(config: Json) -> Json:
        tree = yang.parse(json.dumps(config), "json")
        tree.validate()
        printed: Json = json.loads(tree.print("json", defaults=True))
        return printed

    return fill


@pytest.fixture
def factory() -> Json:
    tree: Json = json.loads((ROOT / "yang/factory-default.json").read_text())
    return copy.deepcopy(tree)
