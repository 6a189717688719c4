"""Presets of an ingest: other frames, the same blobs; a hurried one leaves recipes to later."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.small_lakes import group, new_lake, own_store, zip_of

from sxeslake.errors import UsageError
from sxeslake.model import PRESETS, Preset


@pytest.mark.parametrize("preset", PRESETS)
def test_any_preset_gives_every_member_back(request: pytest.FixtureRequest, preset: Preset, tmp_path: Path) -> None:
    contents = group(1, positions=3)
    with new_lake(own_store(request)) as lake:
        lake.ingest(zip_of(tmp_path / "map.zip", contents), preset=preset)
        assert {path: lake.read("map", path) for path in contents} == contents
        assert lake.verify(data=True).ok


def test_what_came_in_fast_is_not_stored_again(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with new_lake(own_store(request)) as lake:
        lake.ingest(zip_of(tmp_path / "one.zip", group(1)), preset="fast")
        again = lake.ingest(zip_of(tmp_path / "two.zip", {**group(1), "new": b"new"}), preset="small")
        assert again.archives[0].blobs_new == 1


def test_fast_leaves_recipes_to_later_unless_they_are_asked_for(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    path = zip_of(tmp_path / "map.zip", group(1))
    with new_lake(own_store(request)) as lake:
        first = lake.ingest(path, preset="fast").archives[0]
        assert not first.exact
        assert "exact" in (first.exact_reason or "")
        assert [row.exact for row in lake.exact(["map"], source=path)] == [True]
        other = zip_of(tmp_path / "other.zip", group(2))
        assert lake.ingest(other, preset="fast", exact="always").archives[0].exact


def test_an_unknown_preset_is_refused(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with new_lake(own_store(request)) as lake, pytest.raises(UsageError, match="not a preset"):
        lake.ingest(zip_of(tmp_path / "map.zip", group(1)), preset="tiny")  # type: ignore[arg-type]
