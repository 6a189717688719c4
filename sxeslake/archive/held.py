"""An archive whose contents are at hand: they were read a moment ago, and need not be decoded again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from sxeslake.archive.base import Container
from sxeslake.closing import Closing
from sxeslake.machine.concurrency import CHUNK_BYTES
from sxeslake.model import ContainerKind, Job, Member, Piece


class HeldContainer(Closing):
    """Another container, with all its pieces; as little of a file is read as its directory needs."""

    def __init__(self, container: Container, pieces: Sequence[Piece]) -> None:
        self._container, self._pieces = container, pieces
        self._data: defaultdict[int, list[bytes]] = defaultdict(list)
        for piece in pieces:
            self._data[piece.member].append(piece.data)

    @property
    def kind(self) -> ContainerKind:
        """As of the container."""
        return self._container.kind

    @property
    def comment(self) -> bytes:
        """As of the container."""
        return self._container.comment

    @property
    def notes(self) -> tuple[str, ...]:
        """As of the container."""
        return self._container.notes

    @property
    def left_out(self) -> tuple[str, ...]:
        """As of the container."""
        return self._container.left_out

    @property
    def members(self) -> Sequence[Member]:
        """As of the container."""
        return self._container.members

    def jobs(self, chunk_bytes: int = CHUNK_BYTES) -> Iterator[Job]:  # noqa: ARG002 - cut as they were
        """All pieces, in one job."""
        yield lambda: list(self._pieces)

    def read(self, index: int) -> bytes:
        """The whole content of one member."""
        parts: Iterable[bytes] = self._data.get(index, ())
        return b"".join(parts)

    def close(self) -> None:
        """Close the container."""
        self._container.close()
