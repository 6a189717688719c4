"""Values that mean something and cannot be read are empty in the catalogue, and named; never silently null."""

from __future__ import annotations

import json
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support.small_lakes import zip_of

from sxeslake import lake as lakes
from sxeslake.archive.synthetic import MapPlan, map_members, write_archive


@cache
def _files(folder: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(write_archive(folder / "map.plzip", map_members(MapPlan(1, 2, 4)))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a map."""
    return dict(_files(tmp_path_factory.getbasetemp()))


def changed(contents: dict[str, bytes], path: str, *keys: str, value: Any) -> dict[str, bytes]:
    """A group in whose first file of that name one value is another."""
    name = next(name for name in sorted(contents) if name.endswith(path))
    document = json.loads(contents[name])
    at: Any = document
    for key in keys[:-1]:
        at = at[int(key)] if isinstance(at, list) else at.setdefault(key, {})
    at[keys[-1]] = value
    contents[name] = json.dumps(document).encode()
    return contents


def problems(tmp_path: Path, contents: dict[str, bytes]) -> list[str]:
    with lakes.init(str(tmp_path / "lake")) as lake:
        lake.ingest(zip_of(tmp_path / "a.plzip", contents))
        return [row["problem"] for row in lake.query("unreadable-metadata").rows()]


def new_problems(tmp_path: Path, files: dict[str, bytes], contents: dict[str, bytes]) -> set[str]:
    (tmp_path / "plain").mkdir()
    return set(problems(tmp_path, contents)) - set(problems(tmp_path / "plain", files))


@pytest.mark.parametrize(
    ("path", "keys", "value", "said"),
    [
        (
            "state.json",
            ("probe", "acceleratingVoltage"),
            "5,0",
            'state.json: probe.acceleratingVoltage "5,0" is no number',
        ),
        ("state.json", ("probe", "acceleratingVoltage"), "5 kV", 'probe.acceleratingVoltage "5 kV" is no number'),
        ("state.json", ("stage", "x"), "1,25", 'stage.x "1,25" is no number'),
        ("state.json", ("saveDate",), "12. April 2018", 'saveDate "12. April 2018" is no time'),
        ("state.json", ("dwellTime",), True, "dwellTime true is no number"),
        ("metadata.json", ("analyses", "0", "acquisitionDate"), "yesterday", 'acquisitionDate "yesterday" is no time'),
    ],
)
def test_what_cannot_be_read_is_named(
    tmp_path: Path, files: dict[str, bytes], path: str, keys: tuple[str, ...], value: Any, said: str
) -> None:
    (found,) = new_problems(tmp_path, files, changed(dict(files), path, *keys, value=value))
    assert said in found


@pytest.mark.parametrize("value", ["", " ", None, "n/a", "-", "---"])
def test_what_says_nothing_is_no_problem(tmp_path: Path, files: dict[str, bytes], value: Any) -> None:
    contents = changed(dict(files), "state.json", "probe", "acceleratingVoltage", value=value)
    assert new_problems(tmp_path, files, contents) == set()
