"""The catalogue's rows: what Prometheus would object to is refused, labels stay in their sets."""

from __future__ import annotations

import pytest

from telemetry.catalog import CATALOG
from telemetry.families import Family, Histogram, Kind, Label, Samples


@pytest.mark.parametrize(
    ("name", "unit", "help_text"),
    [
        ("ikev2-tx-fragments", "", "Good."),
        ("ikeSas", "", "Good."),
        ("ike_sas_total", "", "Good."),
        ("ike_time", "seconds", "Good."),
        ("ike_time_seconds", "seconds", "No full stop"),
        ("ike_time_seconds", "seconds", "Two\nlines."),
    ],
)
def test_bad_rows_are_refused(name: str, unit: str, help_text: str) -> None:
    with pytest.raises(ValueError):
        Family(name, Kind.COUNTER, help_text, unit=unit)


def test_buckets_belong_to_histograms_only() -> None:
    with pytest.raises(ValueError):
        Family("a", Kind.GAUGE, "A.", buckets=(1.0,))
    with pytest.raises(ValueError):
        Family("a", Kind.HISTOGRAM, "A.")


def test_names_do_not_collide() -> None:
    """`x` and `x_total` are one family to an OpenMetrics parser."""
    names = [family.name for family in CATALOG]
    assert len(set(names)) == len(names)
    exposed = {family.sample_name for family in CATALOG} | {
        f"{family.name}{ending}"
        for family in CATALOG
        if family.kind is Kind.HISTOGRAM
        for ending in ("_bucket", "_sum", "_count")
    }
    assert len(exposed) == len(CATALOG) + 3 * sum(family.kind is Kind.HISTOGRAM for family in CATALOG)


def test_no_label_names_a_peer_or_an_sa() -> None:
    """Labels are closed sets or bounded by configuration (architecture section 6)."""
    free = {label.name for family in CATALOG for label in family.labels if label.values is None}
    assert free == {"context", "service", "pool", "worker", "version"}


def test_values_outside_a_closed_set_fall_together() -> None:
    family = Family("drops", Kind.COUNTER, "Drops.", labels=(Label("reason", ("replay", "other")),))
    samples = Samples.of(family, [(("replay",), 1), (("rubbish-1",), 2), (("rubbish-2",), 3)])
    assert samples.rows == ((("replay",), 1), (("other",), 5))


def test_a_missing_label_value_is_an_error() -> None:
    family = Family("drops", Kind.COUNTER, "Drops.", labels=(Label("a"), Label("b")))
    with pytest.raises(ValueError):
        Samples.of(family, [(("x",), 1)])


def test_histograms_pass_through() -> None:
    family = Family("d_seconds", Kind.HISTOGRAM, "D.", unit="seconds", buckets=(1.0,))
    value = Histogram((1, 2), 5.0)
    assert Samples.single(family, value).rows == (((), value),)
