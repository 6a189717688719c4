"""Questions to a real lake through the command line: the issue's own examples, hostile SQL, and many at once."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.answers import Answer
from support.small_lakes import group, zip_of

import sxeslake
from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.cli.run import run
from sxeslake.cli.words import count
from sxeslake.lake import init

Ask = Callable[..., Answer]

MAP_COLUMNS = (
    "sample", "version", "analysis_uuid", "analysis_name", "kind", "kind_inferred", "positions",
    "accelerating_voltage_kv", "probe_current_na", "grating", "spectrometer", "instrument", "acquired_at",
)  # fmt: skip


@pytest.fixture(scope="module")
def facility(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with the synthetic facility: maps and points, some of them twice."""
    folder = tmp_path_factory.mktemp("facility")
    synthetic_facility(folder / "archives", nx=2, ny=2)
    with init(str(folder / "lake")) as lake:
        lake.ingest([folder / "archives"])
    return folder / "lake"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the questions of this module: the second one finds it warm."""
    return tmp_path_factory.mktemp("questions")


@pytest.fixture
def ask(
    facility: Path,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> Ask:
    """Run a command line against the facility, in an empty folder."""
    return _asking(facility, cache, tmp_path, monkeypatch, capsysbinary)


@pytest.fixture
def ask_real(
    real_archive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> Ask:
    """The same, against a lake that has the real archive as `test`."""
    with init(str(tmp_path / "lake")) as lake:
        lake.ingest([real_archive])
    return _asking(tmp_path / "lake", tmp_path / "cache", tmp_path, monkeypatch, capsysbinary)


def _asking(
    lake: Path, cache: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[bytes]
) -> Ask:
    monkeypatch.setenv("SXESLAKE_CONFIG", str(folder / "settings"))
    monkeypatch.setenv("SXESLAKE_CACHE", str(cache))
    monkeypatch.setenv("SXESLAKE_LAKE", str(lake))
    (folder / "work").mkdir()
    monkeypatch.chdir(folder / "work")
    capture.readouterr()

    def ask(*arguments: object) -> Answer:
        code = run([str(argument) for argument in arguments])
        return Answer(code, *capture.readouterr())

    return ask


# --- the real archive ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--kv", "5"], 14),
        (["--current-na", "100..110"], 3),
        (["--current-na", "..99.7"], 1),
        (["--kv", "15"], 0),
        (["--grating", "JS300N"], 14),
        ([], 14),
    ],
)
def test_positions_of_the_real_archive(ask_real: Ask, options: list[str], count: int) -> None:
    answer = ask_real("query", "positions-by-condition", *options, "--json")
    assert answer.code == 0
    assert len(answer.document) == count


def test_the_real_archive_as_a_whole(ask_real: Ask) -> None:
    rows = ask_real("query", "analyses-by-condition", "--text", "CuFeS2", "--min-positions", "3", "--json").document
    assert [(row["kind"], row["kind_inferred"], row["positions"]) for row in rows] == [("points", True, 6)]
    assert ask_real("query", "maps-by-beam-condition", "--json").document == []
    found = ask_real("find", "CuFeS2", "--json").document
    assert {"document", "position"} <= {row["found_in"] for row in found}
    values = ask_real("conditions", "--json").document
    assert {"condition": "grating", "value": "JS300N", "positions": 14, "archives": 1, "samples": 1} in values
    assert ask_real("catalog", "rebuild", "--json").document["equal"] is True


# --- what a question gives -------------------------------------------------------------------------------------------


def test_maps_by_beam_condition(ask: Ask) -> None:
    answer = ask("query", "maps-by-beam-condition", "--kv", "5", "--current-na", "90..110", "--since", "2018", "--json")
    rows = answer.document
    assert rows
    assert [name for name in MAP_COLUMNS if name not in rows[0]] == []
    assert {row["kind"] for row in rows} == {"map"}
    assert "5 ± 0.05 kV" in answer.err
    assert "5 ± 0.5 kV" in ask("query", "maps-by-beam-condition", "--kv", "5", "--kv-tolerance", "0.5", "--json").err


def test_formats(ask: Ask) -> None:
    question = ("query", "positions-by-condition", "--type", "xes")
    rows = ask(*question, "--json").document
    assert ask(*question, "--format", "json").document == rows
    table = list(csv.DictReader(io.StringIO(ask(*question, "--format", "csv").out)))
    assert [row["position_uuid"] for row in table] == [row["position_uuid"] for row in rows]
    assert pq.read_table(io.BytesIO(ask(*question, "--format", "parquet").bytes)).num_rows == len(rows)
    assert pa.ipc.open_stream(ask(*question, "--format", "arrow").bytes).read_all().num_rows == len(rows)
    words = ask(*question, "--wide")
    assert words.out.startswith("Positions by condition\n")
    assert rows[0]["position_uuid"] in words.out
    assert len(ask(*question, "--json", "--limit", "2").document) == 2


@pytest.mark.parametrize("name", ["x.csv", "x.json", "x.parquet", "x.arrow", "x.xlsx", "x.txt"])
def test_files(ask: Ask, name: str) -> None:
    answer = ask("query", "maps-by-beam-condition", "-o", name, "--json")
    assert answer.document["path"] == name
    assert answer.document["rows"] > 0
    if name == "x.xlsx":
        assert openpyxl.load_workbook(name).active.max_row == answer.document["rows"] + 1
    assert ask("query", "maps-by-beam-condition", "-o", name).code == 7
    assert (
        ask("query", "maps-by-beam-condition", "-o", name, "--force").out
        == f"{count(answer.document['rows'], 'row')} in {name}\n"
    )
    assert Path(name).stat().st_size > 0


def test_without_a_name_the_questions_are_listed(ask: Ask) -> None:
    assert "maps-by-beam-condition" in ask("query").out
    listed = {query["name"]: query for query in ask("query", "--json").document}
    assert listed["positions-near"]["parameters"][0]["unit"] == "mm"
    assert ask("query", "--kv", "5").code == 2


def test_the_help_of_a_question_has_its_parameters(ask: Ask) -> None:
    shown = ask("query", "positions-near", "--help").out
    assert "--radius NUMBER" in shown
    assert "default: 0.1 mm" in shown
    assert "--grating TEXT" in shown
    assert "--grating TEXT" not in ask("query", "largest-samples", "--help").out


def test_ones_own_questions_join(ask: Ask) -> None:
    Path("mine").mkdir()
    Path("mine/steel-only.sql").write_text(
        "-- Only steel\n-- parameter: least integer = 0: So many positions.\n-- filters: analyses\n"
        "SELECT a.sample FROM analyses AS a WHERE a.positions >= $least AND /* filters: analyses a */ true"
    )
    assert "Only steel" in ask("query", "--queries", "mine").out
    answer = ask("query", "steel-only", "--queries", "mine", "--least", "1", "--text", "steel", "--json")
    assert {row["sample"] for row in answer.document} == {"2020/steel carbide"}
    Path("mine/broken.sql").write_text("-- Broken\n-- parameter: x nmber: What.\nSELECT $x")
    wrong = ask("query", "--queries", "mine")
    assert wrong.code == 4
    assert "broken.sql" in wrong.err
    assert 'Did you mean "number"' in wrong.err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["query", "maps-by-beam-conditions"], 3, 'Did you mean "maps-by-beam-condition"'),
        (["query", "maps-by-beam-condition", "--curent-na", "5"], 2, "--current-na"),
        (["query", "maps-by-beam-condition", "--kv", "5 kW"], 2, '"kV"'),
        (["query", "maps-by-beam-condition", "--kv", "6..5"], 2, "6"),
        (["query", "maps-by-beam-condition", "--since", "2018-13"], 2, "--since"),
        (["query", "maps-by-beam-condition", "--kind", "mpa"], 2, 'Did you mean "map"'),
        (["query", "largest-samples", "--kv", "5"], 2, "takes no filters"),
        (["query", "positions-near", "--x", "1", "--y", "2"], 2, "--sample or --session"),
        (["query", "--sql", "SELECT acelerating_voltage_kv FROM positions"], 2, "accelerating_voltage_kv"),
        (["query", "--sql", "SELECT * FROM postions"], 2, "positions"),
        (["query", "by-operator", "--sql", "SELECT 1"], 2, "--sql cannot be combined"),
        (["query", "by-operator", "--timeout", "1"], 2, "go with --sql"),
        (["query", "by-operator", "-o", "x.docx"], 2, "docx"),
        (["schema", "position"], 3, 'Did you mean "positions"'),
        (["find", "x", "--gratng", "y"], 2, "--grating"),
        (["annotate", "2020/steel carbid", "role=x"], 3, "Did you mean 2020/steel carbide"),
        (["annotate", "2020/steel carbide", "role"], 2, "KEY=VALUE"),
        (["annotate"], 2, "--csv FILE"),
    ],
)
def test_what_was_meant_is_said(ask: Ask, arguments: list[str], code: int, said: str) -> None:
    answer = ask(*arguments, "--json")
    assert (answer.code, answer.document["error"]["exit_code"]) == (code, code)
    assert said in answer.document["error"]["message"]


def test_schema(ask: Ask) -> None:
    assert "conditions" in ask("schema").out
    lines = ask("schema", "positions").out.splitlines()
    assert any(line.startswith("stage_x_mm") and " mm " in line for line in lines)
    (table,) = ask("schema", "positions", "--json").document
    current = next(column for column in table["columns"] if column["name"] == "probe_current_na")
    assert (current["unit"], current["type"]) == ("nA", "DOUBLE")


# --- annotations -----------------------------------------------------------------------------------------------------


def test_annotations_are_said_found_and_pulled(ask_real: Ask) -> None:
    uuid = ask_real("query", "positions-by-condition", "--json", "--limit", "1").document[0]["position_uuid"]
    Path("t.csv").write_text(f"sample,position,key,value\ntest,,role,standard\ntest@1,{uuid[:8]},remark,scratched\n")
    done = ask_real("annotate", "--csv", "t.csv", "-m", "by hand", "--json").document
    assert (done["commit"], [item["uuid"] for item in done["annotations"]]) == (2, [None, uuid])
    assert "material = CuFeS2" in ask_real("annotate", "test", "material=CuFeS2").out
    assert {row["value"] for row in ask_real("query", "--sql", "SELECT value FROM annotations", "--json").document} == {
        "standard", "scratched", "CuFeS2",
    }  # fmt: skip
    assert ask_real("query", "standards-for-condition", "--kv", "5", "--json").document[0]["material"] == "CuFeS2"
    chosen = ask_real("query", "positions-by-condition", "--annotation", "remark=scratched", "--json").document
    assert [row["position_uuid"] for row in chosen] == [uuid]
    assert [row["found_in"] for row in ask_real("find", "scratched", "--json").document] == ["annotation"]
    assert "role = standard, of all versions" in ask_real("show", "test").out
    pulled = ask_real("pull", "test", "-o", "out/test.pl7z", "--json").document
    beside = json.loads(Path(pulled["annotations"]).read_text())
    assert [said["key"] for said in beside["annotations"]] == ["material", "role", "remark"]
    Path("out/test.pl7z").unlink()
    again = ask_real("pull", "test", "-o", "out/test.pl7z")
    assert again.code == 7  # what is beside it is not written over either
    assert ask_real("annotate", "test", "material=", "role=").code == 0
    assert ask_real("annotate", "test@1", f"--position={uuid}", "remark=").code == 0
    assert ask_real("pull", "test", "-o", "out/test.pl7z", "--force", "--json").document["annotations"] is None
    assert [path.name for path in Path("out").iterdir()] == ["test.pl7z"]
    assert ask_real("audit", "out/test.pl7z", "--accept", "same-content", "--json").code == 0


# --- hostile SQL -----------------------------------------------------------------------------------------------------

ATTACKS = {
    "reads a file": "SELECT * FROM read_csv('/etc/passwd')",
    "reads a file as a table": "SELECT * FROM '/etc/passwd'",
    "reads text": "SELECT * FROM read_text('/etc/passwd')",
    "lists files": "SELECT * FROM glob('/*')",
    "copies": "COPY (SELECT 1) TO '{part}'",
    "copies in place": "COPY (SELECT 1) TO '{part}' (use_tmp_file false)",
    "copies in a WITH": "WITH t AS (COPY (SELECT 1) TO '{part}' (use_tmp_file false)) SELECT 1",
    "attaches": "ATTACH '/tmp/evil.db'",
    "installs": "INSTALL httpfs",
    "loads": "LOAD httpfs",
    "pragma": "PRAGMA database_list",
    "sets": "SET memory_limit = '100GB'",
    "reads the environment": "SELECT getenv('HOME')",
    "several": "SELECT 1; SELECT 2",
    "creates": "CREATE TABLE t AS SELECT 1",
    "text bomb": "SELECT length(repeat('x', 3000000000))",
    "list bomb": "SELECT len(range(4000000000))",
    "sort bomb": "SELECT * FROM range(500000000) AS a(i) ORDER BY hash(i)",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_are_refused_in_bounded_time_and_leave_no_trace(ask: Ask, cache: Path, attack: str) -> None:
    assert ask("query", "--sql", "SELECT count(*) AS n FROM positions", "--json").document[0]["n"] > 0
    parts = {path: path.read_bytes() for path in cache.rglob("*.parquet")}
    assert parts
    started = time.monotonic()
    sql = ATTACKS[attack].format(part=min(parts))
    answer = ask("query", "--sql", sql, "--json", "--memory", "1 GiB", "--timeout", "15")
    assert answer.code == 2
    assert answer.document["error"]["kind"] == "UsageError"
    assert time.monotonic() - started < 30
    assert {path: path.read_bytes() for path in cache.rglob("*.parquet")} == parts


def test_an_endless_query_ends_at_its_deadline(ask: Ask) -> None:
    started = time.monotonic()
    # One range: of two in a join DuckDB keeps one in memory, and an idle machine fills the 2 GiB within the 1.5 s.
    sql = "SELECT count(*) FROM range(1000000000000) AS a(i) WHERE (i % 1000003) * (i % 999983) % 7 = 3"
    answer = ask("query", "--sql", sql, "--timeout", "1.5")
    assert answer.code == 2
    assert "1.5 s" in answer.err
    assert time.monotonic() - started < 15


# --- many at once ----------------------------------------------------------------------------------------------------

ARCHIVES = 4
_ASKING = """
import sys, time, sxeslake
with sxeslake.open(sys.argv[1]) as lake:
    until, seen = time.monotonic() + float(sys.argv[2]), 0
    while time.monotonic() < until:
        seen = max(seen, len(lake.positions(type="xes").rows()))
        lake.sql("SELECT count(*) FROM members").rows()
    print(seen)
"""


@pytest.fixture
def archives(tmp_path: Path) -> Path:
    """As many archives, and a lake that has none of them yet."""
    for number in range(ARCHIVES):
        zip_of(tmp_path / "in" / f"{number}.plzip", group(number + 20, positions=3))
    with init(str(tmp_path / "lake")) as lake:
        lake.ingest(zip_of(tmp_path / "first.plzip", group(1)))
    return tmp_path


def test_a_python_process_two_commands_and_an_ingest_at_the_same_time(archives: Path) -> None:
    lake = str(archives / "lake")
    environment = os.environ | {"SXESLAKE_CACHE": str(archives / "cache"), "SXESLAKE_LAKE": lake}

    def start(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    asking = start("-c", _ASKING, lake, "4")
    others: list[subprocess.Popen[str]] = []
    for number in range(ARCHIVES):
        others += [
            start("-m", "sxeslake", "ingest", str(archives / "in" / f"{number}.plzip"), "--quiet"),
            start("-m", "sxeslake", "query", "positions-by-condition", "--json", "--quiet"),
            start("-m", "sxeslake", "query", "--sql", "SELECT count(*) FROM positions", "--json", "--quiet"),
        ]
    for process in others:
        _well_ended(process)
    assert int(_well_ended(asking)) >= 2
    with sxeslake.open(lake) as after:
        assert len(after.positions()) == 2 + ARCHIVES * 3
        assert after.rebuild_catalog().equal


def _well_ended(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, ""), err
    return out


def test_threads_of_one_process_share_a_lake(facility: Path) -> None:
    with sxeslake.open(str(facility)) as lake, ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda _: len(lake.positions()), range(24)))
    assert len(set(counts)) == 1
