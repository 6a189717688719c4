"""Every query of the library against rows written by hand."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from sxeslake.catalog.query import library
from sxeslake.catalog.schema.heads import head
from sxeslake.errors import UsageError

Rows = list[dict[str, Any]]

OF_THE_ISSUE = {
    "maps-by-beam-condition", "positions-by-condition", "conditions-in-use", "positions-near",
    "same-measurement-elsewhere", "dedup-by-sample", "facility-dedup", "sessions-by-instrument", "drifting-current",
    "saturated-or-odd", "unreadable-metadata", "largest-samples", "standards-for-condition", "last-session",
    "by-operator",
}  # fmt: skip


def names(rows: Rows) -> list[tuple[str, int, str]]:
    return [(row["sample"], row["version"], row["analysis_name"]) for row in rows]


def test_the_library_has_every_query_that_was_asked_for() -> None:
    assert set(library.load().queries) >= OF_THE_ISSUE


@pytest.mark.parametrize("name", sorted(library.load().queries))
def test_every_query_runs_in_an_empty_lake_and_explains_itself(empty_facility: Any, name: str) -> None:
    query = library.load().get(name)
    needed = {parameter.name: "1" for parameter in query.parameters if parameter.required}
    rows = empty_facility.ask(name, **needed, **dict.fromkeys(query.one_of[:1], "x"))
    assert rows == [] or name == "facility-dedup"
    assert query.title
    assert query.help.endswith(".")
    assert all(parameter.help.endswith(".") for parameter in query.parameters)


@pytest.mark.parametrize("name", sorted(library.load().queries))
def test_every_query_says_what_a_person_wants_first(empty_facility: Any, name: str) -> None:
    query = library.load().get(name)
    needed = {parameter.name: "1" for parameter in query.parameters if parameter.required}
    bound = library.bind(query, {**needed, **dict.fromkeys(query.one_of[:1], "x")})
    columns = empty_facility.connection.sql(bound.sql, params=dict(bound.parameters) or None).columns
    assert bound.show
    assert set(bound.show) <= set(columns)
    assert not any("uuid" in column for column in bound.show)
    heads = [head(column) for column in bound.show]
    assert len(heads) == len(set(heads)), "two columns under one head"


def test_maps_by_beam_condition(facility: Any) -> None:
    rows = facility.ask("maps-by-beam-condition", kv=5)
    assert names(rows) == [("nitrides", 1, "TiN map"), ("nitrides", 2, "TiN map")]
    first = rows[0]
    assert (first["kind"], first["kind_inferred"], first["positions"]) == ("map", True, 4)
    assert (first["accelerating_voltage_kv"], first["probe_current_na"]) == (5.0, 101.5)
    assert (first["grating"], first["spectrometer"], first["instrument"]) == ("JS300N", "XES300N", "JXA-8530F")
    assert names(facility.ask("maps-by-beam-condition")) == [
        ("steel", 1, "Fe map"), ("nitrides", 1, "TiN map"), ("nitrides", 2, "TiN map"),
    ]  # fmt: skip


def test_maps_by_beam_condition_with_the_filters_of_a_working_day(facility: Any) -> None:
    words = {"kv": "5", "current_na": "90..110", "grating": "JS300N", "since": "2018-01-01"}
    assert len(facility.ask("maps-by-beam-condition", **words)) == 2
    assert facility.ask("maps-by-beam-condition", **{**words, "current_na": "90..102"}) == []
    assert len(facility.ask("maps-by-beam-condition", **{**words, "current_na": "90..102", "match": "any"})) == 2
    assert facility.ask("maps-by-beam-condition", **{**words, "since": "2018-05"}) == []


def test_other_kinds_are_listed_when_asked_for(facility: Any) -> None:
    assert names(facility.ask("maps-by-beam-condition", kind="points")) == [("nitrides", 1, "mixed")]
    assert len(facility.ask("maps-by-beam-condition", kind="any")) == 4
    assert len(facility.ask("analyses-by-condition")) == 4


def test_positions_by_condition(facility: Any) -> None:
    rows = facility.ask("positions-by-condition", kv="5", grating="js300n")
    assert [(row["version"], row["analysis_name"], row["position_number"]) for row in rows] == [
        (1, "TiN map", 1), (1, "TiN map", 2), (1, "TiN map", 3), (1, "TiN map", 4), (1, "mixed", 1),
        (2, "TiN map", 1), (2, "TiN map", 2), (2, "TiN map", 3), (2, "TiN map", 4),
    ]  # fmt: skip
    assert {row["kind"] for row in rows} == {"map", "points"}
    assert facility.ask("positions-by-condition", kv="10") == []
    assert [row["probe_current_na"] for row in facility.ask("positions-by-condition", current_na="..99")] == [
        99.0, 50.0, 50.0, 50.0,
    ]  # fmt: skip


def test_conditions_in_use(facility: Any) -> None:
    rows = facility.ask("conditions-in-use")
    assert [
        (
            row["accelerating_voltage_kv"],
            row["probe_current_target_na"],
            row["grating"],
            row["positions"],
            row["analyses"],
        )
        for row in rows
    ] == [(5.0, 100.0, "JS300N", 9, 3), (15.0, 50.0, "JS50XL", 3, 1), (15.0, 100.0, None, 1, 1)]
    assert (rows[0]["probe_current_min_na"], rows[0]["probe_current_max_na"]) == (99.0, 103.0)


def test_conditions_with_nearly_equal_targets_are_one(empty_facility: Any) -> None:
    empty_facility.add_analysis(
        1, "s", 1, "a", [{"probe_current_target_na": value, "types": []} for value in (100.0, 99.6, 0.0, None)]
    )
    rows = empty_facility.ask("conditions-in-use")
    assert sorted((row["probe_current_target_na"] or -1, row["positions"]) for row in rows) == [(-1, 2), (100.0, 2)]


def test_condition_values(facility: Any) -> None:
    rows = facility.ask("condition-values")
    found = [(row["condition"], row["value"], row["positions"], row["archives"], row["samples"]) for row in rows]
    assert found == [
        ("accelerating_voltage_kv", "5.0", 9, 2, 1),
        ("accelerating_voltage_kv", "15.0", 4, 2, 2),
        ("accumulation", "10", 13, 3, 2),
        ("grating", "JS300N", 9, 2, 1),
        ("grating", "JS50XL", 3, 1, 1),
        ("grating", None, 1, 1, 1),
        ("instrument", "JXA-8530F", 10, 2, 1),
        ("instrument", "JXA-8230", 3, 1, 1),
        ("probe_current_target_na", "100.0", 10, 2, 1),
        ("probe_current_target_na", "50.0", 3, 1, 1),
        ("spectrometer", "XES300N", 13, 3, 2),
    ]
    assert {row["value"] for row in facility.ask("condition-values", kv=15) if row["condition"] == "grating"} == {
        "JS50XL", None,
    }  # fmt: skip


def test_positions_near(facility: Any) -> None:
    rows = facility.ask("positions-near", x="10 mm", y=20, radius="12 µm", sample="nitrides@1")
    assert [(row["position_number"], round(row["distance_um"], 6)) for row in rows] == [(1, 0), (2, 10), (3, 10)]
    assert len(facility.ask("positions-near", x=10, y=20, sample="nitrides")) == 8
    assert facility.ask("positions-near", x=10, y=20, sample="steel") == []
    with pytest.raises(UsageError, match="needs sample or session"):
        facility.ask("positions-near", x=10, y=20)


def test_positions_near_in_a_session(facility: Any) -> None:
    facility.connection.execute("UPDATE analyses SET session = 'JXA 2018' WHERE archive_id = 2")
    rows = facility.ask("positions-near", x=10, y=20, session="JXA 2018")
    assert {(row["version"], row["session"]) for row in rows} == {(2, "JXA 2018")}


def test_same_measurement_elsewhere(facility: Any) -> None:
    rows = facility.ask("same-measurement-elsewhere", sample="nitrides@1")
    assert [(row["position_number"], row["other_version"], row["comment_differs"]) for row in rows] == [
        (1, 2, True), (2, 2, True), (3, 2, True), (4, 2, True),
    ]  # fmt: skip
    assert len(facility.ask("same-measurement-elsewhere")) == 8
    assert facility.ask("same-measurement-elsewhere", sample="steel") == []


def test_dedup_by_sample(facility: Any) -> None:
    rows = facility.ask("dedup-by-sample")
    nitrides = rows[0]
    assert nitrides["sample"] == "nitrides"
    assert (nitrides["versions"], nitrides["bytes_source"], nitrides["bytes_stored"]) == (2, 1100, 450)
    assert (nitrides["bytes_saved"], nitrides["stored_per_source"]) == (650, 0.4091)
    assert len(facility.ask("dedup-by-sample", top=2)) == 2


def test_facility_dedup(facility: Any) -> None:
    assert facility.ask("facility-dedup") == [
        {
            "archives": 4, "samples": 3, "members": 36, "bytes_source": 1495, "bytes_raw": 2990, "blobs": 2,
            "bytes_unique_raw": 1600, "packs": 2, "bytes_packs": 1030, "unique_per_raw": 0.5351,
            "stored_per_source": 0.689,
        }
    ]  # fmt: skip


def test_sessions_by_instrument(facility: Any) -> None:
    rows = facility.ask("sessions-by-instrument")
    assert [(row["instrument"], row["session_number"], row["analyses"], row["samples"]) for row in rows] == [
        ("JXA-8230", 1, 1, ["steel"]), ("JXA-8530F", 1, 3, ["nitrides"]),
    ]  # fmt: skip
    assert rows[1]["started_local"] == dt.datetime(2018, 4, 12, 14, 0)
    assert rows[1]["ended_local"] == dt.datetime(2018, 4, 12, 15, 0)
    assert rows[1]["duration_h"] == 1.0


def test_a_session_ends_after_the_gap_from_the_last_position_saved(facility: Any) -> None:
    # The map's last position was saved at 14:04, the next analysis began at 15:00.
    def of_the_jxa(**words: object) -> Rows:
        return [row for row in facility.ask("sessions-by-instrument", **words) if row["instrument"] == "JXA-8530F"]

    assert [row["analyses"] for row in of_the_jxa(gap="50 min")] == [1, 2]
    assert [row["analyses"] for row in of_the_jxa(gap="57 min")] == [3]
    # A filter chooses analyses; it does not tear sessions apart.
    assert [(row["session_number"], row["analyses"]) for row in of_the_jxa(kind="points")] == [(1, 1)]


def test_last_session(facility: Any) -> None:
    rows = facility.ask("last-session")
    assert names(rows) == [
        ("steel", 1, "Fe map"), ("nitrides", 1, "TiN map"), ("nitrides", 2, "TiN map"), ("nitrides", 1, "mixed"),
    ]  # fmt: skip
    assert names(facility.ask("last-session", gap="50 min", instrument="JXA-8530F")) == [("nitrides", 1, "mixed")]


def test_drifting_current(facility: Any) -> None:
    rows = facility.ask("drifting-current")
    assert [(row["sample"], row["position_number"], row["drift_percent"]) for row in rows] == [("steel", 2, 6.0)]
    assert [row["position_number"] for row in facility.ask("drifting-current", drift="0.5 %")] == [2, 3]
    assert facility.ask("drifting-current", drift=10) == []


def test_saturated_or_odd(facility: Any) -> None:
    rows = facility.ask("saturated-or-odd")
    assert [(row["sample"], row["analysis_name"], row["position_number"], row["reasons"]) for row in rows] == [
        ("nitrides", "mixed", 1, ["saturated"]),
        ("nitrides", "mixed", 2, ["other data types", "current off target"]),
        ("steel", "Fe map", 3, ["camera temperature", "no background"]),
    ]
    assert len(facility.ask("saturated-or-odd", off=200, warm=20)) == 3
    facility.connection.execute("UPDATE annotations SET value = 'no' WHERE key = 'saturated'")
    assert len(facility.ask("saturated-or-odd", grating="JS300N")) == 0


def test_unreadable_metadata_names_every_archive_with_a_problem(facility: Any) -> None:
    facility.connection.execute(
        "UPDATE positions SET problem = 'no state.json' WHERE position_uuid = 'position-3-Fe map-1'"
    )
    facility.add("conditions", sample="steel", version=1, condition_id="cc", problem="missing")
    facility.add("backgrounds", sample="steel", version=1, background_id="bb")
    facility.add("backgrounds", sample="steel", version=1, background_id="dd", path="backgrounds/dd")
    rows = facility.ask("unreadable-metadata")
    assert [(row["sample"], row["what"], row["path"], row["problem"]) for row in rows] == [
        ("broken", "archive", "broken.plzip", "metadata.json: not readable JSON"),
        ("broken", "document", "metadata.json", "line 1: no value"),
        ("steel", "background", "backgrounds/bb", "is named by positions, and missing"),
        ("steel", "condition", "conditions/cc.json", "missing"),
        ("steel", "position", "data/position-3-Fe map-1", "no state.json"),
    ]


def test_largest_samples(facility: Any) -> None:
    rows = facility.ask("largest-samples", top=2)
    assert [(row["sample"], row["versions"], row["latest_version"], row["bytes_raw"]) for row in rows] == [
        ("nitrides", 2, 2, 2200), ("steel", 1, 1, 700),
    ]  # fmt: skip


def test_standards_for_condition(facility: Any) -> None:
    rows = facility.ask("standards-for-condition", kv=15)
    assert [(row["sample"], row["analysis_name"], row["material"]) for row in rows] == [
        ("steel", "Fe map", "pure iron")
    ]
    assert facility.ask("standards-for-condition", kv=5) == []
    assert facility.ask("standards-for-condition", material="steel 316") == []
    assert len(facility.ask("standards-for-condition", material="Pure Iron", near="2018-12")) == 1


def test_standards_nearest_in_time_come_first(facility: Any) -> None:
    facility.connection.execute("UPDATE annotations SET is_current = true")
    assert facility.ask("standards-for-condition", near="2018-05-01")[0]["sample"] == "nitrides"
    assert facility.ask("standards-for-condition", near="2019-02-01")[0]["sample"] == "steel"


def test_by_operator(facility: Any) -> None:
    rows = facility.ask("by-operator")
    assert [(row["operator"], row["analyses"], row["positions"], row["maps"], row["samples"]) for row in rows] == [
        ("Y. Tanaka", 3, 10, 2, 1), ("M. Sato", 1, 3, 1, 1),
    ]  # fmt: skip
    assert rows[0]["instruments"] == ["JXA-8530F"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("tin MAP", {("nitrides", "analysis")}),
        ("zirkon", {("nitrides", "document")}),
        ("data/steel", {("steel", "archive")}),
        ("pure iron", {("steel", "annotation")}),
        ("sato", {("steel", "analysis")}),
        ("broken", {("broken", "archive")}),
        ("100%", set()),
        ("nothing of the kind", set()),
    ],
)
def test_find_text(facility: Any, text: str, found: set[tuple[str, str]]) -> None:
    assert {(row["sample"], row["found_in"]) for row in facility.ask("find-text", text=text)} == found


def test_find_text_with_filters_stays_in_archives_that_fit(facility: Any) -> None:
    assert {row["sample"] for row in facility.ask("find-text", text="plzip")} == {"nitrides", "steel", "broken"}
    assert {row["sample"] for row in facility.ask("find-text", text="plzip", kv=15)} == {"steel"}
    assert {row["sample"] for row in facility.ask("find-text", text="pure", kv=15)} == {"steel"}
    assert facility.ask("find-text", text="pure", kv=5) == []


def test_maps_by_element_has_the_newest_channels(empty_facility: Any) -> None:
    place = {"archive_id": 1, "sample": "grains", "version": 1, "analysis_uuid": "a", "map_uuid": "m"}
    empty_facility.add("analyses", archive_id=1, sample="grains", version=1, analysis_uuid="a", positions=0, kind="map")
    empty_facility.add("maps", **place, map_name="grain 1", analysis_name="one", points=6)
    channels = [("Ti", "PETH", False), ("Ti", "PETH", True), ("O", "LDE1", True)]
    for number, (element, crystal, current) in enumerate(channels):
        empty_facility.add(
            "map_channels", **place, channel_number=number, element=element, crystal=crystal, is_current=current
        )
    rows = empty_facility.ask("maps-by-element")
    assert [(row["element"], row["crystal"]) for row in rows] == [("O", "LDE1"), ("Ti", "PETH")]
    (row,) = empty_facility.ask("maps-by-element", element="ti", crystal="PET*")
    assert row["map_name"] == "grain 1"
    assert empty_facility.ask("maps-by-element", element="Ti", crystal="LDE1") == []
