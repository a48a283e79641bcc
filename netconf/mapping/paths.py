"""Instance paths below /gateway as the mapping writes them.

Segments are unprefixed steps, `context[name='ran']`: what PrepareError carries, and what
`netconf.yang.paths.resolve_segments` turns into an error-path with the namespaces of the schema.
"""

from __future__ import annotations

from hashlib import sha256

Segments = tuple[str, ...]

SEALED_PREFIX = "$8$"


def literal(value: str) -> str:
    """`value` as an XPath literal.

    The model's names hold printable ASCII, so possibly both quotes: then it is a concat().
    """
    if "'" not in value:
        return f"'{value}'"
    if '"' not in value:
        return f'"{value}"'
    return "concat(" + ', "\'", '.join(f"'{part}'" for part in value.split("'")) + ")"


def entry(node: str, key: str, value: str) -> str:
    """The segment of a list entry with one key."""
    return f"{node}[{key}={literal(value)}]"


def secret_ref(where: Segments, stored: str) -> str:
    """The SecretRef of a leaf: its instance path, and a mark of the stored text.

    The mark (of sealed text only, so it tells nothing of the secret) makes a snapshot with another key another
    snapshot: whatever compares two of them sees that a PSK has changed. Equal keys that are entered again keep their
    sealed text, so their mark.
    """
    path = "/" + "/".join(("gateway", *where))
    if not stored.startswith(SEALED_PREFIX):
        return path
    return f"{path}#{sha256(stored.encode()).hexdigest()[:16]}"
