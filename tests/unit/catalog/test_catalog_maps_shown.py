"""What a lake tells of maps: in `show`, in a query, and from a catalogue that was made before there were any."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from support.map_groups import GriddedMap, map_group
from support.part_lakes import uid
from support.small_lakes import new_lake, own_store, zip_of

import sxeslake
from sxeslake.catalog.store import snapshot
from sxeslake.cli.commands.show import _arrays, _maps
from sxeslake.cli.documents import document
from sxeslake.cli.json_schemas import json_schema
from sxeslake.lake import Lake


@pytest.fixture
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    with new_lake(own_store(request)) as opened:
        group = map_group(GriddedMap(), GriddedMap(102, 11, (1, 2), holes=[0], name="O map"))
        opened.ingest(zip_of(tmp_path / "in" / "maps.plzip", group))
        yield opened


def test_an_analysis_shows_its_maps_channels_and_axes(lake: Lake) -> None:
    first, second = lake.measurement("maps")
    assert [(each.map_name, each.points, each.positions) for each in first.maps] == [("Ti map", 6, 6)]
    assert [(each.map_name, each.rows, each.columns, each.positions) for each in second.maps] == [("O map", 1, 2, 1)]
    (channel,) = first.maps[0].channels
    assert (channel.channel_name, channel.crystal, channel.channel_version) == ("Ti Ka", "PETH", 2)
    found = {each.data_type: each for each in first.arrays}
    assert (found["wds-ch4"].axis_unit, found["wds-ch4"].axis_start, found["wds-ch4"].positions) == ("mm", 70, 6)
    assert found["qlw"].shape == [60]


def test_show_prints_a_table_of_channels_and_one_of_axes(lake: Lake) -> None:
    analyses = lake.measurement("maps")
    heads, *lines = (line.split() for line in _maps(analyses))
    assert heads[:5] == ["map", "kind", "points", "step", "µm"]
    assert " ".join(lines[0]).startswith("Ti map stage 3 × 2 5 Ti Ka v2 PETH 3 5 5")
    axes = [" ".join(line.split()) for line in _arrays(analyses[:1])]
    assert "wds-ch4 4 <f8 position from 70 mm by 0.5 mm 6" in axes
    assert "qlw 60 <u4 wavelength from 14.9 Å by 0.03 Å (fit) 6" in axes


def test_the_json_of_show_is_as_its_schema_says(lake: Lake) -> None:
    measurement = [document(each) for each in lake.measurement("maps")]
    said = json.loads(json.dumps(document(lake.show("maps")) | {"measurement": measurement}))
    jsonschema.validate(said, json_schema("show"))
    assert said["measurement"][0]["maps"][0]["channels"][0]["element"] == "Ti"


def test_maps_are_asked_for_by_element_and_filtered_by_their_analyses(lake: Lake) -> None:
    rows = lake.query("maps-by-element", element="Ti", crystal="PETH", kv=5).rows()
    assert [(row["map_name"], row["points"]) for row in rows] == [("O map", 2), ("Ti map", 6)]
    assert lake.query("maps-by-element", element="Ti", kv=30).rows() == []


def test_a_catalogue_without_these_tables_is_made_again(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:  # what a version kept and published that has no such tables
        older.setattr(snapshot, "FINGERPRINT", "0123456789abcdef")
        lake.rebuild_catalog()
        lake.checkpoint()
    with sxeslake.open(lake.url) as opened:
        rows = opened.sql("SELECT map_uuid FROM maps ORDER BY map_uuid").rows()
    assert [row["map_uuid"] for row in rows] == [uid(501), uid(502)]
