"""`verify`, `repair`, `copy`, `pull --skip-damaged` and the bandwidth limits, as a person calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.small_lakes import flip, group, zip_of

from sxeslake.cli.documents import COPIED, COPY, LOST, MENDED, REPAIR
from sxeslake.cli.run import run
from sxeslake.format import keys
from sxeslake.storage import Store, open_store


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for name in ("SXESLAKE_LAKE", "SXESLAKE_LIMIT_UP", "SXESLAKE_LIMIT_DOWN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def lake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    url = str(tmp_path / "lake")
    assert run(["init", "--lake", url]) == 0
    assert run(["ingest", "--lake", url, str(zip_of(tmp_path / "in" / "a.plzip", group(1)))]) == 0
    capsys.readouterr()
    return url


def break_pack(url: str) -> Store:
    store = open_store(url)
    sizes = {info.key: info.size for info in store.list(keys.PACK_PREFIX)}
    flip(store, max(sizes, key=lambda key: sizes[key]), 100)
    return store


def called(capsys: pytest.CaptureFixture[str], code: int, *words: str) -> Any:
    capsys.readouterr()
    assert run([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_verify_names_and_repair_mends(lake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    break_pack(lake)
    found = called(capsys, 5, "verify", "--lake", lake, "--data")
    assert (found["ok"], found["problems"][0]["affects"]) == (False, ["a@1"])
    assert run(["verify", "--lake", lake, "--data"]) == 5
    assert "Needed by: a@1." in capsys.readouterr().err
    left = called(capsys, 5, "repair", "--lake", lake)
    assert tuple(left)[: len(REPAIR)] == REPAIR
    assert {tuple(item)[: len(LOST)] for item in left["lost"]} == {LOST}
    assert {item["archive"] for item in left["lost"]} == {"a@1"}
    would = called(capsys, 0, "repair", "--lake", lake, "--from", str(tmp_path / "in"), "--dry-run")
    assert (would["commit"], len(would["mended"])) == (None, 1)
    done = called(capsys, 0, "repair", "--lake", lake, "--from", str(tmp_path / "in"))
    assert done["commit"] == 2
    assert {tuple(item)[: len(MENDED)] for item in done["mended"]} == {MENDED}
    assert called(capsys, 0, "verify", "--lake", lake, "--data")["ok"]
    assert run(["repair", "--lake", lake]) == 0
    assert "Nothing is wrong." in capsys.readouterr().out


def test_a_damaged_log_does_not_stop_verify_and_repair(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    store = open_store(lake)
    good = store.get(keys.log_key(1))
    store.replace(keys.log_key(1), good.replace(b'"who":"', b'"who":"not ', 1))
    assert run(["ls", "--lake", lake]) == 0  # this machine has read it before
    assert called(capsys, 5, "verify", "--lake", lake)["problems"][0]["affects"] == ["a@1"]
    assert called(capsys, 0, "repair", "--lake", lake)["ok"]
    assert store.get(keys.log_key(1)) == good


def test_pull_gives_what_is_left(lake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    break_pack(lake)
    out = tmp_path / "out.zip"
    assert run(["pull", "--lake", lake, "a", "-o", str(out)]) == 5
    assert not out.exists()
    report = called(capsys, 5, "pull", "--lake", lake, "a", "-o", str(out), "--skip-damaged")
    assert out.is_file()
    assert len(report["damaged"]) == 2
    assert all(path.endswith("xes.data") for path in report["damaged"])


def test_copy(lake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = str(tmp_path / "other")
    assert run(["copy", lake, other]) == 3  # a folder that is no lake is never written to
    assert not Path(other).exists()
    assert run(["init", "--lake", other]) == 0
    report = called(capsys, 0, "copy", lake, other)
    assert tuple(report)[: len(COPY)] == COPY
    assert [tuple(row)[: len(COPIED)] for row in report["archives"]] == [COPIED]
    assert [row["status"] for row in called(capsys, 0, "copy", lake, other, "a")["archives"]] == ["present"]
    break_pack(lake)
    third = str(tmp_path / "third")
    assert run(["init", "--lake", third]) == 0
    assert run(["copy", lake, third]) == 5
    assert "failed     a@1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["verify", "--data", "--sample-percent", "5"],
        ["verify", "--resume"],
        ["verify", "--max-duration", "10m"],
        ["verify", "--data", "--max-duration", "soon"],
        ["verify", "--data", "--max-duration", "6mo"],
        ["verify", "--sample-percent", "0"],
        ["ls", "--limit-up", "fast"],
        ["ls", "--limit-down", "0"],
        ["copy", "only-one"],
    ],
)
def test_words_that_mean_nothing(lake: str, words: list[str]) -> None:
    assert run([*words, "--lake", lake]) == 2


def test_a_verification_can_be_cut_short(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["verify", "--lake", lake, "--data", "--max-duration", "0s"]
    report = called(capsys, 4, *words)
    assert (report["ok"], report["complete"], report["checked"]["bytes"]) == (False, False, 0)
    assert (report["packs_read"], report["packs_unread"]) == (0, 2)
    assert run(words) == 4
    told = capsys.readouterr().out
    assert told.startswith("Incomplete: no problems found so far: 1 commit, 0 of 2 packs, 0 B checked\n")
    assert "2 packs not read. Continue with --data --resume." in told
    assert called(capsys, 0, "verify", "--lake", lake, "--data", "--resume")["complete"]
    assert run(["verify", "--lake", lake, "--sample-percent", "50"]) == 0
    assert "--seed" in capsys.readouterr().out


@pytest.mark.parametrize("by_option", [True, False])
def test_limits_reach_the_storage(
    lake: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], by_option: bool
) -> None:
    paid: list[tuple[float, int]] = []
    monkeypatch.setattr(
        "sxeslake.storage.throttle.RateLimit.spend", lambda self, count: paid.append((self._bytes_per_s, count))
    )
    words = ["--limit-up", "5MB/s", "--limit-down", "2MiB/s"] if by_option else []
    if not by_option:
        monkeypatch.setenv("SXESLAKE_LIMIT_UP", "5MB/s")
        monkeypatch.setenv("SXESLAKE_LIMIT_DOWN", "2MiB/s")
    assert run(["verify", "--lake", lake, "--data", *words]) == 0
    assert {rate for rate, _ in paid} == {2 * 1024 * 1024}
    assert run(["checkpoint", "--lake", lake, *words]) == 0
    assert 5_000_000 in {rate for rate, _ in paid}


def test_a_whole_verification_says_what_it_read(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "--lake", lake, "--data"]) == 0
    assert capsys.readouterr().out.startswith("No problems found: 1 commit, 2 packs, ")
    assert run(["verify", "--lake", lake]) == 0
    assert "structure only" in capsys.readouterr().out


def test_checks_of_nothing_are_not_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = str(tmp_path / "empty")
    assert run(["init", url]) == 0
    assert called(capsys, 3, "drill", "--lake", url)["ok"] is False
    (tmp_path / "folder").mkdir()
    told = called(capsys, 3, "audit", "--lake", url, str(tmp_path / "folder"))
    assert "nothing was checked" in told["error"]["message"]


@pytest.mark.parametrize("prefix", [keys.PACK_PREFIX, keys.MANIFEST_PREFIX])
@pytest.mark.parametrize("is_cut", [False, True])
def test_doctor_sees_what_is_missing(lake: str, capsys: pytest.CaptureFixture[str], prefix: str, is_cut: bool) -> None:
    assert called(capsys, 0, "doctor", "--lake", lake)["ok"]
    store = open_store(lake)
    key = next(info.key for info in store.list(prefix))
    if is_cut:
        store.replace(key, store.get(key)[:-1])
    else:
        store.delete([key])
    report = called(capsys, 5, "doctor", "--lake", lake)
    packs = next(check for check in report["checks"] if check["name"] == "packs")
    assert (report["ok"], packs["ok"]) == (False, False)
    assert "versions touched: 1 (a@1)" in packs["detail"]


def test_faults_of_offers_are_not_the_lakes(lake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "in" / "0.zip"
    broken.write_bytes((tmp_path / "in" / "a.plzip").read_bytes()[:-30])
    break_pack(lake)
    assert run(["repair", "--lake", lake, "--from", str(tmp_path / "in"), "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert "1 problem found, 0 would be left" in out
    assert f"warning: offered, and cannot be read: {broken}" in err
    report = called(capsys, 0, "repair", "--lake", lake, "--from", str(tmp_path / "in"))
    assert (report["ok"], report["problems"], report["lost"]) == (True, 1, [])
    assert [item["offer"] for item in report["offer_faults"]] == [str(broken)]


def test_copy_foresees(lake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = str(tmp_path / "other")
    assert run(["init", other]) == 0
    would = called(capsys, 0, "copy", lake, other, "--dry-run")
    assert (would["dry_run"], would["commits"], [row["status"] for row in would["archives"]]) == (True, [], ["copied"])
    unique = called(capsys, 0, "stats", "--lake", lake)["bytes_unique_raw"]
    assert 0 < would["bytes_raw"] <= unique
    assert called(capsys, 0, "ls", "--lake", other) == []
    capsys.readouterr()
    assert run(["copy", lake, other, "-n"]) == 0
    out = capsys.readouterr().out
    assert "would copy a@1" in out
    assert "1 would be copied" in out
    assert run(["copy", lake, other]) == 0
    assert called(capsys, 0, "copy", lake, other, "--dry-run")["bytes_raw"] == 0


def test_a_dry_run_of_a_copy_fails_as_the_copy_does(
    lake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = str(tmp_path / "other")
    assert run(["init", other]) == 0
    store = open_store(lake)
    store.delete([info.key for info in store.list(keys.PACK_PREFIX)])
    assert [row["status"] for row in called(capsys, 5, "copy", lake, other, "-n")["archives"]] == ["failed"]
    assert called(capsys, 5, "copy", lake, other)["archives"]


def test_everything_is_forgotten_only_when_that_is_said(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["*"], ["a*"], ["a@1", "*"]):
        assert "--yes" in str(called(capsys, 2, "forget", "--lake", lake, *words))
        assert len(called(capsys, 0, "ls", "--lake", lake)) == 1
        assert called(capsys, 0, "forget", "--lake", lake, *words, "--dry-run")["commit"] is None
    assert called(capsys, 0, "forget", "--lake", lake, "*", "--keep-last", "1")["forgotten"] == []
    assert called(capsys, 0, "forget", "--lake", lake, "a")["commit"] == 2  # named in full
    assert run(["restore", "--lake", lake, "a", "--json"]) == 0
    capsys.readouterr()
    assert called(capsys, 0, "forget", "--lake", lake, "*", "--yes")["commit"] == 4


def test_restore_of_what_was_not_forgotten_names_pull(lake: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["restore", "--lake", lake, "a"]) == 7
    assert "a is not forgotten. `sxeslake pull a` fetches its files." in capsys.readouterr().err


def test_a_name_for_no_lake_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = tmp_path / "no" / "where"
    assert run(["use", "x", str(nowhere)]) == 0
    assert "there is no lake at" in capsys.readouterr().err
    assert run(["init"]) == 2
    assert not nowhere.parent.exists()
    assert run(["init", str(nowhere)]) == 0
    capsys.readouterr()
    assert run(["use", "x", str(nowhere)]) == 0
    assert "warning" not in capsys.readouterr().err
