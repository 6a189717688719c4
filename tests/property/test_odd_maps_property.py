"""Whatever stands in the JSON of maps, arrays, documents and sources: the catalogue, parts and merges go on."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st
from support.catalog_source import documents_of, header, member_table
from support.map_groups import GriddedMap, map_group
from support.part_lakes import dump, uid
from support.small_lakes import new_lake, zip_of

from sxeslake.archive import open_group
from sxeslake.catalog.build.projection import project
from sxeslake.storage import open_store

GROUP = map_group(GriddedMap(shape=(1, 2)))
WORDS = [uid(1), uid(2), "xy.data", "ti-ka.data"]
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([uid(1), "xy.data"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def places(value: Any, *before: str | int) -> list[tuple[str | int, ...]]:
    """The path of each value in a document, itself included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [before, *(place for key, each in inner for place in places(each, *before, key))]


def replaced(value: Any, place: tuple[str | int, ...], new: Any) -> Any:
    """A document with another value at a place."""
    if not place:
        return new
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = replaced(value[place[0]], place[1:], new)
    return copy


@st.composite
def odd_groups(draw: st.DrawFn) -> dict[str, bytes]:
    """A group in which some values of its extensions' documents are any JSON."""
    group = dict(GROUP)
    paths = sorted(
        path for path in group if path.startswith(("maps/", "documents/", "sources/")) and path.endswith("n")
    )
    for path in draw(st.lists(st.sampled_from([*paths, f"data/{uid(1)}/arrays.json", "metadata.json"]), max_size=3)):
        value = json.loads(group[path])
        kept = {"analyses", "projects", "positionUuids", "uuid", "version"} if path == "metadata.json" else set()
        found = [place for place in places(value) if kept.isdisjoint(place) or "mapUuids" in place]
        place = draw(st.sampled_from([place for place in found if place or path != "metadata.json"]))
        group[path] = dump(replaced(value, place, draw(ODD)))
    return group


@given(odd_groups())
def test_the_catalogue_has_a_row_for_each_map(group: dict[str, bytes]) -> None:
    tables = project(header(), member_table(group), documents_of(group))
    assert tables["maps"].num_rows == 1
    assert tables["positions"].num_rows == 2
    assert tables["map_channels"].num_rows <= 2


@settings(max_examples=15, deadline=None)
@given(odd_groups(), odd_groups())
def test_parts_and_merges_are_groups(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    with TemporaryDirectory() as name, new_lake(open_store(f"memory://{uuid4().hex}")) as lake:
        folder = Path(name)
        lake.ingest(zip_of(folder / "one.plzip", one))
        lake.ingest(zip_of(folder / "other.plzip", {**other, "more.txt": b"1"}))
        made = [
            lake.pull_part("one", folder / "a.plzip", positions=["1"], types=["qlw"]),
            lake.pull_part(["one", "other"], folder / "b.plzip"),
        ]
        for report in made:
            with open_group(report.path or "") as group:
                assert group.positions
        lake.diff("one", "other")
        lake.measurement("one")
