"""The words every floor shares: Member, Source, Limits. Frozen, slotted, no behaviour beyond themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

Digest = bytes
"""A BLAKE3-256 digest: 32 bytes."""

MemberKind = Literal["file", "directory"]
ContainerKind = Literal["zip", "7z", "folder"]
ArchiveKind = Literal["sxes", "generic", "opaque"]
"""sxes: a group; generic: any other archive; opaque: a file that was not taken apart, and is its own only member."""

OPAQUE = "opaque"

Preset = Literal["fast", "balanced", "small"]
"""How much time compression may take. fast: to come in at the speed of a link; small: where every byte counts."""

PRESETS: tuple[Preset, ...] = ("fast", "balanced", "small")

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive: `data/<uuid>/qlw.data`, a file of 32,760 bytes.

    `path` uses `/`, no leading or trailing slash. `modified_ns` is UTC in nanoseconds since 1970, None where
    the container does not know it. `dos_time` keeps the zip's own local wall clock (date << 16 | time), which
    has no time zone. `attributes` is the 7z form: Windows attributes in the low 15 bits, bit 15 says that
    the high 16 bits are a Unix mode. `raw_name` keeps the bytes of a zip name that is not UTF-8.
    """

    path: str
    kind: MemberKind
    size: int = 0
    modified_ns: int | None = None
    attributes: int | None = None
    crc32: int | None = None
    dos_time: int | None = None
    raw_name: bytes | None = None


class Piece(NamedTuple):
    """A run of one member's bytes: place of the member in `Container.members`, offset in the member, data."""

    member: int
    offset: int
    data: bytes


Job = Callable[[], list[Piece]]
"""Decodes some pieces; jobs may run in any thread, their results are taken in order."""


DOCUMENT_BYTES = 64 * MIB
"""Longest JSON member that is read as metadata: that of a million positions is shorter."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may hold before it counts as a bomb; adjustable by option.

    Attributes
    ----------
    members
        Files and folders.
    raw_bytes
        Bytes unpacked.
    ratio
        Of unpacked bytes to those of the archive.
    ratio_floor_bytes
        Unpacked bytes below which no ratio counts.
    document_bytes
        JSON longer than this is stored, and not read.

    Examples
    --------
    >>> import sxeslake
    >>> limits = sxeslake.Limits(members=100)
    >>> limits.members, limits.ratio
    (100, 1000)
    """

    members: int = 5_000_000
    raw_bytes: int = 1024 * GIB
    ratio: int = 1000  # of raw bytes to archive bytes; deflate's own limit is 1032
    ratio_floor_bytes: int = 256 * MIB  # below this many raw bytes no ratio is a bomb
    document_bytes: int = DOCUMENT_BYTES  # longer JSON is stored, and not read


@dataclass(frozen=True, slots=True)
class Source:
    """Where an archive came from: recorded with every version."""

    path: str
    host: str
    name: str
    container: ContainerKind
    size: int
    modified_ns: int
    sha256: str | None  # None for a folder
    encoding: str | None = None  # in which names or JSON were read, where the user said so and it mattered
    interpreted_from: str | None = None  # the version whose vendor files were read in the lake


class Progress(Protocol):
    """What long work reports to; every method may be called from the coordinating thread only.

    Examples
    --------
    >>> class Told:
    ...     def start(self, task, total_bytes):
    ...         print("begin")
    ...     def advance(self, done_bytes):
    ...         pass
    ...     def finish(self):
    ...         print("end")
    >>> report = lake.pull("map", "map again.plzip", progress=Told())
    begin
    end
    """

    def start(self, task: str, total_bytes: int | None) -> None:
        """Begin a task.

        Parameters
        ----------
        task : str
            In words, ``ingest map.plzip``.
        total_bytes : int or None
            How many it will be, if that is known.
        """

    def advance(self, done_bytes: int) -> None:
        """Take note that more bytes are done.

        Parameters
        ----------
        done_bytes : int
            Since the last call.
        """

    def finish(self) -> None:
        """End the task."""
