"""Filters: exact rearrangements of bytes, of equal length, that a coder makes more of."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np
import numpy.typing as npt

from sxeslake.codecs.coder import Buffer

Octets = npt.NDArray[np.uint8]

_GRID = re.compile(r"([1248])x([1-9][0-9]{0,8})", re.ASCII)


class FilterStage(Protocol):
    """A stage before the coder; `name=argument` in the descriptor."""

    name: ClassVar[str]

    @property
    def argument(self) -> str:
        """What follows the name: `4x2049`."""

    @classmethod
    def parse(cls, argument: str) -> Self:
        """The filter that an argument states; ValueError for one that it does not write itself."""

    def encode(self, data: Octets) -> Octets:
        """As many bytes, rearranged; `data` is left as it is."""

    def decode(self, data: Octets) -> Octets:
        """The reverse; may work in place where `data` is writeable."""


@dataclass(frozen=True, slots=True)
class Grid:
    """`4x2049`: little-endian integers of `width` bytes in rows of `stride`; the last row may be short."""

    width: int
    stride: int

    @property
    def argument(self) -> str:
        """`4x2049`"""
        return f"{self.width}x{self.stride}"

    @classmethod
    def parse(cls, argument: str) -> Self:
        """`4x2049` → width 4, stride 2049."""
        match = _GRID.fullmatch(argument)
        if match is None:
            raise ValueError(argument)
        return cls(int(match[1]), int(match[2]))

    def _numbers(self, data: Octets) -> npt.NDArray[np.unsignedinteger]:
        """The whole elements, as a view; odd bytes at the end are left out."""
        return data[: len(data) - len(data) % self.width].view(f"<u{self.width}")

    def _whole(self, numbers: npt.NDArray[np.unsignedinteger]) -> int:
        """How many elements stand in whole rows."""
        return len(numbers) - len(numbers) % self.stride


class Delta(Grid):
    """`delta=4x2049`: each element becomes its difference to the one a row above, modulo 256^width; row 0 stays."""

    __slots__ = ()
    name: ClassVar[str] = "delta"

    def encode(self, data: Octets) -> Octets:
        """Differences, all taken between original elements."""
        out = data.copy()
        numbers = self._numbers(data)
        np.subtract(numbers[self.stride :], numbers[: -self.stride], out=self._numbers(out)[self.stride :])
        return out

    def decode(self, data: Octets) -> Octets:
        """Sums down each column."""
        out = data if data.flags.writeable else data.copy()
        numbers = self._numbers(out)
        whole = self._whole(numbers)
        rows = numbers[:whole].reshape(-1, self.stride)
        if self.stride >= 64:  # row by row where rows are long: several times faster than a sum along the first axis
            for above, row in itertools.pairwise(rows):
                np.add(above, row, out=row)
        else:
            np.add.accumulate(rows, axis=0, out=rows)
        if whole:
            numbers[whole:] += rows[-1, : len(numbers) - whole]
        return out


class Transpose(Grid):
    """`transpose=4x2049`: whole rows are written column by column; a short last row and odd bytes stay behind them."""

    __slots__ = ()
    name: ClassVar[str] = "transpose"

    def encode(self, data: Octets) -> Octets:
        """Column after column."""
        out = data.copy()
        numbers = self._numbers(data)
        whole = self._whole(numbers)
        self._numbers(out)[:whole].reshape(self.stride, -1)[...] = numbers[:whole].reshape(-1, self.stride).T
        return out

    def decode(self, data: Octets) -> Octets:
        """Row after row."""
        out = data.copy()
        numbers = self._numbers(data)
        whole = self._whole(numbers)
        self._numbers(out)[:whole].reshape(-1, self.stride)[...] = numbers[:whole].reshape(self.stride, -1).T
        return out


class ColumnSums(Grid):
    """`sums=4x2049`: bytes that follow from an image in front of them, as low bytes of its column sums."""

    __slots__ = ()

    def subtract(self, body: Buffer, tail: Buffer) -> bytes:
        """The tail without what the body tells of it: zeros where it tells all."""
        return self._changed(body, tail, np.subtract)

    def add(self, body: Buffer, tail: Buffer) -> bytes:
        """The reverse."""
        return self._changed(body, tail, np.add)

    def _changed(self, body: Buffer, tail: Buffer, operation: np.ufunc) -> bytes:
        numbers = self._numbers(np.frombuffer(body, np.uint8))
        rows = numbers[: self._whole(numbers)].reshape(-1, self.stride)
        out = np.frombuffer(tail, np.uint8).copy()
        count = min(len(out), self.stride)
        # The low byte of a sum is the sum of the low bytes.
        told = rows[:, :count].astype(np.uint8).sum(axis=0, dtype=np.uint8)
        operation(out[:count], told, out=out[:count])
        return out.tobytes()


FILTERS: tuple[type[FilterStage], ...] = (Delta, Transpose)
"""Every filter there is; a new one is a class and a place here."""
