"""What every codec is: bytes to fewer bytes and back, by a name and an argument that stand in the frame."""

from __future__ import annotations

from typing import ClassVar, Protocol, Self

Buffer = bytes | bytearray | memoryview
"""Contiguous bytes."""


class Coder(Protocol):
    """The last stage of a pipeline; `name:argument` in the descriptor."""

    name: ClassVar[str]

    @property
    def argument(self) -> str:
        """What follows the name: `u4:8`; empty for none."""

    @classmethod
    def parse(cls, argument: str) -> Self:
        """The coder that an argument states; ValueError for one that it does not write itself."""

    def encode(self, data: Buffer) -> bytes:
        """Any bytes, of any length, encoded."""

    def decode(self, payload: Buffer, size: int) -> Buffer:
        """Exactly `size` bytes, or DamagedLakeError; never more memory than a small multiple of `size`."""
