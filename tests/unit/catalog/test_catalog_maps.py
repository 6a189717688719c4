"""Maps, channels and described arrays of an archive as rows; and a catalogue that was made before there were any."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.catalog_documents import read_documents
from support.catalog_source import documents_of, header, member_table
from support.map_groups import GriddedMap, map_group
from support.part_lakes import uid

from sxeslake.catalog.build.projection import Tables, project


def rows_of(files: dict[str, bytes]) -> Tables:
    return project(header(), member_table(files, ["data", "maps"]), documents_of(files))


def edited(files: dict[str, bytes], path: str, **changes: Any) -> dict[str, bytes]:
    return {**files, path: json.dumps({**json.loads(files[path]), **changes}).encode()}


def test_a_map_has_its_frame_its_points_and_the_state_of_its_position() -> None:
    (row,) = rows_of(map_group(GriddedMap(holes=[1])))["maps"].to_pylist()
    assert (row["map_uuid"], row["analysis_uuid"], row["analysis_name"]) == (uid(501), uid(101), "Ti map")
    assert (row["kind"], row["rows"], row["columns"], row["points"], row["positions"]) == ("stage", 2, 3, 6, 5)
    assert (row["origin_x_mm"], row["origin_z_mm"], row["step_x_um"], row["step_y_um"]) == (1.0, 10.0, 5.0, 5.0)
    assert (row["frame_unit"], row["frame_row_step"], row["point_order"]) == ("mm", [0.0, 0.005, 0.0], "row")
    assert (row["channels"], row["elements"]) == (1, ["Ti"])
    assert (row["accelerating_voltage_kv"], row["stage_x_mm"]) == (5.0, 1.0)
    assert row["problem"] is None


def test_channels_have_their_condition_and_say_which_is_current() -> None:
    old, new = rows_of(map_group())["map_channels"].to_pylist()
    assert (old["channel_name"], old["element"], old["crystal"], old["order"]) == ("Ti Ka", "Ti", "PETH", 1)
    assert (old["dwell_ms"], old["dtype"], old["shape"]) == (5.0, "<f8", [2, 3])
    assert (old["accelerating_voltage_kv"], old["probe_current_na"]) == (15.0, 20.0)
    assert (new["accelerating_voltage_kv"], new["supersedes"]) == (5.0, "ti-ka.data")
    assert [(each["channel_version"], each["is_current"]) for each in (old, new)] == [(1, False), (2, True)]
    assert (old["path"], old["bytes_raw"], old["problem"]) == (f"maps/{uid(501)}/ti-ka.data", 48, None)


def test_arrays_have_the_axis_that_is_stated_or_derived() -> None:
    rows = rows_of(map_group())["arrays"].to_pylist()
    assert len(rows) == 18
    found = {row["data_type"]: row for row in rows if row["position_uuid"] == uid(2)}
    wds, qlw = found["wds-ch4"], found["qlw"]
    assert (wds["axis_quantity"], wds["axis_unit"], wds["axis_start"], wds["axis_step"]) == ("position", "mm", 70, 0.5)
    assert (qlw["axis_quantity"], qlw["axis_method"], qlw["shape"]) == ("wavelength", "fit", [60])
    assert all(row["is_current"] and row["array_version"] == 1 for row in rows)


@pytest.mark.parametrize(
    ("kind", "expected"), [("stage", "map"), ("beam", "map"), ("line", "line"), ("free", "points")]
)
def test_the_kind_of_an_analysis_is_what_its_map_states(kind: str, expected: str) -> None:
    files = edited(map_group(), f"maps/{uid(501)}/map.json", kind=kind)
    (row,) = rows_of(files)["analyses"].to_pylist()
    assert (row["kind"], row["kind_inferred"]) == (expected, False)
    assert "mapUuids" not in json.loads(row["json"])


@pytest.mark.parametrize("kind", ["spiral", None])
def test_a_kind_that_nobody_knows_is_inferred(kind: str | None) -> None:
    tables = rows_of(edited(map_group(), f"maps/{uid(501)}/map.json", kind=kind))
    assert tables["maps"].to_pylist()[0]["kind"] is None
    (row,) = tables["analyses"].to_pylist()
    assert (row["kind"], row["kind_inferred"]) == ("line", True)


def test_a_map_without_positions_makes_its_analysis_a_map() -> None:
    tables = rows_of(map_group(GriddedMap(listed=False)))
    assert [row["kind"] for row in tables["analyses"].to_pylist()] == ["map"]
    (row,) = tables["maps"].to_pylist()
    assert (row["points"], row["positions"], row["accelerating_voltage_kv"]) == (6, 0, None)


def test_a_state_beside_the_map_is_the_map_s() -> None:
    files = map_group(GriddedMap(listed=False))
    files[f"maps/{uid(501)}/state.json"] = b'{"probe":{"acceleratingVoltage":"12"}}'
    assert rows_of(files)["maps"].to_pylist()[0]["accelerating_voltage_kv"] == 12.0


@pytest.mark.parametrize("broken", [b"{", b"[1]", b"\xff\xfe\x00"])
def test_a_broken_map_or_description_is_told_and_loses_nothing_else(broken: bytes) -> None:
    files = map_group()
    files[f"maps/{uid(501)}/map.json"] = files[f"data/{uid(1)}/arrays.json"] = broken
    tables = rows_of(files)
    (row,) = tables["maps"].to_pylist()
    assert row["map_uuid"] == uid(501)
    assert row["problem"].startswith("map.json: ")
    assert {each["position_uuid"] for each in tables["arrays"].to_pylist()} == {uid(n) for n in range(2, 7)}
    position = next(each for each in tables["positions"].to_pylist() if each["position_uuid"] == uid(1))
    assert position["problem"].startswith("arrays.json: ")
    assert position["accelerating_voltage_kv"] == 5.0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"shape": [1 << 40, 1 << 40]}, "more bytes than any computer has"),
        ({"shape": [3, 3]}, "needs 72 bytes, and 48 are there"),
        ({"member": "../metadata.json"}, ".."),
        ({"member": "gone.data"}, "missing"),
        ({"dtype": "|O"}, "no"),
    ],
)
def test_a_channel_that_cannot_be_read_says_why(changes: dict[str, Any], said: str) -> None:
    files, path = map_group(), f"maps/{uid(501)}/map.json"
    channels = json.loads(files[path])["channels"]
    rows = rows_of(edited(files, path, channels=[{**channels[0], **changes}]))["map_channels"].to_pylist()
    assert said in rows[0]["problem"]


def test_documents_say_what_they_describe() -> None:
    files = map_group()
    owners = {row["path"].partition("/")[0]: row["owner"] for row in rows_of(files)["documents"].to_pylist()}
    assert owners == {
        "metadata.json": "archive", "data": "position", "maps": "map", "documents": "document", "sources": "source",
        "conditions": "condition", "rawConditions": "raw_condition",
    }  # fmt: skip


def test_descriptions_that_are_equal_are_parsed_once() -> None:
    contents = read_documents(documents_of(map_group(GriddedMap(shape=(10, 10)))), sxes=True)
    assert len(contents.arrays) == 100
    assert len(set(map(id, contents.arrays.values()))) == 1
