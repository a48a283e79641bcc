"""The systemd unit, the container file and the chart agree with each other and with what wsgd takes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from wsg.daemon import main as wsgd

ROOT = Path(__file__).parents[3]
UNIT = ROOT / "packaging" / "systemd" / "wsgd.service"
CONTAINERFILE = ROOT / "packaging" / "container" / "Containerfile"
STATEFULSET = ROOT / "helm" / "openwsg" / "templates" / "statefulset.yaml"

OPTIONS = {name for parameter in wsgd.params for name in parameter.opts}


@pytest.mark.parametrize("path", [UNIT, STATEFULSET], ids=lambda path: path.name)
def test_only_options_that_wsgd_knows(path: Path) -> None:
    used = set(re.findall(r"(?<=\s)--[a-z-]+(?=[= ])", path.read_text()))
    assert {"--state-dir", "--run-dir"} <= used <= OPTIONS


def test_the_units_capabilities_are_the_charts() -> None:
    (line,) = re.findall(r"^CapabilityBoundingSet=(.*)$", UNIT.read_text(), re.MULTILINE)
    of_unit = {name.removeprefix("CAP_") for name in line.split()}
    of_chart = set(re.findall(r"^ +- ([A-Z]+_?[A-Z_]*)(?: #.*)?$", STATEFULSET.read_text(), re.MULTILINE))
    assert of_unit == of_chart == {"NET_ADMIN", "NET_RAW", "NET_BIND_SERVICE", "SETUID", "SETGID", "KILL"}


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """verify wants the program to be there; its path is checked by nobody before installation."""
    unit = tmp_path / "wsgd.service"
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text(), flags=re.MULTILINE))
    run = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=30, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_the_image_exposes_what_the_chart_serves() -> None:
    (line,) = re.findall(r"^EXPOSE (.*)$", CONTAINERFILE.read_text(), re.MULTILINE)
    assert set(line.split()) == {"500/udp", "4500/udp", "830/tcp", "9814/tcp"}


def test_the_image_starts_what_the_project_installs() -> None:
    assert 'ENTRYPOINT ["wsgd"]' in CONTAINERFILE.read_text()
    assert 'wsgd = "wsg.daemon:main"' in (ROOT / "pyproject.toml").read_text()
