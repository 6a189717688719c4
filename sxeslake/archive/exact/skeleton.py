"""Where in a file the packed contents stand: columns, for a map has 500,000 of them."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from sxeslake.archive.base import Container
from sxeslake.archive.ranged_file import RangedFile
from sxeslake.archive.sevenzip.format import FolderCoders as Folder
from sxeslake.archive.sevenzip.methods import COPY, DEFLATE, LZMA, LZMA2
from sxeslake.archive.sevenzip.opening import open_header
from sxeslake.archive.zip import format as zip_format
from sxeslake.archive.zip.directory import Directory
from sxeslake.errors import InputError
from sxeslake.model import MIB, Limits

Column = npt.NDArray[np.int64]

X86: Final = (b"\x03\x03\x01\x03", b"\x04")  # the two ids of the filter for x86 programs
LZMA_PROPERTIES_BYTES: Final = 5
INFOZIP_HINT: Final = 1
SEVENZIP_HINT: Final = 8
_SEVENZIP_VERSION: Final = 63  # which 7-Zip states for every member, and other writers of today do not
_INFOZIP_FIELD: Final = b"ux\x0b\0"  # owner and group, as Info-ZIP writes them
_FIRST_HEADER_BYTES: Final = 4096
_NAME_LENGTH: Final = 26  # where in a local header it stands; that of the extra field follows
_MAPPED_BYTES: Final = 16 * MIB


class PackMethod(NamedTuple):
    """How a unit was packed, as far as the container tells: `Method("lzma2", b"\\x18")`."""

    name: Literal["store", "deflate", "lzma", "lzma2", "other"]
    properties: bytes = b""
    x86: bool = False
    hint: int = 0  # zip: the class of the level in bits 1 and 2, and `INFOZIP_HINT`, `SEVENZIP_HINT`: what made it


@dataclass(frozen=True, slots=True)
class FileLayout:
    """A file as units (runs of packed contents, by offset) and everything else."""

    size: int
    offset: Column
    packed: Column
    raw: Column
    first: Column  # unit u is made of members[first[u] : first[u + 1]]
    members: Column  # places in `Container.members`
    method: Column  # places in `methods`
    methods: tuple[PackMethod, ...]

    def __len__(self) -> int:
        return len(self.offset)

    def gaps(self) -> Column:
        """Bytes of skeleton before each unit, and behind the last."""
        ends = self.offset + self.packed
        return np.append(self.offset, self.size) - np.concatenate(([0], ends))


def layout_of(container: Container, path: Path) -> FileLayout:
    """The units of an archive that is open as `container`."""
    listing = container.members
    if isinstance(listing, Directory):
        layout = _zip_layout(listing, path)
    elif container.kind == "7z":
        layout = _sevenzip_layout(path)
    else:
        raise InputError("a folder has no bytes of its own", where=path)
    gaps = layout.gaps()
    if len(gaps) and int(gaps.min()) < 0:
        raise InputError("its members share bytes", where=path)
    return layout


def _zip_layout(listing: Directory, path: Path) -> FileLayout:
    members = np.flatnonzero((listing.packed > 0) & ~listing.is_folder)
    members = members[np.argsort(listing.offset[members], kind="stable")]
    header = listing.offset[members]
    begin = header + _lengths(path, header)
    methods: dict[PackMethod, int] = {}
    kinds = listing.method[members].astype(np.int64) << 16 | listing.flags[members] & 6 | _maker(path)
    kinds |= np.where(listing.made_by[members] == _SEVENZIP_VERSION, SEVENZIP_HINT, 0)
    codes, which = np.unique(kinds, return_inverse=True)
    places = np.array([methods.setdefault(_zip_method(int(code)), len(methods)) for code in codes], np.int64)
    return FileLayout(
        size=path.stat().st_size,
        offset=begin,
        packed=listing.packed[members],
        raw=listing.size[members],
        first=np.arange(len(members) + 1),
        members=members,
        method=places[which] if len(members) else np.zeros(0, np.int64),
        methods=tuple(methods),
    )


def _maker(path: Path) -> int:
    """Whether Info-ZIP seems to have made a zip."""
    with path.open("rb") as file:
        return INFOZIP_HINT if _INFOZIP_FIELD in file.read(_FIRST_HEADER_BYTES) else 0


def _lengths(path: Path, headers: Column) -> Column:
    """The lengths of the local headers that stand at some places, in order: they tell of name and extra field.

    The file is mapped a stretch at a time: what has been looked at counts as memory of this process.
    """
    found = np.zeros(len(headers), np.int64)
    begin = 0
    with path.open("rb") as file:
        while begin < len(headers):
            start = int(headers[begin]) // mmap.ALLOCATIONGRANULARITY * mmap.ALLOCATIONGRANULARITY
            end = int(np.searchsorted(headers, int(headers[begin]) + _MAPPED_BYTES))
            size = int(headers[end - 1]) + zip_format.LOCAL.size - start
            with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ, offset=start) as mapped:
                at = headers[begin:end] - start + _NAME_LENGTH
                octets = np.frombuffer(mapped, np.uint8)
                low, high = (octets[at + byte].astype(np.int64) + octets[at + byte + 2] for byte in (0, 1))
                del octets  # a map that is looked at cannot be closed
            found[begin:end] = zip_format.LOCAL.size + low + (high << 8)
            begin = end
    return found


def _zip_method(code: int) -> PackMethod:
    method, flags = code >> 16, code & 15
    if method == zip_format.STORE:
        return PackMethod("store")
    return PackMethod("deflate", hint=flags) if method == zip_format.DEFLATE else PackMethod("other")


def _sevenzip_layout(path: Path) -> FileLayout:
    file = RangedFile(path)
    try:
        body, streams, files = open_header(file, Limits())
    finally:
        file.close()
    single = np.array([len(recipe.packed) == 1 for recipe in streams.recipes], np.bool_)
    filled = np.diff(streams.stream_starts) > 0
    folders = np.flatnonzero(single & filled)
    pack = streams.folder_pack_starts[folders]
    member_of = np.flatnonzero(~files.empty)
    counts = np.diff(streams.stream_starts)[folders]
    starts = streams.stream_starts[folders]
    runs = [member_of[start : start + count] for start, count in zip(starts.tolist(), counts.tolist(), strict=True)]
    methods: dict[PackMethod, int] = {}
    places = [methods.setdefault(_folder_method(streams.recipes[folder]), len(methods)) for folder in folders.tolist()]
    return FileLayout(
        size=file.size,
        offset=body + streams.pack_position + streams.pack_starts[pack],
        packed=streams.pack_sizes[pack],
        raw=streams.folder_sizes[folders],
        first=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        members=np.concatenate(runs).astype(np.int64) if runs else np.zeros(0, np.int64),
        method=np.array(places, np.int64),
        methods=tuple(methods),
    )


_FOLDER_METHODS: Final[dict[bytes, Any]] = {COPY: "store", DEFLATE: "deflate", LZMA: "lzma", LZMA2: "lzma2"}


def _folder_method(folder: Folder) -> PackMethod:
    """One coder, or one behind the filter for x86 programs; anything else is not made again."""
    coders = {coder.method: coder for coder in folder.coders}
    filters = [coders.pop(method) for method in X86 if method in coders and len(coders) > 1]
    if len(folder.coders) > 2 or len(coders) != 1:
        return PackMethod("other")
    (coder,) = coders.values()
    name = _FOLDER_METHODS.get(coder.method, "other")
    needed = {"lzma": LZMA_PROPERTIES_BYTES, "lzma2": 1}.get(name, 0)
    if (filters and name not in ("lzma", "lzma2")) or len(coder.properties) < needed:
        return PackMethod("other")
    return PackMethod(name, coder.properties, bool(filters))
