"""Arrays with labels: Zarr through xarray, .hspy through HyperSpy."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

from sxeslake.archive.spectra.dataset import PositionGrid, arrange
from sxeslake.archive.spectra.signals import metadata_of, navigation_axes, signal_axis
from sxeslake.archive.spectra.spectra import Spectra
from sxeslake.extras import load


def write_zarr(folder: Path, dataset: Any) -> None:
    """A Dataset as a Zarr store of format 2, whose texts every reader knows."""
    load("zarr", "zarr", "a Zarr store")
    dataset.to_zarr(folder, mode="w", zarr_format=2, consolidated=True)


def write_hspy(out: BinaryIO, spectra: Spectra, title: str) -> None:
    """The spectra as one HyperSpy signal, a map where they lie on a lattice."""
    api = load("hyperspy.api", "hyperspy", "an .hspy file")
    arrangement = arrange(spectra.rows)
    values = spectra.values
    channels = values.shape[1]
    if arrangement.dimensions != ("position",):
        place = {id(row): number for number, row in enumerate(spectra.rows)}
        order = [-1 if cell is None else place[id(cell)] for cell in arrangement.cells]
        if -1 in order:
            arrangement = PositionGrid.of(spectra.rows)  # a hole would need a value that was not measured
        else:
            values = values[order]
    axes = [
        *navigation_axes(arrangement),
        signal_axis(spectra.rows, channels, spectra.data_type, spectra.calibrations),
    ]
    values = values.reshape(*arrangement.shape, channels)
    if len(spectra) == 1:
        values, axes = values.reshape(channels), axes[-1:]
    original = {"positions": {row.name: _plain(each) for row, each in zip(spectra.rows, spectra.table(), strict=True)}}
    signal = api.signals.Signal1D(
        values, axes=axes, metadata=metadata_of(spectra.rows, title), original_metadata=original
    )
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made.hspy"
        signal.save(made, overwrite=True)
        with made.open("rb") as file:
            shutil.copyfileobj(file, out)


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat() if hasattr(value, "isoformat") else value
        for name, value in record.items()
        if value is not None
    }
