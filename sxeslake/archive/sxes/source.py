"""What a group reads from: an archive file, a folder, a version in the lake, each with edits laid over it."""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from sxeslake.archive.base import Container
from sxeslake.archive.sxes.spool import Spool, Spooled
from sxeslake.errors import MemberNotFoundError
from sxeslake.model import Member

_FILETIME_NS = 100  # what 7z and NTFS can keep


@runtime_checkable
class MemberSource(Protocol):
    """Members by path. Reading one must not cost per archive what it should cost per member."""

    @property
    def name(self) -> str:
        """What messages call it: `map.plzip`."""

    def children(self, prefix: str) -> Sequence[Member]:
        """Members whose path starts with `prefix` ("" is all), sorted by path.

        Parameters
        ----------
        prefix : str
            The beginning of their paths; empty for all.

        Returns
        -------
        sequence of Member
            Sorted by path.
        """

    def read(self, path: str) -> bytes:
        """Read one file.

        Parameters
        ----------
        path : str
            Its path.

        Returns
        -------
        bytes
            The content.

        Raises
        ------
        MemberNotFoundError
            If there is no such file.
        """

    def read_many(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Several files in any order, each once; paths that do not exist are passed over.

        Parameters
        ----------
        paths : sequence of str
            Their paths; those that do not exist are skipped.

        Returns
        -------
        iterator of (str, bytes)
            Path and content, each once.
        """

    def arranged(self, paths: Sequence[str]) -> Sequence[str]:
        """The same paths in storage order, in which a reader of many asks for them in batches.

        Parameters
        ----------
        paths : sequence of str
            Paths of members, in any order.

        Returns
        -------
        sequence of str
            The same paths, in the order in which they are stored.
        """


@runtime_checkable
class _NamesPaths(Protocol):
    """A sequence of members that tells a path without making the whole member: three times as fast."""

    def path_of(self, index: int) -> str:
        """The path of one member."""


class ContainerSource:
    """Members of an open container, found by bisection: 500,000 of them cost one sorted list."""

    def __init__(self, container: Container, name: str) -> None:
        self.name = name
        self.container = container
        paths = _paths(container.members)
        order = sorted(range(len(paths)), key=paths.__getitem__)
        self._paths = [paths[index] for index in order]
        self._order = array("Q", order)

    def children(self, prefix: str) -> Sequence[Member]:
        """Members whose path starts with `prefix`, sorted by path.

        Parameters
        ----------
        prefix : str
            The beginning of their paths; empty for all.

        Returns
        -------
        sequence of Member
            Sorted by path.
        """
        first = bisect_left(self._paths, prefix)
        last = bisect_left(self._paths, _after(prefix)) if prefix else len(self._paths)
        return [self.container.members[self._order[at]] for at in range(first, last)]

    def read(self, path: str) -> bytes:
        """One file of the archive.

        Parameters
        ----------
        path : str
            Its path.

        Returns
        -------
        bytes
            The content.

        Raises
        ------
        MemberNotFoundError
            If there is no such file.
        """
        index = self._index(path)
        if index is None:
            raise MemberNotFoundError(f"no member {path}", where=self.name)
        return self.container.read(index)

    def read_many(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Several files, read in archive order: kind to solid blocks and to disks.

        Parameters
        ----------
        paths : sequence of str
            Their paths; those that do not exist are skipped.

        Returns
        -------
        iterator of (str, bytes)
            Path and content, each once.
        """
        found = sorted((index, path) for path in paths if (index := self._index(path)) is not None)
        for index, path in found:
            yield path, self.container.read(index)

    def arranged(self, paths: Sequence[str]) -> Sequence[str]:
        """Paths in archive order.

        Parameters
        ----------
        paths : sequence of str
            Paths of members, in any order.

        Returns
        -------
        sequence of str
            The same paths, in the order in which they are stored.
        """
        places = {path: index for path in paths if (index := self._index(path)) is not None}
        return sorted(paths, key=lambda path: places.get(path, -1))

    def close(self) -> None:
        """Close the archive file."""
        self.container.close()

    def _index(self, path: str) -> int | None:
        at = bisect_left(self._paths, path)
        if at == len(self._paths) or self._paths[at] != path:
            return None
        index = self._order[at]
        return index if self.container.members[index].kind == "file" else None


class _Borrowed(NamedTuple):
    """Content that stays where it is until it is read: another group's member."""

    source: MemberSource
    path: str


class EditedSource:
    """A source with changes laid over it in memory; the source itself is never touched."""

    def __init__(self, base: MemberSource | None, name: str, clock: int = 0) -> None:
        self.name = name
        self._clock = self._epoch = clock
        self._base = base
        self._spool = Spool()
        self._written: dict[str, _Borrowed | Spooled] = {}
        self._members: dict[str, Member] = {}
        self._folders: dict[str, set[str]] = {}
        self._tops: dict[str, set[str]] = {}
        self._removed: set[str] = set()
        self._stamps: dict[str, int] = {}

    def successor(self, base: MemberSource) -> EditedSource:
        """An unchanged view of what was written; what was read through this one counts as stale."""
        self._clock += 1
        return EditedSource(base, base.name, self._clock)

    def rebase(self, base: MemberSource) -> None:
        """Go on with the same changes over a base that was opened again."""
        self._base = base

    @property
    def changed(self) -> bool:
        """Whether anything differs from the base."""
        return bool(self._written or self._removed)

    @property
    def clock(self) -> int:
        """A number that changes whenever any member does."""
        return self._clock

    def stamp(self, path: str) -> int:
        """A number that changes whenever the member does: what was read under another stamp is stale."""
        return self._stamps.get(path, self._epoch)

    def children(self, prefix: str) -> Sequence[Member]:
        """Members whose path starts with `prefix`, sorted by path."""
        own = [self._members[path] for path in self._candidates(prefix) if path.startswith(prefix)]
        if self._base is None:
            kept: Sequence[Member] = ()
        else:
            kept = self._base.children(prefix)
            if own or self._removed:
                hidden = self._removed
                kept = [member for member in kept if member.path not in self._members and member.path not in hidden]
        return sorted([*kept, *own], key=lambda member: member.path) if own else kept

    def has(self, path: str) -> bool:
        """Whether there is a file at that path."""
        if path in self._members:
            return True
        if self._base is None or path in self._removed:
            return False
        return any(member.path == path and member.kind == "file" for member in self._base.children(path))

    def read(self, path: str) -> bytes:
        """One file, changed or not."""
        content = self._written.get(path)
        if content is not None:
            return self._content(content)
        if self._base is None or path in self._removed:
            raise MemberNotFoundError(f"no member {path}", where=self.name)
        return self._base.read(path)

    def read_many(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """Several files, grouped by where they come from."""
        by_source: dict[int, tuple[MemberSource, dict[str, str]]] = {}
        for path in dict.fromkeys(paths):
            content = self._written.get(path)
            if isinstance(content, Spooled):
                yield path, self._content(content)
            elif content is not None:
                by_source.setdefault(id(content.source), (content.source, {}))[1][content.path] = path
            elif self._base is not None and path not in self._removed:
                by_source.setdefault(id(self._base), (self._base, {}))[1][path] = path
        for source, wanted in by_source.values():
            for theirs, data in source.read_many(list(wanted)):
                yield wanted[theirs], data

    def arranged(self, paths: Sequence[str]) -> Sequence[str]:
        """Paths as the base stores them; what is laid over it stands anywhere."""
        return paths if self._base is None else self._base.arranged(paths)

    def write(self, path: str, data: bytes) -> None:
        """Lay new content over a path."""
        now_ns = time.time_ns() // _FILETIME_NS * _FILETIME_NS
        self._put(Member(path, "file", len(data), modified_ns=now_ns), self._spool.put(data))

    def borrow(self, path: str, source: EditedSource, member: Member) -> None:
        """Lay a member of an edited source over a path as it is now, unread; time and attributes come along."""
        copy = Member(path, "file", member.size, member.modified_ns, member.attributes, member.crc32, member.dos_time)
        content = source._written.get(member.path)
        if isinstance(content, Spooled):
            self._put(copy, self._spool.put(source._content(content)))
        elif content is not None:
            self._put(copy, content)
        elif source._base is not None:
            self._put(copy, _Borrowed(source._base, member.path))

    def remove(self, path: str) -> None:
        """Take one entry away."""
        self._written.pop(path, None)
        self._members.pop(path, None)
        for known, key in self._sets(path):
            known.get(key, set()).discard(path)
        if self._base is not None:
            self._removed.add(path)
        self._touch(path)

    def remove_folder(self, folder: str) -> None:
        """Take away `data/<uuid>/` with all that is in it, known or not."""
        for member in self.children(folder):
            self.remove(member.path)
        self.remove(folder.rstrip("/"))

    def close(self) -> None:
        """Close the temporary file; its opener closes the base."""
        self._spool.close()

    def _put(self, member: Member, content: _Borrowed | Spooled) -> None:
        path = member.path
        self._written[path] = content
        self._members[path] = member
        for known, key in self._sets(path):
            known.setdefault(key, set()).add(path)
        self._removed.discard(path)
        self._touch(path)

    def _touch(self, path: str) -> None:
        self._clock += 1
        self._stamps[path] = self._clock

    def _content(self, content: _Borrowed | Spooled) -> bytes:
        if isinstance(content, _Borrowed):
            return content.source.read(content.path)
        return self._spool.get(content)

    def _candidates(self, prefix: str) -> Sequence[str]:
        """Changed paths that may start with a prefix: one folder's where the prefix names one."""
        depth = prefix.count("/")
        if depth >= 2:
            return list(self._folders.get(_folder(prefix), ()))
        return list(self._tops.get(_top(prefix), ()) if depth else self._members)

    def _sets(self, path: str) -> tuple[tuple[dict[str, set[str]], str], ...]:
        """Where a changed path is remembered, and under which key."""
        return (self._folders, _folder(path)), (self._tops, _top(path))


def _paths(members: Sequence[Member]) -> list[str]:
    """All paths, in archive order."""
    if isinstance(members, _NamesPaths):
        return [members.path_of(index) for index in range(len(members))]
    return [member.path for member in members]


def _folder(path: str) -> str:
    """The item a path belongs to: `data/<uuid>/xes.data` → `data/<uuid>`."""
    return "/".join(path.split("/", 2)[:2])


def _top(path: str) -> str:
    """`data/<uuid>/xes.data` → `data`."""
    return path.partition("/")[0]


def _after(prefix: str) -> str:
    """The least text greater than all that start with a prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)
