"""Where an archive comes from: path, host, size, time, SHA-256."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, cast

from sxeslake.errors import InputError
from sxeslake.ingest.sums import sha256_of
from sxeslake.model import ContainerKind, Source

_OPTIONAL = ("encoding", "interpreted_from")
_MOST_NS = (1 << 63) - 1  # the log holds times within 64 bits: the years 1678 to 2262


class Stamp(NamedTuple):
    """What tells that a file was not touched: size and modification time."""

    size: int
    modified_ns: int


def stamp(path: Path) -> Stamp:
    """The file as it is now."""
    found = path.stat()
    return Stamp(0 if path.is_dir() else found.st_size, found.st_mtime_ns)


def later(pool: ThreadPoolExecutor, path: Path) -> Future[str | None]:
    """The SHA-256, made while other work goes on; None for a folder."""
    return pool.submit(lambda: None if path.is_dir() else sha256_of(path))


def describe(
    path: Path,
    before: Stamp,
    kind: ContainerKind,
    raw_bytes: int,
    sha256: str | None,
    encoding: str | None = None,
) -> Source:
    """The source of an archive that has been read; InputError where it changed meanwhile."""
    if stamp(path) != before:
        raise InputError(
            "the file changed while it was read; nothing was stored.",
            where=path,
            hint="Ingest it again when it is whole.",
        )
    return _source(path, kind, raw_bytes if kind == "folder" else before.size, before, sha256, encoding)


def describe_file(path: Path, before: Stamp, sha256: str, known: Mapping[str, Any]) -> Source:
    """The source of a file that is known by its SHA-256 alone; `known` is that of the same bytes in the lake."""
    kind = cast("ContainerKind", known.get("container", "zip"))
    return _source(path, kind, before.size, before, sha256, known.get("encoding"))


def this_host() -> str:
    """The name of this machine."""
    return socket.gethostname()


def text_of(path: Path) -> str:
    """A path as text: `\\xff` stands for a byte that is not UTF-8, which neither JSON nor a database can hold."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def record_of(source: Source) -> dict[str, Any]:
    """A source as the log holds it."""
    record = asdict(source)
    return {key: value for key, value in record.items() if value is not None or key not in _OPTIONAL}


def _source(
    path: Path, kind: ContainerKind, size: int, before: Stamp, sha256: str | None, encoding: str | None
) -> Source:
    whole = path.resolve()
    modified_ns = min(max(before.modified_ns, -_MOST_NS), _MOST_NS)
    place = text_of(whole), this_host(), text_of(Path(whole.name))
    return Source(*place, kind, size, modified_ns, sha256, encoding)
