"""The digests of a run, numbered: sorted columns, and a dict for the newest alone, for a run meets millions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from sxeslake.model import Digest

_SIZE = 32
_RECENT = 1 << 16  # digests in the dict, which takes 200 bytes for each; the columns take 44
_SHARE = 8  # and of large columns so much: they are sorted again each time


class Digests:
    """Digest → number, in the order in which they came."""

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
