"""The command line on a real lake: contracts of JSON and exit codes, and what people read."""

from __future__ import annotations

import base64
import csv
import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.answers import Answer

from sxeslake.archive.container import open_container
from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.cli.run import run
from sxeslake.ingest.absorb import Absorber

Call = Callable[..., Answer]

INGEST_KEYS = (
    "path, sample, version, status, error, kind, members, bytes_source, bytes_raw, blobs, blobs_new, bytes_stored"
)
LS_KEYS = "sample, version, kind, name, members, bytes_source, bytes_raw, ingested_at"
PULL_KEYS = "sample, version, path, container, members, bytes_raw, bytes_written, sha256"
MEMBER_KEYS = "path, kind, size, modified, blake3, crc32"
STATS_KEYS = (
    "samples, archives, members, bytes_source, bytes_raw, blobs, "
    "bytes_unique_raw, bytes_stored, objects, packs, log_head"
)


@pytest.fixture(scope="module")
def facility(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return synthetic_facility(tmp_path_factory.mktemp("facility"), nx=2, ny=2)


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Call:
    """Run a command line in an empty folder with an embedded lake of its own."""
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "settings"))
    monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("SXESLAKE_LAKE", raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def call(*arguments: object) -> Answer:
        code = run([str(argument) for argument in arguments])
        return Answer(code, *capsysbinary.readouterr())

    return call


@pytest.fixture
def map_archive(facility: list[Path]) -> Path:
    return next(path for path in facility if path.name == "chalcopyrite map.plzip")


@pytest.fixture
def filled(call: Call, map_archive: Path) -> Call:
    """The same, with one archive stored as `map`."""
    assert call("ingest", map_archive, "--sample", "map").code == 0
    return call


def contents(path: Path) -> list[tuple[str, bytes]]:
    """Path and bytes of every file, sorted."""
    with open_container(path) as archive:
        return sorted((m.path, archive.read(i)) for i, m in enumerate(archive.members) if m.kind == "file")


def test_ingest_makes_the_embedded_lake_and_names_it_on_stderr(call: Call, map_archive: Path, tmp_path: Path) -> None:
    answer = call("ingest", map_archive)
    assert answer.code == 0
    assert answer.out.startswith("stored     chalcopyrite map@1")
    assert str(tmp_path / "data") in answer.err
    assert call("ingest", map_archive, "--quiet").err == ""


def test_ingest_document(call: Call, map_archive: Path) -> None:
    first = call("ingest", "--json", map_archive).document
    assert list(first)[:3] == ["lake", "commit", "archives"]
    assert first["commit"] == 1
    (archive,) = first["archives"]
    assert ", ".join(archive).startswith(INGEST_KEYS)
    assert (archive["status"], archive["version"], archive["kind"], archive["error"]) == ("added", 1, "sxes", None)
    again = call("ingest", map_archive, "--json").document
    assert again["archives"][0]["status"] == "unchanged"
    assert again["commit"] is None


def test_one_failed_archive_does_not_stop_the_others(call: Call, map_archive: Path) -> None:
    broken = Path("broken.zip")
    broken.write_bytes(map_archive.read_bytes()[:5000])
    answer = call("ingest", broken, map_archive, "--json")
    assert answer.code == 4
    assert [archive["status"] for archive in answer.document["archives"]] == ["failed", "added"]
    assert "broken.zip" in answer.document["archives"][0]["error"]
    words = call("ingest", broken, map_archive)
    assert words.code == 4
    assert "failed" in words.err
    assert "broken.zip" in words.err
    assert "1 unchanged, 1 failed" in words.out


@pytest.mark.skipif(os.name == "nt", reason="there are no pipes in folders")
def test_what_cannot_be_read_is_reported(call: Call, map_archive: Path) -> None:
    Path("in").mkdir()
    shutil.copy(map_archive, "in/map.plzip")
    os.mkfifo("in/pipe.zip")
    Path("in/\x1b[31mout.zip").symlink_to(map_archive)
    assert call("ingest", "in", "--dry-run").code == 4
    answer = call("ingest", "in")
    assert answer.code == 4
    assert "unreadable in/pipe.zip: a pipe, not a file" in answer.err
    assert "skipped    in/\\x1b[31mout.zip: a link out of the searched folder" in answer.err
    assert "1 archive: 1 stored, 0 unchanged, 0 failed, 1 unreadable, 1 skipped" in answer.out
    rows = call("ingest", "in", "--json").document["archives"]
    assert {row["path"]: row["status"] for row in rows} == {
        "in/map.plzip": "unchanged", "in/pipe.zip": "unreadable", "in/\x1b[31mout.zip": "skipped",
    }  # fmt: skip
    assert (call("ingest", "in/pipe.zip").code, call("ingest", "in", "--links", "skip").code) == (4, 4)
    audited = call("audit", "in")
    assert (audited.code, "\x1b" in audited.out) == (4, False)
    assert [row["status"] for row in call("audit", "in", "--json").document] == ["skipped", "stored", "unreadable"]
    Path("in/pipe.zip").unlink()
    for options, code in (((), 4), (("--accept", "skipped"), 0), (("--links", "skip"), 0), (("--links", "follow"), 0)):
        assert call("audit", "in", *options).code == code
    assert call("ingest", "in", "--links", "follow").code == 0


@pytest.mark.parametrize("verbose", [False, True])
def test_an_unforeseen_error_is_explained_on_request(
    call: Call, map_archive: Path, monkeypatch: pytest.MonkeyPatch, verbose: bool
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(Absorber, "absorb", broken)
    answer = call("ingest", map_archive, *(["-v"] if verbose else []))
    assert (answer.code, f"{map_archive}: cannot be stored" in answer.err) == (4, True)
    assert ("Traceback" in answer.err) is verbose


def test_a_traceback_comes_once_and_without_secrets(
    call: Call, map_archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("the key is S3CRETS3CRET")

    monkeypatch.setattr(Absorber, "absorb", broken)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "S3CRETS3CRET")
    answer = call("ingest", map_archive, "-v")
    assert answer.err.count("Traceback") == 1
    assert "ZeroDivisionError: the key is ***\n" in answer.err


def test_dry_run_stores_nothing(call: Call, facility: list[Path]) -> None:
    folder = facility[0].parents[1]
    answer = call("ingest", folder, "--dry-run")
    assert answer.code == 0
    assert "would store" in answer.out
    assert call("ls", "--json").document == []


def test_a_folder_is_searched_and_summed_up(call: Call, facility: list[Path]) -> None:
    answer = call("ingest", facility[0].parents[1], "-v")
    assert f"{len(facility)} archives: " in answer.out
    assert "blobs new" in answer.out
    names = {row["sample"] for row in call("ls", "--json").document}
    assert "backup/map copy 2" not in names
    paths = call("show", "2019/chalcopyrite map", "--json").document["paths"]
    assert [Path(path["path"]).name for path in paths] == ["chalcopyrite map.plzip", "map copy 2.plzip"]


def test_ls(filled: Call) -> None:
    (row,) = filled("ls", "--json").document
    assert ", ".join(row).startswith(LS_KEYS)
    assert (row["sample"], row["version"], row["name"]) == ("map", 1, "chalcopyrite map.plzip")
    lines = filled("ls", "m*").out.splitlines()
    assert lines[0].split()[:3] == ["sample", "version", "kind"]
    assert lines[1].split()[:3] == ["map", "1", "sxes"]
    assert filled("ls", "nothing*", "--json").document == []


def test_ls_in_long_says_what_was_measured(filled: Call) -> None:
    Path("notes").mkdir()
    Path("notes/a.txt").write_text("a")
    assert filled("ingest", "--tree", "notes").code == 0
    lines = filled("ls", "--long").out.splitlines()
    assert lines[0].split()[:7] == ["sample", "version", "kind", "kV", "nA", "grating", "acquired"]
    assert lines[1].split()[3] == "5"
    assert lines[1].split()[5:8] == ["JS300N", "2019-03-14", "09:26"]
    assert lines[2].split()[:3] == ["notes", "1", "generic"]
    measured, other = filled("ls", "-l", "--json").document
    assert measured["accelerating_voltages_kv"] == [5]
    assert measured["acquired_local"] == "2019-03-14T09:26:53"
    assert (other["gratings"], other["acquired_local"]) == (None, None)


def test_ls_of_nothing_says_why(call: Call, map_archive: Path) -> None:
    assert call("init").code == 0
    answer = call("ls")
    assert (answer.code, answer.out) == (0, "")
    assert "The lake is empty; `sxeslake ingest PATH` stores archives." in answer.err
    assert "no rows: the lake is empty" in call("query", "maps-by-beam-condition", "--kv", "5").out
    assert call("ingest", map_archive, "--sample", "map").code == 0
    assert "No sample fits 'x*': none of 1 sample" in call("ls", "x*").err
    assert "No sample is called 'x'" in call("ls", "x").err


def test_questions_without_an_answer_say_which_condition_left_none(filled: Call) -> None:
    for words, reason in (
        (("query", "maps-by-beam-condition", "--kv", "7"), "--kv 7 leaves none of 1 analysis"),
        (("query", "positions-by-condition", "--kv", "5", "--grating", "X"), "--grating X leaves none of 4 positions"),
        (("conditions", "--kv", "7"), "--kv 7 leaves none of 4 positions"),
        (("find", "nowhere"), "nothing in 1 analysis fits: text nowhere"),
        (("find", "map", "--kv", "7"), "--kv 7 leaves none of 1 analysis"),
    ):
        answer = filled(*words)
        assert (answer.code, f"no rows: {reason}" in answer.out) == (0, True), answer.out
        for more in (("--json",), ("--format", "csv")):
            assert f"No rows: {reason}" in filled(*words, *more).err
    assert filled("query", "--sql", "SELECT sample FROM positions WHERE false").out == "0 rows\n"


def test_show(filled: Call, map_archive: Path) -> None:
    document = filled("show", "map@1", "--json").document
    assert document["source"]["path"] == str(map_archive)
    assert document["versions"] == [1]
    (analysis,) = document["measurement"]
    assert (analysis["kind"], analysis["positions"], analysis["accelerating_voltage_kv"]) == ("map", 4, 5)
    assert analysis["acquired_local"] == "2019-03-14T09:26:53"
    lines = filled("show", "map").out.splitlines()
    assert lines[:4] == [
        "map@1",
        "acquired      2019-03-14 09:26 to 2019-03-14 09:28",
        "operator      A. Miner",
        "instrument    JXA-8530F",
    ]
    assert any(line.startswith("beam          5 kV, ") and line.endswith(" nA") for line in lines)
    assert "analyses      1 map, 4 positions" in lines
    words = "\n".join(lines)
    assert str(map_archive) in words
    assert document["source"]["sha256"] not in words
    assert "blobs" not in words
    told = filled("show", "map", "-v").out
    assert "blobs" in told
    assert document["source"]["sha256"] in told


def test_show_of_an_archive_without_measurements(filled: Call) -> None:
    Path("notes").mkdir()
    Path("notes/a.txt").write_text("a")
    assert filled("ingest", "--tree", "notes").code == 0
    assert filled("show", "notes", "--json").document["measurement"] == []
    lines = filled("show", "notes").out.splitlines()
    assert lines[:2] == ["notes@1", "archive       generic, folder, 1 B"]


def test_members_in_archive_order(filled: Call, map_archive: Path) -> None:
    rows = filled("members", "map", "--json").document
    assert ", ".join(rows[0]).startswith(MEMBER_KEYS)
    with open_container(map_archive) as archive:
        assert [row["path"] for row in rows] == [member.path for member in archive.members]
        assert [int(row["crc32"], 16) for row in rows] == [member.crc32 for member in archive.members]
    lines = filled("members", "map").out.splitlines()
    assert lines[-1].endswith(rows[-1]["path"])
    assert rows[-1]["blake3"] in filled("members", "map", "-v").out


def test_cat(filled: Call, map_archive: Path) -> None:
    with open_container(map_archive) as archive:
        data = {member.path: archive.read(i) for i, member in enumerate(archive.members)}
    spectrum = next(path for path in data if path.endswith("xes.data"))
    assert filled("cat", "map", spectrum).bytes == data[spectrum]
    assert filled("cat", "map", "metadata.json", "--json").document["data"].encode() == data["metadata.json"]
    assert base64.b64decode(filled("cat", "map", spectrum, "--json").document["data"]) == data[spectrum]


@pytest.mark.parametrize(("out", "container"), [("x.pl7z", "7z"), ("x.plzip", "zip"), ("x/", "folder")])
def test_pull_one(filled: Call, map_archive: Path, out: str, container: str) -> None:
    document = filled("pull", "map", "-o", out, "--json").document
    assert ", ".join(document).startswith(PULL_KEYS)
    assert document["container"] == container
    assert contents(Path(out)) == contents(map_archive)
    again = filled("pull", "map", "-o", out, "--json")
    assert again.code == 7
    assert again.document["error"]["exit_code"] == 7
    assert filled("pull", "map", "-o", out, "--force", "--level", "0").code == 0


def test_pull_to_the_sources_own_name(filled: Call, map_archive: Path) -> None:
    assert filled("pull", "map").code == 0
    assert contents(Path(map_archive.name)) == contents(map_archive)


def test_pull_a_container_below_a_folder(filled: Call, map_archive: Path) -> None:
    assert filled("pull", "map", "-o", "out/", "--container", "7z").code == 0
    assert contents(Path("out/chalcopyrite map.pl7z")) == contents(map_archive)


def test_pull_several_gives_a_list_and_a_file_each(call: Call, facility: list[Path]) -> None:
    root = facility[0].parents[1]
    call("ingest", root)
    documents = call("pull", "--all", "-o", "out/", "--json").document
    assert len(documents) == len(call("ls", "--json").document)
    assert contents(Path("out/2020/steel carbide.plzip")) == contents(root / "2020/steel carbide.plzip")
    assert isinstance(call("pull", "2020/*", "-o", "out2/", "--json").document, list)


def test_pull_as_source_recreates_names_and_containers(call: Call, facility: list[Path]) -> None:
    root = facility[0].parents[1]
    call("ingest", root / "2020", root / "2021")
    assert call("pull", "--all", "--as-source", "-o", "out").code == 0
    for path in [*root.glob("2020/*"), *root.glob("2021/*")]:
        back = Path("out") / path.relative_to(root)
        assert back.read_bytes() == path.read_bytes()
        assert back.stat().st_mtime_ns == path.stat().st_mtime_ns


def test_a_pull_that_fails_does_not_stop_the_others(call: Call, facility: list[Path]) -> None:
    call("ingest", facility[0].parents[1] / "2020", facility[0].parents[1] / "2021")
    Path("out").mkdir()
    Path("out/steel carbide.plzip").write_text("mine")
    answer = call("pull", "--all", "-o", "out/", "--json")
    assert answer.code == 7
    assert sorted("error" in document for document in answer.document) == [False, True]
    assert Path("out/steel carbide.plzip").read_text() == "mine"


def test_pull_to_stdout(filled: Call, map_archive: Path) -> None:
    answer = filled("pull", "map", "-o", "-")
    assert answer.code == 0
    names = zipfile.ZipFile(io.BytesIO(answer.bytes)).namelist()
    assert sorted(names) == [path for path, _ in contents(map_archive)]
    assert filled("pull", "map", "-o", "-", "--json").code == 2


def test_binary_is_not_written_to_a_terminal(filled: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    spectrum = next(row["path"] for row in filled("members", "map", "--json").document if "xes.data" in row["path"])
    for arguments in (["pull", "map", "-o", "-"], ["cat", "map", spectrum]):
        answer = filled(*arguments)
        assert (answer.code, answer.bytes) == (2, b"")
        assert "binary" in answer.err
    assert filled("cat", "map", "metadata.json").code == 0


def test_unknown_names_are_answered_with_near_misses(filled: Call) -> None:
    for arguments in (["show", "mpa"], ["pull", "mpa"], ["members", "mpa"], ["cat", "mpa", "x"], ["show", "map@9"]):
        answer = filled(*arguments, "--json")
        assert answer.code == 3
        assert answer.document["error"]["kind"] == "SampleNotFoundError"
    assert "Did you mean map?" in filled("show", "mpa").err
    assert filled("cat", "map", "nothing").code == 3


def test_an_audit_of_nothing_is_no_success(filled: Call, tmp_path: Path) -> None:
    (tmp_path / "empty" / "folder").mkdir(parents=True)
    answer = filled("audit", tmp_path / "empty")
    assert (answer.code, answer.out) == (3, "")
    assert "nothing was checked" in answer.err


def test_audit_is_csv(filled: Call, map_archive: Path) -> None:
    Path("absent.txt").write_text("x")
    copied = Path("copy.plzip")
    shutil.copy(map_archive, copied)
    answer = filled("audit", ".")
    rows = {row["path"]: row for row in csv.DictReader(io.StringIO(answer.out))}
    assert list(rows["absent.txt"])[:7] == ["path", "status", "archive", "size", "sha256", "exact", "checked"]
    assert rows["absent.txt"]["status"] == "absent"
    assert (rows["copy.plzip"]["status"], rows["copy.plzip"]["archive"]) == ("stored", "map@1")
    assert "2 files: 1 absent, 1 stored" in answer.err
    document = filled("audit", ".", "--json")
    assert ([row["status"] for row in document.document], document.code) == (["absent", "stored"], 4)
    assert (answer.code, filled("audit", "copy.plzip").code) == (4, 0)
    report = Path("out", "audit.csv")
    report.parent.mkdir()
    assert filled("audit", ".", "-o", str(report)).code == 4
    assert filled("audit", ".", "-o", str(report)).code == 7, "a report is not written over"
    assert filled("audit", "copy.plzip", "-o", str(report), "--force").code == 0
    verified = filled("audit", "--verify", str(report), "--json")
    assert ([(row["was"], row["holds"]) for row in verified.document], verified.code) == ([("stored", True)], 0)
    assert filled("forget", "map@1", "--yes").code == 0
    assert filled("audit", "--verify", str(report)).code == 4
    assert filled("audit").code == filled("audit", ".", "--verify", str(report)).code == 2
    assert copied.exists()


def test_stats_and_verify(filled: Call) -> None:
    stats = filled("stats", "--json").document
    assert ", ".join(stats).startswith(STATS_KEYS)
    assert (stats["samples"], stats["archives"], stats["log_head"]) == (1, 1, 1)
    assert "1 archive" in filled("stats").out
    report = filled("verify", "--data", "--json").document
    assert list(report)[:3] == ["ok", "checked", "problems"]
    assert list(report["checked"]) == ["log_entries", "manifests", "packs", "blobs", "bytes"]
    assert report["ok"] is True
    assert filled("verify").out.startswith("No problems found: ")


def test_damage_is_found_and_named(filled: Call, tmp_path: Path) -> None:
    pack = max((tmp_path / "data").rglob("*.pack"), key=lambda path: path.stat().st_size)
    data = bytearray(pack.read_bytes())
    data[200] ^= 0xFF
    pack.chmod(0o644)
    pack.write_bytes(data)
    answer = filled("verify", "--data", "--json")
    assert answer.code == 5
    assert answer.document["ok"] is False
    assert list(answer.document["problems"][0])[:4] == ["kind", "object", "detail", "affects"]
    assert any("map@1" in problem["affects"] for problem in answer.document["problems"])
    words = filled("verify", "--data")
    assert words.code == 5
    assert "map@1" in words.err


def test_init_use_and_doctor(call: Call, tmp_path: Path) -> None:
    made = call("init", tmp_path / "facility", "--json")
    assert made.code == 0
    assert made.document["created"] is True
    assert call("init", tmp_path / "facility").code == 7
    assert call("use", "facility", tmp_path / "facility", "--json").document["default"] == "facility"
    listed = call("ls")
    assert listed.code == 0
    assert str(tmp_path / "facility") in listed.err
    assert f"*facility{tmp_path / 'facility'}" in "".join(call("use").out.split())  # folded where it is narrow
    checks = call("doctor", "--json").document
    assert checks["ok"] is True
    assert {"configuration", "software", "cache"} <= {check["name"] for check in checks["checks"]}
    assert call("use", "--embedded").code == 0
    assert call("ls").code == 3
    assert call("doctor").code == 3
    assert call("use", "--forget", "facility", "--json").document["lakes"] == []
    assert call("ls", "--lake", tmp_path / "facility").code == 0


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_demo(call: Call, arguments: list[str]) -> None:
    answer = call("demo", *arguments)
    assert answer.code == 0
    if arguments:
        assert answer.document["equal"] is True
        assert answer.document["bytes_stored"] < 0.4 * answer.document["bytes_source"]
    else:
        assert "every byte, name and time is equal" in answer.out
        assert "Try next" in answer.out
    assert call("ls").code == 3  # the embedded lake is not touched


def test_demo_with_an_archive_of_ones_own(call: Call, map_archive: Path) -> None:
    before = map_archive.read_bytes()
    document = call("demo", "--archive", map_archive, "--keep", "kept", "--json").document
    assert [archive["blobs_new"] > 0 for archive in document["archives"]] == [True, False]
    assert map_archive.read_bytes() == before
    assert call("ls", "--lake", "kept/lake").code == 0
    assert call("demo", "--keep", "kept").code == 7
    assert call("demo", "--archive", "absent.zip").code == 3


def test_the_shell_completes_samples(filled: Call) -> None:
    environment = os.environ | {"_SXESLAKE_COMPLETE": "bash_complete"}
    words = [sys.executable, "-m", "sxeslake", "sxeslake show m", "m"]
    answer = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert answer.stdout == "plain\tmap\n"
    assert answer.stderr == ""
