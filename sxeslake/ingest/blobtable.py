"""The blobs that a run has met: each once, with a number, and where it stands."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from sxeslake.format.logentry import PackAdded
from sxeslake.format.manifest import Blob, Hint
from sxeslake.model import Digest

_NOWHERE = 2**32 - 1
_SIZE = 32
_RECENT = 1 << 16  # digests in the dict, which takes 200 bytes for each; the columns take 44
_SHARE = 8  # and of large columns so much: they are sorted again each time
_NONE: Mapping[str, PackAdded] = MappingProxyType({})


class Digests:
    """Digest → number, in the order in which they came: sorted columns, and a dict for the newest alone."""

    def __init__(self) -> None:
        self._all = bytearray()
        self._recent: dict[Digest, int] = {}
        self._alike: dict[Digest, int] = {}  # which begin as another one does: none, but for somebody's malice
        self._keys: npt.NDArray[np.uint64] = np.empty(0, np.uint64)  # the first 8 bytes of the others, sorted
        self._numbers: npt.NDArray[np.uint32] = np.empty(0, np.uint32)

    def __len__(self) -> int:
        return len(self._all) // _SIZE

    def __getitem__(self, number: int) -> Digest:
        return bytes(self._all[_SIZE * number : _SIZE * number + _SIZE])

    def append(self, digest: Digest) -> int:
        """Number a digest that has no number yet."""
        number = self._recent[digest] = len(self)
        self._all += digest
        return number

    def recent(self, digest: Digest) -> int | None:
        """The number of a digest, if it was appended since `numbers` was asked last."""
        return self._recent.get(digest)

    def numbers(self, digests: Sequence[Digest]) -> list[int | None]:
        """The numbers of some digests, None for those that have none."""
        if len(self._recent) > max(_RECENT, len(self._keys) // _SHARE):
            self._settle()
        found = list(map(self._recent.get, digests))
        asked = [place for place, number in enumerate(found) if number is None] if len(self._keys) else []
        if asked:
            wanted = np.frombuffer(b"".join([digests[place] for place in asked]), np.uint8).reshape(-1, _SIZE)
            keys = wanted[:, :8].copy().view(np.uint64).ravel()
            at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            for hit in np.flatnonzero(self._keys[at] == keys).tolist():
                number = int(self._numbers[at[hit]])
                digest = digests[asked[hit]]
                found[asked[hit]] = number if self[number] == digest else self._alike.get(digest)
        return found

    def _settle(self) -> None:
        """Move the newest into the columns."""
        numbers = np.fromiter(self._recent.values(), np.uint32, len(self._recent))
        keys = np.frombuffer(b"".join([digest[:8] for digest in self._recent]), np.uint64)
        self._recent = {}
        numbers, keys = np.concatenate((self._numbers, numbers)), np.concatenate((self._keys, keys))
        order = np.argsort(keys, kind="stable")
        numbers, keys = numbers[order], keys[order]
        first = np.concatenate((np.ones(1, np.bool_), keys[1:] != keys[:-1]))
        self._alike |= {self[number]: number for number in numbers[~first].tolist()}
        self._keys, self._numbers = keys[first], numbers[first]


class BlobTable:
    """Digest → number, and by number the place: columns, not objects, for a run meets millions."""

    def __init__(self, uploaded: Mapping[str, PackAdded] = _NONE) -> None:
        """`uploaded`: packs that wait for a commit; what stands in them is new to the lake."""
        self._uploaded = uploaded
        self._digests = Digests()
        self._packs: dict[str, int] = {}
        self._pack_ids: list[str] = []
        self._pack, self._frame, self._length, self._inner = array("I"), array("I"), array("I"), array("I")
        self.sizes = array("I")
        self._stored = array("I")
        self._new = array("b")

    def __len__(self) -> int:
        return len(self.sizes)

    def number(self, digest: Digest) -> int | None:
        """The number of a blob that was met before."""
        return self._digests.numbers([digest])[0]

    def numbers(self, digests: Sequence[Digest]) -> list[int | None]:
        """The numbers of some blobs, None for those that were not met before."""
        return self._digests.numbers(digests)

    def recent(self, digest: Digest) -> int | None:
        """The number of a blob that was met since `numbers` was asked last."""
        return self._digests.recent(digest)

    def _append(self, digest: Digest, size: int, *, new: bool) -> int:
        number = self._digests.append(digest)
        for column in (self._pack, self._frame, self._length, self._inner):
            column.append(_NOWHERE)
        self.sizes.append(size)
        self._stored.append(0)
        self._new.append(new)
        return number

    def add_known(self, blob: Blob) -> int:
        """A blob that needs no upload: the lake holds it already, or an interrupted run has uploaded it."""
        pack = None if blob.hint is None else self._uploaded.get(blob.hint.pack)
        number = self._append(blob.digest, blob.size, new=pack is not None)
        if blob.hint is not None:
            stored = 0 if pack is None else blob.size * pack.bytes // max(pack.raw_bytes, 1)
            self.place(number, blob.hint, stored)
        return number

    def add_new(self, digest: Digest, size: int) -> int:
        """A blob that the lake lacks; `place` says later where it went."""
        return self._append(digest, size, new=True)

    def is_new(self, number: int) -> bool:
        """Whether the lake lacked a blob."""
        return bool(self._new[number])

    def place(self, number: int, hint: Hint, stored: int) -> None:
        """Say where a blob stands and what share of its frame it takes."""
        pack = self._packs.get(hint.pack)
        if pack is None:
            pack = self._packs[hint.pack] = len(self._pack_ids)
            self._pack_ids.append(hint.pack)
        self._pack[number], self._frame[number] = pack, hint.frame_offset
        self._length[number], self._inner[number] = hint.frame_length, hint.blob_offset
        self._stored[number] = stored

    def digest(self, number: int) -> Digest:
        """A blob's address."""
        return self._digests[number]

    def fresh(self, numbers: range) -> tuple[int, int]:
        """Of some blobs: how many the lake lacked, and the stored bytes that those take."""
        new = np.frombuffer(self._new, np.int8)[numbers.start : numbers.stop] != 0
        stored = np.frombuffer(self._stored, np.uint32)[numbers.start : numbers.stop]
        return int(new.sum()), int(stored[new].sum(dtype=np.uint64))

    def packs(self, numbers: npt.NDArray[np.int64]) -> set[str]:
        """The packs in which some blobs stand."""
        return {self._pack_ids[pack] for pack in np.unique(np.frombuffer(self._pack, np.uint32)[numbers]).tolist()}

    def places(
        self, numbers: npt.NDArray[np.int64], pack_index: Callable[[str], int]
    ) -> tuple[npt.NDArray[np.uint32], ...]:
        """Where some blobs stand, as columns: pack, by the number that `pack_index` gives, and the rest of a hint."""
        pack, *rest = (
            np.frombuffer(column, np.uint32)[numbers] for column in (self._pack, self._frame, self._length, self._inner)
        )
        met, first, which = np.unique(pack, return_index=True, return_inverse=True)
        named = np.zeros(len(met), np.uint32)
        for at in np.argsort(first).tolist():  # packs are numbered as they are met
            named[at] = pack_index(self._pack_ids[int(met[at])])
        return named[which], *rest

    def hint(self, number: int) -> Hint:
        """Where a blob stands."""
        return Hint(self._pack_ids[self._pack[number]], self._frame[number], self._length[number], self._inner[number])
