"""Tables and short forms."""

from __future__ import annotations

import pytest

from wsg.cli_text import (
    Column,
    endpoint,
    human_number,
    human_octets,
    human_seconds,
    network,
    output_width,
    printable,
    table,
)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        *((0, "0"), (999, "999"), (1000, "1.00k"), (1234567, "1.23M"), (9994, "9.99k"), (9996, "10.0k")),
        *((99_960, "100k"), (999_499, "999k"), (999_600, "1.00M"), (2**64, "18.4E"), (10**22, "10000E")),
    ],
)
def test_numbers(number: int, text: str) -> None:
    assert human_number(number) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (1023, "1023"), (1024, "1.00Ki"), (1536, "1.50Ki"), (10 * 1024**2, "10.0Mi"), (1024**3 - 1, "1.00Gi")],
)
def test_octets(number: int, text: str) -> None:
    assert human_octets(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((None, "-"), (0, "0s"), (59.9, "59s"), (60, "1m00s"), (3599, "59m59s"), (3600, "1h00m")),
        *((86399, "23h59m"), (86400, "1d00h"), (93784, "1d02h")),
    ],
)
def test_seconds(seconds: float | None, text: str) -> None:
    assert human_seconds(seconds) == text


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        ("10.0.0.0", "10.0.255.255", "10.0.0.0/16"),
        ("10.0.0.5", "10.0.0.5", "10.0.0.5"),
        ("10.0.0.1", "10.0.0.6", "10.0.0.1-10.0.0.6"),
        ("0.0.0.0", "255.255.255.255", "0.0.0.0/0"),
        ("fd00::", "fd00::ff", "fd00::/120"),
        ("10.0.0.1", "fd00::", "10.0.0.1-fd00::"),
        ("10.0.0.9", "10.0.0.1", "10.0.0.9-10.0.0.1"),
        ("rubbish", "more", "rubbish-more"),
    ],
)
def test_networks(first: str, last: str, text: str) -> None:
    assert network(first, last) == text


def test_endpoints() -> None:
    assert endpoint("192.0.2.1", 500) == endpoint("192.0.2.1", None) == "192.0.2.1"
    assert endpoint("192.0.2.1", 4500) == "192.0.2.1:4500"
    assert endpoint("2001:db8::1", 4500) == "[2001:db8::1]:4500"


def test_a_peer_cannot_drive_the_terminal() -> None:
    assert printable("cell\x1b[2J\n7é") == "cell\\x1b[2J\\n7é"


def test_tables_are_aligned() -> None:
    columns = (Column("NAME"), Column("SIZE", "right"))
    assert table(columns, [("a", "5"), ("longer", "12345")]) == "NAME     SIZE\na           5\nlonger  12345"


@pytest.mark.parametrize("width", [12, 20, 80])
def test_a_wide_table_is_cut_where_it_may_be(width: int) -> None:
    columns = (Column("IDENTITY", shrink=4), Column("STATE"))
    lines = table(columns, [("x" * 40, "up")], width).splitlines()
    assert all(len(line) <= width for line in lines)
    assert lines[1].endswith("up")
    assert ("…" in lines[1]) == (width < 45)


def test_what_may_not_be_cut_is_not() -> None:
    assert table((Column("A"),), [("x" * 40,)], 10).splitlines()[1] == "x" * 40


def test_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is cut in a pipe; a narrow terminal counts as 80 columns."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
    assert output_width() is None
    monkeypatch.setenv("COLUMNS", "40")
    assert output_width() == 80
    monkeypatch.setenv("COLUMNS", "120")
    assert output_width() == 120
