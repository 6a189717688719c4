"""A reader for HyperSpy: `import sxeslake.hyperspy`, then `hs.load("map.plzip")`.

Or by name: `hs.load("map.plzip", file_format=sxeslake.hyperspy)`. The reader gives plain dictionaries and imports
nothing of HyperSpy; importing this module adds it to RosettaSciIO's list of readers, where that is installed.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from sxeslake.archive.sxes.group import open_group

__all__ = ["file_reader"]

name = "sxeslake"
description = "Electron-microprobe archives of soft-X-ray emission spectra (.plzip, .pl7z)"
file_extensions = ["plzip", "pl7z"]
default_extension = 0
writes = False

_SPECIFICATION = {
    "name": name,
    "name_aliases": [],
    "description": description,
    "full_support": False,
    "file_extensions": file_extensions,
    "default_extension": default_extension,
    "writes": writes,
    "non_uniform_axis": False,
    "api": "sxeslake.hyperspy",
}


def file_reader(
    filename: str | Path, lazy: bool = False, *, analysis: str | int | None = None, data_type: str = "qlw", **_: Any
) -> list[dict[str, Any]]:
    """Read an archive for HyperSpy.

    Parameters
    ----------
    filename : path
        A `.plzip`, a `.pl7z`, or an unpacked group.
    lazy : bool
        Read spectra when they are used.
    analysis : str or int, optional
        Only this analysis: its name, UUID, or number from 1.
    data_type : str
        ``"qlw"`` (linear in wavelength) or ``"spectrum"`` (the column sum of the camera image).

    Returns
    -------
    list of dict
        One dictionary an analysis, with `data` (float64), `axes`, `metadata` and `original_metadata`.

    Raises
    ------
    NotFoundError
        If there is no such analysis, or none with such data.

    Examples
    --------
    >>> import hyperspy.api as hs  # doctest: +SKIP
    >>> import sxeslake.hyperspy  # doctest: +SKIP
    >>> hs.load("map.plzip", lazy=True)  # doctest: +SKIP
    <LazySignal1D, title: map.plzip, dimensions: (50, 50|4095)>
    """
    from sxeslake.archive.spectra.signals import signals_of  # noqa: PLC0415 - numpy

    group = open_group(Path(filename))
    if lazy:
        return signals_of(group, analysis=analysis, data_type=data_type, lazy=True, on_done=group.close)
    with group:
        return signals_of(group, analysis=analysis, data_type=data_type)


def _register() -> None:
    """Add the reader to RosettaSciIO's list, once."""
    try:
        plugins = import_module("rsciio").IO_PLUGINS
    except (ImportError, AttributeError):
        return
    if not any(plugin["name"] == name for plugin in plugins):
        plugins.append(_SPECIFICATION)


_register()
