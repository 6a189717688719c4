"""What differs between maps: which there are, their channels, their points."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.map_groups import GriddedMap, map_group
from support.part_lakes import uid
from support.small_lakes import new_lake, own_store, zip_of

from sxeslake.cli.commands.diff import _lines
from sxeslake.cli.documents import DIFF, document
from sxeslake.cli.json_schemas import json_schema
from sxeslake.lake import Lake
from sxeslake.pull.difference import Difference

PLAN, OTHER = GriddedMap(), GriddedMap(102, 11, (1, 2), name="O map")
PATH = PLAN.folder + "map.json"
GROUP = map_group(PLAN, OTHER)


@pytest.fixture
def lake(request: pytest.FixtureRequest) -> Iterator[Lake]:
    with new_lake(own_store(request)) as opened:
        yield opened


def compared(lake: Lake, tmp_path: Path, a: dict[str, bytes], b: dict[str, bytes]) -> Difference:
    for name, group in (("a", a), ("b", b)):
        lake.ingest(zip_of(tmp_path / f"{name}.plzip", group))
    found = lake.diff("a", "b")
    jsonschema.validate(document(found, DIFF), json_schema("diff"))
    return found


def edited(**changes: Any) -> dict[str, bytes]:
    return {**GROUP, PATH: json.dumps({**json.loads(GROUP[PATH]), **changes}).encode()}


def test_maps_that_only_one_has(lake: Lake, tmp_path: Path) -> None:
    found = compared(lake, tmp_path, map_group(PLAN), GROUP)
    (change,) = found.maps
    assert (change.change, change.uuid_a, change.uuid_b, change.name) == ("added", None, OTHER.uuid, "O map")
    assert found.maps_same == 1
    assert lake.diff("b", "a").maps[0].change == "removed"


def test_the_channels_and_points_that_differ(lake: Lake, tmp_path: Path) -> None:
    value = json.loads(GROUP[PATH])
    channels, uuids = value["channels"], value["points"]["positionUuids"]
    channels[0]["dwellTime"] = 7.0
    points = {**value["points"], "positionUuids": [None, None, *uuids[2:]]}
    found = compared(lake, tmp_path, GROUP, edited(channels=channels, points=points, comment="again"))
    (change,) = found.maps
    assert (change.change, change.channels, change.points) == ("changed", ["Ti Ka"], 2)
    assert [(field.where, field.field, field.b) for field in found.fields] == [(f"map {PLAN.uuid}", "comment", "again")]
    lines = list(_lines(found, 20))
    assert "maps       1 changed, 1 the same" in lines
    assert f"  ~ {PLAN.uuid}  Ti map  Ti Ka  2 points" in lines


def test_other_values_of_a_channel_and_other_coordinates(lake: Lake, tmp_path: Path) -> None:
    other = {**GROUP, PLAN.folder + "ti-ka.data": bytes(48), PLAN.folder + "xy.data": bytes(96)}
    (change,) = compared(lake, tmp_path, GROUP, other).maps
    assert (change.channels, change.points) == (["Ti Ka"], 6)


def test_the_same_map_under_another_uuid(lake: Lake, tmp_path: Path) -> None:
    moved = replace(PLAN, number=201)
    (change,) = compared(lake, tmp_path, map_group(PLAN), map_group(moved)).maps
    assert (change.change, change.uuid_a, change.uuid_b) == ("renamed", uid(501), uid(601))


def test_a_map_that_cannot_be_read_is_compared_by_its_files(lake: Lake, tmp_path: Path) -> None:
    (change,) = compared(lake, tmp_path, GROUP, {**GROUP, PATH: b"{"}).maps
    assert (change.change, change.channels, change.points) == ("changed", ["Ti Ka"], 6)
