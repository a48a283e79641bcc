"""XML in and out of the wire: a parser for strangers' octets, and the envelope of replies.

No entities, no DTD, no network, bounded depth; the size is bounded by the framing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from xml.sax.saxutils import escape, quoteattr

from lxml import etree

from netconf.errors import RpcError

BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
MONITORING = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"
YANG = "urn:ietf:params:xml:ns:yang:1"


class MalformedMessage(Exception):
    """Octets that are no XML document we accept. The message says where, never what."""


def parse(octets: bytes, max_depth: int) -> etree._Element:
    """The root element; raises MalformedMessage."""
    if b"<!DOCTYPE" in octets:
        raise MalformedMessage("a document type declaration is not allowed")
    # The encoding is given, so that no declaration can smuggle the above past us in another one (RFC 6241 section 3:
    # UTF-8).
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(octets.lstrip(), parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise MalformedMessage(f"not well-formed at line {line}, column {column}") from None
    except ValueError as error:
        raise MalformedMessage(str(error)) from None
    if root is None:
        raise MalformedMessage("empty document")
    if too_deep(root, max_depth):
        raise MalformedMessage(f"nested deeper than {max_depth} elements")
    return root


def too_deep(root: etree._Element, max_depth: int) -> bool:
    """Whether elements nest deeper than `max_depth`, the root counting as one."""
    return bool(_deeper(max_depth)(root))


@lru_cache(maxsize=8)
def _deeper(depth: int) -> etree.XPath:
    return etree.XPath(f"boolean({'/*' * (depth + 1)})")


def local_name(element: etree._Element) -> str:
    """The name of an element without its namespace."""
    return etree.QName(element).localname


def namespace(element: etree._Element) -> str:
    """The namespace of an element, "" for none."""
    return etree.QName(element).namespace or ""


def inner_xml(element: etree._Element) -> bytes:
    """The children of an element as XML, each with the namespaces it needs."""
    return b"".join(etree.tostring(child, with_tail=False) for child in element)


def reply(attributes: Mapping[str, str], body: str, nsmap: Mapping[str | None, str] | None = None) -> bytes:
    """An <rpc-reply> with the attributes of its <rpc> (RFC 6241 section 4.2); `attributes` are in lxml's
    {namespace}name form."""
    declared = {prefix: uri for prefix, uri in (nsmap or {}).items() if prefix is not None}
    out = [f"<rpc-reply xmlns={quoteattr(BASE)}"]
    used: dict[str, str] = {}
    for name, value in attributes.items():
        qname = etree.QName(name)
        if qname.namespace is None:
            out.append(f" {qname.localname}={quoteattr(value)}")
            continue
        prefix = next((p for p, uri in declared.items() if uri == qname.namespace), None) or f"a{len(used)}"
        if qname.namespace not in used and qname.namespace != "http://www.w3.org/XML/1998/namespace":
            used[qname.namespace] = prefix
            out.append(f" xmlns:{prefix}={quoteattr(qname.namespace)}")
        out.append(f" {prefix}:{qname.localname}={quoteattr(value)}")
    out.append(f">{body}</rpc-reply>")
    return "".join(out).encode()


def error_xml(errors: Iterable[RpcError]) -> str:
    """The <rpc-error> elements of a reply (RFC 6241 section 4.3), in the order of its schema."""
    out = []
    for error in errors:
        out.append(
            f"<rpc-error><error-type>{error.error_type}</error-type><error-tag>{escape(error.tag)}</error-tag>"
            "<error-severity>error</error-severity>"
        )
        if error.app_tag:
            out.append(f"<error-app-tag>{escape(error.app_tag)}</error-app-tag>")
        if error.path is not None:
            spaces = "".join(f" xmlns:{prefix}={quoteattr(uri)}" for prefix, uri in error.path.namespaces)
            out.append(f"<error-path{spaces}>{escape(error.path.xpath)}</error-path>")
        out.append(f'<error-message xml:lang="en">{escape(printable(error.message))}</error-message>')
        if error.info:
            info = "".join(f"<{name}>{escape(printable(text))}</{name}>" for name, text in error.info)
            out.append(f"<error-info>{info}</error-info>")
        out.append("</rpc-error>")
    return "".join(out)


def printable(text: str) -> str:
    """`text` without the characters that XML 1.0 has no room for."""
    return "".join(
        c if c in "\t\n\r" or " " <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c >= "\U00010000" else "?"
        for c in text
    )
