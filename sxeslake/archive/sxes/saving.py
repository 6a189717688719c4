"""Writing a group as a zip, a 7z or a folder: beside the target first, then in its place by one rename."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sxeslake.archive.container import create_writer
from sxeslake.archive.names import check_members, windows_escape
from sxeslake.archive.sxes.source import MemberSource
from sxeslake.batching import batches
from sxeslake.disk.output import written_file, written_folder
from sxeslake.errors import AlreadyExistsError, StorageError, UsageError
from sxeslake.model import MIB, ContainerKind, Member

CONTAINER_OF_SUFFIX: dict[str, ContainerKind] = {
    ".plzip": "zip",
    ".zip": "zip",
    ".pl7z": "7z",
    ".7z": "7z",
    "": "folder",
}
_BATCH_BYTES = 16 * MIB  # read at once: few requests, little memory
_BATCH_MEMBERS = 1024


def container_of(target: Path, wanted: ContainerKind | None) -> ContainerKind:
    """The container a path asks for: `map.pl7z` → 7z; what is `wanted` goes first."""
    if wanted is not None:
        return wanted
    kind = "folder" if target.is_dir() else CONTAINER_OF_SUFFIX.get(target.suffix.lower())
    if kind is None:
        raise UsageError(f"unknown suffix {target.suffix}", where=target, hint="Use .plzip, .pl7z, or a folder.")
    return kind


def refuse_existing(target: Path, *, overwrite: bool) -> None:
    """Refuse to write over something, unless told to; an empty folder is nothing."""
    if overwrite or not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    raise AlreadyExistsError("is there already", where=target, hint="Say overwrite=True to replace it.")


@contextmanager
def written(source: MemberSource, target: Path, kind: ContainerKind, *, level: int, comment: bytes) -> Iterator[None]:
    """Write the whole archive beside the target; it gets there in one step when the block ends well."""
    members = source.children("")
    check_members(members, where=source.name)
    if not target.parent.is_dir():
        raise StorageError("cannot be written there: there is no such folder.", where=target)
    if kind == "folder":
        with written_folder(target, force=True) as made:
            _write_folder(source, members, made)
            yield
        return
    with written_file(target, force=True) as out:
        writer = create_writer(out, kind, level=level, comment=comment)
        for member, data in _contents(source, members):
            writer.add(member, [data] if data else [])
        writer.close()
        yield


def _contents(source: MemberSource, members: Sequence[Member]) -> Iterator[tuple[Member, bytes]]:
    """All members in order with their bytes, read in batches; folders have none."""
    for batch in batches(members, lambda member: member.size, _BATCH_BYTES, _BATCH_MEMBERS):
        data = dict(source.read_many([member.path for member in batch if member.kind == "file"]))
        for member in batch:
            found = data.pop(member.path, None) if member.kind == "file" else b""
            yield member, source.read(member.path) if found is None else found  # read says why it is not there


def _write_folder(source: MemberSource, members: Sequence[Member], folder: Path) -> None:
    for member, data in _contents(source, members):
        path = folder / (windows_escape(member.path) if os.name == "nt" else member.path)
        if member.kind == "directory":
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        if member.modified_ns is not None:
            os.utime(path, ns=(member.modified_ns, member.modified_ns))
