"""What a folder has already of a version: files that are held against their hash, so that nothing is moved twice."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from blake3 import blake3

from sxeslake.errors import InputError
from sxeslake.format.manifest import ManifestRow
from sxeslake.model import MIB, Digest, Member
from sxeslake.vault.blobs.contents import Content, contents
from sxeslake.vault.blobs.reader import BlobReader

_ROWS = 4096  # looked for at once
_BLOCK = 4 * MIB

OnDisk = Callable[[Member], str]
"""Where a member stands below a folder."""


def contents_beside(
    reader: BlobReader, rows: Iterable[ManifestRow], folder: Path, on_disk: OnDisk
) -> Iterator[Content]:
    """As `vault.contents`, but what stands in `folder` is read from there."""
    source = iter(rows)
    while batch := list(islice(source, _ROWS)):
        places = [folder / on_disk(row.member) for row in batch]
        here = [is_here(row, place) for row, place in zip(batch, places, strict=True)]
        stored = contents(reader, [row for row, found in zip(batch, here, strict=True) if not found])
        for row, place, found in zip(batch, places, here, strict=True):
            yield Content(row.member, _proved(row, place)) if found else next(stored)
        next(stored, None)  # lets the last one end


def is_here(row: ManifestRow, place: Path) -> bool:
    """Whether a file has a member's bytes; an empty one is quicker made than looked for."""
    if row.member.kind == "directory" or not row.member.size:
        return False
    try:
        facts = place.lstat()
        return stat.S_ISREG(facts.st_mode) and facts.st_size == row.member.size and digest_of(place) == row.digest
    except OSError:
        return False


def digest_of(place: Path) -> Digest:
    """The BLAKE3 of a file; of a symbolic link, that of its target."""
    if place.is_symlink():
        return blake3(os.fsencode(place.readlink())).digest()
    hasher = blake3()
    for block in _blocks(place):
        hasher.update(block)
    return hasher.digest()


def _blocks(place: Path) -> Iterator[bytes]:
    with os.fdopen(
        os.open(place, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)), "rb"
    ) as file:
        while block := file.read(_BLOCK):
            yield block


def _proved(row: ManifestRow, place: Path) -> Iterator[bytes]:
    """A file's bytes once more; an error where somebody has changed it since it was looked at."""
    hasher = blake3()
    for block in _blocks(place):
        hasher.update(block)
        yield block
    if hasher.digest() != row.digest:
        raise InputError("changed while it was read.", where=place)
