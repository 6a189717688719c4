"""The benchmark itself works: every line on a small map, the proxy's counting, the table."""

from __future__ import annotations

import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from time import perf_counter

import pytest
from bench import measure, peers, table
from bench.proxy import proxied
from bench.run import ALL, LINES, main
from bench.setting import Setting
from support import seaweed


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """A map of 14 positions, one round."""
    return Setting(tmp_path_factory.mktemp("bench"), positions=14, rounds=1, small_archives=3)


def test_ingest_and_pull(setting: Setting) -> None:
    rows = [*LINES["ingest"](setting), *LINES["pull"](setting), *LINES["resave"](setting)]
    stored, again, as_zip, as_7z, resaved = (row for row in rows if row.by == table.OURS)
    assert stored.stored_bytes is not None
    assert stored.source_bytes is not None
    assert 0.5 < stored.stored_bytes / stored.source_bytes < 0.8
    assert again.note == "0 new objects"
    assert as_zip.stored_bytes
    assert as_7z.stored_bytes
    assert resaved.stored_bytes is not None
    assert resaved.stored_bytes < 0.05 * stored.stored_bytes
    assert all(row.peak_bytes and row.seconds and row.cpu_s for row in rows)


@pytest.mark.s3
@pytest.mark.skipif(seaweed.weed_binary() is None, reason="the S3 server is not installed")
def test_small_archives_cost_few_requests(setting: Setting) -> None:
    (row,) = LINES["small"](setting)
    assert row.met
    assert row.requests is not None
    assert row.requests <= 20


@pytest.mark.s3
@pytest.mark.skipif(seaweed.weed_binary() is None, reason="the S3 server is not installed")
def test_a_far_bucket_is_held_against_a_folder_and_the_link(setting: Setting) -> None:
    rows = list(LINES["latency"](setting))
    assert [row.by for row in rows] == 2 * ["sxeslake, local", "sxeslake, S3", table.OURS, "the far link alone"]
    far = [row for row in rows if row.by == table.OURS]
    assert all("% of local" in row.note and "% of S3" in row.note and row.requests for row in far)


def test_peers_are_named_whether_installed_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    there, absent = peers.found(tmp_path, ALL, thorough=True)
    assert there == []
    assert absent == ["restic", "borg", "dvc", "7zz"]


def test_a_peer_stores_and_restores(setting: Setting, tmp_path: Path) -> None:
    there, _ = peers.found(tmp_path, "restic,borg", thorough=False)
    if not there:
        pytest.skip("neither restic nor borg is installed")
    for peer in there:
        peer.store(setting.tree, tmp_path / peer.name)
        peer.restore(tmp_path / peer.name, tmp_path / f"{peer.name}-out")
        assert measure.files_below(tmp_path / f"{peer.name}-out") == measure.files_below(setting.tree)


def test_what_a_child_costs(tmp_path: Path) -> None:
    script = tmp_path / "child.py"
    script.write_text("data = bytearray(200 << 20)\nprint('done')\n")
    cost = measure.run(measure.python(script))
    assert cost.output == "done\n"
    assert cost.peak_bytes > 200 << 20
    script.write_text("raise SystemExit('no such luck')")
    with pytest.raises(RuntimeError, match="no such luck"):
        measure.run(measure.python(script))


def test_the_proxy_counts_and_delays() -> None:
    class Echo(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Echo)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        with proxied(f"http://127.0.0.1:{server.server_port}", delay_s=0.05) as proxy:
            body, began = b"x" * 100_000, perf_counter()
            for _ in range(3):
                request = urllib.request.Request(f"{proxy.endpoint}/key", data=body, method="PUT")
                with urllib.request.urlopen(request) as reply:
                    assert reply.read() == body
            assert perf_counter() - began >= 0.15
            assert proxy.traffic.requests == {"PUT": 3}
            assert 600_000 < proxy.traffic.moved < 610_000
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_table_gives_ratios_to_our_own_time() -> None:
    rows = [
        table.Row("pull", seconds=2.0, stored_bytes=50, source_bytes=100, to_reach="≤ 3 s", met=True),
        table.Row("pull", "restic", seconds=3.0),
    ]
    text = table.markdown(rows)
    assert "| pull | sxeslake | 2.00 |  |" in text
    assert "| 0.5000 |" in text
    assert "≤ 3 s ✓" in text
    assert "| pull | restic | 3.00 | 1.50 |" in text


def test_an_unknown_line_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "speed"]) == 2
    assert "there are ingest, pull" in capsys.readouterr().err
