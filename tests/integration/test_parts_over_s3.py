"""A part of a large archive over S3 costs what the part costs; 7-Zip finds nothing to say against it."""

from __future__ import annotations

import json
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import seaweed
from part_lakes import Session, Spot, contents, dump
from small_lakes import zip_of

from sxeslake.archive import create_writer, open_group
from sxeslake.archive.container import open_container
from sxeslake.cli.run import run
from sxeslake.lake import init, open_lake
from sxeslake.model import MIB, Member

pytestmark = pytest.mark.s3
POSITIONS = 10_000
_CONDITION = dump({"ccd": {"grating": "JS300N"}})


@pytest.fixture(scope="module")
def address(s3_server: seaweed.Seaweed, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A lake with a map of many positions, of which each spectrum is small."""
    source = tmp_path_factory.mktemp("large") / "large.pl7z"
    rng = np.random.default_rng(5)
    uuids = sorted(str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(POSITIONS))
    with source.open("wb") as file:
        writer = create_writer(file, "7z")

        def add(path: str, data: bytes) -> None:
            writer.add(Member(path, "file", len(data), modified_ns=1_600_000_000_000_000_000), [data])

        add("conditions/c1.json", _CONDITION)
        for number, each in enumerate(uuids):
            add(f"data/{each}/info.json", dump({"uuid": each, "comment": f"Pos. : {number}", "conditionUuid": "c1"}))
            add(f"data/{each}/qlw.data", rng.poisson(900, 40).astype("<f8").tobytes())
            add(f"data/{each}/state.json", dump({"stage": {"x": number / 1000, "y": float(rng.normal())}}))
        add(
            "metadata.json",
            dump({"projects": [], "analyses": [{"uuid": "a", "positionUuids": uuids, "unknown": {"kept": 1}}]}),
        )
        writer.close()
    with init("s3://lake/parts", storage_options=s3_server.options()) as lake:
        assert not lake.ingest(source).failed
    return "s3://lake/parts"


def test_ten_neighbours_cost_few_requests_and_bytes(
    address: str, s3_server: seaweed.Seaweed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pulled(name: str, *positions: str) -> tuple[int, int]:
        """Requests and bytes of a client that knows the head and has nothing else."""
        monkeypatch.setenv("SXESLAKE_CACHE", str(tmp_path / f"cache of {name}"))
        open_lake(address, storage_options=s3_server.options()).close()
        with open_lake(address, storage_options=s3_server.options()) as lake:
            counters = lake._vault.store.counters
            requests, received = counters.total, counters.bytes_in
            assert lake.pull_part("large", tmp_path / name, positions=positions).positions == 10
            return counters.total - requests, counters.bytes_in - received

    with open_lake(address, storage_options=s3_server.options()) as lake:
        uuids = lake["large"].positions.uuids[99:109]
        (listed,) = lake._vault.rows_between(lake._version("large"), "metadata.json", "metadata.json")
    requests, received = pulled("part.pl7z", *uuids)
    _, with_list = pulled("numbered.pl7z", "100..109")
    assert requests <= 12
    assert received <= MIB
    hint = listed.blobs[0].hint
    assert hint is not None
    assert received + hint.frame_length <= with_list  # who names positions does not read the list of all
    judge(tmp_path / "part.pl7z")
    assert (tmp_path / "part.pl7z").read_bytes() == (tmp_path / "numbered.pl7z").read_bytes()
    with open_group(tmp_path / "part.pl7z") as group:
        assert [position.comment for position in group.positions] == [f"Pos. : {n}" for n in range(99, 109)]
        assert group.analyses[0].fields["unknown"] == {"kept": 1}


def judge(path: Path) -> None:
    program = next(filter(None, map(shutil.which, ("7zz", "7z", "7za"))), None)
    if program is None:
        pytest.skip("7-Zip is not installed: apt-get install 7zip (or p7zip-full)")
    done = subprocess.run([program, "t", str(path)], capture_output=True, text=True, check=False)
    assert "Everything is Ok" in done.stdout, done.stdout + done.stderr


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The default lake is one with three archives that overlap."""
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))
    spots = [Spot(number, number) for number in range(1, 7)]
    for name, taken in (("a", spots[:4]), ("b", spots[2:]), ("c", [Spot(31, 1), Spot(4, 44, kv=10)])):
        zip_of(tmp_path / "in" / f"{name}.plzip", contents([Session(101, taken, "grain")]))
    init().close()
    assert run(["ingest", str(tmp_path / "in"), "-q"]) == 0
    return tmp_path


def told(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capfd.readouterr()
    code = run(arguments)
    return code, *capfd.readouterr()


@pytest.mark.parametrize("name", ["m.pl7z", "m.plzip"])
def test_a_merge_of_three_archives_with_overlaps(local: Path, capfd: pytest.CaptureFixture[str], name: str) -> None:
    out = local / name
    code, _, err = told(capfd, "pull", "--all", "--merge", "-o", str(out))
    assert code == 0
    assert "moves      7 positions of 3 archives" in err
    judge(out)
    with open_container(out) as archive:
        paths = [member.path for member in archive.members]
    assert sum(path.endswith("/qlw.data") for path in paths) == 7
    code, text, _ = told(capfd, "ingest", str(out), "--json")
    (stored,) = json.loads(text)["archives"]
    assert (code, stored["status"]) == (0, "added")
    assert stored["blobs_new"] <= 2  # metadata.json, and the info.json under a derived UUID


def test_the_command_line_says_what_moves_before_it_does(local: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = told(capfd, "pull", "a", "--position", "1..2", "--types", "qlw", "--dry-run", "--json")
    document: dict[str, Any] = json.loads(out)
    assert (code, document["positions"], document["path"]) == (0, 2, None)
    assert "moves      2 positions of a@1" in err
    code, _, err = told(capfd, "pull", "a", "--where", "accelerating_voltage_kv > 9 and 1=1", "-o", "x.plzip")
    assert code == 3
    assert '--where "accelerating_voltage_kv > 9" leaves none of 4 positions.' in err
    code, _, err = told(capfd, "pull", "--kv", "5", "--max-positions", "3", "-o", "x.plzip")
    assert code == 4
    assert "--max-positions" in err
    code, _, err = told(capfd, "pull", "a", "--where", "nonsense = 1", "-o", "x.plzip")
    assert (code, Path("x.plzip").exists()) == (2, False)
    code, out, _ = told(capfd, "pull", "a", "--dry-run", "--json")
    assert (code, json.loads(out)["members"]) == (0, json.loads(told(capfd, "show", "a", "--json")[1])["members"])


def test_diff_says_what_differs(local: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capfd, "diff", "a", "b")
    assert code == 0
    assert "positions  2 added, 2 removed, 2 the same" in out
    code, out, _ = told(capfd, "diff", "b", "a", "--json")
    document = json.loads(out)
    assert list(document)[:3] == ["a", "b", "equal"]
    assert {each["change"] for each in document["positions"]} == {"added", "removed"}
    assert told(capfd, "diff", "a", "a@1")[1].startswith("equal      a@1 and a@1")
    assert told(capfd, "diff", "a", "nobody")[0] == 3
