"""What the member tables of some archives hold by path: data arrays of positions, and files beside the documents.

For many archives at once: a call over a table of a few rows takes as long as one over thousands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from sys import intern
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.measurement import array_label

_DATA: Final = f"{layout.DATA}/"
_COLUMNS: Final = ["path", "size", "blake3", "directory"]


class Arrays(NamedTuple):
    """The data arrays of one position, sorted by type."""

    types: Sequence[str] = ()
    described: bytes = b""
    """The label of each, with its hash: see `position_content_ids`."""
    bytes_raw: int = 0


class File(NamedTuple):
    """A member that rows of the catalogue name by path, size and hash."""

    path: str
    size: int
    blake3: str


@dataclass(slots=True)
class MemberFiles:
    """Files of one archive."""

    arrays: dict[str, Arrays] = field(default_factory=dict)
    """Position UUID → its data arrays, `data/<uuid>/<type>.data`."""
    others: list[File] = field(default_factory=list)
    """Pictures `images/<uuid>/image.…`, and all that stands in `backgrounds/` and `maps/`."""

    def below(self, folder: str) -> list[File]:
        """The other files in a folder of the group."""
        return [file for file in self.others if file.path.startswith(f"{folder}/")]


def member_files(tables: Sequence[pa.Table]) -> list[MemberFiles]:
    """The files of each archive, in the order of their tables."""
    found = [MemberFiles() for _ in tables]
    whole = pa.concat_tables([table.select(_COLUMNS) for table in tables])
    if len(tables) > 1:
        whole = whole.combine_chunks()
    whose = np.repeat(np.arange(len(tables)), [table.num_rows for table in tables])
    paths = whole["path"]
    arrays = pc.and_(pc.starts_with(paths, _DATA), pc.ends_with(paths, layout.TYPE_SUFFIX))
    _add_arrays(found, whole.filter(arrays), whose[arrays.to_numpy()])
    others = pc.match_like(paths, f"{layout.IMAGES}/%/image.%")
    for folder in (layout.BACKGROUNDS, layout.MAPS):
        others = pc.or_(others, pc.starts_with(paths, f"{folder}/"))
    others = pc.and_(others, pc.invert(whole["directory"]))
    rows = whole.filter(others)
    columns = (rows["path"].to_pylist(), rows["size"].to_pylist(), rows["blake3"].to_pylist())
    for number, path, size, digest in zip(whose[others.to_numpy()].tolist(), *columns, strict=True):
        found[number].others.append(File(path, size, digest.hex()))
    return found


def _add_arrays(found: Sequence[MemberFiles], rows: pa.Table, whose: npt.NDArray[np.int64]) -> None:
    """Add the data arrays, of which `whose` says the archive, to their positions, sorted by type."""
    flat = pc.equal(pc.count_substring(rows["path"], "/"), 2)
    rows, whose = rows.filter(flat).combine_chunks(), whose[flat.to_numpy()]
    if rows.num_rows == 0:
        return
    parts = pc.split_pattern(rows["path"], "/").combine_chunks().flatten()  # data, uuid, type.data, and so on
    uuids = parts.take(pa.array(np.arange(1, len(parts), 3))).dictionary_encode()
    types = parts.take(pa.array(np.arange(2, len(parts), 3))).dictionary_encode()
    names = [intern(name.removesuffix(layout.TYPE_SUFFIX)) for name in types.dictionary.to_pylist()]
    rank = np.argsort(np.argsort(np.array(names, object)))[types.indices.to_numpy()]
    positions = whose * len(uuids.dictionary) + uuids.indices.to_numpy()
    order = np.lexsort((rank, positions))
    firsts = np.flatnonzero(np.diff(positions[order], prepend=-1))
    rows, types = rows.take(pa.array(order)), types.take(pa.array(order))
    labels = pa.array([array_label(name) for name in names], pa.binary()).take(types.indices)
    joined = pc.binary_join_element_wise(labels, rows["blake3"].combine_chunks().cast(pa.binary()), b"")
    ends = np.append(firsts[1:], len(joined))
    offsets = np.frombuffer(joined.buffers()[1], np.int32)[joined.offset :]
    described = joined.buffers()[2]
    kinds = [names[code] for code in types.indices.to_pylist()]
    columns: list[list[Any]] = [
        uuids.dictionary.take(uuids.indices.take(pa.array(order[firsts]))).to_pylist(),
        whose[order[firsts]].tolist(),
        firsts.tolist(),
        ends.tolist(),
        offsets[firsts].tolist(),
        offsets[ends].tolist(),
        np.add.reduceat(rows["size"].to_numpy(), firsts).tolist(),
    ]
    whole = memoryview(described)
    for uuid, number, start, end, begin, stop, size in zip(*columns, strict=True):
        found[number].arrays[uuid] = Arrays(kinds[start:end], bytes(whole[begin:stop]), size)
