"""The benchmark itself works: every line on a small map, the proxy's counting, the table."""

from __future__ import annotations

import shutil
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from time import perf_counter

import pytest
from bench import local_lines, measure, peers, table
from bench.limit import Limit
from bench.proxy import proxied
from bench.run import ALL, LINES, QUICK, main, memory, report
from bench.run import measure as lines_measured
from bench.setting import Setting
from bench.table import Target, of_peer
from support import seaweed


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """A map of 14 positions, one round, beside restic where it is installed."""
    folder = tmp_path_factory.mktemp("bench")
    there, _ = peers.found(folder, "restic", thorough=False)
    return Setting(folder, positions=14, rounds=1, small_archives=2, peers=tuple(there))


@pytest.fixture(autouse=True)
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other tests have left for the disk is not waited for: nothing here depends on a time."""
    monkeypatch.setattr("os.sync", lambda: None)


def ours(rows: Sequence[table.Row]) -> list[table.Row]:
    """Our rows, of which each says what it cost."""
    found = [row for row in rows if row.by == table.OURS]
    assert all(row.peak_bytes and row.cpu_s for row in found)
    return found


def test_a_map_in_and_out(setting: Setting) -> None:
    rows = [row for name in ("ingest", "fast", "again", "pull", "verify", "resave") for row in LINES[name](setting)]
    stored, small, fast, again, as_zip, as_7z, to_folder, proved, resaved = ours(rows)
    for row in (stored, small, fast):
        assert row.stored_bytes is not None
        assert row.source_bytes is not None
        assert 0.5 < row.stored_bytes / row.source_bytes < 0.9
    assert Target("members deduplicated", met=True) in fast.targets
    assert Target("no new object", met=True) in again.targets
    assert as_zip.stored_bytes
    assert as_7z.stored_bytes
    assert to_folder.work == "pull to a folder"
    assert proved.work == "verify --data"
    assert resaved.stored_bytes is not None
    assert stored.stored_bytes is not None
    assert resaved.stored_bytes < 0.05 * stored.stored_bytes
    assert all(row.limit is not None and 0 < row.limit.seconds < (row.seconds or 0) for row in rows if row.limit)
    assert {row.work for row in rows if row.limit} == {row.work for row in ours(rows)} - {resaved.work}
    of_peers = [row for row in rows if row.by != table.OURS]
    assert len(of_peers) == 5 * len(setting.peers)
    assert all(row.ratio for row in of_peers)


def test_workers_are_measured_beside_one_process(setting: Setting) -> None:
    rows = list(LINES["workers"](setting))
    assert [row.work.rpartition(", ")[2] for row in rows] == ["--workers 1", "--workers 2", "one process"]
    assert all(row.seconds and "the speed of one worker" in row.note for row in rows)


def test_small_archives(setting: Setting) -> None:
    stored, unchanged = ours([row for name in ("small", "unchanged") for row in LINES[name](setting)])
    assert stored.work == "ingest 2 small archives"
    assert stored.limit is not None
    assert "deflate" in stored.limit.parts
    assert unchanged.work == "ingest 8 unchanged archives"
    assert unchanged.met


def test_a_first_catalogue(setting: Setting) -> None:
    small, bigger = LINES["first-sync"](setting)
    assert (small.work, bigger.work) == ("first catalogue of 14 positions", "first catalogue of 140 positions")
    assert all("µs a position" in row.note for row in (small, bigger))


@pytest.mark.skipif(measure.usable_cores() < 2 or not shutil.which("taskset"), reason="needs two cores and taskset")
def test_threads_on_one_core_and_two(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_lines, "WAYS", ((1, 1), (2, 2)))
    rows = ours(list(LINES["jobs"](setting)))
    assert [(row.work, row.limit.cores) for row in rows if row.limit] == [
        ("ingest --jobs 1 on one core", 1),
        ("ingest --jobs 2 on two cores", 2),
        ("pull --jobs 1 on one core", 1),
        ("pull --jobs 2 on two cores", 2),
    ]
    assert rows[0].note == "1.00 × the speed of one thread on one core"


@pytest.mark.s3
@pytest.mark.skipif(seaweed.weed_binary() is None, reason="the S3 server is not installed")
def test_small_archives_cost_few_requests(setting: Setting) -> None:
    row, *_ = LINES["small-s3"](setting)
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


@pytest.mark.parametrize("name", QUICK.split(","))
def test_a_peer_stores_verifies_and_restores(setting: Setting, tmp_path: Path, name: str) -> None:
    there, _ = peers.found(tmp_path, name, thorough=False)
    if not there:
        pytest.skip(f"{name} is not installed")
    (peer,) = there
    assert isinstance(peer, peers.Quick)
    folder, out, repository = setting.folder / "few", tmp_path / "out", tmp_path / "repository"
    folder.mkdir(exist_ok=True)
    (folder / "file").write_bytes(b"some bytes" * 1000)
    peer.store(folder, repository)
    assert peer.again(folder, repository).cpu_s > 0
    assert peer.verify(repository).cpu_s > 0
    peer.restore(repository, out)
    assert (out / "file").read_bytes() == b"some bytes" * 1000


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


def test_the_table_gives_ratios_limits_and_whether_targets_are_met() -> None:
    slow, quick = (measure.Runs([measure.Cost(seconds, seconds, 1 << 20)]) for seconds in (3.0, 2.0))
    targets = (of_peer(quick, {"restic": slow}, "restic", 0.6), table.at_most(2.0, 4, " CPU s"))
    rows = [
        table.row("pull", table.OURS, quick.median, limit=Limit({"read": 0.5, "decode": 1.5}, 2), stored=50, source=100,
                  targets=targets),
        table.row("pull", "restic", slow.median, ratio=quick.ratio_to(slow)),
    ]  # fmt: skip
    text = report({"machine": "this"}, rows)
    assert (
        "| work | by | s | ours ÷ it | CPU s | s ÷ limit | CPU ÷ limit | peak MiB | stored MB | ÷ source | to reach |"
        in text
    )
    assert "| pull | sxeslake | 2.00 |  | 2.00 | 2.00 | 1.00 | 1 | 0.00 | 0.5000 | " in text
    assert "| ≤ 0.6 × restic: 0.67 ✗; ≤ 4 CPU s ✓ |" in text
    assert "| pull | restic | 3.00 | 0.67 |" in text
    assert "| pull | read 0.500, decode 1.50 | 2.00 | 2 | 1.00 |" in text
    assert rows[0].met is False


def test_the_peak_is_that_of_the_commands_that_move_data(setting: Setting) -> None:
    peaks = {"ingest": 300_000_000, "pull as .plzip": 310_000_000, "first catalogue of 9 positions": 900_000_000}
    rows = [table.Row(work, peak_bytes=peak) for work, peak in peaks.items()]
    (found,) = memory(
        replace(setting, positions=2500), [*rows, table.Row("pull as .plzip", "restic", peak_bytes=10**9)]
    )
    assert found.peak_bytes == 310_000_000
    assert found.targets == (Target("≤ 330 MB", met=True),)
    assert found.note == "310 MB: pull as .plzip"


def test_medians_of_rounds_and_of_their_ratios() -> None:
    ours, theirs = (
        measure.Runs([measure.Cost(seconds, 1.0, peak) for seconds, peak in rounds])
        for rounds in (((1.0, 5), (9.0, 7), (2.0, 6)), ((2.0, 1), (10.0, 1), (8.0, 1)))
    )
    assert ours.median == measure.Cost(2.0, 1.0, 7)
    assert ours.ratio_to(theirs) == 0.5
    assert theirs.beyond(ours).median.seconds == 1.0


def test_a_run_takes_the_place_of_the_last_in_the_document(setting: Setting, tmp_path: Path) -> None:
    results = tmp_path / "RESULTS.md"
    results.write_text("# Results\n\n<!-- run -->\nold\n<!-- /run -->\n\n## By hand\n")
    size = ["--positions", "14", "--repeat", "1", "--folder", str(setting.folder)]
    assert main([*size, "--only", "start", "--results", str(results)]) == 0
    text = results.read_text()
    assert text.startswith("# Results\n\n<!-- run -->\n- command: `python tests/bench/run.py --positions 14")
    assert "| sxeslake ls, warm | sxeslake |" in text
    assert "\nold\n" not in text
    assert text.endswith("|\n<!-- /run -->\n\n## By hand\n")


def test_a_line_that_fails_leaves_the_others_alone(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(setting: Setting) -> Iterator[table.Row]:
        raise RuntimeError("no disk")
        yield

    monkeypatch.setitem(LINES, "real", failing)
    assert [row.note for row in lines_measured(setting, ["real", "real"])] == 2 * ["failed: no disk"]
    assert "real: no disk" in capsys.readouterr().err


def test_an_unknown_line_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "speed"]) == 2
    assert "there are ingest, fast" in capsys.readouterr().err
