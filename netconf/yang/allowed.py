"""What a type allows, in words for people, such as "a whole number from 1 to 10"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from _libyang import ffi, lib
from libyang import Context
from libyang.schema import SLeaf, SLeafList, Type

from netconf.yang import clib

MAX_IDENTITIES = 12
"""So many identities are named, and the rest is counted."""

_TYPEDEFS = {
    "ipv4-address": "an IPv4 address",
    "ipv4-address-no-zone": "an IPv4 address",
    "ipv6-address": "an IPv6 address",
    "ipv6-address-no-zone": "an IPv6 address",
    "ip-address": "an IPv4 or IPv6 address",
    "ip-address-no-zone": "an IPv4 or IPv6 address",
    "ipv4-prefix": "an IPv4 prefix, such as 192.0.2.0/24",
    "ipv6-prefix": "an IPv6 prefix, such as 2001:db8::/64",
    "ip-prefix": "an IPv4 or IPv6 prefix, such as 192.0.2.0/24",
    "domain-name": "a domain name, of letters, digits, hyphens and underscores, with dots between its labels",
    "host": "an IP address or a domain name",
    "ike-spi": "16 hexadecimal digits in lower case",
}
_BITS = {
    Type.UINT8: (0, 8),
    Type.UINT16: (0, 16),
    Type.UINT32: (0, 32),
    Type.UINT64: (0, 64),
    Type.INT8: (1, 8),
    Type.INT16: (1, 16),
    Type.INT32: (1, 32),
    Type.INT64: (1, 64),
}


_IDENTITY = re.compile(r"^\s*identity\s+([A-Za-z_][\w.-]*)\s*[{;]", re.MULTILINE)


def in_words(leaf: SLeaf | SLeafList) -> str:
    """What the type of a leaf takes; "" where there are no words for it. All modules are loaded already."""
    kind = leaf.type()
    if kind.base() == Type.IDENT:
        return _identities_in_words(list(_identities(leaf)))
    return _type_in_words(kind)


def _type_in_words(kind: Type) -> str:
    base = kind.base()
    typedef = kind.name().rpartition(":")[2]
    if typedef in _TYPEDEFS:
        return _TYPEDEFS[typedef]
    if base in _BITS:
        return f"a whole number from {_range(kind)}"
    if base == Type.BOOL:
        return "true or false"
    if base == Type.EMPTY:
        return "no value"
    if base == Type.IDENT:
        return "an identity"
    if base == Type.ENUM:
        return _choice([enum.name() for enum in kind.enums()])
    if base == Type.STRING and kind.length() and "max" not in str(kind.length()):
        return f"text of {_spans(str(kind.length()))} characters"
    if base == Type.UNION:
        members = [_type_in_words(member) for member in _members(kind)]
        return ", or ".join(members) if members and all(members) else ""
    return ""


def _range(kind: Type) -> str:
    signed, bits = _BITS[kind.base()]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return _spans((kind.range() or "min..max").replace("min", str(low)).replace("max", str(high)))


def _spans(text: str) -> str:
    return _choice([span.strip().replace("..", " to ") for span in text.split("|")])


def _choice(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else "".join(names)


def _members(kind: Type) -> Iterator[Type]:
    """The members of a union with their typedefs, which the binding leaves out; none where it is a typedef itself."""
    parsed = kind.cdata_parsed
    if not parsed or not parsed.types:
        return
    compiled = list(kind.union_types())
    # libyang keeps the length of an array in front of it. A union within the union is flat only when compiled.
    if int(ffi.cast("uint64_t *", parsed.types)[-1]) == len(compiled):
        for index, member in enumerate(compiled):
            yield Type(kind.context, member.cdata, ffi.addressof(parsed.types[index]))


def _identities(leaf: SLeaf | SLeafList) -> Iterator[str]:
    """The identities that a leaf takes, as module:name: libyang is asked for each, so that features count."""
    for name in _all_identities(leaf.context):
        octets = name.encode()
        code = lib.lyd_value_validate(leaf.context.cdata, leaf.cdata, octets, len(octets), ffi.NULL, ffi.NULL, ffi.NULL)
        if code == lib.LY_SUCCESS:
            yield name
    clib.take_errors(leaf.context.cdata)


def _all_identities(context: Context) -> Iterator[str]:
    for module in context:
        path = module.filepath()
        for name in _defined_in(path) if path else ():
            yield f"{module.name()}:{name}"


@lru_cache(maxsize=128)
def _defined_in(path: str) -> tuple[str, ...]:
    """The identities of a module's file: the binding does not show libyang's. A wrong one would not do harm."""
    return tuple(_IDENTITY.findall(Path(path).read_text()))


def _identities_in_words(names: Sequence[str]) -> str:
    more = len(names) - MAX_IDENTITIES
    return f"{', '.join(names[:MAX_IDENTITIES])} and {more} more" if more > 0 else _choice(names)
