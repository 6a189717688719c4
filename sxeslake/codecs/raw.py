"""The `raw` codec: bytes as they are, for what no codec makes smaller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sxeslake.codecs.coder import Buffer
from sxeslake.errors import DamagedLakeError


@dataclass(frozen=True, slots=True)
class Raw:
    """`raw`: the payload is the data."""

    name: ClassVar[str] = "raw"
    argument: ClassVar[str] = ""

    @classmethod
    def parse(cls, argument: str) -> Raw:
        """`raw` takes no argument."""
        if argument:
            raise ValueError(argument)
        return cls()

    def encode(self, data: Buffer) -> bytes:
        """The data themselves."""
        return bytes(data)

    def decode(self, payload: Buffer, size: int) -> Buffer:
        """The payload itself, if it has the size stated."""
        if len(payload) != size:
            raise DamagedLakeError(f"A raw payload holds {len(payload):,} bytes where {size:,} were stored.")
        return payload
