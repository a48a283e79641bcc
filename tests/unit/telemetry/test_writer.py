"""Both text formats, character by character."""

from __future__ import annotations

import math

import pytest

from telemetry.families import Family, Histogram, Kind, Label, Samples
from telemetry.writer import Writer, format_number

DROPS = Family(
    "drops", Kind.COUNTER, 'Say "no" \\ drop.', labels=(Label("direction"), Label("reason")), original="ikev2-drops"
)
AGE = Family("age_seconds", Kind.GAUGE, "Age.", unit="seconds")
BUILD = Family("wsg_build", Kind.INFO, "Build.", labels=(Label("version"),))
TIME = Family("took_seconds", Kind.HISTOGRAM, "Took.", unit="seconds", buckets=(0.5, 1.0))
SAMPLES = [
    Samples.of(DROPS, [(("in", "a"), 1), (("out", 'q"\\\nz'), 2)]),
    Samples.single(AGE, 1.25),
    Samples.of(BUILD, [(("0.1",), 1)]),
    Samples.single(TIME, Histogram((1, 2, 3), 4.5)),
]


def test_prometheus_text() -> None:
    assert Writer(openmetrics=False).write(SAMPLES) == (
        '# HELP drops_total Say "no" \\\\ drop. (ikev2-drops)\n'
        "# TYPE drops_total counter\n"
        'drops_total{direction="in",reason="a"} 1\n'
        'drops_total{direction="out",reason="q\\"\\\\\\nz"} 2\n'
        "# HELP age_seconds Age.\n# TYPE age_seconds gauge\nage_seconds 1.25\n"
        '# HELP wsg_build_info Build.\n# TYPE wsg_build_info gauge\nwsg_build_info{version="0.1"} 1\n'
        "# HELP took_seconds Took.\n# TYPE took_seconds histogram\n"
        'took_seconds_bucket{le="0.5"} 1\ntook_seconds_bucket{le="1.0"} 3\ntook_seconds_bucket{le="+Inf"} 6\n'
        "took_seconds_sum 4.5\ntook_seconds_count 6\n"
    )


def test_openmetrics_text() -> None:
    assert Writer(openmetrics=True).write(SAMPLES) == (
        '# HELP drops Say \\"no\\" \\\\ drop. (ikev2-drops)\n'
        "# TYPE drops counter\n"
        'drops_total{direction="in",reason="a"} 1\n'
        'drops_total{direction="out",reason="q\\"\\\\\\nz"} 2\n'
        "# HELP age_seconds Age.\n# TYPE age_seconds gauge\n# UNIT age_seconds seconds\nage_seconds 1.25\n"
        '# HELP wsg_build Build.\n# TYPE wsg_build info\nwsg_build_info{version="0.1"} 1\n'
        "# HELP took_seconds Took.\n# TYPE took_seconds histogram\n# UNIT took_seconds seconds\n"
        'took_seconds_bucket{le="0.5"} 1\ntook_seconds_bucket{le="1.0"} 3\ntook_seconds_bucket{le="+Inf"} 6\n'
        "took_seconds_sum 4.5\ntook_seconds_count 6\n"
        "# EOF\n"
    )


def test_a_family_without_samples_is_left_out() -> None:
    assert Writer(openmetrics=False).write([Samples(DROPS, ())]) == ""


def test_kept_line_heads_give_the_same_text_and_are_forgotten_when_labels_go() -> None:
    writer = Writer(openmetrics=False)
    first = writer.write(SAMPLES)
    writer.write([Samples.of(DROPS, [(("in", str(number)), number) for number in range(100)])])
    assert writer.write(SAMPLES) == first
    assert len(writer._prefixes["drops"]) == 2


def test_a_histogram_of_another_shape_is_an_error() -> None:
    with pytest.raises(ValueError):
        Writer(openmetrics=False).write([Samples.single(TIME, Histogram((1, 2), 4.5))])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (2.0, "2"),
        (0.1, "0.1"),
        (2**63, "9223372036854775808"),
        (1e300, "1e+300"),
        (-1.5, "-1.5"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (math.nan, "NaN"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert format_number(value) == text
