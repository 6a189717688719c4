"""Spectra as xarray Datasets and HyperSpy signals: the same values, named, with units; nothing wrong is made up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import hyperspy.api as hs
import numpy as np
import pytest
import xarray as xr
from support.sxes_sources import CountingSource, sxes_source

import sxeslake.hyperspy
from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.axes import Calibration
from sxeslake.archive.sxes.group import Group, open_group
from sxeslake.archive.synthetic import synthetic_facility
from sxeslake.errors import NotFoundError


@pytest.fixture
def source() -> CountingSource:
    return sxes_source(nx=4, ny=3)


@pytest.fixture
def group(source: CountingSource) -> Group:
    return open_group(source)


@pytest.fixture(scope="module")
def map_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic_facility(tmp_path_factory.mktemp("facility"), nx=4, ny=3)[0]


def test_a_map_is_y_x_channel(group: Group) -> None:
    found = group.analyses[0].to_xarray()
    assert found.qlw.dims == ("y", "x", "channel")
    assert found.spectrum.dims == ("y", "x", "column")
    assert found.qlw.shape == (3, 4, 4095)
    for position in group.positions:
        ((y, x),) = np.argwhere(found.position_uuid.values == position.uuid)
        assert np.array_equal(found.qlw.values[y, x], position.qlw)
        assert np.array_equal(found.spectrum.values[y, x], position.spectrum)
        assert float(found.stage_x[y, x]) == position.state.stage_x_mm
    assert found.stage_x.attrs["units"] == "mm"
    assert found.energy.attrs["units"] == "eV"
    assert found.wavelength.attrs["uncertainty_angstrom"] == 0.21
    assert "derived" in found.qlw.attrs["axis_source"]
    assert np.array_equal(found.energy.values, group.positions[0].axis("energy").values)
    assert np.array_equal(found.column_energy.values, group.positions[0].axis("energy", "spectrum").values)
    assert (found.attrs["grating"], found.attrs["accelerating_voltage_kv"]) == ("JS300N", 5.0)


def test_spectra_are_read_when_they_are_used(source: CountingSource, group: Group) -> None:
    found = group.analyses[0].to_xarray(types=["qlw"])
    path = layout.type_path(group.positions[11].uuid, "qlw")
    source.contents[path] = np.arange(4095.0).tobytes()
    assert found.qlw.values[-1, -1].tolist() == list(range(4095))


def test_a_hole_is_nan_and_never_zero(source: CountingSource) -> None:
    uuids = [position.uuid for position in open_group(source).positions]
    metadata = source.contents["metadata.json"]
    source.contents["metadata.json"] = metadata.replace(f'"{uuids[5]}", '.encode(), b"").replace(
        f'"{uuids[5]}",'.encode(), b""
    )
    group = open_group(source)
    assert len(group.analyses[0].positions) == 11
    found = group.analyses[0].to_xarray()
    assert found.qlw.shape == (3, 4, 4095)
    missing = np.isnan(found.qlw.values).all(axis=2)
    assert missing.sum() == 1
    assert np.isnan(found.stage_x.values[missing]).all()
    assert np.isnat(found.acquired.values[missing]).all()


def test_what_cannot_be_read_is_nan_and_warned_of(source: CountingSource, group: Group) -> None:
    source.contents[layout.type_path(group.positions[2].uuid, "xes")] = b"short"
    found = group.analyses[0].to_xarray(lattice=False)
    with pytest.warns(UserWarning, match="1 position is left out"):
        values = found.spectrum.values
    assert np.isnan(values[2]).all()
    assert not np.isnan(values[[0, 1, *range(3, 12)]]).any()


def test_places_without_a_lattice_stand_in_a_row(source: CountingSource, group: Group) -> None:
    source.edit_json(f"data/{group.positions[0].uuid}/state.json", stage={"x": "nan", "y": 3.33, "z": 1})
    found = open_group(source).analyses[0].to_xarray()
    assert found.qlw.dims == ("position", "channel")
    assert np.isnan(found.stage_x.values[0])
    assert found.number.values.tolist() == list(range(1, 13))


def test_an_unknown_setting_has_channels_only(source: CountingSource) -> None:
    for path in [path for path in source.contents if path.startswith("conditions/")]:
        source.contents[path] = source.contents[path].replace(b"JS300N", b"JS2000")
    found = open_group(source).analyses[0].to_xarray()
    assert "energy" not in found.coords
    assert "channel" in found.coords
    (signal,) = sxeslake_signals(open_group(source))
    assert (signal["axes"][-1]["name"], signal["axes"][-1]["scale"]) == ("channel", 1.0)


def test_a_calibration_of_the_group_decides_the_axis(group: Group) -> None:
    group.calibrations = lambda: (Calibration("qlw", "JS300N", "angstrom", "own", coefficients=(20.0, 0.05), id="c"),)
    assert group.analyses[0].to_xarray().wavelength.values[[0, 1]].tolist() == [20.0, 20.05]
    axis = sxeslake_signals(group)[0]["axes"][-1]
    assert (axis["offset"], axis["scale"], axis["units"]) == (20.0, pytest.approx(0.05), "Å")


def test_an_axis_that_is_not_uniform_is_channels_in_hyperspy(group: Group) -> None:
    group.calibrations = lambda: (Calibration("qlw", "JS300N", "ev", "own", coefficients=(100.0, 0.1), id="c"),)
    assert sxeslake_signals(group)[0]["axes"][-1]["name"] == "channel"


def sxeslake_signals(group: Group) -> list[dict[str, Any]]:
    from sxeslake.archive.spectra.signals import signals_of  # noqa: PLC0415

    return signals_of(group)


def test_the_engine_opens_a_file(map_file: Path) -> None:
    with xr.open_dataset(map_file) as guessed, xr.open_dataset(map_file, engine="sxeslake", analysis=1) as found:
        assert guessed.qlw.shape == found.qlw.shape == (3, 4, 4095)
        assert np.array_equal(guessed.qlw.values, found.qlw.values)
    with xr.open_dataset(map_file, drop_variables="spectrum", engine="sxeslake") as found:
        assert list(found.data_vars) == ["qlw"]
    with pytest.raises(NotFoundError, match="no analysis is called"):
        xr.open_dataset(map_file, engine="sxeslake", analysis="nothing")


def test_the_engine_opens_a_tree(map_file: Path) -> None:
    with xr.open_datatree(map_file, engine="sxeslake") as tree:
        (leaf,) = tree.leaves
        assert leaf.path == "/chalcopyrite/analysis 1"
        assert leaf["qlw"].shape == (3, 4, 4095)


def test_hyperspy_reads_what_xarray_reads(map_file: Path) -> None:
    signal = hs.load(str(map_file))
    lazy = hs.load(str(map_file), lazy=True)
    with xr.open_dataset(map_file, engine="sxeslake") as found:
        assert np.array_equal(signal.data, found.qlw.values)
        assert np.array_equal(lazy.data.compute(), found.qlw.values)
        wavelength = signal.axes_manager.signal_axes[0]
        assert wavelength.axis == pytest.approx(found.wavelength.values)
        assert wavelength.units == "Å"
        x, y = signal.axes_manager.navigation_axes
        assert (x.name, x.size, x.units, y.name, y.size) == ("x", 4, "mm", "y", 3)
        assert x.axis == pytest.approx(found.stage_x.values[0], abs=1e-4)
    beam = signal.metadata.Acquisition_instrument.SEM
    assert (beam.beam_energy, beam.Detector.SXES.grating) == (5.0, "JS300N")
    assert beam.beam_current == pytest.approx(100, abs=0.1)
    assert signal.metadata.General.original_filename == map_file.name
    named = hs.load(str(map_file), file_format=sxeslake.hyperspy, data_type="spectrum")
    assert named.data.shape == (3, 4, 2048)


def test_the_real_archive_in_both(real_archive: Path) -> None:
    signals = hs.load(str(real_archive))
    assert [signal.data.reshape(-1, 4095).shape[0] for signal in signals] == [2, 2, 1, 6, 1, 2]
    with open_group(real_archive) as group:
        expected = np.stack([position.qlw for analysis in group.analyses for position in analysis.positions])
    assert np.array_equal(np.concatenate([signal.data.reshape(-1, 4095) for signal in signals]), expected)
    with pytest.warns(UserWarning, match="background"):
        found = xr.open_dataset(real_archive, engine="sxeslake")
    with found:
        assert np.array_equal(found.qlw.values, expected)


def test_hspy_and_zarr_keep_it(map_file: Path, tmp_path: Path) -> None:
    signal = hs.load(str(map_file))
    signal.save(tmp_path / "map.hspy")
    assert np.array_equal(hs.load(tmp_path / "map.hspy").data, signal.data)


def test_the_reader_imports_nothing_of_hyperspy(map_file: Path) -> None:
    program = (
        "import sys; sys.modules['rsciio'] = None\n"
        "import sxeslake.hyperspy\n"
        f"found = sxeslake.hyperspy.file_reader({str(map_file)!r})\n"
        "assert type(found[0]['data']).__name__ == 'ndarray'\n"
        "sys.exit(any(name.startswith(('hyperspy', 'exspy')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_without_xarray_the_line_to_install_is_said(group: Group, monkeypatch: pytest.MonkeyPatch) -> None:
    from sxeslake.errors import MissingExtraError  # noqa: PLC0415

    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(MissingExtraError, match=r'pip install "sxeslake\[xarray\]"'):
        group.analyses[0].to_xarray()
