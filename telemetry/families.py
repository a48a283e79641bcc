"""What a metric family is: the row of the catalogue, and its samples at one scrape."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_RESERVED_ENDINGS = ("_total", "_created", "_bucket", "_count", "_sum", "_info")


class Kind(Enum):
    """The type of a family. An INFO family is written as a gauge that is 1 where the format has no such type."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Label:
    """A label: `values` is its closed set, or None where configuration bounds it (a context, a pool, a worker)."""

    name: str
    values: tuple[str, ...] | None = None

    def bounded(self, value: str) -> str:
        """`value`, or "other" where the set is closed and lacks it: no peer and no mistake can grow the number of
        series.
        """
        return value if self.values is None or value in self.values else "other"


@dataclass(frozen=True, slots=True)
class Family:
    """One row of the catalogue.

    name: without the `_total` or `_info` that the format adds. unit: a base unit, which the name then ends in, or
    empty. original: the bulk statistics variable of StarOS (areas 29.1 to 29.3), or empty. buckets: upper bounds of a
    histogram, ascending, without infinity. Raises ValueError where `promtool check metrics` or an OpenMetrics parser
    would object.
    """

    name: str
    kind: Kind
    help: str
    labels: tuple[Label, ...] = ()
    unit: str = ""
    original: str = ""
    buckets: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or self.name.endswith(_RESERVED_ENDINGS):
            raise ValueError(f"bad metric name {self.name!r}")
        if self.unit and not self.name.endswith(f"_{self.unit}"):
            raise ValueError(f"{self.name} does not end in its unit {self.unit}")
        if not self.help.endswith(".") or "\n" in self.help:
            raise ValueError(f"the help of {self.name} is not a sentence on one line")
        if (self.kind is Kind.HISTOGRAM) != bool(self.buckets):
            raise ValueError(f"{self.name}: a histogram, and nothing else, has buckets")

    @property
    def sample_name(self) -> str:
        """The name that a query uses (of a histogram: without `_bucket`, `_sum`, `_count`)."""
        return self.name + {Kind.COUNTER: "_total", Kind.INFO: "_info"}.get(self.kind, "")

    @property
    def full_help(self) -> str:
        """The help, with the original name where there is one."""
        return f"{self.help} ({self.original})" if self.original else self.help


@dataclass(frozen=True, slots=True)
class Histogram:
    """A histogram's state: counts by bucket, not cumulative, the one above the last bound at the end, and the sum of
    what was observed.
    """

    counts: tuple[int, ...]
    total: float


@dataclass(frozen=True, slots=True)
class Samples:
    """A family with its values at one scrape: rows of label values, in the order of the labels, and a value."""

    family: Family
    rows: tuple[tuple[tuple[str, ...], float | Histogram], ...]

    @classmethod
    def of(cls, family: Family, rows: Iterable[tuple[tuple[str, ...], float | Histogram]]) -> Samples:
        """Samples whose label values are in their closed sets; rows that fall together ("other") are added up."""
        merged: dict[tuple[str, ...], float | Histogram] = {}
        for values, value in rows:
            key = tuple(label.bounded(text) for label, text in zip(family.labels, values, strict=True))
            present = merged.get(key)
            if isinstance(value, Histogram) or isinstance(present, Histogram) or present is None:
                merged[key] = value
            else:
                merged[key] = present + value
        return cls(family, tuple(merged.items()))

    @classmethod
    def single(cls, family: Family, value: float | Histogram) -> Samples:
        """The one sample of a family without labels."""
        return cls(family, (((), value),))
