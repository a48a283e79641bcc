"""What a measurement gives, the machine it was taken on, and how both are printed."""

from __future__ import annotations

import os
import platform
import statistics
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    ours, peer: medians in `unit`, None where there is nothing to compare. better: "lower" or "higher".
    spread: all values of ours.
    """

    what: str
    unit: str
    ours: float | None
    peer: float | None = None
    better: str = "lower"
    note: str = ""
    spread: tuple[float, ...] = field(default=())

    @property
    def ratio(self) -> float | None:
        """ours / peer."""
        if self.ours is None or not self.peer:
            return None
        return self.ours / self.peer


def median(values: list[float]) -> float | None:
    """The median, None of nothing."""
    return statistics.median(values) if values else None


def machine() -> str:
    """CPU, cores and kernel: enough to compare with, no names."""
    model = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    kernel = ".".join(platform.release().split(".")[:2]).partition("-")[0]
    return f"{model}, {os.cpu_count()} cores, Linux {kernel}, Python {platform.python_version()}"


def number(value: float | None) -> str:
    """Three significant digits, no exponent."""
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1 else f"{value:.2g}"


def table(figures: list[Figure]) -> str:
    """The figures as a Markdown table."""
    rows = [
        "| measurement | unit | ours | strongSwan | ours / strongSwan | better | note |",
        "|---|---|---|---|---|---|---|",
    ]
    for f in figures:
        ratio = f"{f.ratio:.2f}" if f.ratio is not None else "-"
        rows.append(f"| {f.what} | {f.unit} | {number(f.ours)} | {number(f.peer)} | {ratio} | {f.better} | {f.note} |")
    return "\n".join(rows)
