"""The modules themselves: clean for two validators, documented, in step with the files made from them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libyang
import pytest

from netconf.mapping.modules import FEATURES, MODULES, namespace
from netconf.mapping.secret_leaves import is_secret
from netconf.yang.context import standard_directory

PYANG = str(Path(sys.executable).with_name("pyang"))


def run(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)


def files(root: Path) -> list[str]:
    return [f"yang/{name}.yang" for name in MODULES]


def test_modules_are_those_of_the_directory(root: Path) -> None:
    assert sorted(MODULES) == sorted(path.stem for path in (root / "yang").glob("*.yang"))


def test_pyang_lint_is_silent(root: Path) -> None:
    lint = ("--lint", "--lint-modulename-prefix", "openwsg", "--lint-ensure-hyphenated-names")
    result = run(root, PYANG, *lint, "-p", f"yang:{standard_directory()}", *files(root))
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


@pytest.mark.skipif(shutil.which("yanglint") is None, reason="yanglint is in the Debian package libyang2-tools")
@pytest.mark.parametrize("features", [FEATURES, {"openwsg-types": ("*",)}, {}], ids=["ours", "all", "none"])
@pytest.mark.parametrize("data", ["yang/factory-default.json", "docs/examples/demo.json", "docs/examples/demo.xml"])
def test_yanglint_is_silent(root: Path, data: str, features: dict[str, tuple[str, ...]]) -> None:
    every = ",".join(re.findall(r"^  feature ([a-z0-9-]+)", (root / "yang/openwsg-types.yang").read_text(), re.M))
    chosen = [f"-F{name}:{every if names == ('*',) else ','.join(names)}" for name, names in features.items()]
    search = ("-p", "yang", "-p", str(standard_directory()))
    result = run(root, "yanglint", *chosen, *search, "-tconfig", *files(root), data)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_examples_in_json_and_xml_are_one_configuration(schema: Any, root: Path) -> None:
    printed = []
    for kind in ("json", "xml"):
        text = (root / f"docs/examples/demo.{kind}").read_text()
        tree = schema.context.parse_data_mem(text, kind, strict=True, no_state=True)
        printed.append(tree.print_mem("json"))
    assert printed[0] == printed[1]


def test_tree_diagram_is_current(root: Path) -> None:
    """docs/yang-tree.txt is what the command in docs/model.md prints."""
    command = re.search(r"^    pyang (-f tree .*)$", (root / "docs/model.md").read_text(), re.M)
    assert command is not None
    arguments = command[1].replace("yang/openwsg-*.yang", " ".join(files(root))).split(" > ")[0].split()
    result = run(root, PYANG, "-p", str(standard_directory()), *arguments)
    assert result.returncode == 0, result.stderr
    assert result.stdout == (root / "docs/yang-tree.txt").read_text()


def test_every_area_and_every_module_has_a_home(root: Path) -> None:
    """docs/model.md names a module for each of the 32 areas, and mentions each module."""
    text = (root / "docs/model.md").read_text()
    rows = re.findall(r"^\| (\d+)\. [^|]+\| ([^|]+)\|", text, re.M)
    assert [int(number) for number, _ in rows] == list(range(1, 33))
    assert all("openwsg-" in modules or "ietf-" in modules for _, modules in rows)
    for name in MODULES:
        assert f"`{name}`" in text


def test_namespaces_follow_the_module_names(schema: Any) -> None:
    for name in MODULES:
        module = schema.context.get_module(name)
        assert libyang.util.c2str(module.cdata.ns) == namespace(name)


def nodes(schema: Any) -> Iterator[Any]:
    def below(node: Any) -> Iterator[Any]:
        yield node
        if hasattr(node, "children"):
            for child in node.children():
                yield from below(child)

    for top in schema.context.find_path("/openwsg-gateway:gateway"):
        yield from below(top)


def test_descriptions_say_what_a_change_does(schema: Any) -> None:
    """Every leaf that can be written and is no key: itself, or the list entry or container that it configures, says
    when it applies.
    """
    words = re.compile(r"appl(y|ies)|at once|end(s|ed) (its|the)? ?SAs|is looked at|Its removal", re.S)
    silent = []
    for node in nodes(schema):
        if node.nodetype() not in (node.LEAF, node.LEAFLIST) or node.config_false():
            continue
        if node.nodetype() == node.LEAF and node.is_key():
            continue
        said = node.description() or ""
        parent = node.parent()
        while parent is not None and not words.search(said):
            said += parent.description() or ""
            parent = parent.parent()
        if not words.search(said):
            silent.append(node.schema_path())
    assert silent == []


RESTRICTION = re.compile(
    r"""^\s+(?P<kind>must|range|length|pattern)\s+(?P<what>"[^"]*"|'[^']*')\s*(?P<end>;|\{(?P<body>[^}]*)\})""", re.M
)
EXCUSED = {  # a bound for the machine beside the rule for people, or not configuration
    "openwsg-system": {'"1..256"', '"1..8192"'},
    "openwsg-types": {'"1..max"', "'[0-9a-f]{16}'"},
    "openwsg-security-association": {'"1..max"'},
}


def test_every_restriction_speaks_to_a_person(root: Path) -> None:
    """Each must, range, length and pattern carries an error-message and an error-app-tag."""
    mute, seen = [], 0
    for name in MODULES:
        text = (root / "yang" / f"{name}.yang").read_text()
        assert len(RESTRICTION.findall(text)) == len(re.findall(r"^\s+(?:must|range|length|pattern)\s", text, re.M))
        for match in RESTRICTION.finditer(text):
            seen += 1
            body = match["body"] or ""
            if "error-message" in body and "error-app-tag" in body:
                continue
            if match["what"] not in EXCUSED.get(name, set()):
                mute.append((name, match["kind"], match["what"]))
    assert mute == []
    assert seen > 50


def test_secrets_are_marked_and_nothing_else(schema: Any) -> None:
    """AUT-08: the leaves that hold a pre-shared key."""
    marked = {node.data_path() for node in nodes(schema) if is_secret(node)}
    context = "/openwsg-gateway:gateway/openwsg-context:context[name='%s']"
    template = f"{context}/openwsg-crypto-template:crypto/template[name='%s']"
    assert marked == {
        f"{template}/authentication/local/pre-shared-key/key",
        f"{template}/authentication/remote/pre-shared-key/key",
        f"{template}/peer/network[prefix='%s']/pre-shared-key",
    }


@pytest.mark.parametrize(
    ("content", "accepted"),
    [
        ({"all": [None]}, True),
        ({"context": "ran"}, True),
        ({"peer": "2001:db8::1", "remote-identity": "a"}, True),
        ({"local-spi": "0123456789abcdef"}, True),
        ({"child-sa-spi": 1}, True),
        ({}, False),
        ({"all": [None], "context": "ran"}, False),
        ({"local-spi": "0123456789ABCDEF"}, False),
        ({"local-spi": "0123"}, False),
        ({"child-sa-spi": 0}, False),
        ({"remote-identity": ""}, False),
        ({"context": "x" * 80}, False),
    ],
)
def test_clear_says_what_to_clear(schema: Any, content: dict[str, Any], accepted: bool) -> None:
    """EXE-01: all, or at least one condition."""
    assert (schema.refusal_of_rpc(content) is None) is accepted


def test_factory_default(root: Path) -> None:
    """Management on 830 and metrics on loopback, no context (architecture section 8)."""
    gateway = json.loads((root / "yang/factory-default.json").read_text())["openwsg-gateway:gateway"]
    assert list(gateway) == ["openwsg-system:system"]
