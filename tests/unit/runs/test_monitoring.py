"""infra/monitoring: the alert rules do what they say, by promtool, and every name is one that is emitted."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector

from sxeslake.runs import metrics as run_metrics
from sxeslake.runs.health import COMMANDS
from sxeslake.web import metrics as web_metrics

FOLDER = Path(__file__).parents[3] / "infra" / "monitoring"
DASHBOARD = json.loads((FOLDER / "grafana-dashboard.json").read_text(encoding="utf-8"))
PROMETHEUS_OWN = {"up"}
LABELS = {*run_metrics.LABELS, "result", "status", "page", "le", "instance", "job"}

NAME = re.compile(r"\b(?:sxeslake|process)_\w+|\bup\b")
MATCHERS = re.compile(r"\{([^{}]*)\}")
LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"([^\"]*)\"")


def emitted() -> set[str]:
    registry = CollectorRegistry()
    process = {each.name for each in ProcessCollector(registry=registry).collect()}
    return {*run_metrics.NAMES, *web_metrics.NAMES, *process, "process_resident_memory_bytes"}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> dict[str, list[str]]:
    """The queries of the dashboard and of the rules."""
    rules = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
    found = re.findall(r"expr: (?:>-\n((?: {10,}.*\n)+)|(.*)\n)", rules)
    return {
        "dashboard": [target["expr"] for panel in panels() for target in panel["targets"]],
        "alerts": [" ".join((folded or plain).split()) for folded, plain in found],
    }


@pytest.mark.parametrize("where", ["dashboard", "alerts"])
def test_every_name_is_one_that_is_told(where: str) -> None:
    asked = expressions()[where]
    assert len(asked) >= 10
    names = {name for each in asked for name in NAME.findall(re.sub(r'"[^"]*"', '""', each))}
    assert len(names) >= 6
    assert names <= emitted() | PROMETHEUS_OWN


@pytest.mark.parametrize("where", ["dashboard", "alerts"])
def test_every_label_and_value_can_occur(where: str) -> None:
    for each in expressions()[where]:
        for matchers in MATCHERS.findall(each):
            for label, value in LABEL.findall(matchers):
                assert label in LABELS, each
                if label == "command":
                    assert set(value.split("|")) <= set(COMMANDS), each
                if label == "result":
                    assert set(value.split("|")) <= set(run_metrics.RESULTS), each


def test_the_panels_stand_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)


def test_what_is_emitted_is_on_the_dashboard() -> None:
    """But for what the table of results already shows in another form."""
    asked = " ".join(expressions()["dashboard"])
    left = {name for name in run_metrics.NAMES if not re.search(rf"\b{name}\b", asked)}
    assert left <= {
        "sxeslake_build_info", "sxeslake_run_end_timestamp_seconds", "sxeslake_run_update_timestamp_seconds",
    }  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [("check", "rules", "alerts.yml"), ("test", "rules", "alerts.test.yml"), ("check", "config", "prometheus.yml")],
)
def test_promtool_agrees(words: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("NOT TESTED: promtool is not installed: apt-get install prometheus")
    done = subprocess.run([promtool, *words], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


def test_each_alert_has_words_and_a_test() -> None:
    rules = (FOLDER / "alerts.yml").read_text(encoding="utf-8")
    alerts = re.findall(r"- alert: (\w+)", rules)
    assert rules.count("summary:") == rules.count("severity:") == len(alerts) == 10
    tests = (FOLDER / "alerts.test.yml").read_text(encoding="utf-8")
    untested = {alert for alert in alerts if alert not in tests}
    assert untested == {"SxeslakeDown", "SxeslakePageErrors", "SxeslakePagesSlow"}
