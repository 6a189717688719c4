"""The xarray engine `sxeslake`: archives on a disk as Datasets and DataTrees.

xr.open_dataset("map.plzip", engine="sxeslake", analysis="grain 3")
xr.open_datatree("map.plzip", engine="sxeslake")
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import xarray as xr
from xarray.backends import BackendEntrypoint

from sxeslake.archive.spectra.choice import analyses_called
from sxeslake.archive.spectra.dataset import dataset_of
from sxeslake.archive.spectra.measured import of_analysis
from sxeslake.archive.sxes.group import Group, open_group

if TYPE_CHECKING:
    from sxeslake.archive.spectra.measured import Measured
    from sxeslake.archive.sxes.source import MemberSource

_SUFFIXES = (".plzip", ".pl7z")


class SxeslakeBackend(BackendEntrypoint):
    """Opens `.plzip` and `.pl7z` archives and unpacked groups."""

    description = "Electron-microprobe archives (.plzip, .pl7z)"
    url = "https://pypi.org/project/sxeslake"
    open_dataset_parameters: ClassVar[tuple[str, ...]] = ("filename_or_obj", "drop_variables", "analysis", "types")
    supports_groups = True

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Whether the name ends as an archive's."""
        return isinstance(filename_or_obj, str | os.PathLike) and str(filename_or_obj).lower().endswith(_SUFFIXES)

    def open_dataset(  # type: ignore[override]
        self,
        filename_or_obj: str | os.PathLike[str],
        *,
        drop_variables: str | Iterable[str] | None = None,
        analysis: str | int | None = None,
        types: Iterable[str] | None = None,
    ) -> xr.Dataset:
        """One analysis, or all positions one after another.

        Parameters
        ----------
        filename_or_obj : path
            The archive.
        drop_variables : str or iterable of str, optional
            Variables to leave out.
        analysis : str or int, optional
            The analysis: name, UUID, or number from 1; all positions of the archive otherwise.
        types : iterable of str, optional
            Data variables; by default `qlw` and `spectrum`, as far as there are any.

        Returns
        -------
        xarray.Dataset
            See `sxeslake.archive.spectra.dataset.dataset_of`.
        """
        path = Path(os.fspath(filename_or_obj))
        group = open_group(path)
        try:
            rows = [row for _, each in analyses_called(group, analysis) for row in of_analysis(each)]
            found = _dataset(group, rows, path.name, types).drop_vars(_names(drop_variables), errors="ignore")
        except BaseException:
            group.close()
            raise
        found.set_close(group.close)
        return found

    def open_groups_as_dict(  # type: ignore[override]
        self,
        filename_or_obj: str | os.PathLike[str],
        *,
        drop_variables: str | Iterable[str] | None = None,
        types: Iterable[str] | None = None,
    ) -> dict[str, xr.Dataset]:
        """Every analysis as a dataset below its project: `/project/analysis`."""
        path = Path(os.fspath(filename_or_obj))
        group = open_group(path)
        try:
            found = {"/": xr.Dataset(attrs={"title": path.name})}
            for number, analysis in enumerate(group.analyses, 1):
                project = next((each.name for each in analysis.projects), "")
                rows = list(of_analysis(analysis))
                if not rows:
                    continue
                name = _unique(f"/{_step(project, 'no project')}/{_step(analysis.name, f'analysis {number}')}", found)
                dataset = _dataset(group, rows, f"{path.name}: {analysis.name or f'analysis {number}'}", types)
                found[name] = dataset.drop_vars(_names(drop_variables), errors="ignore")
        except BaseException:
            group.close()
            raise
        found["/"].set_close(group.close)
        return found

    def open_datatree(  # type: ignore[override]
        self,
        filename_or_obj: str | os.PathLike[str],
        *,
        drop_variables: str | Iterable[str] | None = None,
        types: Iterable[str] | None = None,
    ) -> xr.DataTree:
        """Every analysis as a node below its project."""
        groups = self.open_groups_as_dict(filename_or_obj, drop_variables=drop_variables, types=types)
        close = groups["/"]._close
        tree = xr.DataTree.from_dict(groups)
        if close is not None:
            tree.set_close(close)
        return tree


def _dataset(group: Group, rows: list[Measured], title: str, types: Iterable[str] | None) -> xr.Dataset:
    def members(_row: Measured) -> MemberSource:
        return group.edited

    wanted = None if types is None else tuple(types)
    found: xr.Dataset = dataset_of(rows, members, tuple(group.calibrations()), title=title, types=wanted)
    return found


def _names(words: str | Iterable[str] | None) -> list[str]:
    return [] if words is None else [words] if isinstance(words, str) else list(words)


def _step(name: str, otherwise: str) -> str:
    """A name as one step of a path."""
    return name.replace("/", "∕").strip() or otherwise


def _unique(path: str, taken: Iterable[str]) -> str:
    there = set(taken)
    number, found = 1, path
    while found in there:
        number += 1
        found = f"{path} ({number})"
    return found
