"""Positions that cannot be used: every way to spectra opens the rest, says once what is left out, and makes no zero."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.small_lakes import zip_of
from support.sxes_sources import sxes_source

import sxeslake.hyperspy
from sxeslake.archive.sxes import arrays
from sxeslake.archive.sxes.group import open_group
from sxeslake.cli.run import run
from sxeslake.errors import UsageError
from sxeslake.lake import init

Contents = dict[str, bytes]
BAD = 2  # the number of the position, from 1, in a map of 3 × 2


def _missing(contents: Contents, folder: str) -> None:
    del contents[f"{folder}/xes.data"]


def _short(contents: Contents, folder: str) -> None:
    contents[f"{folder}/xes.data"] = contents[f"{folder}/xes.data"][:-4]


def _empty(contents: Contents, folder: str) -> None:
    contents[f"{folder}/xes.data"] = b""


def _other_camera(contents: Contents, folder: str) -> None:
    contents[f"{folder}/xes.data"] = np.ones((9, 1025), "<u4").tobytes()


def _no_condition(contents: Contents, folder: str) -> None:
    info = json.loads(contents[f"{folder}/info.json"])
    contents[f"{folder}/info.json"] = json.dumps(info | {"conditionUuid": "0" * 64}).encode()


def _nan_stage(contents: Contents, folder: str) -> None:
    state = json.loads(contents[f"{folder}/state.json"])
    state["stage"]["x"] = float("nan")
    contents[f"{folder}/state.json"] = json.dumps(state).encode()


def _mixed(tmp_path: Path) -> Path:
    """Two analyses in one archive, of two gratings; one spectrum of the second has no background subtracted."""
    contents = sxes_source(nx=3, ny=2).contents
    group = open_group(sxes_source(nx=3, ny=2))
    folders = [f"data/{each.uuid}" for each in group.positions]
    info = json.loads(contents[f"{folders[5]}/info.json"])
    condition = json.loads(contents[f"conditions/{info['conditionUuid']}.json"])
    condition["ccd"]["grating"] = "JS200N"
    raw = json.dumps(condition).encode()
    digest = hashlib.sha256(raw).hexdigest()
    contents[f"conditions/{digest}.json"] = raw
    contents[f"{folders[5]}/info.json"] = json.dumps(info | {"conditionUuid": digest}).encode()
    contents[f"{folders[4]}/qlw.data"] = arrays.qlw_from_xes(group.positions[4].signal).tobytes()
    return zip_of(tmp_path / "map.plzip", contents)


def test_mixed_settings_have_no_axis_in_common_and_mixed_spectra_are_said(tmp_path: Path) -> None:
    path = _mixed(tmp_path)
    with init(str(tmp_path / "lake")) as lake:
        lake.ingest(path, exact="never")
        spectra = lake.spectra("qlw", "map")
        assert len(spectra) == 6
        assert any("not from others (map@1:5)" in each for each in spectra.warnings)
        with pytest.raises(UsageError, match="JS200N"):
            spectra.axis("energy")
        region = lake.roi(390, 400, "map")
        assert [row.number for row in region.rows] == [1, 2, 3, 4, 5]  # in the order listed
        assert any("map@1:6" in each for each in region.warnings)
        with pytest.warns(UserWarning, match="background"):
            dataset = lake.to_xarray("map", lattice=False)
        assert "energy" not in dataset.coords
        assert dataset.qlw.shape == (6, 4095)
        for kind in ("csv", "xlsx", "msa", "zarr", "hspy"):
            report = lake.export("map", tmp_path / f"out.{kind}", to=kind)
            assert report.positions == 6, kind
            assert any("map@1:5" in each for each in report.warnings), kind


@pytest.mark.parametrize(
    ("damage", "is_left_out"),
    [
        (_missing, True),
        (_short, True),
        (_empty, True),
        (_other_camera, True),
        (_no_condition, False),
        (_nan_stage, False),
    ],
)
def test_the_rest_opens_and_what_is_left_out_is_said_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Contents, str], None], is_left_out: bool
) -> None:
    contents = sxes_source(nx=3, ny=2).contents
    sound = np.stack([each.spectrum for each in open_group(sxes_source(nx=3, ny=2)).positions])
    uuids = [each.uuid for each in open_group(sxes_source(nx=3, ny=2)).positions]
    damage(contents, f"data/{uuids[BAD - 1]}")
    path = zip_of(tmp_path / "map.plzip", contents)
    kept = [number for number in range(6) if not (is_left_out and number == BAD - 1)]
    expected = sound[kept]

    with init(str(tmp_path / "lake")) as lake:
        lake.ingest(path, exact="never")
        spectra = lake.spectra("spectrum", "map")
        assert np.array_equal(spectra.values, expected)
        assert sum("left out: map@1:2" in each for each in spectra.warnings) == is_left_out
        roi = lake.roi(100, 200, "map", unit="channel", data_type="spectrum")
        assert np.array_equal(roi.values, expected[:, 100:201].sum(axis=1))
        assert sum("left out: map@1:2" in each for each in roi.warnings) == is_left_out
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            values = lake.to_xarray("map", types=["spectrum"], lattice=False).spectrum.values
        assert sum("left out: map@1:2" in str(each.message) for each in said) == is_left_out
        assert np.array_equal(values[kept], expected)
        assert np.isnan(values[BAD - 1]).all() == is_left_out
        report = lake.export("map", tmp_path / "out.csv", to="csv", data_type="spectrum")
        assert sum("left out: map@1:2" in each for each in report.warnings) == is_left_out
        table = pd.read_csv(tmp_path / "out.csv", comment="#")
        assert np.array_equal(table[[f"map@1:{number + 1}" for number in kept]].to_numpy().T, expected)
        assert (f"map@1:{BAD}" in table) is not is_left_out

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        (signal,) = sxeslake.hyperspy.file_reader(path, data_type="spectrum")
    assert sum("left out: " in str(each.message) for each in said) == is_left_out
    data = signal["data"].reshape(-1, 2048)
    assert np.isnan(data).all(axis=1).sum() == is_left_out
    assert sorted(data[~np.isnan(data).any(axis=1)].sum(axis=1)) == sorted(expected.sum(axis=1))

    capsys.readouterr()
    words = ["plot", "spectrum", str(path), "--type", "spectrum", "--axis", "channel", "--position"]
    assert run([*words, "1..3", "-o", str(tmp_path / "rest.svg")]) == 0
    assert capsys.readouterr().err.count("map.plzip:2 is left out") == is_left_out
    assert run(["plot", "spectrum", str(path), "--position", "1,3", "-o", str(tmp_path / "qlw.svg")]) == 0
    others = ["plot", "spectrum", str(path), "--axis", "channel", "--position", "1..3"]  # qlw, whose xes is damaged
    assert run([*others, "-o", str(tmp_path / "others.svg")]) == 0
    assert "left out" not in capsys.readouterr().err
    assert (run([*words, str(BAD), "-o", str(tmp_path / "bad.svg")]) != 0) == is_left_out
    assert (tmp_path / "bad.svg").exists() is not is_left_out
