"""Instance data in files: XML as it is, JSON by way of libyang and the modules of this installation (RFC 7951)."""

from __future__ import annotations

import codecs
import json
import os
from pathlib import Path

import libyang
from lxml import etree

from netconf.mapping.modules import MODULES
from netconf.xmlio import MalformedMessage, parse

MAX_FILE_OCTETS = 8 << 20
MAX_DEPTH = 64
_CONFIG_WRAPPERS = frozenset({"config", "data"})


class InstanceError(Exception):
    """A file that is no instance data; says what is wrong and where."""


def yang_directory() -> Path:
    """Where the openwsg modules are: WSG_YANG_DIR, or beside the packages."""
    given = os.environ.get("WSG_YANG_DIR")
    return Path(given) if given else Path(__file__).resolve().parent.parent / "yang"


def load(path: Path) -> str:
    """The file's instance data as XML elements, for <config>. Its first character says whether it is XML or JSON.

    An outer <config> or <data> is taken off. Raises InstanceError.
    """
    octets = _read(path).removeprefix(codecs.BOM_UTF8)
    first = octets.lstrip()[:1]
    if not first:
        raise InstanceError(f"{path}: the file is empty; instance data in XML or JSON is expected")
    if first in (b"{", b"["):
        return json_to_xml(octets, str(path))
    if first == b"<" or path.suffix.lower() == ".xml":
        return _from_xml(octets, str(path))
    if path.suffix.lower() == ".json":
        return json_to_xml(octets, str(path))
    raise InstanceError(f"{path}: neither XML, which begins with <, nor JSON, which begins with {{")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:  # may be a pipe, which has no size to ask for
            octets = file.read(MAX_FILE_OCTETS + 1)
    except IsADirectoryError:
        raise InstanceError(f"{path}: a directory; name a file with instance data in XML or JSON") from None
    except PermissionError:
        raise InstanceError(f"{path}: this user may not read it; change its mode, or run wsg as its owner") from None
    except OSError as error:
        raise InstanceError(f"{path}: {error.strerror}") from error
    if len(octets) > MAX_FILE_OCTETS:
        raise InstanceError(f"{path}: larger than {MAX_FILE_OCTETS >> 20} MiB")
    return octets


def _from_xml(octets: bytes, where: str) -> str:
    try:
        root = parse(octets, MAX_DEPTH)
    except MalformedMessage as error:
        raise InstanceError(f"{where}: {error}") from error
    elements = list(root) if etree.QName(root).localname in _CONFIG_WRAPPERS else [root]
    return "".join(etree.tostring(element, encoding="unicode", with_tail=False) for element in elements)


def json_to_xml(octets: bytes, where: str = "JSON") -> str:
    """JSON instance data as XML. Only names and types are checked here: the rest is the gateway's to say."""
    try:
        json.loads(octets)
    except (ValueError, RecursionError) as error:
        raise InstanceError(f"{where}: not JSON: {error}") from error
    context = _context()
    try:
        node = context.parse_data_mem(octets.decode(), "json", parse_only=True, strict=True)
    except libyang.LibyangError as error:
        raise InstanceError(f"{where}: {_reason(error)}") from error
    if node is None:
        raise InstanceError(f"{where}: empty")
    try:
        return str(node.print_mem("xml", with_siblings=True))
    finally:
        node.free()


def xml_to_json(data: etree._Element) -> str:
    """The children of <data> as JSON instance data. Raises InstanceError where the modules here do not fit."""
    xml = "".join(etree.tostring(child, encoding="unicode", with_tail=False) for child in data)
    if not xml:
        return "{}"
    try:
        node = _context().parse_data_mem(xml, "xml", parse_only=True, strict=True)
    except libyang.LibyangError as error:
        raise InstanceError(f"the gateway's data does not fit the YANG modules here: {_reason(error)}") from error
    if node is None:
        return "{}"
    try:
        return str(node.print_mem("json", with_siblings=True))
    finally:
        node.free()


def _context() -> libyang.Context:
    directory = yang_directory()
    try:
        context = libyang.Context(str(directory))
        for name in MODULES:
            # Every feature: what this gateway supports is the gateway's to say.
            context.load_module(name).feature_enable_all()
    except libyang.LibyangError as error:
        raise InstanceError(f"the YANG modules in {directory} cannot be loaded: {_reason(error)}") from error
    return context


def _reason(error: libyang.LibyangError) -> str:
    return " ".join(str(error).split()) or "libyang refused it"
