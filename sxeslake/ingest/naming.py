"""Under which name and version an archive goes into the log. Decided again at every head.

A file that the lake holds, by its SHA-256, is the version that holds it, whatever name it wants; another state of a
file that is known by host and path is the next version of that sample. Any other archive wants a name, `test`. It takes
the first of `test`, `test-2`, `test-3`, … that is free, or that has a version which it continues: one with an analysis,
an array or the whole content in common.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sxeslake.format.logentry import ArchiveAdded
from sxeslake.model import OPAQUE, Source
from sxeslake.vault.log.state import Head, LogState, Version

_NUMBERED = re.compile(r"(?P<wanted>.+)-(?P<number>[1-9][0-9]*)", re.DOTALL)

_STATUS_WORDS = (b'"forgotten"', b'"restored"', b'"collected"')
_KEPT_CHAINS = 4096  # of a run over 100,000 names; a chain that is dropped is read again

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """What the decision needs to know of a new archive."""

    wanted: str
    insisted: bool  # --sample: versions of that name, related or not
    content_id: str
    layout_id: str
    source: Source
    analyses: frozenset[str]
    shares_array: Callable[[Version], bool] | None  # None: it has no array that the lake knows
    is_opaque: bool = False


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where it goes; `unchanged` is the version that holds it already."""

    sample: str
    version: int
    unchanged: bool
    by_name: bool = field(default=True, compare=False)  # False: by its SHA-256 or its path


class _Chain:
    """The names `test`, `test-2`, … of one wanted name, and what their live versions are known by.

    Each lookup is a dictionary's, so 10,000 archives of one name cost 10,000 lookups and not their square.
    """

    def __init__(self) -> None:
        self.by_key: dict[Key, int] = {}  # → the first name, as a place in the chain, with a version known by that
        self.same: dict[tuple[int, Key], int] = {}  # → the newest version that has these bytes or this content
        self.live: set[int] = set()

    def add(self, place: int, version: Version) -> None:
        """A live version of a name, newer than those before."""
        self.live.add(place)
        for key in _relations(version.archive):
            self.by_key[key] = min(place, self.by_key.get(key, place))
        for key in _identities(version.archive):
            self.same[place, key] = version.version


class Names:
    """The names of a lake as far as a run has asked for them, read once and kept up to date as the head moves."""

    def __init__(self, state: LogState) -> None:
        self._state = state
        self._head = Head(0, None)
        self._chains: dict[str, _Chain] = {}
        self._free: dict[str, int] = {}  # the first place of each chain without a live version
        self._asked: set[tuple[str, int]] = set()  # places that hold no live version at this head

    def decide(self, newcomer: Newcomer, batch: NamedBatch) -> Assignment:
        """The place of an archive, beside those of its batch that were decided before it."""
        self._follow()
        home = None if newcomer.insisted else self._home(newcomer, batch)
        wanted = home or newcomer.wanted
        if wanted not in self._chains and len(self._chains) >= _KEPT_CHAINS:
            self._drop()
        chain, other = self._chains.setdefault(wanted, _Chain()), batch.chain(wanted)
        if home is not None:
            self._is_live(home, chain, 0)
            place = 0
        else:
            free = self._first_free(wanted, chain, other)
            place = 0 if newcomer.insisted else self._first_related(newcomer, (chain, other), batch, free)
        name, by_name = _name(wanted, place), home is None
        for part in (other, chain):
            same = [version for key in _identities_of(newcomer) if (version := part.same.get((place, key))) is not None]
            if same:
                return Assignment(name, max(same), True, by_name)
        return Assignment(name, max(self._state.next_version(name), batch.newest(name) + 1), False, by_name)

    def _home(self, newcomer: Newcomer, batch: NamedBatch) -> str | None:
        """The sample that holds this file, else the one that holds the newest state of the file at its path."""
        source = newcomer.source
        place = source.path or "", source.host or ""
        there = [(known.sample, known.version) for known in self._state.paths("v.path = ? AND v.host = ?", place)]
        there += batch.of_path(place)
        if source.sha256 is not None:
            sql = "SELECT sample, version FROM versions WHERE status = 'live' AND bytes = ? AND sha256 = ?"
            same = [*self._state.select(sql, (source.size, source.sha256)), *batch.of_file(source.sha256)]
            if same:
                here = set(there)
                ranked = ((name not in here, name[0] != newcomer.wanted, name[0]) for name in map(tuple, same))
                return str(min(ranked)[2])
        return there[-1][0] if there else None

    def _follow(self) -> None:
        """Take in what was committed since the last decision."""
        head = self._state.head()
        if head == self._head:
            return
        self._asked.clear()
        if self._state.digest(self._head.number) != self._head.digest or self._was_unsettled(self._head.number):
            self._drop()
        elif self._chains:
            for version in self._state.versions("status = 'live' AND v.number > ?", (self._head.number,)):
                for wanted, place in _chains_of(version.sample):
                    # A place that was not live is read whole when a decision comes to it.
                    if wanted in self._chains and place in self._chains[wanted].live:
                        self._chains[wanted].add(place, version)
        self._head = head

    def _drop(self) -> None:
        self._chains.clear()
        self._free.clear()
        self._asked.clear()

    def _was_unsettled(self, number: int) -> bool:
        """Whether an entry behind a number may have changed the status of a version: what is known is read again."""
        texts = (part for _, _, data, body in self._state.log(number) for part in (data, body or b""))
        return any(word in text for text in texts for word in _STATUS_WORDS)

    def _first_free(self, wanted: str, chain: _Chain, other: _Chain) -> int:
        """The first place of a chain without a live version, in the lake or in the batch."""
        place = self._free.get(wanted, 0)
        while self._is_live(wanted, chain, place):
            place += 1
        self._free[wanted] = place
        while place in other.live or self._is_live(wanted, chain, place):
            place += 1
        return place

    def _is_live(self, wanted: str, chain: _Chain, place: int) -> bool:
        if place not in chain.live and (wanted, place) not in self._asked:
            for version in self._state.versions("status = 'live' AND v.sample = ?", (_name(wanted, place),)):
                chain.add(place, version)
            self._asked.add((wanted, place))
        return place in chain.live

    def _first_related(self, newcomer: Newcomer, chains: Iterable[_Chain], batch: NamedBatch, free: int) -> int:
        """The first place before `free` with a version that the archive continues; `free` where there is none."""
        keys_of_it = list(_relations_of(newcomer))
        first = min(free, *(chain.by_key.get(key, free) for chain in chains for key in keys_of_it))
        if newcomer.shares_array is not None:
            for place in range(first):
                name = _name(newcomer.wanted, place)
                versions = self._state.versions("status = 'live' AND v.sample = ?", (name,))
                versions += [version for version in batch if version.sample == name]
                if any(map(newcomer.shares_array, reversed(versions))):
                    return place
        return first


class NamedBatch:
    """The archives of a batch that have their places already."""

    def __init__(self, versions: Iterable[Version] = ()) -> None:
        self._chains: dict[str, _Chain] = {}
        self._newest: dict[str, int] = {}
        self._versions: list[Version] = []
        self._by_content: dict[str, str] = {}
        self._of_path: dict[tuple[str, str], list[tuple[str, int]]] = {}
        self._of_file: dict[str, list[tuple[str, int]]] = {}
        for version in versions:
            self.add(version)

    def add(self, version: Version) -> None:
        """An archive that becomes this version."""
        self._versions.append(version)
        source, name = version.archive.source, (version.sample, version.version)
        self._of_path.setdefault((source.get("path") or "", source.get("host") or ""), []).append(name)
        if (sha256 := source.get("sha256")) is not None:
            self._of_file.setdefault(sha256, []).append(name)
        self._newest[version.sample] = version.version
        self._by_content.setdefault(version.archive.content_id, version.name)
        for wanted, place in _chains_of(version.sample):
            if wanted in self._chains:
                self._chains[wanted].add(place, version)

    def chain(self, wanted: str) -> _Chain:
        """The part of a chain that is in this batch."""
        if wanted not in self._chains:
            chain = self._chains[wanted] = _Chain()
            for version in self._versions:
                if (place := dict(_chains_of(version.sample)).get(wanted)) is not None:
                    chain.add(place, version)
        return self._chains[wanted]

    def of_path(self, place: tuple[str, str]) -> list[tuple[str, int]]:
        """The versions in this batch that come from a path and host."""
        return self._of_path.get(place, [])

    def of_file(self, sha256: str) -> list[tuple[str, int]]:
        """The versions in this batch that come from a file with this SHA-256."""
        return self._of_file.get(sha256, [])

    def newest(self, sample: str) -> int:
        """The newest version of a sample in the batch; 0 where there is none."""
        return self._newest.get(sample, 0)

    def of_content(self, content_id: str) -> str | None:
        """The first version with this content."""
        return self._by_content.get(content_id)

    def __iter__(self) -> Iterator[Version]:
        return iter(self._versions)


def _name(wanted: str, place: int) -> str:
    """0 → `test`, 1 → `test-2`."""
    return wanted if place == 0 else f"{wanted}-{place + 1}"


def _chains_of(name: str) -> Iterator[tuple[str, int]]:
    """The chains that a name is in, and its place in each: `test-2` → `test-2`, 0 and `test`, 1."""
    yield name, 0
    match = _NUMBERED.fullmatch(name)
    if match is not None and int(match["number"]) > 1:
        yield match["wanted"], int(match["number"]) - 1


def _relations(archive: ArchiveAdded) -> Iterator[Key]:
    yield from _relation(archive.content_id, archive.analyses, archive.source)


def _relations_of(newcomer: Newcomer) -> Iterator[Key]:
    source = {"path": newcomer.source.path, "host": newcomer.source.host, "sha256": newcomer.source.sha256}
    yield from _relation(newcomer.content_id, newcomer.analyses, source)


def _relation(content_id: str, analyses: Iterable[str], source: Mapping[str, Any]) -> Iterator[Key]:
    """What another archive must have in common with this one to continue its sample."""
    yield ("path", source.get("path") or "", source.get("host") or "")
    yield ("content", content_id)
    yield from (("analysis", analysis) for analysis in analyses)
    if (sha256 := source.get("sha256")) is not None:
        yield ("sha256", sha256)


def _identities(archive: ArchiveAdded) -> Iterator[Key]:
    """What makes another archive this very version."""
    yield from _identity(archive.content_id, archive.layout_id, archive.source, is_opaque=archive.kind == OPAQUE)


def _identities_of(newcomer: Newcomer) -> Iterator[Key]:
    source = {"sha256": newcomer.source.sha256, "encoding": newcomer.source.encoding}
    yield from _identity(newcomer.content_id, newcomer.layout_id, source, is_opaque=newcomer.is_opaque)


def _identity(content_id: str, layout_id: str, source: Mapping[str, Any], *, is_opaque: bool) -> Iterator[Key]:
    """A file is told by its SHA-256, a folder by names, contents, times and attributes.

    The same file read in another way, in another encoding or by a version that can read it, is another version.
    """
    sha256 = source.get("sha256")
    if is_opaque:
        yield ("opaque", sha256 or "")
    elif sha256 is not None:
        yield ("file", sha256, source.get("encoding") or "")
    else:
        yield ("layout", content_id, layout_id, source.get("encoding") or "")
