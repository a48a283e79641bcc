"""Text of XML elements as libyang's editing calls want it: prefixes are module names there, not namespace prefixes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lxml import etree

from netconf.yang.schema import SchemaNode

if TYPE_CHECKING:
    from netconf.yang.context import YangContext

_TOKEN = re.compile(r"""'[^']*'|"[^"]*"|(?P<prefix>[A-Za-z_][\w.-]*):(?!:)(?=[A-Za-z_*])""")
_NAME = re.compile(r"[A-Za-z_][\w.-]*\Z")


def with_module_names(element: etree._Element, schema: SchemaNode, context: YangContext) -> str:
    """The value of a leaf element; prefixes of an identityref or instance-identifier become module names."""
    text = element.text or ""
    if not schema.prefixed:
        return text
    text = text.strip()
    if _NAME.match(text):
        # An identity without a prefix is of the default namespace (RFC 7950 section 9.10.3).
        module = context.module_of(element.nsmap.get(None) or "")
        return f"{module}:{text}" if module and module != schema.module and context.has_identity(module, text) else text
    return replace_prefixes(text, element.nsmap, context)


def replace_prefixes(text: str, nsmap: dict[str | None, str], context: YangContext, *, strict: bool = False) -> str:
    """`text` with every prefix outside literals replaced by the name of the module it stands for.

    A prefix that is not declared stays as it is (it may be no prefix: unions mix identities and addresses); with
    `strict` it is a ValueError.
    """

    def one(match: re.Match[str]) -> str:
        prefix = match["prefix"]
        if prefix is None:
            return match[0]
        module = context.module_of(nsmap.get(prefix, ""))
        if module is None:
            if strict:
                raise ValueError(f'the prefix "{prefix}" is not declared, or no module has its namespace')
            return match[0]
        return f"{module}:"

    return _TOKEN.sub(one, text)


def has_text(element: etree._Element) -> bool:
    """Whether there is text beside the elements of a container or list."""
    pieces = [element.text, *(child.tail for child in element)]
    return any(piece and piece.strip() for piece in pieces)
