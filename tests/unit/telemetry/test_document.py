"""Documentation, rules and dashboard follow the catalogue."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from telemetry.catalog import CATALOG
from telemetry.document import document
from telemetry.families import Kind

ROOT = Path(__file__).parents[3]
RULES = ROOT / "telemetry" / "rules" / "openwsg.rules.yml"
DASHBOARD = ROOT / "telemetry" / "dashboards" / "openwsg.json"


def rule_expressions() -> Iterator[str]:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]


def dashboard_expressions() -> Iterator[str]:
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def test_the_documentation_is_current() -> None:
    """Else: python -m telemetry.document > docs/metrics.md"""
    assert (ROOT / "docs" / "metrics.md").read_text() == document()


@pytest.mark.parametrize("expression", [*rule_expressions(), *dashboard_expressions()])
def test_expressions_name_metrics_of_the_catalogue(expression: str) -> None:
    known = {family.sample_name for family in CATALOG if family.kind is not Kind.HISTOGRAM}
    known |= {f"{family.name}{end}" for family in CATALOG if family.buckets for end in ("_bucket", "_sum", "_count")}
    named = set(re.findall(r"(?<![\w:])(?:ipsec|openwsg)_\w+", expression))
    assert named <= known


@pytest.mark.peer
def test_promtool_accepts_the_rules() -> None:
    subprocess.run(["promtool", "check", "rules", str(RULES)], check=True, timeout=30)


@pytest.mark.peer
def test_promtool_runs_the_rules_tests() -> None:
    tests = RULES.with_name("openwsg.test.yml")
    subprocess.run(["promtool", "test", "rules", tests.name], check=True, timeout=30, cwd=tests.parent)


@pytest.mark.peer
def test_promtool_accepts_the_dashboards_expressions(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m").replace("$instance", ".*")}
        for number, expression in enumerate(dashboard_expressions())
    ]
    path = tmp_path / "dashboard.rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    subprocess.run(["promtool", "check", "rules", str(path)], check=True, timeout=30)
