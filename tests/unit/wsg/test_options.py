"""wsgd's command line and what it looks at before it starts (architecture section 8)."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from nf.config.snapshot import Endpoint
from wsg import preflight
from wsg.daemon import main
from wsg.options import endpoint, user, variable

ALL = (1 << 41) - 1
NET_BIND_SERVICE, NET_ADMIN, NET_RAW = 10, 12, 13


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9814", Endpoint("127.0.0.1", 9814)),
        ("[::]:830", Endpoint("::", 830)),
        ("::1:830", Endpoint("::1", 830)),
        ("0.0.0.0:0", Endpoint("0.0.0.0", 0)),
        ("0.0.0.0:65535", Endpoint("0.0.0.0", 65535)),
    ],
)
def test_endpoints(text: str, expected: Endpoint) -> None:
    assert endpoint(text) == expected


@pytest.mark.parametrize("text", ["", "830", ":830", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1"])
def test_what_is_no_endpoint(text: str) -> None:
    with pytest.raises(click.BadParameter, match="ADDR:PORT"):
        endpoint(text)


def test_variables() -> None:
    assert variable("A=b=c") == ("A", "b=c")
    assert variable("A=") == ("A", "")
    for text in ("A", "=b", ""):
        with pytest.raises(click.BadParameter):
            variable(text)


def test_users() -> None:
    assert user("1000") == (1000, 1000)
    assert user("1000:50") == (1000, 50)
    assert user("root") == (0, 0)
    with pytest.raises(click.BadParameter, match="there is no user"):
        user("no-such-user")


@pytest.mark.parametrize(
    "words", [["--workers", "65"], ["--netconf-listen", "x"], ["--log-level", "loud"], ["--factory-var", "x"]]
)
def test_a_wrong_option_is_a_usage_error(words: list[str]) -> None:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("capability", "name"), [(NET_ADMIN, "NET_ADMIN"), (NET_RAW, "NET_RAW"), (NET_BIND_SERVICE, "NET_BIND_SERVICE")]
)
def test_each_missing_capability_is_named(capability: int, name: str, tmp_path: Path, monkeypatch) -> None:
    tun = tmp_path / "tun"
    tun.touch()
    ports = tmp_path / "ports"
    ports.write_text("1024\n")
    monkeypatch.setattr(preflight, "_UNPRIVILEGED_PORTS", ports)
    assert preflight.missing(tun_device=str(tun), capabilities=ALL, software=False) == []
    gaps = preflight.missing(tun_device=str(tun), capabilities=ALL & ~(1 << capability), software=False)
    assert len(gaps) == 1
    assert gaps[0].startswith(f"capability {name} is missing")


@pytest.mark.parametrize(("first", "missing"), [(500, 0), (501, 1)])
def test_low_ports_may_be_free_for_all(first: int, missing: int, tmp_path: Path, monkeypatch) -> None:
    """The sysctl that a pod may set in place of the capability; 500 is the lowest port wanted."""
    tun = tmp_path / "tun"
    tun.touch()
    ports = tmp_path / "ports"
    ports.write_text(f"{first}\n")
    monkeypatch.setattr(preflight, "_UNPRIVILEGED_PORTS", ports)
    have = ALL & ~(1 << NET_BIND_SERVICE)
    assert len(preflight.missing(tun_device=str(tun), capabilities=have, software=False)) == missing


def test_a_missing_device_is_named(tmp_path: Path) -> None:
    gaps = preflight.missing(tun_device=str(tmp_path / "tun"), capabilities=ALL, software=False)
    assert gaps == [
        f"device {tmp_path / 'tun'} is missing: load the kernel's tun module, or give the container the device"
    ]
