"""Vendor files out of archives: what is hostile or damaged is refused, and then nothing is there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.small_lakes import zip_of
from support.vendor_session import session

from sxeslake.archive.container import open_container
from sxeslake.errors import AlreadyExistsError, DamagedArchiveError, LimitExceededError, SxeslakeError, UnsafeNameError
from sxeslake.model import Limits
from sxeslake.vendor.writing.convert import convert
from sxeslake.vendor.writing.restoring import restore

Change = Callable[[dict[str, bytes]], None]


def source_of(members: dict[str, bytes]) -> str:
    return next(path for path in members if path.startswith("sources/"))


def recipe_as(**fields: object) -> Change:
    """Change a field of the first file of the recipe."""

    def change(members: dict[str, bytes]) -> None:
        source = source_of(members)
        recipe = json.loads(members[source])
        recipe["files"][0] |= fields
        members[source] = json.dumps(recipe).encode()

    return change


def without_residue(members: dict[str, bytes]) -> None:
    for path in [path for path in members if path.startswith("residue/")]:
        del members[path]


def other_array(members: dict[str, bytes]) -> None:
    path = next(path for path in members if path.endswith("qlw.data"))
    members[path] = bytes(len(members[path]))


def no_json(members: dict[str, bytes]) -> None:
    members[source_of(members)] = b"{"


def folder_outside(members: dict[str, bytes]) -> None:
    recipe = json.loads(members[source_of(members)])
    members[source_of(members)] = json.dumps({**recipe, "folders": ["a", "../../b"]}).encode()


def second_root(members: dict[str, bytes]) -> None:
    recipe = json.loads(members[source_of(members)])
    members["sources/x.json"] = json.dumps({**recipe, "root": "../elsewhere"}).encode()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (recipe_as(path="../escaped"), UnsafeNameError), (recipe_as(path="/etc/x"), UnsafeNameError),
        (recipe_as(path="a\\..\\..\\x"), UnsafeNameError), (recipe_as(sha256="0" * 64), DamagedArchiveError),
        (recipe_as(size=1 << 40), DamagedArchiveError), (recipe_as(parts=[]), DamagedArchiveError),
        (without_residue, DamagedArchiveError), (other_array, DamagedArchiveError), (no_json, DamagedArchiveError),
        (second_root, UnsafeNameError), (folder_outside, UnsafeNameError),
    ],
)  # fmt: skip
def test_what_is_hostile_or_damaged_is_refused(tmp_path: Path, change: Change, error: type[SxeslakeError]) -> None:
    convert(session(tmp_path), tmp_path / "made.plzip")
    with open_container(tmp_path / "made.plzip") as archive:
        members = {member.path: archive.read(index) for index, member in enumerate(archive.members)}
    change(members)
    zip_of(tmp_path / "changed.plzip", members)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(error):
        restore(tmp_path / "changed.plzip", tmp_path / "back")
    assert sorted(tmp_path.iterdir()) == before


def test_a_recipe_cannot_make_more_than_is_allowed(tmp_path: Path) -> None:
    """A small archive whose recipe takes one member again and again."""
    parts = [{"member": "residue/x", "length": 1000}] * 5000
    recipe = {"root": "r", "files": [{"path": "f", "sha256": "0" * 64, "size": 5_000_000, "parts": parts}]}
    zip_of(tmp_path / "bomb.plzip", {"residue/x": bytes(1000), "sources/x.json": json.dumps(recipe).encode()})
    with pytest.raises(LimitExceededError):
        restore(tmp_path / "bomb.plzip", tmp_path / "back", limits=Limits(raw_bytes=1_000_000))


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    convert(session(tmp_path), tmp_path / "made.plzip")
    with open_container(tmp_path / "made.plzip") as archive:
        members = {member.path: archive.read(index) for index, member in enumerate(archive.members)}
    gone = next(path for path in members if path.endswith("xes.data"))
    del members[gone]
    zip_of(tmp_path / "part.plzip", members)
    with pytest.raises(DamagedArchiveError, match=f"made of {gone}, which it does not hold"):
        restore(tmp_path / "part.plzip", tmp_path / "back")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    convert(session(tmp_path), tmp_path / "made.plzip")
    (tmp_path / "back").mkdir()
    restore(tmp_path / "made.plzip", tmp_path / "back")  # an empty folder is nothing
    with pytest.raises(AlreadyExistsError):
        restore(tmp_path / "made.plzip", tmp_path / "back")
