"""Instance paths: libyang's form, the form of an error-path, and the segments that participants speak."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from netconf.errors import ErrorPath
from netconf.yang.schema import SchemaNode

_STEP = re.compile(r"/?(?:(?P<module>[A-Za-z_][\w.-]*):)?(?P<name>[A-Za-z_][\w.-]*)")
_PREDICATE = re.compile(
    r"""\[\s*(?P<key>\.|(?:[A-Za-z_][\w.-]*:)?[A-Za-z_][\w.-]*)\s*=\s*(?P<value>'[^']*'|"[^"]*")\s*\]|\[\s*(?P<position>\d+)\s*\]"""
)


@dataclass(frozen=True, slots=True)
class Step:
    """One step: module is None where the path leaves it to the step before. Predicates are (key, value); "." is a
    value's own."""

    module: str | None
    name: str
    predicates: tuple[tuple[str, str], ...] = ()


def parse_path(path: str) -> tuple[Step, ...]:
    """Split an instance path; raises ValueError for anything else."""
    steps: list[Step] = []
    at = 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise ValueError(f"not an instance path: {path!r}")
        at = match.end()
        predicates: list[tuple[str, str]] = []
        while at < len(path) and path[at] == "[":
            predicate = _PREDICATE.match(path, at)
            if predicate is None:
                raise ValueError(f"not an instance path: {path!r}")
            if predicate["key"] is not None:
                predicates.append((predicate["key"].rpartition(":")[2], predicate["value"][1:-1]))
            at = predicate.end()
        steps.append(Step(match["module"], match["name"], tuple(predicates)))
    return tuple(steps)


def quote(value: str) -> str:
    """`value` as an XPath literal; with both kinds of quote there is none, and concat() says it."""
    if "'" not in value:
        return f"'{value}'"
    if '"' not in value:
        return f'"{value}"'
    return "concat(" + ', "\'", '.join(f"'{part}'" for part in value.split("'")) + ")"


def error_path(path: str, namespace_of: Callable[[str], str | None]) -> ErrorPath | None:
    """A libyang path as an error-path: every step and key prefixed with its module's name. None for an empty path."""
    if not path:
        return None
    try:
        steps = parse_path(path)
    except ValueError:
        return ErrorPath(path)
    module = ""
    namespaces: dict[str, str] = {}
    out = []
    for step in steps:
        module = step.module or module
        namespaces[module] = namespace_of(module) or ""
        out.append(f"/{module}:{step.name}")
        for key, value in step.predicates:
            out.append(f"[{'.' if key == '.' else f'{module}:{key}'}={quote(value)}]")
    return ErrorPath("".join(out), tuple((name, uri) for name, uri in namespaces.items() if name and uri))


def schema_at(path: str, roots: Sequence[SchemaNode]) -> SchemaNode | None:
    """The schema node of an instance or schema path whose first step names its module."""
    try:
        steps = parse_path(path)
    except ValueError:
        return None
    node: SchemaNode | None = None
    for step in steps:
        if node is None:
            node = next((r for r in roots if r.name == step.name and r.module == step.module), None)
        else:
            node = node.child(step.name, step.module) or node.child(step.name)
        if node is None:
            return None
    return node


def resolve_segments(segments: Sequence[str], roots: Sequence[SchemaNode], root: str = "gateway") -> str:
    """A participant's unprefixed segments (`nf.config.transaction.PrepareError.path`) as a libyang path.

    Segments may begin at the root container or below it. What the model does not know is appended as it stands,
    below what it knows: a wrong segment must not hide the rest of the error.
    """
    below = [segment for segment in segments if segment]
    top = next((r for r in roots if r.name == root), None)
    if top is None or not below:
        return ""
    if below[0].partition("[")[0] == root:
        below = below[1:]
    path, module, node = f"/{top.module}:{top.name}", top.module, top
    for segment in below:
        name, bracket, rest = segment.partition("[")
        name = name.rpartition(":")[2]
        child = node.child(name)
        if child is None:
            return path
        prefix = f"{child.module}:" if child.module != module else ""
        path += f"/{prefix}{name}{bracket}{rest}"
        module, node = child.module, child
    return path
