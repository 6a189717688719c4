"""Typed fields: what is said, how it is converted, and None for what is not."""

from __future__ import annotations

from dataclasses import fields

import pytest

from sxeslake.archive.sxes.documents import fields as read

STATE: dict[str, object] = {
    "saveDate": "2018/04/13 18:53:48",
    "dwellTime": "300000",
    "stage": {"x": 2.9855, "y": -1.145, "z": 10.764, "tilt": [1, 0], "rotation": [1, 0]},
    "probe": {
        "acceleratingVoltage": "5.0",
        "beam": {"x": "320", "y": "240", "magnification": "20000", "rotation": "0"},
        "current": {"target": "1.01e-007", "pre": "1.009e-007", "average": "1.008e-007", "post": "1.007e-007"},
    },
    "ccd": {"temperature": {"target": "-70", "pre": "-70", "post": "-69"}},
}


def test_state() -> None:
    state = read.read_state(STATE)
    assert state.accelerating_voltage_kv == 5.0
    assert (state.probe_current_na, state.probe_current_source) == (100.8, "average")
    assert state.probe_current_target_na == 101.0
    assert (state.stage_x_mm, state.stage_y_mm, state.stage_z_mm) == (2.9855, -1.145, 10.764)
    assert (state.tilt_deg, state.magnification, state.ccd_temperature_c) == (0.0, 20000.0, -69.5)
    assert state.dwell_ms == 300_000


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        ({"pre": "1e-7", "post": "2e-7", "target": "9e-7"}, (150.0, "pre_post_mean")),
        ({"pre": "1e-7", "target": "9e-7"}, (100.0, "pre")),
        ({"average": "?", "target": "9e-7"}, (900.0, "target")),
        ({"post": "9e-7"}, (None, None)),
    ],
)
def test_the_current_says_where_it_came_from(
    current: dict[str, str], expected: tuple[float | None, str | None]
) -> None:
    state = read.read_state({"probe": {"current": current}})
    assert (state.probe_current_na, state.probe_current_source) == expected


@pytest.mark.parametrize("tilt", [[1, 5], [0.5, 0.5], [], "x", None, [1, 0, 0]])
def test_a_tilt_that_could_mean_two_things_is_none(tilt: object) -> None:
    assert read.read_state({"stage": {"tilt": tilt}}).tilt_deg is None


@pytest.mark.parametrize(
    "nonsense", [None, [], 7, "x", {}, {"probe": []}, {"ccd": 5, "stage": "here", "probe": {"current": []}}]
)
def test_nonsense_gives_none_everywhere(nonsense: object) -> None:
    for reader in (read.read_state, read.read_condition, read.read_info, read.read_project, read.read_analysis):
        record = reader(nonsense)
        assert all(getattr(record, field.name) in (None, ()) for field in fields(record))
    assert read.read_projects(nonsense) == ()
    assert read.read_analyses(nonsense) == ()


def test_rows_and_columns_undo_the_swapped_names() -> None:
    condition = read.read_condition({"ccd": {"bins": {"x": 17, "y": 2048}, "grating": "JS300N ", "accumulation": "10"}})
    assert (condition.rows, condition.columns, condition.grating, condition.accumulation) == (17, 2048, "JS300N", 10)


def test_info_and_its_old_spelling() -> None:
    info = read.read_info({"comment": "Fe : Pos. : 12", "rawCondtionUuid": "ab", "backgroundUuid": ""})
    assert (info.position_number, info.raw_condition_id, info.background_id) == (12, "ab", None)
    assert read.raw_condition_key({"rawCondtionUuid": "ab"}) == "rawCondtionUuid"
    assert read.raw_condition_key({}) == "rawConditionUuid"
    assert read.read_info({"comment": "Pos. : x"}).position_number is None


def test_older_projects_list_under_analyses() -> None:
    assert read.read_project({"uuid": "p", "analyses": ["a", "b", "a", 3]}).analysis_uuids == ("a", "b")
    assert read.analysis_uuids_key({"analysisUuids": [], "analyses": ["a"]}) == "analysisUuids"


@pytest.mark.parametrize(("version", "expected"), [("0.1.0", "0.1.0"), (2, "2"), ("", None), (None, None)])
def test_version(version: object, expected: str | None) -> None:
    assert read.version_of({"version": version}) == expected
