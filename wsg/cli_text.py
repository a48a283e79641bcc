"""Text for people: aligned tables that fit the terminal, short forms of sizes, durations and networks."""

from __future__ import annotations

import ipaddress
import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

MIN_WIDTH = 80


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. shrink: how far its cells may be cut (with an ellipsis) when the table is too wide; None:
    never.
    """

    title: str
    align: Literal["left", "right"] = "left"
    shrink: int | None = None


def output_width() -> int | None:
    """Columns of the terminal (COLUMNS counts), at least 80; None where the output is a pipe or a file, which nothing
    is cut for.
    """
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS"):
        return None
    return max(shutil.get_terminal_size((100, 24)).columns, MIN_WIDTH)


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Lines with aligned columns, two spaces between; without trailing spaces. width: None for no limit."""
    widths = [max([len(column.title), *(len(row[number]) for row in rows)]) for number, column in enumerate(columns)]
    if width is not None:
        _shrink(columns, widths, width)
    lines = []
    for cells in ([column.title for column in columns], *rows):
        out = []
        for column, size, cell in zip(columns, widths, cells, strict=True):
            text = cell if len(cell) <= size else cell[: size - 1] + "…"
            out.append(text.rjust(size) if column.align == "right" else text.ljust(size))
        lines.append("  ".join(out).rstrip())
    return "\n".join(lines)


def _shrink(columns: Sequence[Column], widths: list[int], width: int) -> None:
    """Take from the widest column that may give, until the table fits or none can give more."""
    while sum(widths) + 2 * (len(widths) - 1) > width:
        able = [
            number
            for number, column in enumerate(columns)
            if column.shrink is not None and widths[number] > column.shrink
        ]
        if not able:
            return
        widest = max(able, key=lambda number: widths[number])
        widths[widest] -= 1


def human_number(number: int) -> str:
    """1234567 -> 1.23M: three significant digits, powers of 1,000."""
    return _human(number, 1000, ("", "k", "M", "G", "T", "P", "E"))


def human_octets(number: int) -> str:
    """1536 -> 1.50Ki: three significant digits, powers of 1,024."""
    return _human(number, 1024, ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"))


def _human(number: int, base: int, units: tuple[str, ...]) -> str:
    if number < base:
        return str(number)
    value = float(number)
    for unit in units:
        # 999.5 would be printed as 1000: the next unit is meant.
        if value < base - 0.5 or unit == units[-1]:
            digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
            return f"{value:.{digits}f}{unit}"
        value /= base
    raise AssertionError("unreachable")


def human_seconds(seconds: float | None) -> str:
    """93784 -> 1d02h; 3725 -> 1h02m; 65 -> 1m05s; 4.2 -> 4s; None -> -."""
    if seconds is None:
        return "-"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"


def network(first: str, last: str) -> str:
    """A range of addresses as short as it goes: an address, a prefix, or first-last; what is no address is given back
    as it is.
    """
    if first == last:
        return first
    try:
        low, high = ipaddress.ip_address(first), ipaddress.ip_address(last)
        if isinstance(low, ipaddress.IPv4Address) and isinstance(high, ipaddress.IPv4Address):
            prefixes: list[object] = [*ipaddress.summarize_address_range(low, high)]
        elif isinstance(low, ipaddress.IPv6Address) and isinstance(high, ipaddress.IPv6Address):
            prefixes = [*ipaddress.summarize_address_range(low, high)]
        else:
            prefixes = []
    except ValueError:
        prefixes = []
    return str(prefixes[0]) if len(prefixes) == 1 else f"{first}-{last}"


def endpoint(address: str, port: int | None, usual: int = 500) -> str:
    """An address, with its port where that is not the usual one."""
    if port is None or port == usual:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def printable(text: str) -> str:
    """`text` with control characters escaped: a peer chose its identity, and it must not drive the operator's
    terminal.
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)
