"""However a map is cut into parts, merging them all gives the map's points again."""

from __future__ import annotations

from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st
from support.map_groups import GriddedMap, assert_whole, map_group, maps_of
from support.part_lakes import files
from support.small_lakes import new_lake, zip_of

from sxeslake.archive.sxes.extensions import carried
from sxeslake.storage import open_store

POINTS = 6
PARTS = st.lists(st.integers(0, 2), min_size=POINTS, max_size=POINTS)
HOLES = st.sets(st.integers(0, POINTS - 1), max_size=POINTS - 1)


@given(PARTS, HOLES, st.permutations(range(3)))
def test_parts_join_in_any_order(cut: list[int], holes: set[int], order: list[int]) -> None:
    (value,) = maps_of(map_group(GriddedMap(holes=sorted(holes)))).values()
    uuids = value["points"]["positionUuids"]

    def part(number: int) -> Any:
        there = {uuid for uuid, of in zip(uuids, cut, strict=True) if of == number}
        return carried.map_as(value, lambda what, uuid: uuid if what != "position" or uuid in there else None)

    joined = reduce(lambda one, other: carried.joined_points(one, other) or {}, map(part, order))
    assert joined["points"] == value["points"]
    assert joined["stateUuid"] == value["stateUuid"]


@settings(max_examples=8, deadline=None)
@given(cut=PARTS, holes=HOLES, types=st.sampled_from([None, ["qlw", "xes", "wds-ch4"]]))
def test_a_merge_of_all_pulled_parts_has_the_map_s_points(
    cut: list[int], holes: set[int], types: list[str] | None
) -> None:
    whole = map_group(GriddedMap(holes=sorted(holes)))
    (value,) = maps_of(whole).values()
    points = list(zip(value["points"]["positionUuids"], cut, strict=True))
    parts = [[uuid for uuid, of in points if of == at and uuid is not None] for at in sorted(set(cut))]
    with TemporaryDirectory() as name, new_lake(open_store(f"memory://{uuid4().hex}")) as lake:
        folder = Path(name)
        lake.ingest(zip_of(folder / "whole.plzip", whole))
        names = []
        for at, wanted in enumerate(filter(None, parts)):
            names.append(f"part{at}")
            lake.pull_part("whole", folder / f"part{at}.plzip", positions=wanted, types=types)
            lake.ingest(folder / f"part{at}.plzip")
        found = files(lake.pull_part(names, folder / "merged.plzip", merge=True).path)
    assert_whole(found)
    assert maps_of(found) == maps_of(whole)
