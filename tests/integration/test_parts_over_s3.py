"""A part of a large archive over S3 costs what the part costs; 7-Zip finds nothing to say against it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import fsspec
import numpy as np
import pytest
from support import seaweed
from support.internals import vault_of
from support.part_lakes import Session, Spot, contents, dump
from support.small_lakes import zip_of

from sxeslake.archive import create_writer, open_group
from sxeslake.archive.container import open_container
from sxeslake.cli.run import run
from sxeslake.lake import Lake, init, open_lake
from sxeslake.model import MIB, Member

pytestmark = pytest.mark.s3
POSITIONS = 10_000
T = TypeVar("T")
_CONDITION = dump({"ccd": {"grating": "JS300N"}})


@dataclass(frozen=True)
class Map:
    """A lake with a map of many positions, of which each spectrum is small; what a client of it does is counted."""

    server: seaweed.Seaweed
    uuids: list[str]  # as they are listed; in the archive they stand sorted, as 7-Zip would have it
    address: str = "s3://lake/parts"

    def open(self) -> Lake:
        return open_lake(self.address, storage_options=self.server.options())

    def cost(self, cache: Path, work: Callable[[Lake], T]) -> tuple[T, int, int]:
        """What comes out, requests and bytes, of a client that knows the head and has nothing else."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SXESLAKE_CACHE", str(cache))
            self.open().close()
            with self.open() as lake:
                counters = vault_of(lake).store.counters
                requests, received = counters.total, counters.bytes_in
                found = work(lake)
                return found, counters.total - requests, counters.bytes_in - received


@pytest.fixture(scope="module")
def far(s3_server: seaweed.Seaweed, tmp_path_factory: pytest.TempPathFactory) -> Map:
    source = tmp_path_factory.mktemp("large") / "large.pl7z"
    rng = np.random.default_rng(5)
    uuids = [str(uuid.UUID(bytes=rng.bytes(16), version=4)) for _ in range(POSITIONS)]
    places = {each: number for number, each in enumerate(uuids)}
    with source.open("wb") as file:
        writer = create_writer(file, "7z")

        def add(path: str, data: bytes) -> None:
            writer.add(Member(path, "file", len(data), modified_ns=1_600_000_000_000_000_000), [data])

        add("conditions/c1.json", _CONDITION)
        for each in sorted(uuids):
            number = places[each]
            add(f"data/{each}/info.json", dump({"uuid": each, "comment": f"Pos. : {number}", "conditionUuid": "c1"}))
            add(f"data/{each}/qlw.data", rng.poisson(900, 40).astype("<f8").tobytes())
            add(f"data/{each}/state.json", dump({"stage": {"x": number / 1000, "y": float(rng.normal())}}))
        analyses = [
            {"uuid": "a", "name": "grain", "positionUuids": uuids[:-20], "unknown": {"kept": 1}},
            {"uuid": "b", "name": "line", "positionUuids": uuids[-20:]},
        ]
        add("metadata.json", dump({"projects": [], "analyses": analyses}))
        writer.close()
    with init("s3://lake/parts", storage_options=s3_server.options()) as lake:
        assert not lake.ingest(source).failed
    return Map(s3_server, uuids)


@pytest.mark.parametrize(
    ("name", "wanted", "taken", "most_requests", "most_bytes"),
    [
        ("neighbours by number", {"positions": ["100..109"]}, range(99, 109), 8, MIB // 2),
        ("the first ten", {"positions": ["1..10"]}, range(10), 8, MIB // 2),
        ("one", {"positions": ["5000"]}, range(4999, 5000), 7, MIB // 2),
        ("one analysis", {"analyses": ["line"]}, range(POSITIONS - 20, POSITIONS), 9, MIB // 2),
        ("of one analysis", {"analyses": ["line"], "positions": ["2..3"]}, range(9981, 9983), 8, MIB // 2),
        ("anywhere", {"positions": [str(n) for n in range(7, 10_000, 1000)]}, range(6, 10_000, 1000), 33, 3 * MIB),
    ],
)
def test_a_part_costs_few_requests_and_bytes(
    far: Map, tmp_path: Path, name: str, wanted: dict[str, list[str]], taken: range, most_requests: int, most_bytes: int
) -> None:
    out = tmp_path / "part.pl7z"
    report, requests, received = far.cost(tmp_path / "cache", lambda lake: lake.pull_part("large", out, **wanted))  # type: ignore[arg-type]
    assert report.positions == len(taken)
    assert requests <= most_requests, name
    assert received <= most_bytes, name
    judge(out)
    with open_group(out) as group:
        assert [position.comment for position in group.positions] == [f"Pos. : {n}" for n in taken]
        whole = wanted.get("analyses") != ["line"]
        assert group.analyses[0].fields.get("unknown") == ({"kept": 1} if whole else None)


def test_ten_by_uuid_are_the_same_archive_as_ten_by_number(far: Map, tmp_path: Path) -> None:
    def pulled(name: str, *positions: str) -> bytes:
        out = tmp_path / name
        _, requests, received = far.cost(
            tmp_path / f"cache of {name}", lambda lake: lake.pull_part("large", out, positions=positions)
        )
        assert requests <= 9  # one look-up in ten of a name brings a row group in vain
        assert received <= MIB
        return out.read_bytes()

    assert pulled("named.pl7z", *far.uuids[99:109]) == pulled("numbered.pl7z", "100..109")


def test_one_position_in_each_way(far: Map, tmp_path: Path) -> None:
    chosen = far.uuids[777]
    paths = [f"data/{chosen}/{name}" for name in ("info.json", "qlw.data", "state.json")]

    def in_group(lake: Lake) -> list[str]:
        position = lake["large"].positions[chosen]
        assert position.raw("qlw")
        return [position.comment]

    def by_number(lake: Lake) -> list[str]:
        positions = lake["large"].positions
        assert len(positions) == POSITIONS
        return [positions[777].comment, *(each.comment for each in positions[5:15])]

    def by_url(lake: Lake) -> list[str]:
        fs = fsspec.filesystem("sxeslake", lake=far.address, **far.server.options(), skip_instance_cache=True)
        fs._opened = os.getpid(), lake
        found = fs.cat([f"large/{path}" for path in paths])
        return [json.loads(found[f"large/{paths[0]}"])["comment"]]

    def in_one_go(lake: Lake) -> list[str]:
        return [json.loads(dict(lake.read_many("large", paths))[paths[0]])["comment"]]

    for number, way in enumerate((in_group, by_number, by_url, in_one_go)):
        comments, requests, received = far.cost(tmp_path / f"cache {number}", way)
        assert comments[0] == "Pos. : 777"
        assert requests <= 6, way
        assert received <= MIB // 2, way


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
