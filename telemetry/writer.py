"""Families as text: Prometheus 0.0.4 and OpenMetrics 1.0.0, written by hand.

prometheus_client costs seconds of CPU for 100,000 series. Here everything of a line but its value is made once and
kept; a scrape formats numbers and joins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from telemetry.families import Family, Histogram, Kind, Samples

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def escape_label(text: str) -> str:
    r"""A label value with backslash, double quote and line feed escaped."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def format_number(value: float) -> str:
    """A value as both formats spell it: whole numbers without a point, infinities and NaN by name."""
    if isinstance(value, int):
        return str(value)
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if math.isnan(value):
        return "NaN"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _label_text(names: Iterable[str], values: Iterable[str]) -> str:
    pairs = ",".join(f'{name}="{escape_label(value)}"' for name, value in zip(names, values, strict=True))
    return f"{{{pairs}}}" if pairs else ""


class Writer:
    """Writes families in one format. Keep it between scrapes: it remembers the head of each line."""

    def __init__(self, *, openmetrics: bool) -> None:
        self._openmetrics = openmetrics
        self._heads: dict[str, str] = {}
        self._prefixes: dict[str, dict[tuple[str, ...], tuple[str, ...]]] = {}
        self.content_type = OPENMETRICS if openmetrics else PROMETHEUS

    def write(self, families: Iterable[Samples]) -> str:
        """The exposition: HELP, TYPE and, in OpenMetrics, UNIT and EOF; families without a sample are left out."""
        out: list[str] = []
        for samples in families:
            if not samples.rows:
                continue
            family = samples.family
            out.append(self._head(family))
            known = self._prefixes.setdefault(family.name, {})
            if len(known) > 2 * len(samples.rows) + 16:
                known.clear()  # a service or a pool has gone: do not remember it for ever
            for values, value in samples.rows:
                prefixes = known.get(values)
                if prefixes is None:
                    prefixes = known[values] = self._make_prefixes(family, values)
                if isinstance(value, Histogram):
                    self._histogram(out, prefixes, value)
                else:
                    out.append(f"{prefixes[0]}{format_number(value)}\n")
        if self._openmetrics:
            out.append("# EOF\n")
        return "".join(out)

    def _head(self, family: Family) -> str:
        head = self._heads.get(family.name)
        if head is None:
            # In 0.0.4 the metadata names the samples (x_total); in OpenMetrics the family (x).
            name = family.name if self._openmetrics else family.sample_name
            kind = "gauge" if family.kind is Kind.INFO and not self._openmetrics else family.kind.value
            text = family.full_help.replace("\\", "\\\\")
            if self._openmetrics:
                text = text.replace('"', '\\"')
            head = f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
            if self._openmetrics and family.unit:
                head += f"# UNIT {name} {family.unit}\n"
            self._heads[family.name] = head
        return head

    def _make_prefixes(self, family: Family, values: tuple[str, ...]) -> tuple[str, ...]:
        names = [label.name for label in family.labels]
        if family.kind is not Kind.HISTOGRAM:
            return (f"{family.sample_name}{_label_text(names, values)} ",)
        bounds = [repr(float(bound)) for bound in family.buckets] + ["+Inf"]
        buckets = (f"{family.name}_bucket{_label_text([*names, 'le'], [*values, bound])} " for bound in bounds)
        labels = _label_text(names, values)
        return (*buckets, f"{family.name}_sum{labels} ", f"{family.name}_count{labels} ")

    @staticmethod
    def _histogram(out: list[str], prefixes: tuple[str, ...], value: Histogram) -> None:
        if len(value.counts) != len(prefixes) - 2:
            raise ValueError(f"a histogram with {len(value.counts)} counts for {len(prefixes) - 2} buckets")
        cumulated = 0
        for prefix, count in zip(prefixes, value.counts, strict=False):
            cumulated += count
            out.append(f"{prefix}{cumulated}\n")
        out.append(f"{prefixes[-2]}{format_number(value.total)}\n{prefixes[-1]}{cumulated}\n")
