"""The catalogue as a page of documentation: `python -m telemetry.document > docs/metrics.md`."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from telemetry.catalog import CATALOG
from telemetry.families import Family, Kind, Label

_INTRODUCTION = """\
# Metrics

Made from `telemetry/catalog.py` by `python -m telemetry.document`; a test holds it to that.

The gateway serves them on `http://127.0.0.1:9814/metrics` (the endpoints are `system/metrics/listen` of the
configuration), as Prometheus text 0.0.4 or, where the `Accept` header prefers it, OpenMetrics 1.0.0. A scrape asks
for no list of SAs: its cost does not grow with the tunnels. Counters do not fall when a child process is started
again. `/healthz` answers while the management process runs; `/readyz` says 200 once a configuration is committed and
every child process is up, and else 503 with the reasons in its body. Alert and recording rules are in
`telemetry/rules/`, a dashboard in `telemetry/dashboards/`.

A label's set is closed where its values are listed; the others are names of the configuration. "StarOS" is the bulk
statistics variable of the original, where there is one.
"""


def _label(label: Label) -> str:
    if label.values is None:
        return f"`{label.name}`"
    return f"`{label.name}`: " + ", ".join(label.values)


def _section(family: Family) -> Iterable[str]:
    yield f"### `{family.sample_name}`"
    yield ""
    yield family.help
    yield ""
    yield f"- type: {'gauge that is always 1' if family.kind is Kind.INFO else family.kind.value}"
    if family.unit:
        yield f"- unit: {family.unit}"
    for label in family.labels:
        yield f"- label {_label(label)}"
    if family.buckets:
        yield "- buckets: " + ", ".join(f"{bound:g}" for bound in family.buckets)
    if family.original:
        yield f"- StarOS: `{family.original}`"
    yield ""


def document() -> str:
    """The page, in Markdown."""
    lines = [_INTRODUCTION]
    for family in CATALOG:
        lines.extend(_section(family))
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(document())
