"""`metadata.json` as the outline of a group: which positions are wanted, and what stays of it. Pure."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sxeslake.archive.sxes import layout
from sxeslake.archive.sxes.documents.fields import analysis_uuids_key, strings
from sxeslake.archive.sxes.documents.text import parse
from sxeslake.archive.sxes.documents.units import text
from sxeslake.archive.sxes.extensions.stated import newer_than_known
from sxeslake.errors import InputError, NotFoundError, ReadOnlyError
from sxeslake.pull.part.wanted import PartSpec, numbers_of

Fields = Mapping[str, Any]

POSITIONS: Final = layout.LIST_KEYS[layout.DATA]
PICTURES: Final = layout.LIST_KEYS[layout.IMAGES]
_LEGACY: Final = "cp932"  # what Japanese instruments write; only lists are changed, so that every text keeps its bytes
_SHOWN: Final = 6  # names in a hint


@dataclass(frozen=True, slots=True)
class Outline:
    """A group's `metadata.json`: its fields, and the encoding that a changed one is written in."""

    fields: Fields
    encoding: str

    @property
    def projects(self) -> list[Fields]:
        """Its projects, in file order."""
        return _entries(self.fields, "projects")

    @property
    def analyses(self) -> list[Fields]:
        """Its analyses, in file order."""
        return _entries(self.fields, "analyses")

    def positions(self) -> list[str]:
        """Every position that an analysis lists, in order, each once."""
        return list(dict.fromkeys(uuid for analysis in self.analyses for uuid in listed(analysis)))


@dataclass(frozen=True, slots=True)
class Choice:
    """What is taken of one group: positions in order, and the places of the analyses that keep any of them."""

    positions: tuple[str, ...]
    analyses: tuple[int, ...]
    unlisted: tuple[str, ...] = ()  # asked for by UUID, and in no analysis


def read_outline(raw: bytes, *, where: str) -> Outline:
    """Read `metadata.json`; InputError where a part of it cannot be made without losing what it says."""
    document = parse(layout.METADATA, raw, _LEGACY)
    if not isinstance(document.value, dict) or document.encoding is None:
        raise InputError(
            f"its metadata.json: {document.problem}.", where=where, hint="It can be pulled whole, not in part."
        )
    newer = newer_than_known(document.value)
    if newer is not None:
        raise ReadOnlyError(
            f"{newer}.",
            where=where,
            hint="It can be pulled whole, not in part.",
        )
    return Outline(document.value, document.encoding)


def listed(analysis: Fields, key: str = POSITIONS) -> tuple[str, ...]:
    """The UUIDs that an analysis lists."""
    return strings(analysis.get(key))


def map_hints(outline: Outline) -> dict[str, str]:
    """Map → the analysis that lists it; for maps that do not say themselves."""
    return {
        uuid: owner
        for analysis in outline.analyses
        if isinstance(owner := analysis.get("uuid"), str)
        for uuid in listed(analysis, layout.MAP_KEY)
    }


def choose(
    outline: Outline,
    wanted: PartSpec,
    chosen: Collection[str] | None,
    *,
    where: str,
    by: str = "",
    mapped: Collection[str] = (),
) -> Choice:
    """The positions that are wanted; NotFoundError names the condition that leaves none.

    `chosen` are those that a query chose, which `by` describes: `--where "…"`; None where nothing was asked.
    `mapped` are the analyses that have maps: where no positions are asked for, they need none.
    """
    places = called(outline, wanted.analyses, where)
    bare = set[int]() if wanted.positions or chosen is not None else _without_positions(outline, places, mapped)
    if wanted.analyses and not bare and not any(listed(outline.analyses[at]) for at in places):
        raise NotFoundError(f"--analysis {' '.join(wanted.analyses)} lists no position.", where=where)
    candidates = list(dict.fromkeys(uuid for at in places for uuid in listed(outline.analyses[at])))
    taken, unlisted = _numbered(outline, wanted, candidates, where) if wanted.positions else (candidates, [])
    if chosen is not None:
        before = len(taken) + len(unlisted)
        if not wanted.analyses and not wanted.positions:
            known = set(candidates)
            unlisted = [uuid for uuid in sorted(chosen) if uuid not in known]
        taken = [uuid for uuid in taken if uuid in chosen]
        unlisted = [uuid for uuid in unlisted if uuid in chosen]
        if not taken and not unlisted:
            raise NotFoundError(f"{by or 'the query'} leaves none of {before:,} positions.", where=where)
    if not taken and not unlisted and not bare:
        raise NotFoundError("no analysis of it lists a position.", where=where)
    kept = set(taken)
    analyses = (at for at in places if at in bare or not kept.isdisjoint(listed(outline.analyses[at])))
    return Choice(tuple(taken), tuple(analyses), tuple(unlisted))


def _without_positions(outline: Outline, places: Sequence[int], mapped: Collection[str]) -> set[int]:
    """Analyses that have maps and list no position."""
    return {
        at for at in places if text(outline.analyses[at].get("uuid")) in mapped and not listed(outline.analyses[at])
    }  # fmt: skip


def called(outline: Outline, words: Sequence[str], where: str) -> list[int]:
    """The places of the analyses of those names or UUIDs; all where none is asked for."""
    analyses = outline.analyses
    if not words:
        return list(range(len(analyses)))
    found: set[int] = set()
    for word in words:
        matches = {at for at, fields in enumerate(analyses) if _is_called(fields, word)}
        if not matches:
            names = [str(fields.get("name") or fields.get("uuid") or "") for fields in analyses]
            raise NotFoundError(f"no analysis is called {word!r}.", where=where, hint=_near(word, names))
        found |= matches
    return sorted(found)


def _is_called(fields: Fields, word: str) -> bool:
    name = fields.get("name")
    own = isinstance(name, str) and (name == word or fnmatch.fnmatchcase(name.casefold(), word.casefold()))
    return own or fields.get("uuid") == word.casefold() or fields.get("uuid") == word


def _numbered(outline: Outline, wanted: PartSpec, candidates: Sequence[str], where: str) -> tuple[list[str], list[str]]:
    """The positions of those numbers and UUIDs, in the order listed; then UUIDs that no analysis lists."""
    among, everything = set(candidates), None if wanted.analyses else set(candidates)
    taken: set[str] = set()
    unlisted: list[str] = []
    for word in wanted.positions:
        numbers = numbers_of(word)
        if numbers is not None:
            first, last = numbers
            if last > len(candidates):
                raise NotFoundError(
                    f"there is no position {last}.", where=where, hint=f"There are {len(candidates):,}."
                )
            taken.update(candidates[first - 1 : last])
        elif word in among or word.lower() in among:
            taken.add(word if word in among else word.lower())
        elif everything is None and word in outline.positions():
            raise NotFoundError(f"--analysis {' '.join(wanted.analyses)} does not list position {word}.", where=where)
        else:
            unlisted.append(word)
    return [uuid for uuid in candidates if uuid in taken], unlisted


def _near(word: str, names: Sequence[str]) -> str | None:
    shown = difflib.get_close_matches(word, names, n=3) or list(dict.fromkeys(filter(None, names)))[:_SHOWN]
    return f"There is {', '.join(shown)}." if shown else None


def pruned(outline: Outline, choice: Choice, *, images: bool) -> dict[str, Any]:
    """`metadata.json` with nothing but the chosen; fields that nobody knows stay."""
    kept_positions = set(choice.positions)
    analyses = []
    for at in choice.analyses:
        fields = dict(outline.analyses[at])
        fields[POSITIONS] = [uuid for uuid in listed(fields) if uuid in kept_positions]
        if not images and PICTURES in fields:
            fields[PICTURES] = []
        analyses.append(fields)
    kept = {uuid for fields in analyses if isinstance(uuid := fields.get("uuid"), str)}
    projects = []
    for project in outline.projects:
        key = analysis_uuids_key(project)
        uuids = [uuid for uuid in strings(project.get(key)) if uuid in kept]
        if uuids:
            projects.append({**project, key: uuids})
    return {**outline.fields, "projects": projects, "analyses": analyses}


def pictures(fields: Fields) -> list[str]:
    """The images that the analyses of a `metadata.json` list, each once."""
    return list(dict.fromkeys(uuid for entry in _entries(fields, "analyses") for uuid in listed(entry, PICTURES)))


def _entries(fields: Fields, key: str) -> list[Fields]:
    entries = fields.get(key)
    return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
