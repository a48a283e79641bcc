"""The <filter> of get and get-config: which tree is asked for, and the reply's <data>."""

from __future__ import annotations

from lxml import etree

from netconf.errors import RpcError, bad_attribute
from netconf.xmlio import BASE
from netconf.yang import select
from netconf.yang.tree import Tree


def apply(tree: Tree, element: etree._Element | None) -> Tree:
    """What the filter selects of `tree`; all of it without one. Raises RpcError for a filter that is none."""
    if element is None:
        return tree
    kind = attribute(element, "type") or "subtree"
    if kind == "subtree":
        return select.by_subtree(tree, element)
    if kind == "xpath":
        expression = attribute(element, "select")
        if expression is None:
            raise RpcError(
                "missing-attribute",
                "an XPath filter needs the attribute select",
                error_type="protocol",
                info=(("bad-attribute", "select"), ("bad-element", "filter")),
            )
        return select.by_xpath(tree, expression, dict(element.nsmap))
    raise bad_attribute("type", "filter", f'"{kind}" is no filter type: subtree or xpath')


def attribute(element: etree._Element, name: str) -> str | None:
    """An attribute that clients write with and without the NETCONF namespace (RFC 6241's own examples do both)."""
    value = element.get(name)
    if value is None:
        value = element.get(f"{{{BASE}}}{name}")
    return None if value is None else str(value)


def data(xml: str) -> str:
    """The <data> of a reply."""
    return f"<data>{xml}</data>" if xml else "<data/>"
