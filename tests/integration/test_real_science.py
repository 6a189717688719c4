"""The scientific layer on a real archive: arrays, pictures and exports against a plain numpy reading of the zip."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hyperspy.api as hs
import numpy as np
import openpyxl
import pandas as pd
import pytest
import rsciio.msa
import xarray as xr
from numpy.typing import NDArray
from rocrate.rocrate import ROCrate

import sxeslake.hyperspy
from sxeslake.cli.run import run
from sxeslake.lake import Lake, init

REF = "test@1"
ROWS, COLUMNS, CHANNELS = 17, 2049, 4095


@dataclass(frozen=True)
class Plain:
    """What numpy and json read in the zip's members: positions in the order of the lists of `metadata.json`."""

    lengths: list[int]  # positions an analysis
    comments: list[str]
    spectrum: NDArray[np.int64]  # (positions, 2048)
    qlw: NDArray[np.float64]  # (positions, 4095)


@pytest.fixture(scope="module")
def plain(real_archive: Path) -> Plain:
    with zipfile.ZipFile(real_archive) as archive:
        analyses = json.loads(archive.read("metadata.json"))["analyses"]
        folders = [f"data/{uuid}" for analysis in analyses for uuid in analysis["positionUuids"]]
        images = [
            np.frombuffer(archive.read(f"{each}/xes.data"), "<u4").reshape(ROWS, COLUMNS).astype(np.int64)
            for each in folders
        ]
        return Plain(
            [len(analysis["positionUuids"]) for analysis in analyses],
            [json.loads(archive.read(f"{each}/info.json"))["comment"] for each in folders],
            np.stack([image[:16, :2048].sum(axis=0) for image in images]),
            np.stack([np.frombuffer(archive.read(f"{each}/qlw.data"), "<f8") for each in folders]),
        )


@pytest.fixture(scope="module")
def lake(real_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with init(str(tmp_path_factory.mktemp("lake"))) as opened:
        opened.ingest(real_archive, exact="never")
        yield opened


@pytest.fixture
def own_lake(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """The lake, as the one that commands work with."""
    monkeypatch.setenv("SXESLAKE_LAKE", lake.url.removeprefix("file://"))
    return lake


def test_all_spectra_equal_a_plain_reading(lake: Lake, plain: Plain) -> None:
    assert plain.qlw.shape == (14, CHANNELS)
    assert np.array_equal(lake.spectra("spectrum", REF).values, plain.spectrum)
    assert np.array_equal(lake.spectra("qlw", REF).values, plain.qlw)
    with lake.open_group(REF) as group:
        for number, position in enumerate(each for analysis in group.analyses for each in analysis.positions):
            assert np.array_equal(position.spectrum, plain.spectrum[number])
            assert np.array_equal(position.qlw, plain.qlw[number])


def test_qlw_without_background_correction_is_the_interpolated_camera_image(lake: Lake, plain: Plain) -> None:
    u = np.arange(CHANNELS) / (CHANNELS - 1)
    column = 0.85040 + 3480.72942 * u - 3338.31621 * u**2 + 3319.41669 * u**3 - 1415.41133 * u**4
    inside = column <= 2047  # the last two lie beyond the camera
    derived = np.stack([np.interp(column, np.arange(2048), sums) for sums in plain.spectrum])
    apart = np.max(np.abs(plain.qlw - derived)[:, inside] / derived[:, inside], axis=1)
    is_raw = apart < 2e-6
    assert np.count_nonzero(~inside) == 2
    assert [comment for comment, raw in zip(plain.comments, is_raw, strict=True) if raw] == plain.comments[:2]
    assert all("no Bkgr" in comment for comment in plain.comments[:2])
    assert apart[~is_raw].min() > 1e-3
    with lake.open_group(REF) as group:
        assert [position.qlw_background_subtracted for position in group.positions] == (~is_raw).tolist()


def test_uncorrected_beside_corrected_is_said_everywhere(lake: Lake, own_lake: Lake, tmp_path: Path) -> None:
    said = "not from others (test@1:1, test@1:2)"
    assert any(said in each for each in lake.spectra("qlw", REF).warnings)
    assert any(said in each for each in lake.roi(390, 400, REF).warnings)
    for name, roi in (("all.csv", None), ("roi.csv", (390.0, 400.0, "eV"))):
        report = lake.export(REF, tmp_path / name, to="csv", roi=roi)
        assert any(said in each for each in report.warnings), name
    assert not lake.spectra("qlw", REF, positions="3..14").warnings
    assert not lake.spectra("spectrum", REF).warnings


def test_a_region_is_the_plain_sum_of_its_channels(lake: Lake, plain: Plain) -> None:
    energy = 12_398.419843320026 / (14.976 + 0.032455 * np.arange(CHANNELS))
    inside = (energy >= 390) & (energy <= 400)
    found = lake.roi(390, 400, REF)
    assert np.allclose(found.values, plain.qlw[:, inside].sum(axis=1), rtol=1e-12)
    assert set(found.channels.tolist()) == {np.count_nonzero(inside)}


def test_xarray_and_hyperspy_have_the_same_values_and_units(real_archive: Path, plain: Plain) -> None:
    signals = hs.load(str(real_archive))
    read = sxeslake.hyperspy.file_reader(str(real_archive))
    assert [np.atleast_2d(each["data"]).shape[0] for each in read] == plain.lengths
    for signal, each in zip(signals, read, strict=True):
        assert np.array_equal(signal.data, each["data"])
        assert signal.axes_manager.signal_axes[0].units == each["axes"][-1]["units"] == "Å"
    assert np.array_equal(np.vstack([each["data"] for each in read]), plain.qlw)
    with pytest.warns(UserWarning, match="background"):
        found = xr.open_dataset(real_archive, engine="sxeslake")
    with found:
        assert np.array_equal(found.qlw.values, plain.qlw)
        assert np.array_equal(found.spectrum.values, plain.spectrum)
        units = {name: found[name].attrs["units"] for name in ("qlw", "wavelength", "energy", "stage_x")}
        assert units == {"qlw": "counts", "wavelength": "angstrom", "energy": "eV", "stage_x": "mm"}
        axis = read[0]["axes"][-1]
        assert np.allclose(axis["offset"] + axis["scale"] * np.arange(axis["size"]), found.wavelength, rtol=1e-9)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["spectrum", "test", "--position", "1", "--axis", "energy", "--lines", "N,O"],
            [
                "energy (eV)",
                "N Kα",
                "O Kα",
                "5 kV, 99.8 nA, JS300N",
                "axis: derived, ±0.21 Å; qlw, background included",
            ],
        ),
        (["stage", "test"], ["stage x (mm)", "stage y (mm)", "14", "analysis 4: points, 6 positions"]),
        (
            ["ccd", "test", "--position", "1"],
            ["column of the camera", "row", "test@1, analysis 1, position 1", "sum of 10 frames, dark frame included"],
        ),
    ],
)
def test_pictures_have_their_texts(own_lake: Lake, tmp_path: Path, words: list[str], expected: list[str]) -> None:
    assert run(["plot", *words, "-o", str(tmp_path / "p.svg")]) == 0
    picture = (tmp_path / "p.svg").read_text(encoding="utf-8")
    texts = {text.strip() for text in re.findall(r"<!-- (.*?) -->|<text[^>]*>([^<]*)", picture) for text in text}
    assert set(expected) <= texts


def _export(to: str, out: Path) -> Path:
    assert run(["export", REF, "--to", to, "-o", str(out)]) == 0
    return out


def test_rosettasciio_reads_every_msa(own_lake: Lake, tmp_path: Path, plain: Plain) -> None:
    folder = _export("msa", tmp_path / "out")
    for number, expected in enumerate(plain.qlw, 1):
        (found,) = rsciio.msa.file_reader(folder / f"{REF}_{number}.msa")
        assert np.array_equal(found["data"], expected)
        assert found["axes"][0]["units"] == "Angstrom"


def test_xarray_reads_the_zarr_store(own_lake: Lake, tmp_path: Path, plain: Plain) -> None:
    with xr.open_zarr(_export("zarr", tmp_path / "out.zarr")) as found:
        assert np.array_equal(found.qlw.values, plain.qlw)
        assert found.comment.values.tolist() == plain.comments
        assert found.energy.attrs["units"] == "eV"


def test_hyperspy_reads_the_hspy_file(own_lake: Lake, tmp_path: Path, plain: Plain) -> None:
    found = hs.load(_export("hspy", tmp_path / "out.hspy"))
    assert np.array_equal(found.data, plain.qlw)
    assert found.axes_manager.signal_axes[0].units == "Å"


def test_pandas_reads_the_table(own_lake: Lake, tmp_path: Path, plain: Plain) -> None:
    names = [f"{REF}:{number}" for number in range(1, 15)]
    table = pd.read_csv(_export("csv", tmp_path / "out.csv"), comment="#")
    assert np.array_equal(table[names].to_numpy().T, plain.qlw)
    path = _export("xlsx", tmp_path / "out.xlsx")
    book = openpyxl.load_workbook(path, read_only=True)
    assert "spectra" in book.sheetnames
    book.close()
    sheet = pd.read_excel(path, "spectra")
    assert np.array_equal(sheet[names].to_numpy(np.float64).T, plain.qlw)


def test_rocrate_reads_the_crate(own_lake: Lake, tmp_path: Path, plain: Plain) -> None:
    folder = _export("ro-crate", tmp_path / "crate")
    (file,) = [each for each in ROCrate(folder).data_entities if each.type == "File"]
    (signal, *_) = sxeslake.hyperspy.file_reader(folder / REF / file["name"])
    assert np.array_equal(signal["data"], plain.qlw[:2])
