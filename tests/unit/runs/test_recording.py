"""Records of runs: written whole at start and end, whatever ends the run, and never at the cost of the work."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path

import pytest

from sxeslake.errors import StorageError
from sxeslake.runs import folder as runs_folder
from sxeslake.runs.arguments import without_secrets
from sxeslake.runs.record import MOST_MESSAGES, RunRecord, decode, encode
from sxeslake.runs.recording import Run, recorded
from sxeslake.storage.retry import RetryPolicy, retried

LAKE = "s3://bucket/lake"


def only(folder: Path, command: str = "verify") -> RunRecord:
    """The one record that there is."""
    (record,) = runs_folder.newest_first(folder, LAKE, command)
    return record


def test_a_run_is_running_and_then_done(tmp_path: Path) -> None:
    with recorded("verify", LAKE, ["verify", "--data"], folder=tmp_path) as run:
        assert only(tmp_path).result == "running"
        assert only(tmp_path).pid == os.getpid()
        run.add(bytes_read=4096, archives=2)
        run.add(bytes_read=4, bytes_written=7)
    record = only(tmp_path)
    assert (record.result, record.exit_code, record.bytes_read, record.bytes_written) == ("ok", 0, 4100, 7)
    assert record.arguments == ["verify", "--data"]
    assert record.ended_at is not None
    assert record.ended_at >= record.started_at


@pytest.mark.parametrize(
    ("error", "result", "code"),
    [(StorageError("gone."), "failed", 6), (ValueError("odd"), "failed", 1), (KeyboardInterrupt(), "interrupted", 130),
     (SystemExit(5), "failed", 5)],
)  # fmt: skip
def test_what_ends_a_run_is_its_result(tmp_path: Path, error: BaseException, result: str, code: int) -> None:
    with pytest.raises(type(error)), recorded("verify", LAKE, folder=tmp_path):
        raise error
    record = only(tmp_path)
    assert (record.result, record.exit_code) == (result, code)


def test_counted_failures_make_a_failed_run(tmp_path: Path) -> None:
    with recorded("watch", LAKE, folder=tmp_path) as run:
        for number in range(MOST_MESSAGES + 5):
            run.fail(f"map{number}.plzip: damaged")
    record = only(tmp_path, "watch")
    assert (record.result, record.failures, len(record.messages)) == ("failed", MOST_MESSAGES + 5, MOST_MESSAGES)


def test_a_run_ends_once(tmp_path: Path) -> None:
    run = Run.begin("verify", LAKE, folder=tmp_path)
    assert run.end(130)
    assert not run.end(0)
    run.save()
    assert only(tmp_path).result == "interrupted"


def test_the_record_is_written_anew_while_the_run_lasts(tmp_path: Path) -> None:
    run = Run.begin("verify", LAKE, folder=tmp_path, beat_s=0.02)
    run.add(bytes_read=9)
    for _ in range(500):
        if only(tmp_path).bytes_read == 9:
            break
        time.sleep(0.01)
    assert (only(tmp_path).bytes_read, only(tmp_path).result) == (9, "running")
    run.end(0)


def test_retries_of_the_storage_are_counted(tmp_path: Path) -> None:
    left = [OSError(), OSError()]

    def request() -> int:
        if left:
            raise left.pop()
        return 7

    with recorded("copy", LAKE, folder=tmp_path):
        retried(request, lambda _: "busy", RetryPolicy(), sleep=lambda _: None)
    assert only(tmp_path, "copy").retries == 2


def test_no_folder_to_write_to_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("no folder")
    with recorded("verify", LAKE, folder=tmp_path / "file") as run:
        run.save()
    assert [record.message for record in caplog.records if "not recorded" in record.message] == caplog.messages
    assert len(caplog.messages) == 1


def test_readers_never_see_half_a_record(tmp_path: Path) -> None:
    run = Run.begin("verify", LAKE, folder=tmp_path)
    path = next((tmp_path / runs_folder.lake_key(LAKE) / "verify").glob("*.json"))
    torn: list[bytes] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            data = path.read_bytes()
            if not data.endswith(b"}\n"):
                torn.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        run.fail(f"{number}")
        run.save()
    over.set()
    reader.join()
    run.end(0)
    assert not torn


def test_old_records_go_but_the_last_success_of_each_target(tmp_path: Path) -> None:
    def record(number: int, target: str, result: str) -> RunRecord:
        return RunRecord(
            id=f"20260101T0000{number:02d}.000Z-00000000", command="copy", lake=LAKE, target=target, host="h", pid=1,
            sxeslake_version="1", started_at="", updated_at="", result=result,  # type: ignore[arg-type]
        )  # fmt: skip

    for number, (target, result) in enumerate([("a", "ok"), ("a", "ok"), ("b", "ok"), *[("a", "failed")] * 9]):
        last = record(number, target, result)
        runs_folder.write(tmp_path, last)
    place = tmp_path / runs_folder.lake_key(LAKE) / "copy"
    abandoned, young = (place / f".20250101T000000.000Z-dead000{n}.partial" for n in range(2))
    abandoned.write_text("half")
    os.utime(abandoned, (time.time() - 3600,) * 2)
    young.write_text("being written")
    runs_folder.prune(tmp_path, last, keep=5)
    assert sorted(int(path.stem[13:15]) for path in place.glob("*.json")) == [1, 2, 7, 8, 9, 10, 11]
    assert list(place.glob(".*")) == [young]


def test_what_is_no_record_is_left_out(tmp_path: Path) -> None:
    with recorded("verify", LAKE, folder=tmp_path):
        pass
    place = tmp_path / runs_folder.lake_key(LAKE) / "verify"
    (place / "20990101T000000.000Z-00000000.json").write_text("")
    (place / "20990101T000000.000Z-00000001.json").write_text('{"id": 7}')
    (place / "20990101T000000.000Z-00000002.json").mkdir()
    assert only(tmp_path).result == "ok"


def test_keys_of_later_versions_are_ignored(tmp_path: Path) -> None:
    with recorded("verify", LAKE, folder=tmp_path) as run:
        pass
    later = json.loads(encode(run.record)) | {"record_version": 2, "energy_j": 3}
    assert decode(json.dumps(later).encode()).record_version == 2


def test_names_that_are_no_text_can_be_recorded(tmp_path: Path) -> None:
    with recorded("ingest", LAKE, folder=tmp_path) as run:
        run.fail("caf\udce9.plzip: damaged")
    assert only(tmp_path, "ingest").messages == ["caf\\udce9.plzip: damaged"]


def test_lakes_have_folders_of_their_own(tmp_path: Path) -> None:
    keys = {runs_folder.lake_key(url) for url in ("s3://a/lake", "s3://b/lake", "/lake", "C:\\data\\lake", "s3://ä/")}
    assert len(keys) == 5
    assert all(key.isascii() and "/" not in key and "\\" not in key for key in keys)
    with recorded("verify", "s3://AK:SK@b/lake", folder=tmp_path), recorded("gc", "/lake", folder=tmp_path):
        pass
    assert runs_folder.lakes(tmp_path) == ["/lake", "s3://b/lake"]


def test_secrets_are_not_kept() -> None:
    said = [
        "copy", "s3://AK:hunter2@b/lake", "--to-storage-option", "secret_key=hunter2", "--storage-option=token=hunter2",
        "--notify", "https://chat.example.org/hunter2", "--notify=tell hunter2", "--storage-option", "profile=epma",
        "--from-storage-option", "hunter2",
    ]  # fmt: skip
    kept = without_secrets(said)
    assert "hunter2" not in " ".join(kept)
    assert "profile=epma" in kept
    assert len(kept) == len(said)
