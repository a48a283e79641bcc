"""What libyang says about a value that it refuses, in words for people."""

from __future__ import annotations

import re

from netconf.yang.schema import SchemaNode

MAX_SHOWN = 80
"""Longer values are cut in messages, in characters."""

_LEAFREF = re.compile(r'^Invalid leafref value "(?P<value>.*)" - no target instance "(?P<path>[^"]*)"', re.DOTALL)
_IDENTITY = re.compile(r'^Invalid identityref "(?P<value>.*)" value - (?P<why>[^\n]*)$', re.DOTALL)
_VALUE = tuple(
    re.compile(pattern, re.DOTALL)
    for pattern in (
        r'^Value "(?P<value>.*)" is out of type \S+ min/max bounds',
        r'^Unsatisfied range - value "(?P<value>.*)" is out of the allowed range',
        r'^Unsatisfied pattern - "(?P<value>.*)" does not (?:conform to|match) "',
        r'^Invalid (?:type )?(?!leafref|instance-id)\S+ value "(?P<value>.*)"(?:\.$| - )',
    )
)
_LENGTH = re.compile(r'^Unsatisfied length - string "(?P<value>.*)" length is not allowed', re.DOTALL)
_PREFIX = re.compile(r"^[^:/]*:")


def reworded(message: str, leaf: SchemaNode) -> str:
    """libyang's message about a value of `leaf` as a sentence with the leaf, the value and what is allowed; `message`
    itself where it is of another kind, such as one from the model. Not for secrets: it has the value.
    """
    if match := _LEAFREF.match(message):
        return f"{leaf.name} refers to {_target(match['path'], match['value'])}, which does not exist"
    if match := _IDENTITY.match(message):
        off = ", which is switched off in this gateway" if "disabled" in match["why"] else ""
        hint = ""
        if ":" not in match["value"] and leaf.allowed:
            hint = " (with the module's name as prefix in JSON, or a prefix declared for its namespace in XML)"
        return f"{leaf.name} cannot be {_shown(match['value'])}{off}{_allowed(leaf)}{hint}"
    if match := _LENGTH.match(message):  # a text too long to be read helps nobody, and may be a password in clear
        return f"{leaf.name} cannot have {len(match['value'])} characters{_allowed(leaf)}"
    for pattern in _VALUE:
        if match := pattern.match(message):
            return f"{leaf.name} cannot be {_shown(match['value'])}{_allowed(leaf)}"
    return message


def _allowed(leaf: SchemaNode) -> str:
    return f"; allowed: {leaf.allowed}" if leaf.allowed else ", which its type does not allow"


def _target(path: str, value: str) -> str:
    """What a leafref wants: its path to a list's key is relative and has prefixes, neither of which helps a reader."""
    steps = [_PREFIX.sub("", step) for step in path.split("/") if step not in ("", ".", "..")]
    if len(steps) > 1 and steps[-1] == "name":
        return f"{'/'.join(steps[:-1])} {_shown(value)}"
    return f"{'/'.join(steps[:-1]) or 'a node'} with {steps[-1] if steps else 'the value'} {_shown(value)}"


def _shown(value: str) -> str:
    return f'"{value}"' if len(value) <= MAX_SHOWN else f'"{value[:MAX_SHOWN]}…" ({len(value)} characters)'
