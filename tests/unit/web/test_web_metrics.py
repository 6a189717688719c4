"""`/metrics`: what Prometheus' parsers read, behind the same guard as the pages, and without the lake."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text
from starlette.testclient import TestClient

from sxeslake.errors import StorageError
from sxeslake.lake import Lake
from sxeslake.runs.recording import Run, recorded
from sxeslake.web.app import create_app
from sxeslake.web.metrics import NAMES, page_of
from sxeslake.web.options import ServeOptions

OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}


def served(lake: Lake, options: ServeOptions | None = None) -> TestClient:
    return TestClient(create_app({"EPMA": lake}, options), base_url="http://localhost/", raise_server_exceptions=False)


def value(text: str, name: str, read: Callable[..., object] = read_openmetrics, **labels: str) -> float | None:
    for family in read(text):  # type: ignore[attr-defined]
        for each in family.samples:
            if each.name == name and labels.items() <= each.labels.items():
                return float(each.value)
    return None


def test_requests_by_page_and_status(lake: Lake) -> None:
    client = served(lake)
    client.get("epma/find")
    client.get("epma/find.json")
    client.get("epma/nothing")
    client.get("epma/find", headers={"Host": "evil.example"})
    answer = client.get("metrics", headers=OPENMETRICS)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.headers["cache-control"] == "no-store"
    assert value(answer.text, "sxeslake_http_requests_total", page="find", status="200") == 2
    assert value(answer.text, "sxeslake_http_requests_total", page="find", status="421") == 1
    assert value(answer.text, "sxeslake_http_requests_total", page="other", status="404") == 1
    assert value(answer.text, "sxeslake_http_request_duration_seconds_count", page="find") == 3
    there = {each.name for family in read_openmetrics(answer.text) for each in family.samples}  # type: ignore[no-untyped-call]
    assert set(NAMES) <= there
    assert "process_resident_memory_bytes" in there or sys.platform != "linux"


def test_the_older_format_is_the_default(lake: Lake) -> None:
    text = served(lake).get("metrics").text
    assert value(text, "sxeslake_build_info", read_text) == 1
    assert served(lake).head("metrics").status_code == 200


def test_runs_of_this_machine(lake: Lake) -> None:
    with recorded("verify", lake.url) as run:
        run.add(bytes_read=77)
    text = served(lake).get("metrics").text
    assert value(text, "sxeslake_run_read_bytes", read_text, command="verify", lake="EPMA") == 77


def test_the_guard_of_the_pages_stands_before_it(lake: Lake) -> None:
    client = served(lake, ServeOptions(prefix="/lake", hosts=("lab.example.org",)))
    assert client.get("metrics", headers={"Host": "evil.example"}).status_code == 421
    assert client.post("metrics").status_code == 405
    answer = client.get("lake/metrics", headers={"Host": "lab.example.org"})
    assert answer.status_code == 200
    assert (
        value(client.get("metrics").text, "sxeslake_http_requests_total", read_text, page="metrics", status="200") == 1
    )


def test_it_answers_while_the_lake_is_away(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(self: Lake) -> int:
        raise StorageError("away.")

    monkeypatch.setattr(Lake, "refresh", away)
    monkeypatch.setattr(Lake, "query", away)
    client = served(lake)
    assert client.get("epma/find").status_code == 503
    assert client.get("metrics").status_code == 200


def test_without_the_package_it_says_what_to_install(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    client = served(lake)
    answer = client.get("metrics")
    assert answer.status_code == 501
    assert 'pip install "sxeslake[' in answer.text
    assert client.get("epma/find").status_code == 200


@pytest.mark.parametrize(
    ("path", "page"),
    [("/", "index"), ("/a/find", "find"), ("/a/find.json", "find"), ("/a/map.png", "map.png"), ("/metrics", "metrics"),
     ("/static/x.css", "static"), ("/a/", "other"), ("/a/%ff", "other"), ("/a/metrics", "other")],
)  # fmt: skip
def test_there_are_few_labels(path: str, page: str) -> None:
    assert page_of(path) == page


def test_the_lake_page_has_the_runs_of_this_machine(lake: Lake, caplog: pytest.LogCaptureFixture) -> None:
    with recorded("verify", lake.url):
        pass
    with recorded("copy", lake.url, target="s3://secret-place/lake") as copy:
        copy.fail("storage is away")
    running = Run.begin("watch", lake.url)
    with caplog.at_level(logging.INFO, "sxeslake"):
        client = served(lake)
        answer = client.get("epma/overview.json")
        health = {each["label"]: each["text"] for each in answer.json()["health"]}
    running.end(0)
    assert re.fullmatch(r"\d.* s ago, took \d.* s, on this machine", health["last check (verify)"])
    assert "failed" in health["last copy"]
    assert health["last run of watch"].startswith("running for")
    assert "secret-place" not in client.get("epma/overview").text
    assert "etag" not in answer.headers
