"""Content negotiation of /metrics."""

from __future__ import annotations

import pytest

from telemetry.negotiation import prefers_openmetrics

PROMETHEUS_2_42 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (PROMETHEUS_2_42, True),
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("text/plain;q=0.3, application/openmetrics-text;q=0.2", False),
        ("text/plain;q=0.3, application/openmetrics-text;q=0.3", True),
        ("application/openmetrics-text; version=2.0.0", False),
        ('application/openmetrics-text; version="1.0.0"', True),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=nonsense", False),
        ("application/openmetrics-text;q=nan", False),
        (";;;,=,q=", False),
        (",".join(["x/y"] * 16 + ["application/openmetrics-text"]), False),
    ],
)
def test_prefers_openmetrics(accept: str, expected: bool) -> None:
    assert prefers_openmetrics(accept) is expected
