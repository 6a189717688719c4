"""The documents of --json: each command's fits its schema, instants end in Z, and no command lacks a schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.answers import Answer
from support.vendor_session import session

from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.cli.json_schemas import ERROR, INSTANT, SCHEMAS, json_schema
from sxeslake.cli.root import SECTIONS
from sxeslake.cli.run import run

Call = Callable[..., Answer]

SESSION: list[tuple[str, ...]] = [
    ("init", "lake"), ("report", "in"), ("plan", "in", "-o", "plan.parquet"),
    ("ingest", "in", "--dry-run"), ("ingest", "in"), ("ingest", "in"),
    ("exact", "--all"), ("audit", "in"), ("ls", "--long"), ("ls", "nothing"), ("show", "2020/steel carbide"),
    ("members", "2020/steel carbide"), ("cat", "2020/steel carbide@1", "metadata.json"), ("stats",), ("log",),
    ("diff", "2020/steel carbide", "2021/standards"), ("diff", "2021/standards", "2021/standards"),
    ("query",), ("query", "positions-by-condition"), ("query", "positions-by-condition", "--envelope"),
    ("query", "--sql", "SELECT now() AS now_at", "--envelope"), ("query", "--sql", "SELECT now() AS now_at"),
    ("query", "positions-by-condition", "-o", "rows.csv"), ("find", "steel"), ("conditions",), ("schema",),
    ("lines", "N", "K"), ("compare", "2020/steel carbide:1", "2019/chalcopyrite map:1"),
    ("annotate", "2021/standards", "role=standard"), ("show", "2021/standards"),
    ("lines", "N"), ("formats",), ("identify", "in"), ("convert", "raw", "--dry-run"),
    ("convert", "raw", "-o", "raw.plzip"), ("originals", "raw.plzip", "-o", "back"), ("ingest", "raw"),
    ("originals", "raw", "-o", "back again"), ("ingest", "raw", "--tree", "--sample", "tree"),
    ("interpret", "tree", "--dry-run"), ("interpret", "tree"),
    ("plot", "spectrum", "2020/steel carbide", "--position", "1"),
    ("plot", "stage", "2020/steel carbide", "-o", "stage.png"),
    ("pull", "2021/standards", "-o", "out.zip", "--dry-run"), ("pull", "2021/standards", "-o", "out.zip"),
    ("pull", "2021/standards", "2020/*", "-o", "several"),
    ("pull", "2021/standards", "-o", "out", "--container", "folder"),
    ("export", "2021/standards", "--to", "csv", "-o", "out.csv"), ("export", "2021/standards", "-o", "out2.zip"),
    ("sync", "2021/standards", "out", "--dry-run"), ("sync", "2021/standards", "out"),
    ("tag", "2021/standards", "paper"), ("tag", "2021/standards", "paper", "--remove"), ("hold", "2021/standards"),
    ("release", "2021/standards"), ("forget", "2021/standards", "--dry-run"), ("forget", "2021/standards"),
    ("gc", "--dry-run"), ("restore", "2021/standards"), ("gc",),
    ("repack", "--dry-run"), ("repack",),
    ("migrate", "2021/standards", "-n"), ("migrate", "2021/standards"), ("rename", "2021/standards", "standards"),
    ("tidy", "--dry-run"), ("tidy",), ("verify",), ("drill",), ("repair", "--dry-run"), ("repair",),
    ("checkpoint",), ("health",),
    ("health", "--max-age", "verify=1d"), ("publish", "tables"),
    ("catalog", "rebuild"), ("doctor",), ("use",), ("help", "json"), ("completion", "bash"),
    ("version",), ("calibration", "add", "--grating", "JS200N", "--source", "s", "--coefficients", "10,0.01"),
    ("calibration", "list"), ("calibration", "show", "built-in"), ("init", "second"),
    ("copy", "lake", "second"), ("demo",), ("use", "second", "second"), ("use",),
    ("ingest", "in", "--dry-run", "--quick"), ("ls",), ("audit", "in", "-o", "report.csv"),
    ("audit", "--verify", "report.csv"), ("schema", "--json-schema", "ls"),
    ("pull", "2020/steel carbide", "--position", "1", "-o", "part.plzip"),
    ("pull", "--all", "--as-source", "-o", "share"), ("pull", "--all", "--dry-run"),
    ("export", "2020/steel carbide", "--dry-run"), ("plot", "ccd", "2020/steel carbide", "--position", "1"),
    ("watch", "in", "--once", "--settle", "0"), ("watch", "--status"),
    ("ingest", "--plan", "plan.parquet", "--workers", "2", "--gc"),
    ("forget", "2019/*", "--keep-last", "1", "--dry-run"), ("diff", "2020/steel carbide", "standards"),
]  # fmt: skip


FREE = {
    ("query", "[]"), ("find", "[]"), ("conditions", "[]"), ("query", "rows[]"),
    ("use", "lakes[].storage_options"), ("use", "groups"), ("use", "time_zones"),
}  # fmt: skip
"""Where keys are not the command's to choose: columns of a question, names that the user gave."""


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Call:
    """Run a command line with --json in a folder with archives, and the lake `lake`."""
    monkeypatch.setenv("SXESLAKE_CONFIG", str(tmp_path / "settings"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("SXESLAKE_LAKE", str(tmp_path / "lake"))
    monkeypatch.chdir(tmp_path)
    synthetic_facility(tmp_path / "in", nx=2, ny=2)
    session(tmp_path).rename(tmp_path / "raw")

    def call(*arguments: str) -> Answer:
        code = run([*arguments, "--json"])
        return Answer(code, *capsysbinary.readouterr())

    return call


def instants(value: Any) -> Iterator[str]:
    """Every value that stands under the name of an instant."""
    if isinstance(value, list):
        for each in value:
            yield from instants(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            if (key.endswith("_at") or key == "time") and isinstance(each, str):
                yield each
            yield from instants(each)


def objects(value: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object in a document and its place, rows of a list at one place."""
    if isinstance(value, list):
        for each in value:
            yield from objects(each, f"{place}[]")
    elif isinstance(value, dict):
        yield place, value
        for key, each in value.items():
            yield from objects(each, f"{place}.{key}".removeprefix("."))


def places_that_take_any_key(document: Any, schema: dict[str, Any]) -> set[str]:
    """Places of a document that fits its schema where it still fits with one more key; the outermost ones."""
    validator = jsonschema.Draft202012Validator(schema)
    taking = set[str]()
    for place, one in dict(objects(document)).items():
        one["nobody declared this"] = None
        if validator.is_valid(document) and not any(place.startswith(outer) for outer in taking):
            taking.add(place)
        del one["nobody declared this"]
    return taking


def test_every_command_has_a_schema_whose_keys_are_described() -> None:
    assert set(SCHEMAS) == {name for commands in SECTIONS.values() for name in commands}
    for name in SCHEMAS:
        jsonschema.Draft202012Validator.check_schema(json_schema(name))
        for _, shape in objects(json_schema(name)):
            if shape.get("type") == "object":  # closed, or open on purpose, with no keys of its own
                assert shape.get("additionalProperties") is ("properties" not in shape), (name, shape)


def test_the_documents_of_all_commands_fit_their_schemas(call: Call) -> None:
    assert {words[0] for words in SESSION} == set(SCHEMAS) - {"serve"}  # which goes on: see test_web_serve.py
    seen = set[tuple[str, str]]()
    for words in SESSION:
        answer = call(*words)
        assert answer.code == 0, (words, answer.out, answer.err)
        document = answer.document
        jsonschema.validate(document, SCHEMAS[words[0]], jsonschema.Draft202012Validator)
        if "--json-schema" not in words:
            free = {(words[0], place) for place in places_that_take_any_key(document, SCHEMAS[words[0]])}
            assert free <= FREE, words
            seen |= free
        for instant in instants(answer.document):
            assert re.search(INSTANT, instant), (words, instant)
    assert seen == FREE


@pytest.mark.parametrize("command", [name for name in SCHEMAS if name != "doctor"])
def test_an_error_is_one_document_with_its_exit_code(call: Call, command: str) -> None:
    answer = call(command, "--nonsense")
    jsonschema.validate(answer.document, ERROR)
    assert answer.document["error"]["exit_code"] == answer.code == 2


def test_an_envelope_says_units_notes_and_whether_rows_were_cut(call: Call) -> None:
    assert call("init", "lake").code == call("ingest", "in").code == 0
    answer = call("query", "positions-by-condition", "--kv", "5", "--limit", "1", "--envelope").document
    units = {column["name"]: column["unit"] for column in answer["columns"]}
    assert units["probe_current_na"] == "nA"
    assert (answer["row_count"], len(answer["rows"]), answer["truncated"]) == (1, 1, True)
    assert any("5 ± 0.05 kV" in note for note in answer["notes"])


def test_the_schema_of_a_command_is_printed(call: Call) -> None:
    assert call("schema", "--json-schema", "ls").document == json_schema("ls")
    assert call("schema", "--json-schema", "nothing").code == 3


def test_equal_archives_have_all_their_positions_in_common(call: Call) -> None:
    assert call("init", "lake").code == call("ingest", "in").code == 0
    (Path("notes") / "inside").mkdir(parents=True)
    Path("notes/inside/a.txt").write_text("a")
    assert call("ingest", "notes", "--tree").code == 0
    assert call("diff", "2019/chalcopyrite map@1", "2019/chalcopyrite map@2").document["positions_same"] > 0
    assert call("diff", "notes", "notes").document["positions_same"] == 0
