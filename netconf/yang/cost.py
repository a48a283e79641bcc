"""What an XPath filter may cost. libyang evaluates it in one go, and the whole agent waits: a client could stop it for
hours with a line of text, `//*[//*[//*[//*]]]`."""

from __future__ import annotations

import re

from netconf.errors import RpcError

MAX_NESTED = 2
"""Predicates within each other."""
MAX_SEARCHES = 2
"""Steps that look at a whole subtree or at every sibling, none of them in a predicate."""

_TOKEN = re.compile(
    r"""(?P<quoted>"[^"]*"|'[^']*')
      | (?P<open>\[) | (?P<close>\])
      | (?P<search>// | (?:descendant|ancestor|following|preceding)(?:-or-self|-sibling)?\s*::)
      | (?P<root>(?<![\w\]).*-])\s*/(?!/))""",
    re.VERBOSE,
)


def check(expression: str) -> None:
    """Raises RpcError resource-denied for an expression whose cost could grow faster than the tree does."""
    nested = searches = 0
    for token in _TOKEN.finditer(expression):
        if token["open"]:
            nested += 1
            if nested > MAX_NESTED:
                raise _refusal(f"its predicates are nested more than {MAX_NESTED} deep")
        elif token["close"]:
            nested -= 1
        elif token["search"]:
            searches += 1
            if nested:
                raise _refusal("a predicate searches the tree; give the path")
            if searches > MAX_SEARCHES:
                raise _refusal(f"it searches the tree more than {MAX_SEARCHES} times; give the path")
        elif token["root"] and nested > 1:
            raise _refusal("a predicate in a predicate begins at the root; begin at the node, or at current()")


def _refusal(why: str) -> RpcError:
    return RpcError("resource-denied", f"the XPath filter costs too much: {why}")
