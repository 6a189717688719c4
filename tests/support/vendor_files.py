"""Trees of vendor files in memory, what a reader makes of them, and real files where the machine has some."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from sxeslake.vendor.records import AnalysisRecord, ArrayRecord, Finding, PositionRecord, Reader, Warned
from sxeslake.vendor.tree import FolderTree, Tree


class MemoryTree:
    """Files as bytes."""

    def __init__(self, files: Mapping[str, bytes], name: str = "root") -> None:
        self.name = name
        self._files = dict(sorted(files.items()))
        self.sizes: Mapping[str, int] = {path: len(data) for path, data in self._files.items()}
        self.left_out: Mapping[str, str] = {}
        self.empty_folders: Sequence[str] = ()

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """Bytes of a file; only those that are listed."""
        if path not in self._files:
            raise FileNotFoundError(path)
        data = self._files[path]
        return data[offset:] if length is None else data[offset : offset + length]

    def modified(self, path: str) -> float | None:
        """Never known."""
        return None


@dataclass
class Seen:
    """What a reader made of a tree."""

    findings: list[Finding] = field(default_factory=list)
    analyses: list[AnalysisRecord] = field(default_factory=list)
    positions: list[PositionRecord] = field(default_factory=list)
    warnings: list[Warned] = field(default_factory=list)

    @property
    def said(self) -> str:
        """All warnings, a line each."""
        return "\n".join(f"{warned.path}: {warned.text}" for warned in self.warnings)


def seen_by(reader: Reader, tree: Tree) -> Seen:
    """Everything a reader yields, held against its contract as a writer would take it."""
    seen = Seen(findings=list(reader.classify(tree)))
    for finding in seen.findings:
        assert finding.reader == reader.name
        assert 0 < finding.confidence <= 1
        assert set(finding.files) <= set(tree.sizes)
        for analysis in reader.read(tree, finding, seen.warnings.append):
            positions = list(analysis.positions())
            seen.analyses.append(analysis)
            seen.positions += positions
            _check(tree, analysis, positions)
    for warned in seen.warnings:
        assert warned.path in tree.sizes
        assert warned.text
    return seen


def values_of(tree: Tree, array: ArrayRecord) -> np.ndarray:
    """The values of an array, from its bytes or as its reader makes them."""
    if array.span is not None:
        data = tree.read(array.span.path, array.span.offset, array.span.length)
        values = np.frombuffer(data, array.dtype).reshape(array.shape)
    else:
        assert array.load is not None
        values = array.load()
    assert values.shape == array.shape
    assert values.dtype == np.dtype(array.dtype)
    assert array.dtype[0] == "<" or np.dtype(array.dtype).itemsize == 1
    return values


def _check(tree: Tree, analysis: AnalysisRecord, positions: list[PositionRecord]) -> None:
    names = [position.name for position in positions]
    assert analysis.name
    assert len(set(names)) == len(names)
    for array in _arrays(analysis, positions):
        assert "." not in array.name
        values_of(tree, array)
    for image in analysis.images:
        assert image.span.offset + image.span.length <= tree.sizes[image.span.path]
    for found in analysis.maps:
        titles = [channel.name for channel in found.channels]
        assert len(set(titles)) == len(titles)
        count = int(np.prod(found.shape))
        assert all(int(np.prod(channel.array.shape[:2])) == count for channel in found.channels)


def _arrays(analysis: AnalysisRecord, positions: list[PositionRecord]) -> Iterator[ArrayRecord]:
    yield from (array for position in positions for array in position.arrays)
    yield from (channel.array for found in analysis.maps for channel in found.channels)


def real_vendor_files(*parts: str) -> Tree:
    """A folder of real files, where the machine has it beside the checkout; else skip."""
    shared = Path(os.environ.get("SXESLAKE_SHARED", Path(__file__).parents[3] / "shared"))
    folder = shared.joinpath("data", "vendor", *parts)
    if not folder.exists():
        pytest.skip(
            f"{'/'.join(parts)} is not on this machine; set SXESLAKE_SHARED to the folder that holds data/vendor"
        )
    return FolderTree(folder)


def keyed_lines(keys: Mapping[str, str] | Iterable[tuple[str, str]], end: str = "\r\n") -> bytes:
    """A condition of lines `$KEY value`, as western instruments write it."""
    pairs = keys.items() if isinstance(keys, Mapping) else keys
    return "".join(f"${key} {value}{end}" for key, value in pairs).encode("cp1252")
