"""A zip's central directory as columns: a map of 500,000 members takes 100 MB, not a gigabyte of objects."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from sxeslake.archive import attributes, names
from sxeslake.archive.attributes import UNIX_ATTRIBUTES
from sxeslake.archive.columns import ABSENT, BATCH, ColumnBatch, known_or_absent, members_of
from sxeslake.archive.encodings import CONFIDENT, decodes, detect
from sxeslake.archive.ranged_file import RangedFile
from sxeslake.archive.times import FILETIME_OF_1970, FILETIMES
from sxeslake.archive.zip import format as zip_format
from sxeslake.archive.zip.end import locate
from sxeslake.archive.zip.format import CENTRAL, MAX_16, MAX_32
from sxeslake.errors import DamagedArchiveError, LimitExceededError, UnsafeNameError, UnsupportedMethodError
from sxeslake.model import GIB, MIB, Limits, Member

MAX_DIRECTORY_BYTES: Final = 2 * GIB  # it is held in memory while it is looked through
_LOOKED_AT: Final = 1024  # headers that are read before the layout is called damaged
HELD_BYTES: Final = 8 * MIB  # a larger one is not, once it has been looked through

_NAME_FIELDS: Final = struct.Struct("<B2xH18xHH6xL").unpack_from  # of a central record, from byte 5
_UNICODE_PATH_TAG: Final = zip_format.EXTRA_UNICODE_PATH.to_bytes(2, "little")
_NTFS: Final = np.dtype([
    ("field", "<u2"), ("size", "<u2"), ("spare", "<u4"), ("tag", "<u2"), ("tag_size", "<u2"), ("modified", "<u8"),
    ("others", "<u8", 2),
])  # fmt: skip
_NTFS_USUAL: Final = {"field": zip_format.EXTRA_NTFS, "size": 32, "tag": 1, "tag_size": 24}

Column = npt.NDArray[Any]


class DirectoryRow(NamedTuple):
    """What is needed to decode one member: plain numbers, a few thousand at a time."""

    member: int  # place among all members
    offset: int  # of its local header in the file
    packed: int
    size: int
    method: int
    crc32: int
    name_at: int  # where the name stands in the directory's bytes
    name_size: int
    limit: int  # where the next member or the directory begins
    is_folder: bool


class Directory(Sequence[Member]):
    """The members of a zip, built on demand from the central directory's bytes."""

    def __init__(self, file: RangedFile, *, encoding: str | None, limits: Limits) -> None:
        self._path: Path = file.path
        self._encoding, self._guess = encoding, "cp437"
        self.place = locate(file)
        if self.place.size > MAX_DIRECTORY_BYTES:
            raise LimitExceededError(f"a central directory of {self.place.size:,} bytes", where=self._path)
        self._file, self._buffer = file, file.read(self.place.start, self.place.size)
        self._at = self._walk(limits)
        self._read_columns()
        self._widen()
        self._check_layout()
        self.first_byte = min(int(self.offset.min()) if len(self) else self.place.start, self.place.start)
        self._check_contents(limits, file.size)
        self.notes = () if encoding else self._guess_encoding()
        self.is_folder: Column = np.zeros(len(self), dtype=bool)  # filled by the one pass over all names
        self.name_hashes = array("q")  # of names as they stand there: members repeat them before their data
        names.check_safe(self._name_batches(), where=self._path)
        self._let_go()
        for index in np.flatnonzero(self.is_folder & (self.size > 0)).tolist():
            raise DamagedArchiveError(f"{self.path_of(index)}: a folder that holds bytes", where=self._path)

    def _guess_encoding(self) -> tuple[str, ...]:
        """Guess the encoding of names that are not UTF-8 and do not say it; returns what a person should know."""
        legacy = list[int]()
        for start in range(0, len(self), BATCH):
            stop = min(start + BATCH, len(self))
            if not b"".join(self._raw_names(start, stop)).isascii():
                legacy += [index for index in range(start, stop) if self._is_legacy(index)]
        if not legacy:
            return ()
        sample = b"\n".join(self._raw_name(index) for index in legacy[:BATCH])
        guess = detect(sample, dos=self._system[legacy[0]] in zip_format.DOS_SYSTEMS)
        if guess.confidence >= CONFIDENT:
            self._guess = guess.encoding
        more = f" and {len(legacy) - 1:,} more" if len(legacy) > 1 else ""
        read_as = guess.said if guess.confidence >= CONFIDENT else f"{self._guess}, for want of a better guess"
        note = f"names are not UTF-8 ({self.path_of(legacy[0])}{more}) and were read as {read_as}"
        return (f"{note}; `--encoding` states another; their bytes are kept",)

    def _raw_names(self, start: int, stop: int) -> list[bytes]:
        """The names of some members as they stand there."""
        buffer, base = self._records(start, stop)
        begins = [at + CENTRAL.size - base for at in self._at[start:stop]]
        sizes = self.name_size[start:stop].tolist()  # numpy's single numbers are slow
        return [buffer[at : at + size] for at, size in zip(begins, sizes, strict=True)]

    def _raw_name(self, index: int) -> bytes:
        at = self._at[index] + CENTRAL.size
        return self._buffer[at : at + int(self.name_size[index])]

    def _is_legacy(self, index: int) -> bool:
        raw = self._raw_name(index)
        if raw.isascii() or zip_format.unicode_path(self.extra(index), raw) is not None:
            return False
        return not decodes(raw)

    def _let_go(self) -> None:
        """Hold numbers only, where there are many members: names are read from the file again."""
        if len(self._buffer) > HELD_BYTES:
            self._buffer = b""

    def _records(self, start: int, stop: int) -> tuple[bytes, int]:
        """Bytes in which the records of some members stand, and where in the directory these begin."""
        if self._buffer:
            return self._buffer, 0
        begin = self._at[start]
        end = self._at[stop] if stop < len(self) else self.place.size
        return self._file.read(self.place.start + begin, end - begin), begin

    # what is there

    def _walk(self, limits: Limits) -> array[int]:
        """The position of every record."""
        places = array("q")
        at, end, buffer = 0, len(self._buffer), self._buffer
        lengths = struct.Struct("<HHH").unpack_from
        magic, fixed = zip_format.CENTRAL_MAGIC, CENTRAL.size
        while at + fixed <= end and buffer.startswith(magic, at):
            places.append(at)
            name, extra, comment = lengths(buffer, at + 28)
            at += fixed + name + extra + comment
            if len(places) > limits.members:
                break
        names.check_limits(limits, members=len(places), raw_bytes=0, archive_bytes=0, where=self._path)
        if at != end and not buffer.startswith(zip_format.SIGNATURE_MAGIC, at):
            raise DamagedArchiveError(
                f"its central directory is damaged after {len(places):,} members", where=self._path
            )
        # writers without zip64 let 65,536 members wrap to 0
        found = len(places) & MAX_16 if self.place.count_is_16_bit else len(places)
        if found != self.place.members:
            raise DamagedArchiveError(
                f"its central directory holds {len(places):,} members, the end record counts {self.place.members:,}",
                where=self._path,
            )
        return places

    def _read_columns(self) -> None:
        octets = np.frombuffer(self._buffer, dtype=np.uint8)
        at = np.array(self._at, dtype=np.int64)

        def column(offset: int, width: int) -> Column:
            wide = np.zeros(len(at), dtype={1: np.uint8, 2: np.uint16, 4: np.uint32}[width])
            for byte in range(width):
                wide |= octets[at + (offset + byte)].astype(wide.dtype) << wide.dtype.type(8 * byte)
            return wide

        self.made_by = column(4, 1)  # the version of the format that the writer knows
        self._system = column(5, 1)
        self.flags = column(8, 2)
        self.method = column(10, 2)
        self._dos_time = column(12, 4)
        self.crc32 = column(16, 4)
        self.packed = column(20, 4).astype(np.int64)
        self.size = column(24, 4).astype(np.int64)
        self.name_size = column(28, 2)
        self._extra_size = column(30, 2)
        self._disk = column(34, 2)
        self._external = column(38, 4)
        self.offset = column(42, 4).astype(np.int64)

    def _widen(self) -> None:
        """Take from zip64 fields what does not fit 32 bits, and add what was prepended to the file."""
        wide = (self.size == MAX_32) | (self.packed == MAX_32) | (self.offset == MAX_32) | (self._disk == MAX_16)
        for index in np.flatnonzero(wide).tolist():
            body = next((body for tag, body in zip_format.extra_fields(self.extra(index)) if tag == 1), b"")
            at = 0
            for values in (self.size, self.packed, self.offset):
                if values[index] == MAX_32 and at + 8 <= len(body):
                    value = int.from_bytes(body[at : at + 8], "little")
                    values[index] = min(value, (1 << 62) - 1)  # nothing that large is in any file: refused below
                    at += 8
            if self._disk[index] == MAX_16 and at + 4 <= len(body):
                self._disk[index] = min(int.from_bytes(body[at : at + 4], "little"), MAX_16)
        self.offset += self.place.shift
        if (self._disk != 0).any():
            raise UnsupportedMethodError("one part of a zip that was split over several files", where=self._path)

    def _check_layout(self) -> None:
        """No member may reach into the next: overlapping members are how small zip bombs are made."""
        order = np.argsort(self.offset, kind="stable")
        starts = self.offset[order]
        limits = np.append(starts[1:], self.place.start)
        self.limit = np.empty_like(self.offset)  # where the next member or the directory begins
        self.limit[order] = limits
        # the sizes are bounded first: sums of hostile 62-bit numbers must not wrap
        outside = (self.offset < 0) | (self.offset > self.place.start) | (self.packed > self.place.start)
        least = self.offset + zip_format.LOCAL.size + self.name_size + np.where(outside, 0, self.packed)
        bad = outside | (least > self.limit)
        # a member's own name can be shorter than the directory's: its header tells
        close = np.flatnonzero(bad & ~outside & (least - self.name_size <= self.limit))
        bad[close[:_LOOKED_AT]] = [self._reaches_over(index) for index in close[:_LOOKED_AT].tolist()]
        if bad.any():
            index = int(np.flatnonzero(bad)[0])
            raise DamagedArchiveError(
                f"{self.path_of(index)}: its data reach outside the archive or into another member", where=self._path
            )

    def _reaches_over(self, index: int) -> bool:
        """Whether a member, by its own header, reaches beyond its place."""
        head = self._file.read(int(self.offset[index]), zip_format.LOCAL.size)
        if len(head) < zip_format.LOCAL.size or not head.startswith(zip_format.LOCAL_MAGIC):
            return True
        *_, name_size, extra_size = zip_format.LOCAL.unpack(head)
        begin = int(self.offset[index]) + zip_format.LOCAL.size + int(name_size) + int(extra_size)
        return begin + int(self.packed[index]) > int(self.limit[index])

    def _check_contents(self, limits: Limits, archive_bytes: int) -> None:
        raw_bytes = int(self.size.astype(np.float64).sum()) if len(self) else 0  # a float cannot wrap
        names.check_limits(
            limits, members=len(self), raw_bytes=raw_bytes, archive_bytes=archive_bytes, where=self._path
        )
        unix = np.isin(self._system, zip_format.UNIX_SYSTEMS)
        mode = np.where(unix, self._external >> 28, 0)
        special = ~np.isin(mode, (0, 0o10, 0o04))
        for index in np.flatnonzero(special).tolist():
            if reason := attributes.special_reason(self._attributes(index)):
                raise UnsafeNameError(f"{self.path_of(index)!r} {reason}", where=self._path)

    def rows(self, start: int, stop: int) -> list[DirectoryRow]:
        """The facts of members `start` to `stop`, made in one go: numpy's single numbers are slow."""
        part = slice(start, stop)
        columns = (self.offset, self.packed, self.size, self.method, self.crc32)
        rows = zip(
            range(start, stop),
            *(column[part].tolist() for column in columns),
            [at + CENTRAL.size for at in self._at[part]],
            *(column[part].tolist() for column in (self.name_size, self.limit, self.is_folder)),
            strict=True,
        )
        return [DirectoryRow(*row) for row in rows]

    def name_bytes(self, row: DirectoryRow) -> bytes:
        """A member's name as it stands in the archive."""
        buffer, base = self._records(row.member, row.member + 1)
        return buffer[row.name_at - base : row.name_at - base + row.name_size]

    # one member

    def path_of(self, index: int) -> str:
        """The member's path, for messages too."""
        return self._name(index)[0]

    def extra(self, index: int) -> bytes:
        buffer, base = self._records(index, index + 1)
        start = self._at[index] - base + CENTRAL.size + int(self.name_size[index])
        return buffer[start : start + int(self._extra_size[index])]

    def _name_batches(self) -> Iterator[names.NameBatch]:
        """All names; tells `is_folder` by the way."""
        for start in range(0, len(self), BATCH):
            yield self._names(start, min(start + BATCH, len(self)))[0]

    def _names(self, start: int, stop: int) -> tuple[names.NameBatch, dict[int, bytes]]:
        """The names of some members, and by place among these the raw bytes of those that need them.

        Most archives have nothing but plain names: those of a batch are told by a few searches, and cut from one text.
        """
        part = slice(start, stop)
        listed = self._raw_names(start, stop)
        if len(self.name_hashes) == start:
            self.name_hashes.extend(map(hash, listed))
        raw = b"\0".join(listed)
        may_be_folder = ((self._external[part] != 0) & (self.size[part] == 0)).any()
        is_short = max(map(len, listed)) <= names.MAX_PATH_BYTES
        is_plain = raw.isascii() and is_short and raw.count(b"\0") == stop - start - 1
        if is_plain and not may_be_folder and not self._tells_names(start, stop):
            text = raw.decode("ascii")
            if names.all_plain(text):
                return names.NameBatch(text.split("\0"), [False] * (stop - start), plain=True), {}
        found = [self._name(index) for index in range(start, stop)]
        self.is_folder[part] = [is_folder for _, is_folder, _ in found]
        batch = names.NameBatch([path for path, _, _ in found], [is_folder for _, is_folder, _ in found])
        return batch, {place: name for place, (_, _, name) in enumerate(found) if name is not None}

    def _tells_names(self, start: int, stop: int) -> bool:
        """Whether there may be names in the extra fields of some members."""
        buffer, base = self._records(start, stop)
        end = self._at[stop] - base if stop < len(self) else len(buffer)
        if _UNICODE_PATH_TAG not in buffer[self._at[start] - base : end]:
            return False
        return any(_UNICODE_PATH_TAG in self.extra(index) for index in range(start, stop))

    def batches(self) -> Iterator[ColumnBatch]:
        """All members as columns."""
        for start in range(0, len(self), BATCH):
            part = slice(start, min(start + BATCH, len(self)))
            found, raw_names = self._names(part.start, part.stop)
            is_folder = self.is_folder[part]
            yield ColumnBatch(
                list(found.paths), is_folder, self.size[part], self._modified(part.start, part.stop),
                known_or_absent(map(self._attributes, range(part.start, part.stop))) if self._external[part].any()
                else np.full(len(is_folder), ABSENT),
                self._dos_time[part].astype(np.int64), np.where(is_folder, ABSENT, self.crc32[part].astype(np.int64)),
                raw_names,
            )  # fmt: skip

    def _modified(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """Modification times; where 7-Zip, Windows or we ourselves wrote them, without an object a member."""
        buffer, base = self._records(start, stop)
        at = np.array(self._at[start:stop], np.int64) + (CENTRAL.size - base) + self.name_size[start:stop]
        octets, width = np.frombuffer(buffer, np.uint8), _NTFS.itemsize
        usual = (self._extra_size[start:stop] >= width) & (at + width <= len(octets))
        fields = octets[np.where(usual, at, 0)[:, None] + np.arange(width)].view(_NTFS).ravel()
        for name in ("field", "size", "tag", "tag_size"):
            usual &= fields[name] == _NTFS_USUAL[name]
        filetime = fields["modified"].astype(np.int64)
        usual &= (filetime >= FILETIMES.start) & (filetime < FILETIMES.stop)
        found: npt.NDArray[np.int64] = (np.where(usual, filetime, FILETIME_OF_1970) - FILETIME_OF_1970) * 100
        for place in np.flatnonzero(~usual).tolist():
            modified = zip_format.modified_ns(self.extra(start + place))
            found[place] = ABSENT if modified is None else modified
        return found

    def _name(self, index: int) -> tuple[str, bool, bytes | None]:
        """Path, whether it is a folder, and the raw bytes where the path alone would not give them again."""
        buffer, base = self._records(index, index + 1)
        at = self._at[index] - base
        system, flags, size, extra_size, external = _NAME_FIELDS(buffer, at + 5)
        start = at + CENTRAL.size
        raw = buffer[start : start + size]
        extra = buffer[start + size : start + size + extra_size]
        if _UNICODE_PATH_TAG not in extra:
            extra = b""  # nothing that concerns the name
        path, is_folder, faithful = zip_format.member_path(
            raw, flags=flags, system=system, extra=extra, encoding=self._encoding, guess=self._guess
        )
        if external and not is_folder and not self.size[index]:
            kind = external >> 28 if system in zip_format.UNIX_SYSTEMS else 0
            is_folder = kind == 0o04 if kind else bool(external & zip_format.DOS_DIRECTORY)
            faithful = faithful and not is_folder
        return path, is_folder, None if faithful else raw

    def _attributes(self, index: int) -> int | None:
        external = int(self._external[index])
        if not external:
            return None
        if self._system[index] in zip_format.UNIX_SYSTEMS and external >> 16:
            return external & 0xFFFF_0000 | UNIX_ATTRIBUTES | external & 0x7FFF
        return external & 0x7FFF

    def __len__(self) -> int:
        return len(self._at)

    def __iter__(self) -> Iterator[Member]:
        for batch in self.batches():
            yield from members_of(batch)

    @overload
    def __getitem__(self, index: int) -> Member: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Member]: ...

    def __getitem__(self, index: int | slice) -> Member | Sequence[Member]:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        path, is_folder, raw_name = self._name(index)
        return Member(
            path=path,
            kind="directory" if is_folder else "file",
            size=int(self.size[index]),
            modified_ns=zip_format.modified_ns(self.extra(index)),
            attributes=self._attributes(index),
            crc32=None if is_folder else int(self.crc32[index]),
            dos_time=int(self._dos_time[index]),
            raw_name=raw_name,
        )
