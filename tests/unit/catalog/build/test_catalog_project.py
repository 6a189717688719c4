"""From one archive's documents to rows: values, origins, and what is broken or missing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.catalog_documents import read_documents
from support.catalog_source import BACKGROUND, CONDITION, documents_of, group, header, member_table, state, zip_files

from sxeslake.archive.sxes.documents.fields import read_state
from sxeslake.catalog.build.projection import Tables, project


def rows_of(files: dict[str, bytes], **changed: Any) -> Tables:
    return project(header(**changed), member_table(files, ["data"]), documents_of(files))


def only(tables: Tables, name: str) -> dict[str, Any]:
    (row,) = tables[name].to_pylist()
    return dict(row)


def test_a_position_has_its_typed_values_with_units() -> None:
    row = only(rows_of(group({"p": state(2.9855, -1.145, second=5)})), "positions")
    assert row["archive_id"] == header().archive_id == 1 << 20
    assert (row["sample"], row["version"], row["position_uuid"], row["position_number"]) == ("alpha", 1, "p", 1)
    assert row["accelerating_voltage_kv"] == 5.0
    assert (row["probe_current_na"], row["probe_current_source"]) == (100.9, "average")
    assert row["probe_current_target_na"] == 101.0
    assert (row["stage_x_mm"], row["stage_y_mm"], row["stage_z_mm"]) == (2.9855, -1.145, 10.9)
    assert row["acquired_local"] == datetime(2018, 4, 12, 14, 0, 5)
    assert (row["grating"], row["spectrometer"], row["ccd_name"]) == ("JS300N", "XES300N", "C11789-01")
    assert (row["accumulation"], row["gain"], row["magnification"]) == (10, 0.0, 20000.0)
    assert (row["condition_id"], row["background_id"]) == (CONDITION, BACKGROUND)
    assert row["types"] == ["qlw", "xes"]
    assert row["archive_format_version"] == "0.1.0"
    assert row["problem"] is None


@pytest.mark.parametrize(
    ("current", "value", "source"),
    [
        ({"average": "1e-7", "pre": "2e-7", "post": "4e-7", "target": "9e-7"}, 100.0, "average"),
        ({"pre": "2e-7", "post": "4e-7", "target": "9e-7"}, 300.0, "pre_post_mean"),
        ({"average": "n/a", "pre": "2e-7", "target": "9e-7"}, 200.0, "pre"),
        ({"post": "4e-7", "target": "9e-7"}, 900.0, "target"),
        ({"average": "NaN"}, None, None),
    ],
)
def test_the_current_is_the_best_reading_and_says_which(
    current: dict[str, Any], value: float | None, source: str | None
) -> None:
    row = only(rows_of(group({"p": state(**current)})), "positions")
    assert (row["probe_current_na"], row["probe_current_source"]) == (value, source)


def test_operator_and_comment_come_from_the_nearest_owner_that_says_something() -> None:
    row = only(rows_of(group({"p": state()})), "positions")
    assert (row["operator"], row["operator_source"]) == ("grace", "project")
    assert (row["comment"], row["comment_source"]) == ("steel : Pos. : 1", "position")
    row = only(rows_of(group({"p": state()}, operator="ada")), "positions")
    assert (row["operator"], row["operator_source"]) == ("ada", "analysis")


@pytest.mark.parametrize("broken", [b"{", b"", b"[1]", b"\xff\xfe\x00", b'{"a":' * 3000])
def test_a_broken_state_leaves_nulls_and_says_so(broken: bytes) -> None:
    tables = rows_of(group({"p": broken, "q": state()}))
    rows = tables["positions"].to_pylist()
    assert [row["accelerating_voltage_kv"] for row in rows] == [None, 5.0]
    assert rows[0]["problem"].startswith("state.json: ")
    assert rows[0]["grating"] == "JS300N"
    assert only(tables, "analyses")["positions_unreadable"] == 1
    assert only(tables, "analyses")["accelerating_voltage_missing"] == 1


def test_a_missing_folder_is_a_row_with_a_problem_and_an_unlisted_one_has_no_analysis() -> None:
    files = group({"p": state()}, positionUuids=["gone"])
    listed, orphan = rows_of(files)["positions"].to_pylist()
    assert (listed["position_uuid"], listed["problem"]) == ("gone", "info.json: missing; state.json: missing")
    assert listed["content_id"] is None
    assert listed["types"] == []
    assert (orphan["position_uuid"], orphan["analysis_uuid"], orphan["position_number"]) == ("p", None, None)
    assert orphan["accelerating_voltage_kv"] == 5.0


@pytest.mark.parametrize("metadata", [b"{", b"[]", None])
def test_broken_or_absent_metadata_keeps_archive_and_positions(metadata: bytes | None) -> None:
    files = group({"p": state()})
    if metadata is None:
        del files["metadata.json"]
    else:
        files["metadata.json"] = metadata
    tables = rows_of(files)
    archive = only(tables, "archives")
    assert archive["problem"].startswith("metadata.json")
    assert archive["positions"] == 1
    assert only(tables, "positions")["accelerating_voltage_kv"] == 5.0


def test_json_in_a_legacy_encoding_keeps_its_numbers() -> None:
    text = json.dumps(state()).encode()[:-1] + ',"note":"試料"}'.encode("cp932")
    tables = rows_of(group({"p": text}))
    assert only(tables, "positions")["accelerating_voltage_kv"] == 5.0
    document = next(row for row in tables["documents"].to_pylist() if row["path"] == "data/p/state.json")
    assert (document["readable"], document["problem"]) == (True, None)
    assert json.loads(document["json"])["note"] == "試料"


def test_half_a_surrogate_pair_and_numbers_too_large_do_no_harm() -> None:
    files = group({"p": state()}, name="\ud800half")
    files[f"conditions/{CONDITION}.json"] = b'{"ccd":{"accumulation":1e15,"grating":"JS\\ud800"}}'
    tables = rows_of(files)
    assert only(tables, "analyses")["analysis_name"] == "?half"
    assert only(tables, "positions")["accumulation"] is None
    assert only(tables, "positions")["grating"] == "JS?"


def test_the_analysis_sums_up_its_positions() -> None:
    states = {name: state(kv=kv, average=f"{na}e-9") for name, kv, na in [("a", "5", 90), ("b", 7, 110), ("c", 6, 95)]}
    row = only(rows_of(group(states)), "analyses")
    voltage = [row[f"accelerating_voltage_{part}kv"] for part in ("", "min_", "max_")]
    current = [row[f"probe_current_{part}na"] for part in ("", "min_", "max_")]
    assert (voltage, current) == ([6.0, 5.0, 7.0], [95.0, 90.0, 110.0])
    assert (row["grating"], row["gratings"], row["grating_missing"]) == ("JS300N", ["JS300N"], 0)
    assert (row["types"], row["types_common"]) == (["qlw", "xes"], ["qlw", "xes"])
    assert (row["positions"], row["project"], row["instrument"]) == (3, "Nitrogen", "JXA-8530F")
    assert json.loads(row["json"])["name"] == "steel"
    assert "positionUuids" not in json.loads(row["json"])


@pytest.mark.parametrize(
    ("places", "kind"),
    [
        ([(0, 0)], "point"),
        ([(1, 1), (1.0005, 1)], "repeat"),
        ([(0, 0), (0.01, 0)], "points"),
        ([(0, 0), (0.01, 0.01), (0.02, 0.02)], "line"),
        ([(x * 0.01, y * 0.02) for x in range(3) for y in range(2)], "map"),
        ([("?", 0)], "point"),
        ([(0, 0), (0.01, 0), ("?", 0)], None),
    ],
)
def test_the_kind_is_inferred_where_coordinates_tell(places: list[tuple[Any, float]], kind: str | None) -> None:
    row = only(rows_of(group({f"p{n}": state(x, y) for n, (x, y) in enumerate(places)})), "analyses")
    assert row["kind"] == kind
    assert row["kind_inferred"] is (None if kind is None else True)
    if kind == "map":
        assert (row["lattice_nx"], row["lattice_ny"], row["lattice_holes"]) == (3, 2, 0)
        assert (row["lattice_step_x_um"], row["lattice_step_y_um"]) == (10.0, 20.0)
        assert (row["extent_x_um"], row["extent_y_um"]) == (20.0, 20.0)


def test_a_deflected_beam_at_one_stage_place_is_no_repeat() -> None:
    states = {name: state() for name in "abc"}
    states["b"]["probe"]["beam"]["x"] = "400"
    assert only(rows_of(group(states)), "analyses")["kind"] is None


def test_shared_files_are_listed_counted_and_missed() -> None:
    files = group({"p": state(), "q": state()})
    tables = rows_of(files)
    condition = only(tables, "conditions")
    assert (condition["rows"], condition["columns"], condition["positions"]) == (17, 2048, 2)
    assert condition["calibration_coefficients"] == [0.001, None]
    assert condition["json"] == files[f"conditions/{CONDITION}.json"].decode()
    assert only(tables, "raw_conditions")["is_empty"] is True
    assert only(tables, "backgrounds")["positions"] == 2
    del files[f"conditions/{CONDITION}.json"]
    assert only(rows_of(files), "conditions")["problem"] == "missing, though positions name it"


def test_images_carry_their_picture_and_texts() -> None:
    files = group({"p": state()}, imageUuids=["i"])
    files["images/i/info.json"] = b'{"uuid":"i","imageType":"SEI","comment":"overview"}'
    files["images/i/state.json"] = json.dumps(state(3.0)).encode()
    files["images/i/image.png"] = b"png"
    row = only(rows_of(files), "images")
    assert (row["image_type"], row["comment"], row["image_number"]) == ("SEI", "overview", 1)
    assert (row["path"], row["bytes_raw"], row["stage_x_mm"]) == ("images/i/image.png", 3, 3.0)
    assert row["info_json"] == files["images/i/info.json"].decode()


def test_a_generic_archive_has_its_documents_and_nothing_of_a_group() -> None:
    tables = rows_of({"a/b.json": b'{"x":1}', "c.JSON": b"{", "d.bin": b"1"}, kind="generic")
    assert set(tables) == {"archives", "documents", "members"}
    (document,) = tables["documents"].to_pylist()
    assert (document["path"], document["json"], document["readable"]) == ("a/b.json", '{"x":1}', True)
    assert document["owner"] is None
    archive = only(tables, "archives")
    assert archive["source_modified_at"] == datetime.fromtimestamp(1_500_000_000, UTC)
    assert (archive["members"], archive["positions"]) == (4, None)
    kinds = {row["path"]: (row["kind"], row["blake3"] is None) for row in tables["members"].to_pylist()}
    assert kinds["data"] == ("directory", True)
    assert kinds["d.bin"] == ("file", False)


def test_a_background_with_the_suffix_json_is_a_background() -> None:
    files = group({"p": state()})
    files[f"backgrounds/{BACKGROUND}.json"] = files.pop(f"backgrounds/{BACKGROUND}")
    tables = rows_of(files)
    assert only(tables, "backgrounds")["background_id"] == BACKGROUND
    assert only(tables, "archives")["documents_unreadable"] == 0


def test_the_short_way_of_reading_states_agrees_with_the_long_one() -> None:
    values: list[Any] = [
        state(1.5, -2),
        state("3", 4, kv=True),
        state(kv=1),
        {"stage": 5},
        {},
        {"probe": {"current": 3}},
    ]
    for number, value in enumerate(values):
        files = {f"data/{number}/state.json": json.dumps(value).encode()}
        short = read_documents(files.items(), sxes=True).states[str(number)]
        long = read_state(value)
        assert short.saved_local == long.saved_local
        assert short[1:4] == (long.stage_x_mm, long.stage_y_mm, long.stage_z_mm)
        assert short.shared.accelerating_voltage_kv == long.accelerating_voltage_kv
        assert short.shared.probe_current_na == long.probe_current_na


def test_the_real_archive_agrees_with_a_plain_reading_of_its_json(real_archive: Path) -> None:
    files = zip_files(real_archive)
    tables = rows_of(files)
    rows = {row["position_uuid"]: row for row in tables["positions"].to_pylist()}
    assert len(rows) == 14
    for path, data in files.items():
        if path.startswith("data/") and path.endswith("state.json"):
            plain, row = json.loads(data), rows[path.split("/")[1]]
            assert row["accelerating_voltage_kv"] == float(plain["probe"]["acceleratingVoltage"])
            assert row["probe_current_na"] == pytest.approx(float(plain["probe"]["current"]["average"]) * 1e9, rel=1e-9)
            assert row["stage_x_mm"] == plain["stage"]["x"]
            assert row["grating"] == "JS300N"
    currents = [row["probe_current_na"] for row in rows.values()]
    assert sum(100 <= value <= 110 for value in currents) == 3
    assert sum(value <= 99.7 for value in currents) == 1
    kinds = [(row["positions"], row["kind"]) for row in tables["analyses"].to_pylist()]
    assert kinds == [(2, "points"), (2, "points"), (1, "point"), (6, "points"), (1, "point"), (2, "points")]
