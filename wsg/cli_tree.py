"""Configuration for people: XML instance data as an indented outline, and the difference of two such outlines."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher

from lxml import etree

Line = tuple[str, ...]
"""A node as the texts of its ancestors and its own: ("context ran", "wsg-service north", "bind", "address 192.0.2.1").
"""

_KEYS = frozenset({"name", "ip", "prefix", "start-address", "local-spi", "spi-in"})
"""Keys of the model's lists. A key is its entry's first child (RFC 7950 section 7.8.5), which tells entries from
containers.
"""

_SEALED_SHOWN = 11
"""So much of a sealed secret is shown, `$8$` and eight characters: enough to see that it changed."""


def outline(data: etree._Element) -> list[Line]:
    """The nodes below <data> (or <config>) and below the model's root container, in document order."""
    lines: list[Line] = []
    for root in data:
        if isinstance(root.tag, str):
            for child in root:
                lines.extend(_lines(child, ()))
    return lines


def _lines(element: etree._Element, above: Line) -> Iterator[Line]:
    if not isinstance(element.tag, str):
        return  # a comment or processing instruction
    name = etree.QName(element).localname
    children = [child for child in element if isinstance(child.tag, str)]
    if not children:
        yield (*above, f"{name} {_value(element)}".strip())
        return
    first = etree.QName(children[0]).localname
    is_entry = first in _KEYS and len(children[0]) == 0
    here = (*above, f"{name} {_value(children[0])}" if is_entry else name)
    yield here
    for child in children[1:] if is_entry else children:
        yield from _lines(child, here)


def _value(element: etree._Element) -> str:
    text = (element.text or "").strip()
    if text.startswith("$8$") and len(text) > _SEALED_SHOWN:
        return f"{text[:_SEALED_SHOWN]}… (sealed)"
    quoted = not text.isprintable() or " " in text
    return f'"{text.encode("unicode_escape").decode("ascii") if not text.isprintable() else text}"' if quoted else text


def indent(lines: list[Line]) -> str:
    """An outline as text, two spaces a level."""
    return "\n".join("  " * (len(line) - 1) + line[-1] for line in lines)


def difference(old: list[Line], new: list[Line]) -> list[str]:
    """What changes from `old` to `new`: lines with `+` or `-`, each below its ancestors, which have neither. Empty:
    nothing changes.
    """
    marked: list[tuple[str, Line]] = []
    for tag, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            marked += [("-", line) for line in old[old_from:old_to]] + [("+", line) for line in new[new_from:new_to]]
    shown: Line = ()
    out = []
    for sign, line in _in_place(marked):
        common = 0
        while common < min(len(shown), len(line) - 1) and shown[common] == line[common]:
            common += 1
        out += [f"  {'  ' * depth}{line[depth]}" for depth in range(common, len(line) - 1)]
        out.append(f"{sign} {'  ' * (len(line) - 1)}{line[-1]}")
        shown = line
    return out


def _in_place(marked: list[tuple[str, Line]]) -> list[tuple[str, Line]]:
    """Without what only moved: list entries that the system orders come in any order."""
    removed = {line for sign, line in marked if sign == "-"}
    added = {line for sign, line in marked if sign == "+"}
    return [(sign, line) for sign, line in marked if line not in (added if sign == "-" else removed)]
