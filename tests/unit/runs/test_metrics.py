"""Metrics of runs: what the parsers of Prometheus read, in a file and over HTTP."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from sxeslake.errors import StorageError
from sxeslake.runs.metrics import NAMES, RunCollector, serve_metrics
from sxeslake.runs.recording import Run, recorded

LAKE = 's3://bucket/odd "lake"\\'


def samples(text: str) -> dict[tuple[str, str, str], float]:
    """Name, command, result or target → value."""
    found: dict[tuple[str, str, str], float] = {}
    for each in (sample for family in read_openmetrics(text) for sample in family.samples):  # type: ignore[no-untyped-call]
        which = each.labels.get("result") or each.labels.get("target", "")
        found[each.name, each.labels.get("command", ""), which] = each.value
    return found


def test_a_file_has_each_command_that_names_it(tmp_path: Path) -> None:
    path, state = tmp_path / "sxeslake.prom", tmp_path / "state"
    with recorded("verify", LAKE, folder=state, metrics_file=str(path)) as run:
        run.add(bytes_read=4096)
        running = samples(path.read_text())
    with pytest.raises(StorageError), recorded("copy", LAKE, target="/x", folder=state, metrics_file=str(path)):
        raise StorageError("away.")
    with recorded("gc", LAKE, folder=state, metrics_file=str(tmp_path / "other.prom")):
        pass
    assert running["sxeslake_run_result", "verify", "running"] == 1
    found = samples(path.read_text())
    assert found["sxeslake_run_read_bytes", "verify", ""] == 4096
    assert found["sxeslake_run_result", "verify", "ok"] == 1
    assert found["sxeslake_run_result", "copy", "failed"] == 1
    assert found["sxeslake_run_exit_code", "copy", "/x"] == 6
    assert found["sxeslake_run_failures", "copy", "/x"] == 1
    assert "gc" not in {command for _, command, _ in found}
    assert {name for name, _, _ in found} <= set(NAMES)


def test_a_run_by_hand_stays_in_the_file(tmp_path: Path) -> None:
    path, state = tmp_path / "sxeslake.prom", tmp_path / "state"
    with recorded("verify", LAKE, folder=state, metrics_file=str(path)):
        pass
    with recorded("verify", LAKE, folder=state) as run:
        run.fail("damaged")
    with recorded("gc", LAKE, folder=state, metrics_file=str(path)):
        pass
    assert samples(path.read_text())["sxeslake_run_failures", "verify", ""] == 1


def test_the_file_reads_alike_in_both_formats(tmp_path: Path) -> None:
    path = tmp_path / "sxeslake.prom"
    with recorded("verify", LAKE, folder=tmp_path, metrics_file=str(path)):
        pass
    text = path.read_text()
    one = sorted((s.name, sorted(s.labels.items()), s.value) for f in read_openmetrics(text) for s in f.samples)  # type: ignore[no-untyped-call]
    other = sorted((s.name, sorted(s.labels.items()), s.value) for f in read_text(text) for s in f.samples)
    assert one == other
    assert {family.type for family in read_text(text)} == {"gauge"}
    assert next(s.labels["lake"] for f in read_text(text) for s in f.samples if "lake" in s.labels) == LAKE


def test_without_a_state_folder_the_run_is_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    path = tmp_path / "m.prom"
    with recorded("verify", LAKE, folder=tmp_path / "file", metrics_file=str(path)):
        pass
    assert samples(path.read_text())["sxeslake_run_result", "verify", "ok"] == 1


def test_a_file_that_cannot_be_written_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with recorded("verify", LAKE, folder=tmp_path, metrics_file=str(tmp_path / "none" / "m.prom")) as run:
        run.save()
    assert [message for message in caplog.messages if "metrics are not written" in message] == caplog.messages
    assert len(caplog.messages) == 1
    assert run.record.result == "ok"


def test_metrics_over_http(tmp_path: Path) -> None:
    run = Run.begin("watch", LAKE, folder=tmp_path)
    with serve_metrics("127.0.0.1", 0, {LAKE: "facility"}, folder=tmp_path) as address:
        run.add(archives=3)
        run.save()
        asked = urllib.request.Request(address, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        with urllib.request.urlopen(asked) as answer:
            text = answer.read().decode()
        port = urlsplit(address).port or 0
        with pytest.raises(StorageError, match="cannot listen"), serve_metrics("127.0.0.1", port):
            pass
    run.end(0)
    assert samples(text)["sxeslake_run_archives", "watch", ""] == 3
    assert 'lake="facility"' in text
    assert "process_" in text or not Path("/proc/self").exists()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(address)


def test_a_folder_that_cannot_be_read_leaves_the_rest_of_a_scrape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> list[str]:
        raise PermissionError(13, "no", "x")

    monkeypatch.setattr("sxeslake.runs.folder.commands", refused)
    assert list(RunCollector({LAKE: "a"}, tmp_path).collect()) == []
