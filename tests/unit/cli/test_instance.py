"""Instance data in files: XML and JSON."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from lxml import etree

from wsg.cli import run
from wsg.cli_common import EXIT_USAGE
from wsg.cli_instance import MAX_FILE_OCTETS, InstanceError, json_to_xml, load, xml_to_json, yang_directory

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "docs" / "examples" / "demo.json"
GATEWAY = "{urn:openwsg:yang:openwsg-gateway}gateway"


def elements(xml: str) -> list[etree._Element]:
    return list(etree.fromstring(f"<config>{xml}</config>"))


def canonical(xml: str) -> list[tuple[str, str]]:
    """Leaves with their paths, whatever the prefixes and the spaces."""
    tree = etree.fromstring(f"<config>{xml}</config>")
    leaves = []
    for element in tree.iter():
        if isinstance(element.tag, str) and len(element) == 0:
            text = (element.text or "").strip().rpartition(":")[2]
            path = "/".join(
                above.tag for above in reversed(list(element.iterancestors())) if isinstance(above.tag, str)
            )
            leaves.append((f"{path}/{element.tag}", text))
    return sorted(leaves)


def test_the_example_is_the_same_in_both_forms() -> None:
    assert canonical(load(EXAMPLE)) == canonical(load(EXAMPLE.with_suffix(".xml")))


def test_json_and_back() -> None:
    xml = json_to_xml(EXAMPLE.read_bytes())
    assert [element.tag for element in elements(xml)] == [GATEWAY]
    again = json.loads(xml_to_json(etree.fromstring(f"<data>{xml}</data>")))
    assert again == json.loads(EXAMPLE.read_text())


def test_no_data_is_an_empty_object() -> None:
    assert xml_to_json(etree.fromstring("<data/>")) == "{}"


def test_outer_wrappers_are_taken_off(tmp_path: Path) -> None:
    for text in ("<a xmlns='u'/>", "<config><a xmlns='u'/></config>", "<x:data xmlns:x='n'><a xmlns='u'/></x:data>"):
        path = tmp_path / "f.xml"
        path.write_text(text)
        assert [element.tag for element in elements(load(path))] == ["{u}a"]


@pytest.mark.parametrize("name", ["candidate", "candidate.txt", "candidate.xml", "candidate.json"])
@pytest.mark.parametrize("before", ["", " \n", "\ufeff"])
def test_the_first_character_tells_and_not_the_name(tmp_path: Path, name: str, before: str) -> None:
    path = tmp_path / name
    path.write_text(before + '{"openwsg-gateway:gateway": {"openwsg-system:system": {"hostname": "h.example"}}}')
    assert elements(load(path))[0].tag == GATEWAY
    path.write_text(before + '<gateway xmlns="urn:openwsg:yang:openwsg-gateway"/>')
    assert elements(load(path))[0].tag == GATEWAY


def test_a_directory_is_no_instance_data(tmp_path: Path) -> None:
    with pytest.raises(InstanceError, match="a directory; name a file"):
        load(tmp_path)


def test_a_file_of_another_user_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.xml"
    path.write_text("<a/>")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))  # root may read whatever its mode

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(InstanceError, match="may not read it; change its mode"):
        load(path)


def test_what_has_no_end_is_not_read_to_it() -> None:
    with pytest.raises(InstanceError, match="larger"):
        load(Path("/dev/zero"))


def test_the_command_says_it_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.json"
    empty.write_text("")
    for path, message in ((empty, "the file is empty"), (tmp_path, "a directory; name a file")):
        for command in ("commit", "validate", "diff"):
            assert run([command, str(path)]) == EXIT_USAGE
            assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.json", '{"openwsg-gateway:gateway": ', "not JSON"),
        ("a.json", '{"openwsg-gateway:gateway": {"no-such-node": 1}}', "no-such-node"),
        ("a.json", '{"openwsg-gateway:gateway": {"openwsg-system:system": {"ipsec-managers": "many"}}}', "many"),
        ("a.json", "[" * 100_000, "not JSON"),
        ("a.xml", "<a><b></a>", "not well-formed"),
        ("a.xml", '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "document type"),
        ("a.xml", "<a>" * 70 + "</a>" * 70, "nested deeper"),
        ("a.xml", "", "a.xml: the file is empty; .* XML or JSON"),
        ("a.json", " \n", "a.json: the file is empty"),
        ("a", "hostname gw1", "neither XML, .* nor JSON"),
        ("a.xml", "hostname gw1", "not well-formed"),
        ("a.json", "hostname gw1", "not JSON"),
        ("a", "[" + " " * 9, "not JSON"),
    ],
)
def test_what_is_no_instance_data_is_refused_with_a_reason(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InstanceError, match=message):
        load(path)


def test_size_has_an_edge(tmp_path: Path) -> None:
    path = tmp_path / "big.xml"
    path.write_bytes(b"<a/>".ljust(MAX_FILE_OCTETS))
    load(path)
    path.write_bytes(b"<a/>".ljust(MAX_FILE_OCTETS + 1))
    with pytest.raises(InstanceError, match="larger"):
        load(path)


def test_a_directory_without_modules_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WSG_YANG_DIR", str(tmp_path))
    assert yang_directory() == tmp_path
    with pytest.raises(InstanceError, match=f"modules in {tmp_path} cannot be loaded"):
        json_to_xml(b"{}")
